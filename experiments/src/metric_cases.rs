//! Scores, score maps and files on which the metrics and the index are timed, the same on every call.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use oracles::Xorshift;

use crate::program::Result;

/// Makes scores and their labels, `share` of them anomalous: uniform in \[0, 1), the anomalous ones' square roots.
#[must_use]
pub fn scores(count: usize, share: f32) -> (Vec<f32>, Vec<bool>) {
    let mut random = Xorshift::new(1);
    let labels: Vec<bool> = (0..count).map(|_| random.uniform() < share).collect();
    let score = |&label: &bool| if label { random.uniform().sqrt() } else { random.uniform() };
    (labels.iter().map(score).collect(), labels)
}

/// Makes square score maps and masks, three in five with a disc of higher scores.
#[must_use]
pub fn maps(count: usize, side: usize) -> (Vec<Array2<f32>>, Vec<Array2<bool>>) {
    let mut random = Xorshift::new(1);
    let at = |i: usize, from: f64| i as f64 / side as f64 - from;
    let one = |i: usize| {
        let mask = Array2::from_shape_fn((side, side), |(y, x)| i % 5 < 3 && at(y, 0.5).hypot(at(x, 0.4)) < 0.1);
        (mask.mapv(|m| random.uniform() + if m { 0.3 } else { 0.0 }), mask)
    };
    (0..count).map(one).unzip()
}

/// Makes a category of empty files in MVTec AD layout below `folder`, half of them to train on; returns its path. Calls
/// `done` with the number of files of each part.
///
/// # Errors
///
/// A file cannot be made.
pub fn empty_files(folder: &Path, count: usize, mut done: impl FnMut(usize)) -> Result<PathBuf> {
    let category = folder.join("big");
    for (part, share) in [("train/good", 2), ("test/good", 4), ("test/dent", 8), ("ground_truth/dent", 8)] {
        std::fs::create_dir_all(category.join(part))?;
        for i in 0..count / share {
            std::fs::File::create(category.join(part).join(format!("{i:07}.png")))?;
        }
        done(count / share);
    }
    Ok(category)
}
