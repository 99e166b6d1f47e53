//! Fits the foreground model to the photos of a set.

use ndarray::ArrayView3;

use super::background::{Background, Sample, Values, border, busy, sample};
use super::cells::{Cells, Plane};
use super::clarity::{Clarity, of_set, smallest};
use super::model::{Evidence, ForegroundModel};
use super::parts::erode;
use super::segment::{DARK_OBJECTS, OTHER_OBJECTS, Rules, Segmentation, segment};
use super::small_matrix::median;
use super::{ForegroundParams, SetKind};
use crate::Error;

/// Rounds of segmentation and refit of the background.
const ROUNDS: usize = 2;
/// Background cells that the refit looks at, all photos together.
const REFIT_CELLS: usize = 40_000;
/// Sides of the map of places, cells.
pub(super) const PLACES: usize = 48;
/// A photo whose border the common background explains by less than this share does not share it.
const SHARED: f64 = 0.3;
/// Share of photos that may disagree.
const DISAGREEING: f64 = 0.34;

/// Collects the photos of a set one at a time for a [`ForegroundModel`]; each is reduced to a small grid at once.
///
/// At most [`ForegroundParams::max_photos`] photos, spread evenly over those added, are kept, each as a grid of at most
/// 160 x 160 cells: memory does not grow with the set.
///
/// ```
/// use ndarray::Array3;
/// use physdefect::{ForegroundFit, ForegroundParams};
///
/// let mut fit = ForegroundFit::new(&ForegroundParams::default())?;
/// for shift in 0..4 {
///     // A dark disc on a bright table with a little grain.
///     fit.add(Array3::from_shape_fn((64, 80, 3), |(y, x, _)| {
///         let inside = (y as f32 - 30.0).hypot(x as f32 - 30.0 - 4.0 * shift as f32) < 15.0;
///         (if inside { 0.2 } else { 0.7 }) + 0.02 * ((y * 31 + x * 17) % 7) as f32 / 7.0
///     }).view())?;
/// }
/// assert_eq!(fit.len(), 4);
/// let model = fit.finish()?;
/// assert_eq!(model.kind(), physdefect::SetKind::Objects);
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ForegroundFit {
    params: ForegroundParams,
    kept: Vec<(usize, Cells)>,
    seen: usize,
    stride: usize,
}

impl ForegroundFit {
    /// Starts without photos.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first parameter out of range.
    pub fn new(params: &ForegroundParams) -> Result<Self, Error> {
        params.check()?;
        Ok(Self { params: params.clone(), kept: Vec::new(), seen: 0, stride: 1 })
    }

    /// Adds a photo `(H, W, C)`, f32 in \[0, 1\], any number of channels; sizes may differ between photos.
    ///
    /// # Errors
    /// [`Error::SetPhoto`] with the photo's position: it is smaller than 8 x 8 px or holds a value that is not finite.
    pub fn add(&mut self, photo: ArrayView3<'_, f32>) -> Result<(), Error> {
        let index = self.seen;
        if index.is_multiple_of(self.stride) {
            let cells =
                Cells::new(photo).map_err(|source| Error::SetPhoto { index, source: Box::new(source) })?.grid_only();
            // A uniform photo says nothing of the background's grain.
            if !cells.is_uniform() {
                self.kept.push((index, cells));
            }
            while self.kept.len() > self.params.max_photos() {
                self.stride *= 2;
                let stride = self.stride;
                self.kept.retain(|(i, _)| i.is_multiple_of(stride));
            }
        }
        self.seen += 1;
        Ok(())
    }

