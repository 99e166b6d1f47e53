//! The fine stage.

use super::atrous::{decompose, reach};
use super::detail::{Limits, Match, surround_scale};
use super::feather::Feather;
use crate::coarse::write_box;
use crate::diagnostics::seam_sums;
use crate::error::{Error, check};
use crate::refine::{Refine, RefineStats, Refined, check_finite, check_inputs};
use crate::region::boxes;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};

/// Parameters of [`NpcfPlus`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NpcfPlusParams {
    /// Detail bands, 1 to 5.
    pub bands: usize,
    /// A band whose robust scale in the mask exceeds this multiple of the surround's is the defect's own texture and
    /// is left alone; >= 1.
    pub own: f32,
    /// Largest robust scale, in image units, of a surround band that counts as grain or sensor noise; a band above it
    /// is the surface's texture, whose absence may be the defect, and is left alone; >= 0.
    pub grain: f32,
    /// Feather of the finest band over the local blur of the image, >= 0. Each coarser band's is twice as wide.
    pub softness: f32,
    /// No feather is wider than this share of the mask's local half-width, 0 to 1, so thin defects stay crisp.
    pub max_share: f32,
}

impl Default for NpcfPlusParams {
    /// Three bands, `own` 2, `grain` 0.02 (five 8-bit grey levels), `softness` 1, `max_share` 0.25.
    fn default() -> Self {
        NpcfPlusParams { bands: 3, own: 2.0, grain: 0.02, softness: 1.0, max_share: 0.25 }
    }
}

/// Rounds of detail matching.
const PASSES: usize = 4;

/// Most of the normal image's grain that all rounds together may add to a band.
const MAX_GAIN: f32 = 1.5;

/// Jumps along the edge that are this much above the normal image's own are not a seam yet.
const SLACK: f64 = 1.1;

/// npcF++, the fine stage: local fidelity of texture and edge. Takes the normal image and the coarse stage's result.
///
/// Both images are decomposed by the undecimated B3-spline wavelet transform ([`crate::Atrous`]).
/// 1. *Detail*: per band and channel, the robust scale (1.4826 times the median of `|w|`) in the mask is matched to
///    the surround's: where grain is missing, the normal image's own grain under the mask is transplanted, details of
///    several scales (its edges) left out; where there is a little too much, it is scaled down, and details beyond three scales (the defect's
///    own edges) are only shifted; a band far above the surround is the defect's and left alone,
///    and so is one in which the surround has texture rather than grain.
/// 2. *Boundary*: per band, the result fades into the normal image towards the mask's edge, over a width that doubles
///    from band to band, follows the local blur of the image, and is bounded by the mask's local half-width.
///
/// All of it happens inside the mask. If the jumps that [`crate::seam_index`] measures would rise above both the
/// coarse result's and 1.1 times the normal image's own along the same edge, the change is halved until they do not. The method is this project's own; version 1 of arXiv 2504.12970 says only that npcF++
/// uses wavelet transforms and boundary synergy blocks.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use pde_refine::{NpcfPlus, Refine};
///
/// let normal = Array3::from_shape_fn((64, 64, 1), |(y, x, _)| 0.5 + 0.01 * ((y * 31 + x * 17) % 7) as f32);
/// let mask = Array2::from_shape_fn((64, 64), |(y, x)| (20..44).contains(&y) && (20..44).contains(&x));
/// let mut coarse = normal.clone();
/// for (i, _) in mask.indexed_iter().filter(|(_, m)| **m) { coarse[(i.0, i.1, 0)] = 0.4; }
/// let refined = NpcfPlus::default().refine(normal.view(), coarse.view(), mask.view())?;
/// assert_ne!(refined.image[(30, 30, 0)], refined.image[(30, 31, 0)]); // the flat fill has got the image's grain
/// # Ok::<(), pde_refine::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct NpcfPlus {
    params: NpcfPlusParams,
}

