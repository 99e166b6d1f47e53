//! Inspection of one photo.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bisqad::{Detector, Prediction};
use imgkit::file::escaped;
use imgkit::image_io::{NotRead, decode_size, read_bytes};
use imgkit::resize::{Kernel, resize_map};
use imgkit::{Size, ensure};
use ndarray::{Array2, Array3};
use rayon::prelude::*;

use super::defects::{Defect, find_defects};
use super::line::{Decision, InspectionLine, SCHEMA, scaled_margin};
use super::regions::InspectionRegions;
use crate::error::Error;
use crate::heatmap::overlay_heatmap;
use crate::photo::{PhotoReader, save_photo, shrink_to_side, shrunk_size};
use crate::sha256::Hash;

/// Least area of a defect where none is set, px of the map as the detector makes it.
///
/// A map is smoothed by a Gaussian of 4 px. A peak of that shape that is cut halfway from the threshold t to the peak
/// leaves 2 pi 4^2 ln(2 peak / (peak + t)) px: 5 px for a peak a tenth above the threshold, and 70 px for a high one.
const LEAST_AREA: f64 = 5.0;

/// Parameters of an [`Inspector`]. There is no default for the threshold: [`Threshold`](bisqad::Threshold) chooses one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InspectionParams {
    threshold: f64,
    least_area: Option<usize>,
}

impl InspectionParams {
    /// Creates parameters with the score above which a photo is anomalous, and a pixel can belong to a defect: pixel
    /// scores are on the scale of image scores, which are the mean of the highest hundredth of them.
    #[must_use]
    pub fn new(threshold: f64) -> Self {
        Self { threshold, least_area: None }
    }

    /// Sets the least area of a defect, px of the photo (default: what 5 px of the map are that the detector makes,
    /// which a peak leaves that exceeds the threshold by a tenth).
    #[must_use]
    pub fn with_least_area(self, pixels: Option<usize>) -> Self {
        Self { least_area: pixels, ..self }
    }

    /// Threshold of image scores and of pixel scores.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Least area of a defect, px of the photo, if one is set.
    #[must_use]
    pub fn least_area(&self) -> Option<usize> {
        self.least_area
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a threshold that is not finite, which every photo would pass.
    pub fn check(&self) -> Result<(), Error> {
        ensure(self.threshold.is_finite(), "inspection", "threshold", self.threshold, "finite")?;
        Ok(())
    }
}

/// Inspector of photos: a detector, how photos are read, where they are inspected, and what is called a defect.
///
/// ```
/// use maphc2f::bisqad::{Detector, Error, Prediction};
/// use maphc2f::ndarray::{Array3, ArrayView3, Axis};
/// use maphc2f::{Decision, InspectionParams, Inspector, PhotoReader, save_photo};
///
/// /// What is bright is a defect; `bisqad::load` reads a trained detector.
/// #[derive(Debug)]
/// struct Brightness;
/// impl Detector for Brightness {
///     fn name(&self) -> &'static str {
///         "brightness"
///     }
///     fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
///         Ok(Prediction::of_map(image.index_axis(Axis(2), 0).to_owned()))
///     }
/// }
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("photo.png");
/// let photo = Array3::from_shape_fn((40, 50, 3), |(y, x, _)| if y / 10 == 1 && x / 10 == 2 { 0.8 } else { 0.2 });
/// save_photo(&path, photo.view())?;
///
/// let reader = PhotoReader::default();
/// let line = Inspector::new(&Brightness, &reader, InspectionParams::new(0.5))?.inspect(&path).line;
/// assert_eq!((line.decision, line.defects.len()), (Some(Decision::Anomalous), 1));
/// assert_eq!((line.defects[0].area, line.defects[0].centroid), (100, (25.0, 15.0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Inspector<'a> {
    detector: &'a dyn Detector,
    reader: &'a PhotoReader,
    params: InspectionParams,
    regions: InspectionRegions,
    model_sha256: Option<String>,
}