    /// Photos added so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seen
    }

    /// Whether no photo was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen == 0
    }

    /// Fits the model.
    ///
    /// # Errors
    /// [`Error::NoForeground`] if no photo was added or all are uniform; [`Error::PhotosDisagree`] if a third of the
    /// photos or more have a plain background that is not the others'.
    pub fn finish(self) -> Result<ForegroundModel, Error> {
        let Self { params, mut kept, seen, .. } = self;
        if seen == 0 {
            return Err(Error::NoForeground { reason: "the set holds no photo" });
        }
        if kept.is_empty() {
            return Err(Error::NoForeground { reason: "every photo of the set is uniform" });
        }
        let mut borders: Vec<Vec<Sample>> = kept.iter().map(|(_, c)| border(&c.features)).collect();
        let Some(mut background) = Background::of_borders(&borders) else {
            return Err(Error::NoForeground { reason: "the photos have no border of three cells" });
        };
        drop_disagreeing(&background, &mut kept, &mut borders)?;

        let mut evidence = Evidence { threshold: 3.5, shadow: DARK_OBJECTS };
        for round in 0..=ROUNDS {
            let distances = kept.iter().zip(&borders).map(|((_, c), b)| {
                let offset = background.offset(b);
                background.distances(c, &offset).distance
            });
            evidence.threshold = threshold(distances);
            if round == ROUNDS {
                break;
            }
            let rules = Rules { background: &background, evidence, occupancy: None, params: &params };
            let found: Vec<Segmentation> = kept.iter().map(|(_, c)| segment(c, &rules)).collect();
            evidence.shadow = shadow_prior(&found);
            let Some((samples, offsets)) = background_cells(&kept, &found) else { break };
            for last in [false, false, true] {
                background.refit(&samples, &offsets, last);
            }
        }

        let rules = Rules { background: &background, evidence, occupancy: None, params: &params };
        let mut places = Plane::new(PLACES, PLACES, 0f32);
        let mut clarities = Vec::new();
        for (_, cells) in &kept {
            let s = segment(cells, &rules);
            for (i, o) in places.data.iter_mut().enumerate() {
                let middle = |k: usize, n: usize| (2 * k + 1) * n / (2 * PLACES);
                let (y, x) = (middle(i / PLACES, s.mask.h), middle(i % PLACES, s.mask.w));
                *o += f32::from(u8::from(s.mask.data[y * s.mask.w + x]));
            }
            clarities.push(Clarity::of(&s, evidence.threshold));
        }
        // Few photos say little about places.
        let n = kept.len() as f32;
        places.data.iter_mut().for_each(|o| *o = (*o + 2.0) / (n + 4.0));
        let of = |f: fn(&Clarity) -> f64| median(&mut clarities.iter().map(f).collect::<Vec<_>>());
        let (objects, frame) = of_set(&clarities, smallest(&background));
        let kind = if objects >= 0.5 { SetKind::Objects } else { SetKind::FillsFrame };
        let confidence = if kind == SetKind::Objects { objects } else { frame };
        let largest = clarities.iter().map(|c| c.area).fold(0.0, f64::max);
        Ok(ForegroundModel {
            params,
            background,
            evidence,
            places,
            kind,
            confidence,
            explained: of(|c| c.explained),
            largest,
            photos: seen,
        })
    }
}

/// Leaves out photos with a plain border of another background.
fn drop_disagreeing(
    background: &Background,
    kept: &mut Vec<(usize, Cells)>,
    borders: &mut Vec<Vec<Sample>>,
) -> Result<(), Error> {
    let shares: Vec<f64> = borders.iter().map(|b| background.share_explained(b)).collect();
    let other: Vec<bool> = borders.iter().zip(&shares).map(|(b, share)| *share < SHARED && !busy(b)).collect();
    let disagreeing = other.iter().filter(|&&o| o).count();
    if disagreeing == 0 {
        return Ok(());
    }
    if disagreeing as f64 >= DISAGREEING * kept.len() as f64 {
        let worst = (0..kept.len()).filter(|&i| other[i]).min_by(|&a, &b| shares[a].total_cmp(&shares[b])).unwrap_or(0);
        return Err(Error::PhotosDisagree { index: kept[worst].0, disagreeing, photos: kept.len() });
    }
    let mut keep = other.iter().map(|o| !o);
    kept.retain(|_| keep.next().unwrap_or(true));
    let mut keep = other.iter().map(|o| !o);
    borders.retain(|_| keep.next().unwrap_or(true));
    Ok(())
}

/// How likely what could be a shadow is object, from how much of the objects' inside could be shadow.
fn shadow_prior(found: &[Segmentation]) -> f32 {
    let (mut shadowy, mut all) = (0usize, 0usize);
    for s in found {
        let inside = erode(&s.mask, 2);
        for (i, &m) in inside.data.iter().enumerate() {
            all += usize::from(m);
            shadowy += usize::from(m && s.shadowy.data[i]);
        }
    }
    if shadowy * 10 > all * 3 { DARK_OBJECTS } else { OTHER_OBJECTS }
}

/// Otsu's threshold on log distances, lowered, within the range that distances of noise and of objects leave.
fn threshold(distances: impl Iterator<Item = Plane<f32>>) -> f32 {
    let mut logs: Vec<f32> = Vec::new();
    for plane in distances {
        logs.extend(plane.data.iter().step_by(3).map(|d| d.ln_1p()));
    }
    (0.6 * super::single::otsu(&logs).exp_m1()).clamp(3.5, 12.0)
}

/// Cells that are surely background, with the offsets of their photos; none if there is hardly any background.
fn background_cells(kept: &[(usize, Cells)], found: &[Segmentation]) -> Option<(Vec<Vec<Sample>>, Vec<Values>)> {
    let eroded: Vec<Plane<bool>> = found.iter().map(|s| erode(&s.mask.map(|m| !m), 2)).collect();
    let total: usize = eroded.iter().map(|e| e.data.iter().filter(|&&b| b).count()).sum();
    let all: usize = eroded.iter().map(|e| e.data.len()).sum();
    if total * 33 < all {
        return None;
    }
    let step = total.div_ceil(REFIT_CELLS).max(1);
    let samples = kept
        .iter()
        .zip(&eroded)
        .map(|((_, cells), e)| {
            let own = e.data.iter().enumerate().filter(|(_, b)| **b).map(|(i, _)| i);
            own.step_by(step).map(|i| sample(&cells.features, i)).collect()
        })
        .collect();
    Some((samples, found.iter().map(|s| s.offset).collect()))
}
