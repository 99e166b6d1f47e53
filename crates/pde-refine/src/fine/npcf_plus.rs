//! npcF++, the fine stage: matches detail and feathers the edge inside the mask.

use super::detail::{Band, Limits, Match, Samples, surround_scale};
use super::feather::Feather;
use super::patch::Patch;
use crate::error::Error;
use crate::params::accessors;
use crate::refine::{Refine, RefineStats, Refined, check_finite, check_inputs};
use imgkit::seam::SeamFaces;
use imgkit::wavelet::{decompose, reach, slots};
use imgkit::{Rect, boxes, ensure};
use ndarray::{Array3, ArrayView2, ArrayView3};

/// Parameters of [`NpcfPlus`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NpcfPlusParams {
    bands: usize,
    texture_ratio_cutoff: f64,
    noise_floor: f64,
    feather_scale: f64,
    max_feather_fraction: f64,
}

accessors!(NpcfPlusParams {
    /// Number of detail bands, 1 to 5.
    bands, with_bands: usize;
    /// Ratio of a band's robust scale in the mask to that around it, at least 1, above which the band is the defect's
    /// own texture and is left alone.
    texture_ratio_cutoff, with_texture_ratio_cutoff: f64;
    /// Largest robust scale around the mask, in image units, at least 0, that counts as grain or sensor noise. A
    /// stronger band is the surface's texture, whose absence may be the defect, and is left alone.
    noise_floor, with_noise_floor: f64;
    /// Feather width of the finest band over the local blur of the image, 0 to 100. Each coarser band's is twice as
    /// wide.
    feather_scale, with_feather_scale: f64;
    /// Widest feather, as a fraction of the mask's local half-width, 0 to 1, so that thin defects stay crisp.
    max_feather_fraction, with_max_feather_fraction: f64;
});

impl Default for NpcfPlusParams {
    /// Three bands, `texture_ratio_cutoff` 2, `noise_floor` 0.02 (five 8-bit levels), `feather_scale` 1,
    /// `max_feather_fraction` 0.25.
    fn default() -> Self {
        NpcfPlusParams {
            bands: 3,
            texture_ratio_cutoff: 2.0,
            noise_floor: 0.02,
            feather_scale: 1.0,
            max_feather_fraction: 0.25,
        }
    }
}

impl NpcfPlusParams {
    /// Checks the parameters; [`NpcfPlus::new`] calls it.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a parameter is NaN or outside its range.
    pub fn check(&self) -> Result<(), Error> {
        let NpcfPlusParams { bands, texture_ratio_cutoff, noise_floor, feather_scale, max_feather_fraction } = *self;
        let (what, cutoff, fraction) = ("NpcfPlus", texture_ratio_cutoff, max_feather_fraction);
        ensure((1..=5).contains(&bands), what, "bands", bands, "1 to 5")?;
        ensure(cutoff >= 1.0, what, "texture_ratio_cutoff", cutoff, "at least 1")?;
        ensure(noise_floor >= 0.0, what, "noise_floor", noise_floor, "at least 0")?;
        ensure((0.0..=100.0).contains(&feather_scale), what, "feather_scale", feather_scale, "0 to 100")?;
        ensure((0.0..=1.0).contains(&fraction), what, "max_feather_fraction", fraction, "0 to 1")?;
        Ok(())
    }
}

/// Rounds of detail matching.
const PASSES: usize = 4;

/// Largest gain with which all rounds together may add the normal image's grain to a band.
const MAX_GAIN: f32 = 1.5;

/// Factor over the normal image's jumps along the edge up to which the result counts as seamless.
const SLACK: f64 = 1.1;

