//! The foreground model as JSON: every number to the last bit, checked when it is read.

use imgkit::{ParameterError, ensure};
use serde::{Deserialize, Serialize};

use super::background::{Background, FEATURES, TERMS, TONES, Tone};
use super::cells::Plane;
use super::fit::PLACES;
use super::model::Evidence;
use super::{ForegroundModel, ForegroundParams, SetKind};
use crate::Error;

/// Version of the stored form; it changes when equal numbers would give other masks.
const VERSION: u32 = 1;
const WHAT: &str = "ForegroundModel";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    version: u32,
    params: ForegroundParams,
    kind: SetKind,
    confidence: f64,
    photos: usize,
    explained: f64,
    largest: f64,
    threshold: f32,
    shadow: f32,
    tones: Vec<StoredTone>,
    places: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTone {
    surface: [[f64; TERMS]; FEATURES],
    spread: [f64; FEATURES],
    precision: [[f64; FEATURES]; FEATURES],
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl From<ForegroundModel> for Stored {
    fn from(model: ForegroundModel) -> Self {
        let tones = model.background.tones.into_iter();
        Self {
            version: VERSION,
            params: model.params,
            kind: model.kind,
            confidence: model.confidence,
            photos: model.photos,
            explained: model.explained,
            largest: model.largest,
            threshold: model.evidence.threshold,
            shadow: model.evidence.shadow,
            tones: tones.map(|Tone { surface, spread, precision }| StoredTone { surface, spread, precision }).collect(),
            places: model.places.data,
        }
    }
}

impl TryFrom<Stored> for ForegroundModel {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self, Error> {
        if stored.version != VERSION {
            return Err(Error::ModelVersion { found: stored.version, expected: VERSION });
        }
        stored.params.check()?;
        let share = |name, v: f64| ensure((0.0..=1.0).contains(&v), WHAT, name, v, "0 to 1");
        share("confidence", stored.confidence)?;
        share("explained", stored.explained)?;
        share("largest", stored.largest)?;
        let threshold = stored.threshold;
        ensure((0.1..=1000.0).contains(&threshold), WHAT, "threshold", threshold, "0.1 to 1000")?;
        share("shadow", f64::from(stored.shadow))?;
        let n = stored.tones.len();
        ensure((1..=TONES).contains(&n), WHAT, "tones", n, "1 to 3 tones")?;
        for tone in &stored.tones {
            check(tone)?;
        }
        let n = stored.places.len();
        ensure(n == PLACES * PLACES, WHAT, "places", n, "2304 values (48 x 48)")?;
        for &v in &stored.places {
            share("places", f64::from(v))?;
        }
        let tones = stored.tones.into_iter();
        let tones =
            tones.map(|StoredTone { surface, spread, precision }| Tone { surface, spread, precision }).collect();
        Ok(Self {
            params: stored.params,
            background: Background { tones },
            evidence: Evidence { threshold, shadow: stored.shadow },
            places: Plane { h: PLACES, w: PLACES, data: stored.places },
            kind: stored.kind,
            confidence: stored.confidence,
            explained: stored.explained,
            largest: stored.largest,
            photos: stored.photos,
        })
    }
}

fn check(tone: &StoredTone) -> Result<(), ParameterError> {
    for &v in tone.surface.iter().flatten() {
        ensure(v.abs() <= 100.0, WHAT, "surface", v, "-100 to 100")?;
    }
    for &v in &tone.spread {
        ensure((1e-6..=100.0).contains(&v), WHAT, "spread", v, "1e-6 to 100")?;
    }
    for &v in tone.precision.iter().flatten() {
        ensure(v.abs() <= 1e6, WHAT, "precision", v, "-1e6 to 1e6")?;
    }
    Ok(())
}

impl ForegroundModel {
    /// Writes the model as JSON that [`Self::from_json`] reads back to equal masks, to the last bit.
    ///
    /// # Errors
    /// [`Error::ModelJson`] if the JSON library refuses.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(Error::model_json)
    }

    /// Reads a model from the JSON of [`Self::to_json`].
    ///
    /// # Errors
    /// [`Error::ModelVersion`] for JSON of another version of this crate; [`Error::ModelJson`] for a text that is not
    /// such JSON; [`Error::Parameter`] naming the first value out of range.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let Versioned { version } = serde_json::from_str(json).map_err(Error::model_json)?;
        if version != VERSION {
            return Err(Error::ModelVersion { found: version, expected: VERSION });
        }
        serde_json::from_str::<Stored>(json).map_err(Error::model_json)?.try_into()
    }
}
