//! Trains the bi-level preset on synthetic defects of a source of your own: `cargo run -p bisqad --example train`.
#![allow(clippy::print_stdout)] // a program for a terminal

use std::sync::Arc;

use bisqad::{Anomaly, AnomalySource, Detector, Error, NoObserver, PatchDetector, SourceError, Threshold, TrainParams};
use frozen_backbone::EfficientNetLite0;
use ndarray::{Array2, Array3, ArrayView3};

const SIDE: usize = 64;

fn photo(i: usize) -> Array3<f32> {
    Array3::from_shape_fn((SIDE, SIDE, 3), |(y, x, _)| 0.4 + 0.1 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
}

/// Two mechanisms: bright dots and dark scratches.
struct DotsAndScratches;

impl AnomalySource for DotsAndScratches {
    fn mechanisms(&self) -> usize {
        2
    }
    fn anomaly(
        &self,
        normal: ArrayView3<'_, f32>,
        _: usize,
        mechanism: usize,
        index: u64,
    ) -> Result<Anomaly, SourceError> {
        let (cy, cx) = (12 + index as usize * 37 % 40, 12 + index as usize * 53 % 40);
        let mask = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| match mechanism {
            0 => y.abs_diff(cy).pow(2) + x.abs_diff(cx).pow(2) < 20,
            _ => y.abs_diff(cy) < 2 && x.abs_diff(cx) < 12,
        });
        let change = if mechanism == 0 { 0.3 } else { -0.3 };
        let image = Array3::from_shape_fn(normal.dim(), |(y, x, c)| {
            normal[[y, x, c]] + if mask[[y, x]] { change } else { 0.0 }
        });
        Ok(Anomaly { image, mask, severity: None })
    }
}

fn main() -> Result<(), Error> {
    let normals: Vec<_> = (0..12).map(photo).collect();
    let backbone = Arc::new(EfficientNetLite0::pretrained()?);
    let params = TrainParams::default().with_rounds(2).with_steps(3).with_batch(4);
    let outcome = PatchDetector::fit(backbone, &normals, &DotsAndScratches, &params, &mut NoObserver)?;
    for (i, round) in outcome.report.rounds.iter().enumerate() {
        println!("round {i}: loss {:.3}, effective sample size {:.0} %", round.loss, 100.0 * round.ess_fraction);
    }
    let mut dented = photo(40);
    dented.slice_each_axis_mut(|a| if a.axis.index() < 2 { (20..34).into() } else { (..).into() }).fill(0.8);
    let (normal, dented) = (outcome.detector.predict(photo(41).view())?, outcome.detector.predict(dented.view())?);
    let threshold = Threshold::of(&outcome.detector, 0.0)?.value;
    println!("normal {:.2}, dented {:.2}, threshold {threshold:.2}", normal.score, dented.score);
    Ok(())
}