/// What an inspector sees on a photo.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Seen {
    /// The photo `(H, W, C)`.
    pub photo: Array3<f32>,
    /// Pixel scores `(H, W)`; minus infinity where the photo is not inspected.
    pub map: Array2<f32>,
    /// Image score: the detector's; of a photo with a region the mean of the highest hundredth of the pixels inside.
    pub score: f64,
    /// The defects on it, from the highest peak to the lowest.
    pub defects: Vec<Defect>,
}

/// Inspection of one photo: its line and what was seen.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The photo's file.
    pub path: PathBuf,
    /// Its line.
    pub line: InspectionLine,
    /// What was seen on it, or why nothing was.
    pub outcome: Result<Seen, Error>,
}

impl<'a> Inspector<'a> {
    /// Creates an inspector.
    ///
    /// # Errors
    /// Those of [`InspectionParams::check`].
    pub fn new(detector: &'a dyn Detector, reader: &'a PhotoReader, params: InspectionParams) -> Result<Self, Error> {
        params.check()?;
        Ok(Self { detector, reader, params, regions: InspectionRegions::default(), model_sha256: None })
    }

    /// Sets where photos are inspected (default: everywhere). The threshold of a detector rests on whole photos: where
    /// regions leave out what good photos differ in, fewer of them exceed it than it allows.
    #[must_use]
    pub fn with_regions(self, regions: InspectionRegions) -> Self {
        Self { regions, ..self }
    }

