//! One run: an arm on a set with a seed; and the file of finished ones.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use maphc2f::adbench::metrics::PixelPool;
use maphc2f::adbench::metrics::{MetricError, auroc};
use maphc2f::adbench::protocol::Protocol;
use maphc2f::bisqad::Prediction;
use maphc2f::shrink_to_side;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::sets::Set;
use crate::{Result, arms};

/// Figures of one run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) set: String,
    pub(crate) arm: String,
    pub(crate) seed: u64,
    side: u64,
    /// Image and pixel AUROC by protocol `native`, and by the evaluation rule of `resize-256`.
    pub(crate) native: (f64, f64),
    pub(crate) resized: (f64, f64),
    /// Seconds to train.
    pub(crate) seconds: f64,
}

impl Run {
    pub(crate) fn is(&self, set: &str, arm: &str, seed: u64, side: usize) -> bool {
        self.set == set && self.arm == arm && self.seed == seed && self.side == side as u64
    }

    fn to_json(&self) -> Value {
        json!({
            "set": self.set, "arm": self.arm, "seed": self.seed, "side": self.side, "seconds": self.seconds,
            "native": [self.native.0, self.native.1], "resize-256": [self.resized.0, self.resized.1],
        })
    }

    fn from_json(v: &Value) -> Option<Self> {
        let pair = |name: &str| Some((v[name][0].as_f64()?, v[name][1].as_f64()?));
        Some(Self {
            set: v["set"].as_str()?.to_owned(),
            arm: v["arm"].as_str()?.to_owned(),
            seed: v["seed"].as_u64()?,
            side: v["side"].as_u64()?,
            native: pair("native")?,
            resized: pair("resize-256")?,
            seconds: v["seconds"].as_f64()?,
        })
    }
}

impl Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { set, arm, seed, native, resized, seconds, .. } = self;
        write!(
            f,
            "{set:14} {arm:18} seed {seed}: {:.4}/{:.4} (resize-256 {:.4}/{:.4}), trained in {seconds:.1} s",
            native.0, native.1, resized.0, resized.1
        )
    }
}

/// The finished runs of a file, none if there is no file.
pub(crate) fn read(path: &Path) -> Result<Vec<Run>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let broken = |line: usize| format!("{}: line {line} is no run: delete it", path.display());
    let parse = |(i, line): (usize, &str)| -> Result<Run> {
        let value: Value = serde_json::from_str(line).map_err(|_| broken(i + 1))?;
        Ok(Run::from_json(&value).ok_or_else(|| broken(i + 1))?)
    };
    std::fs::read_to_string(path)?.lines().enumerate().map(parse).collect()
}

pub(crate) fn append(path: &Path, run: &Run) -> Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    Ok(writeln!(file, "{}", run.to_json())?)
}

/// Trains and measures.
pub(crate) fn make(set: &Set, arm: &str, seed: u64, side: usize) -> Result<Run> {
    let start = Instant::now();
    let detector = arms::trained(set, arm, seed)?;
    let seconds = start.elapsed().as_secs_f64();
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
        set: set.name.to_owned(),
        arm: arm.to_owned(),
        seed,
        side: side as u64,
        native: by("native")?,
        resized: by("resize-256")?,
        seconds,
    })
}

/// Image and pixel AUROC of maps at the detector's size. Under `native` the image score is the detector's own.
fn figures(set: &Set, predictions: &[Prediction], protocol: &Protocol) -> Result<(f64, f64)> {
    let mut pool = PixelPool::new();
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    for (test, prediction) in set.tests.iter().zip(predictions) {
        let evaluated = protocol.map(prediction.map.view(), test.mask.dim())?;
        pool.push(evaluated.view(), protocol.truth(test.mask.view())?.view())?;
        let by_rule = f64::from(protocol.reducer.reduce(evaluated.view())?);
        scores.push(if protocol.evaluation.is_some() { by_rule } else { prediction.score });
        labels.push(test.kind.is_some());
    }
    let image: std::result::Result<f64, MetricError> = auroc(&scores, &labels);
    Ok((image?, pool.rank()?.auroc()))
}
