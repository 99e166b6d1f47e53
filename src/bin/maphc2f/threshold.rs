//! What a threshold promises: how many held-out photos it rests on, and how far its rate may be off.

use maphc2f::bisqad::Threshold;
use serde_json::{Value, json};

use crate::Result;

/// Confidence of the interval that is said with a threshold.
const CONFIDENCE: f64 = 0.95;

/// The threshold with the interval of its rate, in a sentence; another one where there are too few photos for the rate.
pub fn describe(threshold: &Threshold) -> Result<String> {
    let (low, high) = threshold.interval(CONFIDENCE)?;
    let rate = 100.0 * threshold.false_positive_rate;
    let real = match threshold.defects {
        (0, _) => String::new(),
        (all, found) => format!("; finds {found} of the {all} real defects, each scored without having been learned"),
    };
    let mut text = format!(
        "threshold {:.4}: calls at most {rate:.1} % of {} held-out good photos anomalous, and of all good photos \
         {:.1} to {:.1} % (with {:.0} % confidence){real}",
        threshold.value,
        threshold.normals,
        100.0 * low,
        100.0 * high,
        100.0 * CONFIDENCE
    );
    if !threshold.is_supported() {
        let few = match threshold.normals {
            1 => "1 held-out photo is".to_owned(),
            n => format!("{n} held-out photos are"),
        };
        text += &match threshold.needed() {
            Some(needed) => format!(
                "; {few} too few for a rate of {rate} %, which takes {needed}: train on more good photos, or allow a \
                 higher rate"
            ),
            None => format!("; {few} too few for a rate of {rate} %, which no number supports: allow a higher one"),
        };
    }
    Ok(text)
}

/// The same for programs.
pub fn object(threshold: &Threshold) -> Result<Value> {
    let (low, high) = threshold.interval(CONFIDENCE)?;
    Ok(json!({
        "value": threshold.value,
        "false_positive_rate": threshold.false_positive_rate,
        "held_out": threshold.normals,
        "exceeding": threshold.exceeding,
        "real_defects": threshold.defects.0,
        "real_defects_found": threshold.defects.1,
        "confidence": CONFIDENCE,
        "low": low,
        "high": high,
        "supported": threshold.is_supported(),
        "needed": threshold.needed(),
    }))
}