    /// Sets the SHA-256 of the detector's file, for the lines.
    #[must_use]
    pub fn with_model_sha256(self, sha256: String) -> Self {
        Self { model_sha256: Some(sha256), ..self }
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> InspectionParams {
        self.params
    }

    /// Checks the regions of photos before any is inspected. Photos that cannot be read are passed over.
    ///
    /// # Errors
    /// Those of [`InspectionRegions::of`] for the first photo.
    pub fn check_regions(&self, photos: &[PathBuf]) -> Result<(), Error> {
        if self.regions.is_empty() {
            return Ok(());
        }
        let check = |photo: &PathBuf| {
            let Ok(size) = read_bytes(photo).and_then(|bytes| decode_size(&bytes, photo)) else { return Ok(()) };
            match self.regions.of(photo, size)? {
                Some(region) => region.at(shrunk_size(size.into(), self.side()).into()).map(drop),
                None => Ok(()),
            }
        };
        let checked: Vec<_> = photos.par_iter().map(check).collect();
        checked.into_iter().collect()
    }

    /// Inspects a photo.
    #[must_use]
    pub fn inspect(&self, path: &Path) -> Inspection {
        let start = Instant::now();
        self.finish(start, path, read_hashed(path))
    }

    /// Inspects a photo unless `is_known` says of the SHA-256 of its file, in hexadecimal, that it need not be.
    #[must_use]
    pub fn inspect_unless(&self, path: &Path, is_known: &dyn Fn(&str) -> bool) -> Option<Inspection> {
        let start = Instant::now();
        let read = read_hashed(path);
        let is_known = read.as_ref().is_ok_and(|(_, sha256)| is_known(sha256));
        (!is_known).then(|| self.finish(start, path, read))
    }

    fn finish(&self, start: Instant, path: &Path, read: Result<(Vec<u8>, String), Error>) -> Inspection {
        let mut line = self.line(path);
        let outcome = read.and_then(|(bytes, sha256)| {
            line.photo_sha256 = Some(sha256);
            self.see(&bytes, path)
        });
        match &outcome {
            Ok(seen) => {
                let threshold = self.params.threshold;
                let (height, width, _) = seen.photo.dim();
                (line.height, line.width) = (Some(height), Some(width));
                line.score = Some(seen.score);
                line.margin = Some((seen.score - threshold).clamp(f64::MIN, f64::MAX)); // JSON has no infinity
                line.scaled_margin = Some(scaled_margin(seen.score, threshold));
                let is_anomalous = seen.score > threshold;
                line.decision = Some(if is_anomalous { Decision::Anomalous } else { Decision::Good });
                line.defects.clone_from(&seen.defects);
            }
            Err(reason) => line.error = Some(one_line(&reason.to_string())),
        }
        line.milliseconds = (start.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        Inspection { path: path.to_owned(), line, outcome }
    }

    /// The line of a file that looks like an image and is not read.
    #[must_use]
    pub fn line_of_not_read(&self, file: &NotRead) -> InspectionLine {
        // a pipe would be waited for
        let is_file = file.path.metadata().is_ok_and(|found| found.is_file());
        let photo_sha256 = if is_file { Hash::of_file(&file.path).ok() } else { None };
        InspectionLine { photo_sha256, error: Some(one_line(&file.reason)), ..self.line(&file.path) }
    }

    /// Writes the heat map of a photo to a folder, from half the threshold to three times it, as `<photo>.png`.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn save_heat_map(&self, seen: &Seen, path: &Path, folder: &Path) -> Result<(), Error> {
        let threshold = self.params.threshold as f32;
        let spread = 0.5 * threshold.abs().max(1e-3);
        let picture = overlay_heatmap(seen.photo.view(), &seen.map, threshold - spread, threshold + 4.0 * spread);
        let mut name = OsString::from(path.file_name().unwrap_or_default());
        name.push(".png");
        save_photo(&folder.join(name), picture.view())
    }

    /// A line of which nothing is known yet.
    fn line(&self, path: &Path) -> InspectionLine {
        InspectionLine {
            schema: SCHEMA,
            photo: escaped(path),
            photo_sha256: None,
            model_sha256: self.model_sha256.clone(),
            height: None,
            width: None,
            score: None,
            threshold: self.params.threshold,
            margin: None,
            scaled_margin: None,
            decision: None,
            pixel_threshold: self.params.threshold,
            defects: Vec::new(),
            milliseconds: 0.0,
            error: None,
        }
    }

    /// Shorter side of the photos as the detector sees them, px.
    fn side(&self) -> usize {
        self.detector.provenance().training_side().unwrap_or(usize::MAX)
    }

    fn see(&self, bytes: &[u8], path: &Path) -> Result<Seen, Error> {
        let side = self.side();
        let photo = self.reader.decode_for(bytes, path, side)?;
        let size = (photo.dim().0, photo.dim().1);
        let region = self.regions.of(path, size.into())?;
        let small = shrink_to_side(photo.view(), side)?;
        let Prediction { map, score } = self.detector.predict(small.view())?.checked(self.detector.name())?;
        let score = match &region {
            None => score,
            Some(region) => {
                let inside = region.at(map.dim().into())?;
                let values: Vec<f32> = map.iter().zip(&inside).filter(|(_, m)| **m).map(|(v, _)| *v).collect();
                Prediction::of_map(Array2::from_shape_vec((1, values.len()), values).unwrap_or_default()).score
            }
        };
        let per_pixel = Size::from(size).area() as f64 / Size::from(map.dim()).area().max(1) as f64;
        let mut map = resize_map(map.view(), size, Kernel::Bilinear)?;
        if let Some(region) = &region {
            map.zip_mut_with(&region.mask(), |v, inside| *v = if *inside { *v } else { f32::NEG_INFINITY });
        }
        let least = self.params.least_area.unwrap_or((LEAST_AREA * per_pixel).ceil() as usize);
        let defects = find_defects(map.view(), self.params.threshold, least)?;
        Ok(Seen { photo, map, score, defects })
    }
}

/// A file and its SHA-256.
fn read_hashed(path: &Path) -> Result<(Vec<u8>, String), Error> {
    let bytes = read_bytes(path)?;
    let sha256 = Hash::of(&bytes);
    Ok((bytes, sha256))
}

fn one_line(reason: &str) -> String {
    reason.replace('\n', "; ")
}
