//! Baselines: the field's geometric augmentations behind the same trait and the same mask contract as the mechanisms,
//! so that an ablation changes a name only. None of them models physics.
//!
//! | type | after | what it does |
//! |---|---|---|
//! | [`CutPaste`] | Li et al., CVPR 2021 | pastes a jittered rectangle of the same photo elsewhere |
//! | [`CutPasteScar`] | Li et al., CVPR 2021 | the same with a thin, rotated rectangle |
//! | [`PerlinBlend`] | DRAEM, Zavrtanik et al., ICCV 2021 | blends a texture in where Perlin noise exceeds a threshold |
//! | [`PatchClone`] | NSA, Schluter et al., ECCV 2022 | clones a resized patch; here its mean is shifted and its rim feathered instead of a Poisson solve |
//!
//! Sizes are relative to the domain's scale sqrt(area), so that one setting serves any photo. `severity` scales the
//! size.

mod clone;
mod cutpaste;
mod perlin;
#[cfg(feature = "serde")]
mod textures;

pub use clone::{PatchClone, PatchCloneParams};
pub use cutpaste::{CutPaste, CutPasteParams, CutPasteScar, CutPasteScarParams};
pub use perlin::{PerlinBlend, PerlinBlendParams};

use imgkit::Rect;
use ndarray::{Array2, Array3, ArrayView3};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Makes a baseline replayable and known to the registry by its name and parameters.
macro_rules! baseline {
    ($Baseline:ident, $Params:ident) => {
        crate::params::built_from!($Baseline, $Params);

        impl crate::registry::Baseline for $Baseline {
            fn boxed((low, high): (f64, f64)) -> Result<Box<dyn crate::Synthesizer>, crate::Error> {
                Ok(Box::new(Self::new($Params::default().with_severity((low, high)))?))
            }
        }

        #[cfg(feature = "serde")]
        impl crate::replay::Replayable for $Baseline {
            const NAME: &'static str = Self::NAME;
            type Config = $Params;
            fn from_config(config: $Params) -> Result<Self, crate::Error> {
                Self::new(config)
            }
        }

        #[cfg(feature = "serde")]
        impl crate::replay::ConfigData for $Params {
            fn severity(&self) -> (f64, f64) {
                self.severity
            }
            fn set_severity(&mut self, severity: (f64, f64)) {
                self.severity = severity;
            }
        }
    };
}
use baseline;

use crate::finalize::{self, Provenance, UncheckedSample};
use crate::{Domain, Error, Measures, MechanismKind, Sample, SampleKey};

const ATTEMPTS: u32 = 8;
const MIN_AREA: usize = 64;

/// One try: its geometry and its measures. `boost` >= 1 grows with the tries that stayed invisible.
type Drawn = Result<(UncheckedSample, Measures), Error>;

/// Draws the severity, then tries until something is visible.
fn attempt(
    name: &'static str,
    (low, high): (f64, f64),
    photo: ArrayView3<'_, f32>,
    domain: &Domain,
    key: SampleKey,
    mut draw: impl FnMut(f64, f64, &mut ChaCha8Rng) -> Drawn,
) -> Result<Sample, Error> {
    finalize::check_photo(photo, domain)?;
    if domain.area() < MIN_AREA {
        return Err(Error::DomainTooSmall { model: name, found: domain.area(), needed: MIN_AREA });
    }
    let mut rng = key.rng();
    let severity = low + (high - low) * rng.random::<f64>();
    let mut failure = Error::Invisible { model: name, reason: "no attempt was made" };
    for k in 0..ATTEMPTS {
        let result = draw(severity, 1.0 + 0.5 * f64::from(k), &mut rng).and_then(|(draft, measures)| {
            let mechanism = MechanismKind::Baseline;
            let label = Provenance { name, mechanism, key, severity, visibility_target: None, measures };
            let sample = finalize::finalize(photo, domain, draft, label)?;
            domain.admit(name, sample)
        });
        match result {
            Err(error @ (Error::Invisible { .. } | Error::OffPlace { .. })) => failure = error,
            done => return done,
        }
    }
    Err(failure)
}

