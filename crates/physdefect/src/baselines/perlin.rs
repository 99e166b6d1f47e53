//! Perlin-threshold blending.

use imgkit::{Rect, bounding_box};
use ndarray::{Array2, Array3, ArrayView3};
use rand::seq::SliceRandom;
use rand::{Rng, RngCore};

use super::{Jitter, attempt, baseline, bilinear, channel_means, check_finite, check_texture};
use crate::finalize::{self, UncheckedSample};
use crate::noise::Perlin;
use crate::{Domain, Error, Measures, MechanismKind, Sample, SampleKey, Synthesizer, params};

/// Parameters of [`PerlinBlend`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct PerlinBlendParams {
    severity: (f64, f64),
    #[cfg_attr(feature = "serde", serde(with = "super::textures", skip_serializing_if = "Vec::is_empty"))]
    textures: Vec<Array3<f32>>,
}

impl Default for PerlinBlendParams {
    fn default() -> Self {
        Self { severity: (0.0, 1.0), textures: Vec::new() }
    }
}

impl PerlinBlendParams {
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

    /// Textures `(H, W, C)` that are blended in instead of the shuffled photo. Default none.
    #[must_use]
    pub fn with_textures(mut self, textures: Vec<Array3<f32>>) -> Self {
        self.textures = textures;
        self
    }

    /// Textures `(H, W, C)` that are blended in instead of the shuffled photo. Default none.
    #[must_use]
    pub fn textures(&self) -> &[Array3<f32>] {
        &self.textures
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless 0 <= low <= high <= 1; [`Error::NotFinite`] for a texture.
    pub fn check(&self) -> Result<(), Error> {
        params::severity_range(PerlinBlend::NAME, self.severity)?;
        check_finite(&self.textures)
    }
}

/// A texture blended in where rotated Perlin noise exceeds a threshold (after DRAEM): 2 to 64 cells per axis, rotation
/// -90 to 90 degrees, `(1 - b) texture + b photo` with b in \[0, 0.8\].
///
/// DRAEM's threshold is 0.5; here it falls from 0.6 to 0.3 as the severity rises. The texture is the photo itself, its
/// 8 x 8 tiles shuffled and jittered, or a supplied one resized to the domain's box.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "PerlinBlendParams", into = "PerlinBlendParams"))]
pub struct PerlinBlend {
    params: PerlinBlendParams,
}

baseline!(PerlinBlend, PerlinBlendParams);

impl PerlinBlend {
    pub(crate) const NAME: &'static str = "perlin-blend";
}

const TILES: usize = 8;

impl Synthesizer for PerlinBlend {
    fn name(&self) -> &'static str {
        PerlinBlend::NAME
    }
    fn kind(&self) -> MechanismKind {
        MechanismKind::Baseline
    }
    fn synthesize(&self, photo: ArrayView3<'_, f32>, domain: &Domain, key: SampleKey) -> Result<Sample, Error> {
        attempt(PerlinBlend::NAME, self.params.severity, photo, domain, key, |severity, boost, rng| {
            let frame = domain.bbox();
            // Later tries lower the threshold: a coarse noise may stay below it everywhere.
            let threshold = (0.6 - 0.3 * severity) / boost.sqrt();
            let cells: [f64; 2] = std::array::from_fn(|_| f64::from(1u32 << rng.random_range(1..=6u32)));
            let (s, c) = rng.random_range(-90f64..=90.0).to_radians().sin_cos();
            // The rotated frame lies within half its diagonal of the origin.
            let reach = std::f64::consts::FRAC_1_SQRT_2;
            let noise = Perlin::new(rng.next_u64()).lattice((reach * cells[0], reach * cells[1]));
            let photo_share = (0.8 * rng.random::<f64>() / boost) as f32;
            let jitter = Jitter::draw((0.2 * boost).min(0.6), rng);
            let mut tiles: Vec<usize> = (0..TILES * TILES).collect();
            tiles.shuffle(rng);
            let texture = match self.params.textures.len() {
                0 => None,
                n => Some(self.params.textures[rng.random_range(0..n)].view()),
            };
            if let Some(texture) = texture {
                check_texture(texture, photo.dim().2)?;
            }
            let (fh, fw) = (frame.height() as f64, frame.width() as f64);
            // It starts everywhere at once.
            let mask = domain.sites().unwrap_or(domain.mask());
            let mut inside = Array2::from_elem((frame.height(), frame.width()), false);
            for ((y, x), on) in inside.indexed_iter_mut() {
                if !mask[[frame.top + y, frame.left + x]] {
                    continue;
                }
                let (v, u) = ((y as f64 + 0.5) / fh - 0.5, (x as f64 + 0.5) / fw - 0.5);
                if noise.at((v * c - u * s) * cells[0], (v * s + u * c) * cells[1]) > threshold {
                    *on = true;
                }
            }
            let Some(inner) = bounding_box(inside.view()) else {
                return Err(Error::Invisible {
                    model: PerlinBlend::NAME,
                    reason: "the noise stays below its threshold",
                });
            };
            let bbox = inner.offset_by(frame);
            let support = inside.slice_each_axis(|axis| inner.slice_of(axis.axis)).to_owned();
            let means = channel_means(photo, frame);
            let mut patch = finalize::crop(photo, bbox)?;
            for ((y, x), &on) in support.indexed_iter() {
                if !on {
                    continue;
                }
                let (fy, fx) = (inner.top + y, inner.left + x);
                let own = shuffled(fy, fx, frame, &tiles);
                for (k, &mean) in means.iter().enumerate() {
                    let foreign = match texture {
                        Some(t) => {
                            let (th, tw, _) = t.dim();
                            bilinear(t, (fy as f64 / fh * th as f64) as f32, (fx as f64 / fw * tw as f64) as f32, k)
                        }
                        None => photo[[frame.top + own.0, frame.left + own.1, k]],
                    };
                    let foreign = if foreign.is_finite() { jitter.apply(foreign, mean) } else { mean };
                    let v = &mut patch[[y, x, k]];
                    *v = (photo_share * *v + (1.0 - photo_share) * foreign).clamp(0.0, 1.0);
                }
            }
            let measures = Measures::from([
                ("threshold".to_owned(), threshold),
                ("cells_y".to_owned(), cells[0]),
                ("cells_x".to_owned(), cells[1]),
                ("photo_share".to_owned(), f64::from(photo_share)),
            ]);
            Ok((UncheckedSample { bbox, patch, support }, measures))
        })
    }
}

/// Where the shuffled frame takes pixel (y, x) from, relative to the frame.
fn shuffled(y: usize, x: usize, frame: Rect, tiles: &[usize]) -> (usize, usize) {
    let (th, tw) = (frame.height().div_ceil(TILES), frame.width().div_ceil(TILES));
    let tile = tiles[(y / th).min(TILES - 1) * TILES + (x / tw).min(TILES - 1)];
    ((tile / TILES * th + y % th) % frame.height(), (tile % TILES * tw + x % tw) % frame.width())
}