/// npcF++, the fine stage: local fidelity of texture and edge. The composite it refines is the coarse stage's
/// result.
///
/// Both images are decomposed by the undecimated B3-spline wavelet transform ([`imgkit::wavelet::Atrous`]).
/// 1. *Detail*: per band, the robust scale (1.4826 times the median of `|w|`, the sum over the channels) in the mask is
///    matched to the surround's: where grain is missing, the normal image's own grain under the mask is transplanted,
///    details of several scales (its edges) left out; where there is a little too much, it is scaled down, and details
///    beyond three scales (the defect's own edges) are only shifted; a band far above the surround is the defect's and
///    left alone, and so is one in which the surround has texture rather than grain. All channels are treated alike, so
///    that no band changes its color.
/// 2. *Boundary*: per band, the result fades into the normal image towards the mask's edge, over a width that doubles
///    from band to band, follows the local blur of the image, and is bounded by the mask's local half-width.
///
/// Only pixels inside the mask change. If the jumps that [`imgkit::seam::seam_index`] measures would rise above both
/// the coarse result's and 1.1 times the normal image's own along the same edge, the correction is halved repeatedly
/// until the seam index is within both bounds. The method is this project's own; version 1 of arXiv 2504.12970 says
/// only that npcF++ uses wavelet transforms and boundary synergy blocks.
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
        params.check()?;
        Ok(NpcfPlus { params })
    }

    /// Parameters.
    #[must_use]
    pub fn params(&self) -> NpcfPlusParams {
        self.params
    }

    /// Pixels around the box of a mask that its result depends on.
    pub(crate) fn reach(&self) -> usize {
        reach(self.params.bands) + 2
    }

    /// Computes the full change: the patch's planes with the mask's pixels refined.
    fn candidate(&self, patch: &Patch) -> Result<Vec<f32>, Error> {
        let bands = self.params.bands;
        let (pixels, inside) = (patch.dim().0 * patch.dim().1, patch.inside);
        let outside = patch.outside();
        let feather = Feather::new(patch, self.params.feather_scale as f32, self.params.max_feather_fraction as f32);
        let weights: Vec<Vec<f32>> = (0..=bands).map(|band| feather.weights(band)).collect();
        let whole = vec![1.0; inside];
        let mut work = Work::default();
        let mut transform = vec![0.0; slots(pixels, bands)];
        let mut channels = Vec::with_capacity(patch.normal.len() / pixels.max(1));
        for normal in patch.normal.chunks_exact(pixels) {
            transform[..pixels].copy_from_slice(normal);
            decompose(&mut transform, patch.dim(), bands, Rect::whole(patch.dim()), &mut work.row)?;
            let details = transform.chunks_exact(pixels).take(bands);
            let targets = details.map(|band| surround_scale(band, &outside, &mut work.samples)).collect();
            let (mut of_normal, of_composite) = (vec![0.0; slots(inside, bands)], vec![0.0; slots(inside, bands)]);
            gather(patch, &transform, &mut of_normal);
            channels.push(Channel { of_normal, of_composite, targets, sums: vec![0.0f32; inside] });
        }
        let mut gains = vec![0.0f32; bands];
        // The bands overlap, so what is added to one also changes its neighbors: match repeatedly.
        for pass in 1..=PASSES {
            let planes = patch.normal.chunks_exact(pixels).zip(patch.before.chunks_exact(pixels));
            for (channel, (normal, before)) in channels.iter_mut().zip(planes) {
                if pass == 1 {
                    transform[..pixels].copy_from_slice(before);
                } else {
                    transform[..pixels].copy_from_slice(normal);
                    patch.scatter(&channel.sums, &mut transform[..pixels]);
                }
                decompose(&mut transform, patch.dim(), bands, patch.window, &mut work.row)?;
                gather(patch, &transform, &mut channel.of_composite);
            }
            let mut matches = Vec::with_capacity(bands + 1); // by band, then by channel
            for (b, gain) in gains.iter_mut().enumerate() {
                let limits = Limits {
                    texture_ratio_cutoff: self.params.texture_ratio_cutoff as f32,
                    noise_floor: self.params.noise_floor as f32,
                    max_gain: MAX_GAIN - *gain,
                };
                let bands: Vec<Band<'_>> = channels.iter().map(|c| c.band(b, inside)).collect();
                let found = Match::find(&bands, limits, &mut work.samples);
                *gain += found.first().map_or(0.0, |m| m.gain());
                matches.push(found);
            }
            let last = pass == PASSES || matches.iter().flatten().all(|m| *m == Match::Keep);
            matches.push(vec![Match::Keep; channels.len()]);
            for (k, channel) in channels.iter_mut().enumerate() {
                channel.sums.fill(0.0);
                let pairs = channel.of_composite.chunks_exact(inside).zip(channel.of_normal.chunks_exact(inside));
                for (((a, n), matched), weights) in pairs.zip(&matches).zip(&weights) {
                    matched[k].blend(&mut channel.sums, a, n, if last { weights } else { &whole });
                }
            }
            if last {
                break;
            }
        }
        let mut out = patch.normal.clone();
        for (channel, out) in channels.iter().zip(out.chunks_exact_mut(pixels)) {
            patch.scatter(&channel.sums, out);
        }
        Ok(out)
    }

    /// Refines the mask's pixels of `image`, which equals `normal` outside the mask, starting from `composite`, or from
    /// `image` itself if that is `None`.
    pub(crate) fn refine_into(
        &self,
        mut image: Array3<f32>,
        normal: ArrayView3<'_, f32>,
        composite: Option<ArrayView3<'_, f32>>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<Refined, Error> {
        let mut stats = RefineStats { strength: 1.0, ..RefineStats::default() };
        for tight in boxes::separate(mask) {
            let rect = tight.grow(self.reach(), mask.dim());
            let composite = composite.unwrap_or(image.view());
            check_finite(rect, [("normal", &normal), ("composite", &composite)])?;
            let patch = Patch::new(normal, composite, mask, rect, tight);
            let mut after = self.candidate(&patch)?;
            after.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
            // Grain added to a smooth patch rightly raises the jumps at its edge towards those of the normal image.
            let edge = SeamFaces::new(patch.mask());
            let bound = edge.jumps(&patch.before).max(SLACK * edge.jumps(&patch.normal));
            let mut strength = 1.0f32;
            while edge.jumps(&after) > bound {
                strength = if strength > 0.1 { strength / 2.0 } else { 0.0 };
                if strength == 0.0 {
                    after.copy_from_slice(&patch.before);
                    break;
                }
                after.iter_mut().zip(&patch.before).for_each(|(a, &b)| *a = b + 0.5 * (*a - b));
            }
            stats.boxes += 1;
            stats.strength = stats.strength.min(strength);
            patch.write(&after, &mut image, rect);
        }
        Ok(Refined { image, stats })
    }
}