impl NpcfPlus {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] if one is outside the range its field documents (NaN included).
    pub fn new(params: NpcfPlusParams) -> Result<Self, Error> {
        check("bands", params.bands as f64, (1..=5).contains(&params.bands), "1 to 5")?;
        check("own", params.own.into(), params.own >= 1.0, ">= 1")?;
        check("grain", params.grain.into(), params.grain >= 0.0, ">= 0")?;
        check("softness", params.softness.into(), (0.0..=100.0).contains(&params.softness), "0 to 100")?;
        check("max_share", params.max_share.into(), (0.0..=1.0).contains(&params.max_share), "0 to 1")?;
        Ok(NpcfPlus { params })
    }

    /// The parameters.
    pub fn params(&self) -> NpcfPlusParams {
        self.params
    }

    /// The full change, on the crop of one box.
    fn candidate(
        &self,
        normal: ArrayView3<'_, f32>,
        coarse: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Array3<f32> {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for (i, &m) in mask.iter().enumerate() {
            if m { inside.push(i) } else { outside.push(i) }
        }
        let feather = Feather::new(normal, mask, &inside, self.params.softness, self.params.max_share);
        let mut out = normal.to_owned();
        let w = mask.dim().1;
        let mut sums = vec![0.0f32; inside.len()];
        for k in 0..normal.dim().2 {
            let plane = |a: &ArrayView3<'_, f32>| a.index_axis(Axis(2), k).as_standard_layout().into_owned();
            let of_normal = decompose(plane(&normal), self.params.bands);
            let mut coarse = plane(&coarse);
            let targets: Vec<f32> =
                of_normal.details.iter().map(|band| surround_scale(values(band), &outside)).collect();
            let mut gains = vec![0.0f32; self.params.bands];
            // The bands overlap, so what is added to one shows in its neighbours: match, look again, match the rest.
            for pass in 1..=PASSES {
                let of_coarse = decompose(coarse, self.params.bands);
                let pairs = of_coarse.details.iter().zip(&of_normal.details);
                let mut matches = Vec::with_capacity(self.params.bands + 1);
                for ((band, (a, n)), gain) in pairs.enumerate().zip(&mut gains) {
                    let limits = Limits { own: self.params.own, grain: self.params.grain, gain: MAX_GAIN - *gain };
                    let found = Match::find(values(a), values(n), &inside, targets[band], limits);
                    *gain += found.gain();
                    matches.push(found);
                }
                let blend = pass == PASSES || matches.iter().all(|m| *m == Match::Keep);
                matches.push(Match::Keep);
                sums.fill(0.0);
                let coarse_bands = of_coarse.details.iter().chain([&of_coarse.smooth]);
                let normal_bands = of_normal.details.iter().chain([&of_normal.smooth]);
                for (band, ((a, n), matched)) in coarse_bands.zip(normal_bands).zip(matches).enumerate() {
                    let (a, n) = (values(a), values(n));
                    for (p, (sum, &i)) in sums.iter_mut().zip(&inside).enumerate() {
                        let weight = if blend { feather.weight(band, p) } else { 1.0 };
                        *sum += n[i] + weight * (matched.apply(a[i], n[i]) - n[i]);
                    }
                }
                if blend {
                    break;
                }
                coarse = plane(&normal);
                if let Some(plane) = coarse.as_slice_mut() {
                    for (&i, &v) in inside.iter().zip(&sums) {
                        plane[i] = v;
                    }
                }
            }
            for (&i, &v) in inside.iter().zip(&sums) {
                out[(i / w, i % w, k)] = v;
            }
        }
        out
    }
}

/// The values of a band, row by row.
fn values(band: &Array2<f32>) -> &[f32] {
    band.as_slice().unwrap_or_default()
}

impl Refine for NpcfPlus {
    fn refine(
        &self,
        normal: ArrayView3<'_, f32>,
        composite: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<Refined, Error> {
        check_inputs(&normal, &composite, &mask)?;
        let mut image = normal.to_owned();
        let mut stats = RefineStats { strength: 1.0, ..RefineStats::default() };
        for tight in boxes(mask) {
            let rect = tight.grow(reach(self.params.bands) + 2, mask.dim());
            check_finite(rect, [("normal", &normal), ("composite", &composite)])?;
            // Another group's pixels may reach into the margin; they are the normal image to this one.
            let mut own = rect.crop(mask).to_owned();
            for ((y, x), m) in own.indexed_iter_mut() {
                let (y, x) = (y + rect.top, x + rect.left);
                *m &= (tight.top..tight.bottom).contains(&y) && (tight.left..tight.right).contains(&x);
            }
            let normal = rect.crop(normal);
            let mut before = normal.to_owned();
            for ((y, x), _) in own.indexed_iter().filter(|(_, m)| **m) {
                for k in 0..normal.dim().2 {
                    before[(y, x, k)] = composite[(y + rect.top, x + rect.left, k)].clamp(0.0, 1.0);
                }
            }
            let mut after = self.candidate(normal, before.view(), own.view());
            after.mapv_inplace(|v| v.clamp(0.0, 1.0));
            // Adding grain to a patch without any raises its edge towards the normal image's, rightly.
            let jumps = |image: ArrayView3<'_, f32>| seam_sums(image, own.view(), false).edge;
            let bound = jumps(before.view()).max(SLACK * jumps(normal));
            let mut strength = 1.0f32;
            while jumps(after.view()) > bound {
                strength = if strength > 0.1 { strength / 2.0 } else { 0.0 };
                if strength == 0.0 {
                    after.assign(&before);
                    break;
                }
                after.zip_mut_with(&before, |a, &b| *a = b + 0.5 * (*a - b));
            }
            stats.boxes += 1;
            stats.strength = stats.strength.min(strength);
            write_box(&mut image, rect, own.view(), (0, after.dim().2), |y| {
                let after = after.index_axis(Axis(0), y);
                move |x, k| after[(x, k)].clamp(0.0, 1.0)
            });
        }
        Ok(Refined { image, stats })
    }
}
