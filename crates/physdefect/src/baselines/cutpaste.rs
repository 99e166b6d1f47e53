//! CutPaste and CutPaste-Scar.

use imgkit::Rect;
use ndarray::ArrayView3;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Drawn, Jitter, attempt, baseline, bilinear, channel_means, clipped, support};
use crate::finalize::{self, UncheckedSample};
use crate::params::{self, parameters};
use crate::{Domain, Error, Measures, MechanismKind, Sample, SampleKey, Synthesizer};

parameters! {
    /// Parameters of [`CutPaste`].
    pub struct CutPasteParams {
        /// Range (low, high) that severities are sampled from, within \[0, 1\]. Default (0, 1).
        severity / with_severity: (f64, f64) = (0.0, 1.0),
    }
}

impl CutPasteParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless 0 <= low <= high <= 1.
    pub fn check(&self) -> Result<(), Error> {
        params::severity_range(CutPaste::NAME, self.severity)
    }
}

/// A jittered rectangle of the photo pasted elsewhere (Li et al. 2021): area 2 to 15 % of the domain's (by severity),
/// aspect ratio 0.3 to 3.3, color jitter 0.1.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "CutPasteParams", into = "CutPasteParams"))]
pub struct CutPaste {
    params: CutPasteParams,
}

baseline!(CutPaste, CutPasteParams);

impl CutPaste {
    pub(crate) const NAME: &'static str = "cutpaste";
}

impl Synthesizer for CutPaste {
    fn name(&self) -> &'static str {
        Self::NAME
    }
    fn kind(&self) -> MechanismKind {
        MechanismKind::Baseline
    }
    fn synthesize(&self, photo: ArrayView3<'_, f32>, domain: &Domain, key: SampleKey) -> Result<Sample, Error> {
        attempt(self.name(), self.params.severity, photo, domain, key, |severity, boost, rng| {
            let area = domain.area() as f64 * (0.02 + 0.13 * severity);
            let aspect = log_uniform(0.3, 3.3, rng);
            let (h, w) = ((area * aspect).sqrt().max(2.0) as usize, (area / aspect).sqrt().max(2.0) as usize);
            paste(photo, domain, Rectangle { h, w, angle: 0.0 }, boost, rng)
        })
    }
}

parameters! {
    /// Parameters of [`CutPasteScar`].
    pub struct CutPasteScarParams {
        /// Range (low, high) that severities are sampled from, within \[0, 1\]. Default (0, 1).
        severity / with_severity: (f64, f64) = (0.0, 1.0),
    }
}

impl CutPasteScarParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless 0 <= low <= high <= 1.
    pub fn check(&self) -> Result<(), Error> {
        params::severity_range(CutPasteScar::NAME, self.severity)
    }
}

/// A thin rotated rectangle of the photo pasted elsewhere (Li et al. 2021): 2 to 16 px by 10 to 25 px at a scale of 256
/// (by severity), rotated by -45 to 45 degrees, color jitter 0.1.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "CutPasteScarParams", into = "CutPasteScarParams"))]
pub struct CutPasteScar {
    params: CutPasteScarParams,
}

baseline!(CutPasteScar, CutPasteScarParams);

impl CutPasteScar {
    pub(crate) const NAME: &'static str = "cutpaste-scar";
}

impl Synthesizer for CutPasteScar {
    fn name(&self) -> &'static str {
        Self::NAME
    }
    fn kind(&self) -> MechanismKind {
        MechanismKind::Baseline
    }
    fn synthesize(&self, photo: ArrayView3<'_, f32>, domain: &Domain, key: SampleKey) -> Result<Sample, Error> {
        attempt(self.name(), self.params.severity, photo, domain, key, |severity, boost, rng| {
            let zoom = domain.scale() / 256.0;
            let w = ((2.0 + 14.0 * severity) * zoom).max(2.0) as usize;
            let h = ((10.0 + 15.0 * severity) * zoom).max(4.0) as usize;
            let angle = rng.random_range(-45f64..=45.0).to_radians();
            paste(photo, domain, Rectangle { h, w, angle }, boost, rng)
        })
    }
}

struct Rectangle {
    h: usize,
    w: usize,
    angle: f64,
}

fn paste(photo: ArrayView3<'_, f32>, domain: &Domain, r: Rectangle, boost: f64, rng: &mut ChaCha8Rng) -> Drawn {
    let (height, width, _) = photo.dim();
    let (h, w) = (r.h.min(height), r.w.min(width));
    let (from, to) = (domain.pick_any(rng), domain.pick(rng));
    let jitter = Jitter::draw((0.1 * boost).min(0.6), rng);
    // The source rectangle lies wholly in the photo.
    let source = clipped((from.0.min(height - h + h / 2), from.1.min(width - w + w / 2)), h, w, domain);
    let means = channel_means(photo, source);
    finalize::crop(photo, source)?;
    let (s, c) = r.angle.sin_cos();
    let reach_y = (h as f64 * c.abs() + w as f64 * s.abs()).ceil() as usize;
    let reach_x = (h as f64 * s.abs() + w as f64 * c.abs()).ceil() as usize;
    let bbox: Rect = clipped(to, reach_y, reach_x, domain);
    // Place in the rectangle's own axes, from its center.
    let local = |y: usize, x: usize| {
        let (dy, dx) = (y as f64 - to.0 as f64, x as f64 - to.1 as f64);
        (dy * c - dx * s, dy * s + dx * c)
    };
    let inside = support(domain, bbox, |y, x| {
        let (v, u) = local(y, x);
        v.abs() <= 0.5 * h as f64 && u.abs() <= 0.5 * w as f64
    });
    let mut patch = finalize::crop(photo, bbox)?;
    for ((y, x), &on) in inside.indexed_iter() {
        if on {
            let (v, u) = local(bbox.top + y, bbox.left + x);
            let sy = source.top as f64 + (v + 0.5 * h as f64).clamp(0.0, (h - 1) as f64);
            let sx = source.left as f64 + (u + 0.5 * w as f64).clamp(0.0, (w - 1) as f64);
            for (k, mean) in means.iter().enumerate() {
                patch[[y, x, k]] = jitter.apply(bilinear(photo, sy as f32, sx as f32, k), *mean);
            }
        }
    }
    let measures = Measures::from([
        ("height_px".to_owned(), h as f64),
        ("width_px".to_owned(), w as f64),
        ("angle_rad".to_owned(), r.angle),
    ]);
    Ok((UncheckedSample { bbox, patch, support: inside }, measures))
}

fn log_uniform(low: f64, high: f64, rng: &mut ChaCha8Rng) -> f64 {
    rng.random_range(low.ln()..=high.ln()).exp()
}
