//! Compares two detectors by lists of image scores: AUROC with an interval, average precision, best F1.
//!
//! `cargo run -p adbench --example scores`
#![allow(clippy::print_stdout)] // the program prints its result

use adbench::metrics::{BootstrapParams, auroc, average_precision, bootstrap, f1_max};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // true: anomalous; scores of any unit, higher is more anomalous
    let labels = [false, false, false, false, false, true, true, true, true, true];
    let detectors = [
        ("mine", [0.10, 0.20, 0.15, 0.30, 0.42, 0.35, 0.60, 0.75, 0.80, 0.90]),
        ("baseline", [0.30, 0.10, 0.55, 0.20, 0.40, 0.25, 0.50, 0.35, 0.70, 0.60]),
    ];
    for (name, scores) in detectors {
        let area = auroc(&scores, &labels)?;
        let precision = average_precision(&scores, &labels)?;
        let best = f1_max(&scores, &labels)?;
        println!("{name}: AUROC {area:.3}, AP {precision:.3}, F1 {:.3} at score >= {}", best.f1, best.threshold);
        let interval = bootstrap(&labels, BootstrapParams::default(), |sampled| {
            let (scores, labels): (Vec<f64>, Vec<bool>) = sampled.iter().map(|&i| (scores[i], labels[i])).unzip();
            auroc(&scores, &labels)
        })?;
        println!("    95 % interval of AUROC, over images: {:.3} to {:.3}", interval.low, interval.high);
    }
    // a missing class is an error, never 0.5
    if let Err(error) = auroc(&[0.1, 0.2], &[false, false]) {
        println!("without an anomalous image: {error}");
    }
    Ok(())
}