/// One channel's bands at the mask's pixels, the smooth rest last.
#[derive(Debug)]
struct Channel {
    of_normal: Vec<f32>,
    of_composite: Vec<f32>,
    /// Scale of each band of the normal image around the mask.
    targets: Vec<f32>,
    /// The channel as matched.
    sums: Vec<f32>,
}

impl Channel {
    fn band(&self, band: usize, inside: usize) -> Band<'_> {
        let at = band * inside..(band + 1) * inside;
        Band { details: &self.of_composite[at.clone()], normal: &self.of_normal[at], target: self.targets[band] }
    }
}

/// Scratch memory of [`NpcfPlus::candidate`].
#[derive(Debug, Default)]
struct Work {
    row: Vec<f32>,
    samples: Samples,
}

/// Gathers the mask's pixels of every band.
fn gather(patch: &Patch, bands: &[f32], inside: &mut [f32]) {
    let (h, w) = patch.dim();
    for (band, inside) in bands.chunks_exact(h * w).zip(inside.chunks_exact_mut(patch.inside)) {
        patch.gather(band, inside);
    }
}

impl Refine for NpcfPlus {
    fn refine(
        &self,
        normal: ArrayView3<'_, f32>,
        composite: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<Refined, Error> {
        check_inputs(&normal, &composite, &mask)?;
        self.refine_into(normal.to_owned(), normal, Some(composite), mask)
    }
}
