//! The quality estimator that `maphc2f train` learns beside the detector.

use std::fs;
use std::time::Instant;

use maphc2f::sqe::{Fault, FaultReport};
use maphc2f::{MATERIALS, PipelineSource, learn_faults};

use super::Images;
use crate::Result;
use crate::args::TrainArgs;
use crate::console::Console;
use crate::evaluate::warn;

/// Defects that are drawn and spoiled: with them the estimator takes about an eighth of the time of training.
const DEFECTS: usize = 40;

/// What became of the estimator.
pub(super) struct Learned {
    /// Share of held-out pairs that it ranks rightly; `None` if there is no estimator.
    pub(super) pair_accuracy: Option<f64>,
    /// Why there is none.
    pub(super) warning: Option<String>,
}

/// Learns an estimator on the photos and writes `quality.safetensors`. Where too few defects can be drawn there is
/// none: a detector is worth having without.
pub(super) fn learn(
    args: &TrainArgs,
    images: &Images,
    source: &PipelineSource<'_>,
    console: &Console,
) -> Result<Learned> {
    let path = args.out.join("quality.safetensors");
    let start = Instant::now();
    let bar = console.bar("quality", 0);
    let learned = learn_faults(&images.normals, source, &MATERIALS, DEFECTS, args.seed);
    bar.finish_and_clear();
    match learned {
        Ok((estimator, report)) => {
            estimator.save(&path)?;
            console.say(&summary(&report, start.elapsed().as_secs_f64()));
            Ok(Learned { pair_accuracy: Some(report.held_out_accuracy), warning: None })
        }
        Err(reason) => {
            let warning = format!(
                "no quality estimator of these photos: {reason}; `synth --keep-best` and `quality` use the built-in one"
            );
            warn(console, std::slice::from_ref(&warning));
            // that of an earlier training would be taken for this one's
            fs::remove_file(path).ok();
            Ok(Learned { pair_accuracy: None, warning: Some(warning) })
        }
    }
}

/// How it went, for people.
fn summary(report: &FaultReport, seconds: f64) -> String {
    let pairs = if report.held_out_photos > 0 { "held-out pairs" } else { "its training pairs (one photo)" };
    let before = report.before.map_or_else(String::new, |b| format!(", {:.0} % by the built-in estimator", 100.0 * b));
    let off_object =
        if report.faults.contains(&Fault::OffObject) { "; it knows defects beside the product" } else { "" };
    format!(
        "quality: {:.0} % of {pairs} of a defect and itself spoiled are ranked rightly{before}{off_object} \
         ({seconds:.1} s)",
        100.0 * report.held_out_accuracy,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command};
    use clap::Parser;
    use maphc2f::Pipeline;
    use ndarray::Array3;

    /// Nothing can be drawn by a pipeline without mechanisms: training goes on, and no estimator of before is left.
    #[test]
    fn where_nothing_can_be_drawn_there_is_no_estimator_and_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quality.safetensors");
        fs::write(&path, "of an earlier training").unwrap();
        let given = ["maphc2f", "train", "--normals", "x", "--out", folder.path().to_str().unwrap()];
        let Command::Train(args) = Args::try_parse_from(given).unwrap().command else { unreachable!() };
        let photo = Array3::from_shape_fn((96, 96, 3), |(y, x, _)| ((y * 7 + x * 13) % 23) as f32 / 23.0);
        let (normals, names) = (vec![photo], vec!["0.png".to_owned()]);
        let name = "part".to_owned();
        let images = Images { name, normals, names, tests: Vec::new(), warnings: Vec::new(), not_read: 0 };
        let pipeline = Pipeline::default();
        let source = PipelineSource::new(&pipeline, &images.normals, &images.names, 0).unwrap();
        let learned = learn(&args, &images, &source, &Console::new(true, true)).unwrap();
        assert_eq!(learned.pair_accuracy, None);
        assert!(learned.warning.is_some_and(|text| text.contains("built-in")) && !path.exists());

        let pipeline = Pipeline::physical(&MATERIALS).unwrap();
        let source = PipelineSource::new(&pipeline, &images.normals, &images.names, 0).unwrap();
        let learned = learn(&args, &images, &source, &Console::new(true, true)).unwrap();
        assert!(
            learned.warning.is_none() && learned.pair_accuracy.is_some_and(|a| a > 0.5),
            "{:?}",
            learned.pair_accuracy
        );
        maphc2f::sqe::FaultEstimator::load(&path).unwrap();
    }
}
