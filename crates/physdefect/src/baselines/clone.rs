//! Cloning of a patch.

use imgkit::Rect;
use ndarray::{Array3, ArrayView3};
use rand::Rng;

use super::{attempt, baseline, bilinear, channel_means, check_finite, check_texture, clipped, support};
use crate::finalize::{self, UncheckedSample};
use crate::{Domain, Error, Measures, MechanismKind, Sample, SampleKey, Synthesizer, params};

/// Parameters of [`PatchClone`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct PatchCloneParams {
    severity: (f64, f64),
    #[cfg_attr(feature = "serde", serde(with = "super::textures", skip_serializing_if = "Vec::is_empty"))]
    sources: Vec<Array3<f32>>,
}

impl Default for PatchCloneParams {
    fn default() -> Self {
        Self { severity: (0.0, 1.0), sources: Vec::new() }
    }
}

impl PatchCloneParams {
    /// Range (low, high) that severities are sampled from, within \[0, 1\]. Default (0, 1).
    #[must_use]
    pub fn with_severity(mut self, severity: (f64, f64)) -> Self {
        self.severity = severity;
        self
    }

    /// Range (low, high) that severities are sampled from.
    #[must_use]
    pub fn severity(&self) -> (f64, f64) {
        self.severity
    }

    /// Photos `(H, W, C)` that patches are taken from instead of the photo itself. Default none.
    #[must_use]
    pub fn with_sources(mut self, sources: Vec<Array3<f32>>) -> Self {
        self.sources = sources;
        self
    }

    /// Photos `(H, W, C)` that patches are taken from instead of the photo itself. Default none.
    #[must_use]
    pub fn sources(&self) -> &[Array3<f32>] {
        &self.sources
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless 0 <= low <= high <= 1; [`Error::NotFinite`] for a source.
    pub fn check(&self) -> Result<(), Error> {
        params::severity_range(PatchClone::NAME, self.severity)?;
        check_finite(&self.sources)
    }
}

/// Patch cloning baseline (after NSA): a resized patch cloned elsewhere, a superellipse of 4 to 30 % of the domain's
/// scale (by severity), resized by 0.7 to 1.3, its channel means shifted to those of its new place, its rim feathered.
///
/// The patch comes from the photo itself or from supplied photos.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "PatchCloneParams", into = "PatchCloneParams"))]
pub struct PatchClone {
    params: PatchCloneParams,
}

baseline!(PatchClone, PatchCloneParams);

impl PatchClone {
    pub(crate) const NAME: &'static str = "patch-clone";
}

impl Synthesizer for PatchClone {
    fn name(&self) -> &'static str {
        PatchClone::NAME
    }
    fn kind(&self) -> MechanismKind {
        MechanismKind::Baseline
    }
    fn synthesize(&self, photo: ArrayView3<'_, f32>, domain: &Domain, key: SampleKey) -> Result<Sample, Error> {
        attempt(PatchClone::NAME, self.params.severity, photo, domain, key, |severity, boost, rng| {
            let scale = domain.scale();
            let size = scale * (0.04 + 0.26 * severity);
            let (h, w) = (size * rng.random_range(0.6..=1.0), size * rng.random_range(0.6..=1.0));
            let (h, w) = (h.max(4.0) as usize, w.max(4.0) as usize);
            let zoom: f64 = rng.random_range(0.7..=1.3);
            let exponent = rng.random_range(1.5..=4.0);
            let to = domain.pick(rng);
            let bbox = clipped(to, h, w, domain);
            let source = if self.params.sources.is_empty() {
                photo
            } else {
                self.params.sources[rng.random_range(0..self.params.sources.len())].view()
            };
            check_texture(source, photo.dim().2)?;
            let (sh, sw, _) = source.dim();
            let from = if self.params.sources.is_empty() {
                domain.pick_any(rng)
            } else {
                (rng.random_range(0..sh), rng.random_range(0..sw))
            };
            let reach = |n: usize| ((n as f64 / zoom).ceil() as usize).max(1);
            let y0 = from.0.min(sh.saturating_sub(reach(h)));
            let x0 = from.1.min(sw.saturating_sub(reach(w)));
            let window = Rect { top: y0, left: x0, bottom: (y0 + reach(h)).min(sh), right: (x0 + reach(w)).min(sw) };
            finalize::crop(source, window)?;
            let (source_means, means) = (channel_means(source, window), channel_means(photo, bbox));
            let mut patch = finalize::crop(photo, bbox)?;
            let weight = |y: usize, x: usize| {
                let v = 2.0 * (y as f64 - to.0 as f64).abs() / h as f64;
                let u = 2.0 * (x as f64 - to.1 as f64).abs() / w as f64;
                let r = (v.powf(exponent) + u.powf(exponent)).powf(1.0 / exponent);
                // Full inside 70 % of the radius, then a linear fall.
                ((1.0 - r) / 0.3).clamp(0.0, 1.0) as f32
            };
            for ((y, x, k), v) in patch.indexed_iter_mut() {
                let a = weight(bbox.top + y, bbox.left + x);
                if a > 0.0 {
                    let sy = y0 as f32 + y as f32 / zoom as f32;
                    let sx = x0 as f32 + x as f32 / zoom as f32;
                    let cloned = (bilinear(source, sy, sx, k) - source_means[k]) * boost as f32 + means[k];
                    *v += a * (cloned - *v);
                    *v = v.clamp(0.0, 1.0);
                }
            }
            let inside = support(domain, bbox, |y, x| weight(y, x) > 0.0);
            let measures = Measures::from([
                ("height_px".to_owned(), h as f64),
                ("width_px".to_owned(), w as f64),
                ("zoom".to_owned(), zoom),
                ("contrast_gain".to_owned(), boost),
            ]);
            Ok((UncheckedSample { bbox, patch, support: inside }, measures))
        })
    }
}
