//! Chooses evidence for a product on synthetic defects of a source of your own: `cargo run -p bisqad --example choose`.
#![allow(clippy::print_stdout)] // a program for a terminal

use std::sync::Arc;

use bisqad::{
    Anomaly, AnomalySource, Detector, Error, EvidenceDetector, EvidenceParams, NoObserver, SourceError, Threshold,
};
use frozen_backbone::EfficientNetLite0;
use ndarray::{Array2, Array3, ArrayView3};

const SIDE: usize = 96;

/// A photo of a surface with some grain.
fn photo(i: usize) -> Array3<f32> {
    Array3::from_shape_fn((SIDE, SIDE, 3), |(y, x, _)| 0.4 + 0.1 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
}

/// Two mechanisms: bright dots and dark scratches.
struct DotsAndScratches;

impl AnomalySource for DotsAndScratches {
    fn mechanisms(&self) -> usize {
        2
    }
    fn name(&self, mechanism: usize) -> String {
        ["dot", "scratch"][mechanism.min(1)].to_owned()
    }
    fn anomaly(
        &self,
        normal: ArrayView3<'_, f32>,
        _: usize,
        mechanism: usize,
        index: u64,
    ) -> Result<Anomaly, SourceError> {
        let (cy, cx) = (16 + (index % 1009) as usize * 37 % 64, 16 + (index % 1009) as usize * 53 % 64);
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
    let params = EvidenceParams::default().with_head_defects(8).with_validation_defects(6).with_bank(256);
    let outcome = EvidenceDetector::fit(backbone, &normals, &DotsAndScratches, &params, &mut NoObserver)?;
    let report = &outcome.report;
    if let Some(choice) = &report.choice {
        println!(
            "{} candidates; {} with heads x {}: image AUROC {:.3}, patch AUROC {:.3}",
            report.candidates.len(),
            choice.sum,
            choice.head_weight,
            choice.image_auroc,
            choice.pixel_auroc
        );
    }
    for left in &report.left_out {
        println!("{} left out: {:.3} without heads, {:.3} with", left.name, left.without_heads, left.with_heads);
    }
    let mut dented = photo(40);
    dented.slice_each_axis_mut(|a| if a.axis.index() < 2 { (30..44).into() } else { (..).into() }).fill(0.8);
    let (normal, dented) = (outcome.detector.predict(photo(41).view())?, outcome.detector.predict(dented.view())?);
    let threshold = Threshold::of(&outcome.detector, 0.0)?.value;
    println!("normal {:.2}, dented {:.2}, threshold {threshold:.2}", normal.score, dented.score);
    Ok(())
}
