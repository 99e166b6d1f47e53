//! Inspection: a detector applied to a folder of photos.

use std::path::{Path, PathBuf};

use bisqad::Detector;
use imgkit::ensure;
use imgkit::file::write_atomic;
use imgkit::resize::{Kernel, resize_map};
use rayon::prelude::*;

use crate::error::Error;
use crate::heatmap::overlay_heatmap;
use crate::photo::{load_photo, prepare_folder, save_photo, shrink_to_side};

/// Scores each photo; writes heat maps under `out/heat` and `out/scores.csv` with one line a photo. A photo that cannot
/// be read has the reason instead of a score. `progress` is called after each photo.
///
/// # Errors
/// [`Error::Parameter`] for a threshold that is not finite, which every photo would pass; [`Error::Output`],
/// [`Error::Write`] if something cannot be written.
pub fn inspect_folder(
    detector: &dyn Detector,
    photos: &[PathBuf],
    threshold: f64,
    out: &Path,
    progress: &(dyn Fn() + Sync),
) -> Result<Vec<Result<f64, Error>>, Error> {
    ensure(threshold.is_finite(), "inspection", "threshold", threshold, "finite")?;
    let folder = out.join("heat");
    prepare_folder(&folder)?;
    let score = |photo: &PathBuf| {
        let score = inspect(detector, photo, threshold as f32, &folder);
        progress();
        score
    };
    let scores: Vec<Result<f64, Error>> = photos.par_iter().map(score).collect();
    let path = out.join("scores.csv");
    let table = table(photos, &scores, threshold).map_err(|e| Error::output(&path, e))?;
    write_atomic(&path, &table)?;
    Ok(scores)
}

fn table(photos: &[PathBuf], scores: &[Result<f64, Error>], threshold: f64) -> Result<String, csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["file", "score", "threshold", "anomalous", "error"])?;
    for (photo, score) in photos.iter().zip(scores) {
        let file = photo.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (score, anomalous, error) = match score {
            Ok(s) => (s.to_string(), u8::from(*s > threshold).to_string(), String::new()),
            Err(reason) => (String::new(), String::new(), reason.to_string().replace('\n', "; ")),
        };
        table.write_record([&file, &score, &threshold.to_string(), &anomalous, &error])?;
    }
    let bytes = table.into_inner().map_err(|e| e.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Scores a photo and writes its heat map, from half the threshold to three times it.
fn inspect(detector: &dyn Detector, path: &Path, threshold: f32, folder: &Path) -> Result<f64, Error> {
    let photo = load_photo(path)?;
    let prediction = detector
        .predict(shrink_to_side(photo.view(), detector.provenance().training_side().unwrap_or(usize::MAX))?.view())?
        .checked(detector.name())?;
    let map = resize_map(prediction.map.view(), (photo.dim().0, photo.dim().1), Kernel::Bilinear)?;
    let spread = 0.5 * threshold.abs().max(1e-3);
    let picture = overlay_heatmap(photo.view(), &map, threshold - spread, threshold + 4.0 * spread);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    save_photo(&folder.join(format!("{name}.png")), picture.view())?;
    Ok(prediction.score)
}