/// The domain's pixels of a box.
fn support(domain: &Domain, bbox: Rect, mut wanted: impl FnMut(usize, usize) -> bool) -> Array2<bool> {
    let mask = domain.mask();
    Array2::from_shape_fn((bbox.height(), bbox.width()), |(y, x)| {
        mask[[bbox.top + y, bbox.left + x]] && wanted(bbox.top + y, bbox.left + x)
    })
}

/// A box of about `height` x `width` around `center`, clipped to the photo.
fn clipped(center: (usize, usize), height: usize, width: usize, domain: &Domain) -> Rect {
    let (h, w) = domain.dim();
    let y0 = center.0.saturating_sub(height / 2).min(h - 1);
    let x0 = center.1.saturating_sub(width / 2).min(w - 1);
    Rect { top: y0, left: x0, bottom: (y0 + height.max(1)).min(h), right: (x0 + width.max(1)).min(w) }
}

/// Color jitter about the patch's mean: contrast and brightness drawn within +-`amount`.
#[derive(Debug, Clone, Copy)]
struct Jitter {
    contrast: f32,
    brightness: f32,
}

impl Jitter {
    fn draw(amount: f64, rng: &mut ChaCha8Rng) -> Self {
        let mut signed = || (amount * rng.random_range(-1.0..=1.0)) as f32;
        Self { contrast: 1.0 + signed(), brightness: signed() }
    }
    fn apply(self, v: f32, mean: f32) -> f32 {
        ((v - mean) * self.contrast + mean * (1.0 + self.brightness)).clamp(0.0, 1.0)
    }
}

/// Mean of each channel over a box, on at most about 1 000 pixels.
fn channel_means(photo: ArrayView3<'_, f32>, bbox: Rect) -> Vec<f32> {
    let stride = (((bbox.height() * bbox.width()) as f64 / 1024.0).sqrt() as usize).max(1);
    let (mut sums, mut n) = (vec![0.0f32; photo.dim().2], 0.0f32);
    for y in (bbox.top..bbox.bottom).step_by(stride) {
        for x in (bbox.left..bbox.right).step_by(stride) {
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum += photo[[y, x, k]];
            }
            n += 1.0;
        }
    }
    sums.iter().map(|s| s / n.max(1.0)).collect()
}

/// Bilinear sample at (row, column), edges replicated.
fn bilinear(photo: ArrayView3<'_, f32>, y: f32, x: f32, k: usize) -> f32 {
    let (h, w, _) = photo.dim();
    let (y, x) = (y.clamp(0.0, (h - 1) as f32), x.clamp(0.0, (w - 1) as f32));
    let (y0, x0) = (y as usize, x as usize);
    let (y1, x1) = ((y0 + 1).min(h - 1), (x0 + 1).min(w - 1));
    let (fy, fx) = (y - y0 as f32, x - x0 as f32);
    let top = photo[[y0, x0, k]] * (1.0 - fx) + photo[[y0, x1, k]] * fx;
    let bottom = photo[[y1, x0, k]] * (1.0 - fx) + photo[[y1, x1, k]] * fx;
    top * (1.0 - fy) + bottom * fy
}

/// Refuses a supplied texture that is empty, of another channel count or not finite.
fn check_texture(texture: ArrayView3<'_, f32>, channels: usize) -> Result<(), Error> {
    let (h, w, c) = texture.dim();
    if h == 0 || w == 0 || c != channels {
        return Err(Error::Shape {
            what: "texture",
            found: vec![h, w, c],
            expected: vec![h.max(1), w.max(1), channels],
        });
    }
    Ok(())
}

/// Refuses textures with values that are not finite.
fn check_finite(textures: &[Array3<f32>]) -> Result<(), Error> {
    for texture in textures {
        if let Some(((row, column, channel), _)) = texture.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(Error::NotFinite { row, column, channel });
        }
    }
    Ok(())
}
