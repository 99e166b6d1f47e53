//! One run: a variant trained on a set with a seed, and its figures on the test images.

use std::fmt::Display;
use std::time::Instant;

use experiments::program::Result;
use experiments::sets::ImageSet;
use maphc2f::adbench::metrics::PixelPool;
use maphc2f::adbench::metrics::{MetricError, auroc};
use maphc2f::adbench::protocol::Protocol;
use maphc2f::bisqad::{Detector, Prediction};
use maphc2f::shrink_to_side;
use ndarray::Array3;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::variants;

/// Figures of one run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) set: String,
    pub(crate) variant: String,
    pub(crate) seed: u64,
    side: u64,
    /// Image and pixel AUROC by protocol `native`.
    pub(crate) native: (f64, f64),
    /// Image and pixel AUROC by the evaluation rule of `resize-256`.
    pub(crate) resized: (f64, f64),
    /// Seconds to train.
    pub(crate) seconds: f64,
}

/// Fields that tell a run from others in the log. The log has called a variant "arm" from its first day.
pub(crate) fn key(set: &str, variant: &str, seed: u64, side: usize) -> Value {
    json!({ "set": set, "arm": variant, "seed": seed, "side": side })
}

impl Run {
    pub(crate) fn is(&self, set: &str, variant: &str, side: usize) -> bool {
        self.set == set && self.variant == variant && self.side == side as u64
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "set": self.set, "arm": self.variant, "seed": self.seed, "side": self.side, "seconds": self.seconds,
            "native": [self.native.0, self.native.1], "resize-256": [self.resized.0, self.resized.1],
        })
    }

    pub(crate) fn from_json(v: &Value) -> Result<Self> {
        let pair = |name: &str| Some((v[name][0].as_f64()?, v[name][1].as_f64()?));
        let run = || {
            Some(Self {
                set: v["set"].as_str()?.to_owned(),
                variant: v["arm"].as_str()?.to_owned(),
                seed: v["seed"].as_u64()?,
                side: v["side"].as_u64()?,
                native: pair("native")?,
                resized: pair("resize-256")?,
                seconds: v["seconds"].as_f64()?,
            })
        };
        Ok(run().ok_or_else(|| format!("runs.jsonl: {v} is no run: delete this line"))?)
    }
}

impl Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { set, variant, seed, native, resized, seconds, .. } = self;
        write!(
            f,
            "{set:14} {variant:18} seed {seed}: {:.4}/{:.4} (resize-256 {:.4}/{:.4}), trained in {seconds:.1} s",
            native.0, native.1, resized.0, resized.1
        )
    }
}

/// Trains a variant and measures it, with what comes of the same training.
pub(crate) fn make(name: &str, set: &ImageSet, variant: &str, seed: u64) -> Result<Vec<Run>> {
    let side = variants::side(variant, set.side);
    let normals: Vec<Array3<f32>> =
        set.normals.iter().map(|n| shrink_to_side(n.view(), side)).collect::<std::result::Result<_, _>>()?;
    let start = Instant::now();
    let detectors = variants::train_variant(&normals, &set.names, variant, seed)?;
    let seconds = start.elapsed().as_secs_f64();
    let measure = |(variant, detector): &(&str, Box<dyn Detector>)| -> Result<Run> {
        let predictions: Vec<Prediction> = set
            .tests
            .par_iter()
            .map(|t| {
                let image = shrink_to_side(t.image.view(), side).map_err(|e| e.to_string())?;
                detector.predict(image.view()).map_err(|e| e.to_string())
            })
            .collect::<std::result::Result<_, String>>()?;
        let by = |name: &str| -> Result<(f64, f64)> {
            let protocol = Protocol::named(name).ok_or("no such protocol")?;
            figures(set, &predictions, &protocol)
        };
        Ok(Run {
            set: name.to_owned(),
            variant: (*variant).to_owned(),
            seed,
            side: set.side as u64,
            native: by("native")?,
            resized: by("resize-256")?,
            seconds,
        })
    };
    detectors.iter().map(measure).collect()
}

/// Image and pixel AUROC of maps at the detector's size. Under `native` the image score is the detector's own.
fn figures(set: &ImageSet, predictions: &[Prediction], protocol: &Protocol) -> Result<(f64, f64)> {
    let mut pool = PixelPool::new();
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    for (test, prediction) in set.tests.iter().zip(predictions) {
        let evaluated = protocol.map(prediction.map.view(), (test.image.dim().0, test.image.dim().1))?;
        if let Some(mask) = &test.mask {
            pool.push(evaluated.view(), protocol.truth(mask.view())?.view())?;
        }
        let by_rule = f64::from(protocol.reducer.reduce(evaluated.view())?);
        scores.push(if protocol.evaluation.is_some() { by_rule } else { prediction.score });
        labels.push(test.kind.is_some());
    }
    let image: std::result::Result<f64, MetricError> = auroc(&scores, &labels);
    Ok((image?, pool.rank()?.auroc()))
}
