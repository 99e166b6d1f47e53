//! Edge-enhancing diffusion.

use super::blur::{Edge, Gaussian};
use super::tensor::{Eigenvalues, LANES, Weights, lanes, lanes_mut, padded};
use super::{Diffuse, FilterScratch, check_time_step, in_standard_layout};
use crate::error::Error;
use crate::params::accessors;
use crate::simd::{fused, larger, smaller, widely};
use imgkit::ensure;
use ndarray::ArrayViewMut3;

/// Parameters of [`EdgeEnhancing`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EdgeEnhancingParams {
    kappa: f64,
    noise_scale: f64,
    integration_scale: f64,
    power: u32,
    floor: f64,
    time_step: f64,
}

accessors!(EdgeEnhancingParams {
    /// Contrast: gradients above it, in units of the image per pixel, are edges. 1e-6 to 1e6.
    kappa, with_kappa: f64;
    /// Noise scale: standard deviation, in pixels, of the smoothing before gradients are taken. 0 (none) to 20.
    noise_scale, with_noise_scale: f64;
    /// Integration scale: standard deviation, in pixels, of the smoothing of the structure tensor. 0 (none) to 20.
    integration_scale, with_integration_scale: f64;
    /// Exponent `m` of the diffusivity `1 - exp(-C_m (kappa / s)^(2 m))`, 1 to 8; larger is closer to a switch.
    power, with_power: u32;
    /// Least diffusivity across edges, 0 to 1. From 0.172 on (`3 - 2 sqrt(2)`) all weights are non-negative and the
    /// maximum principle holds.
    floor, with_floor: f64;
    /// Time step, above 0 and at most 0.25, with pixels one unit apart.
    time_step, with_time_step: f64;
});

impl Default for EdgeEnhancingParams {
    /// For images in `[0, 1]`: `kappa` 0.03, noise scale 1, no integration, `m` 4, no floor, time step 0.2.
    fn default() -> Self {
        EdgeEnhancingParams {
            kappa: 0.03,
            noise_scale: 1.0,
            integration_scale: 0.0,
            power: 4,
            floor: 0.0,
            time_step: 0.2,
        }
    }
}

impl EdgeEnhancingParams {
    /// Checks the parameters; [`EdgeEnhancing::new`] calls it.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a parameter is NaN or outside its range.
    pub fn check(&self) -> Result<(), Error> {
        let EdgeEnhancingParams { kappa, noise_scale, integration_scale, power, floor, time_step } = *self;
        let (what, scales) = ("EdgeEnhancing", 0.0..=20.0);
        ensure((1e-6..=1e6).contains(&kappa), what, "kappa", kappa, "1e-6 to 1e6")?;
        ensure(scales.contains(&noise_scale), what, "noise_scale", noise_scale, "0 to 20 pixels")?;
        ensure(scales.contains(&integration_scale), what, "integration_scale", integration_scale, "0 to 20 pixels")?;
        ensure((1..=8).contains(&power), what, "power", power, "1 to 8")?;
        ensure((0.0..=1.0).contains(&floor), what, "floor", floor, "0 to 1")?;
        check_time_step(what, time_step)
    }
}

/// Edge-enhancing diffusion, `u_t = div(D grad u)`, with one tensor for all channels.
///
/// Weickert, "Anisotropic Diffusion in Image Processing", 1998, sec. 5.1. `D` has the eigenvectors of the structure
/// tensor `G_integration * mean over channels of grad u_noise (grad u_noise)^T`: along the dominant one (across the
/// edge) the eigenvalue `1 - exp(-C_m (kappa / s)^(2 m))`, with `s^2` the larger eigenvalue of the structure tensor,
/// and 1 along the edge. Unlike [`super::PeronaMalik`] it also takes the noise off the edges themselves. The constant
/// `C_m` makes the flux rise up to `s = kappa` and fall beyond; it is 3.315 for `m = 4`.
///
/// The non-negative nine-point stencil with tensors between four pixels. Its operator is symmetric and positive
/// semidefinite for any tensor, so that with the step at most 1/4 the sum of squares never rises. Where the ratio of
/// the eigenvalues exceeds `3 + 2 sqrt(2)` and the direction is oblique, weights turn negative and values may leave the
/// old range by a little; `floor` trades sharpness for the strict maximum principle.
///
/// ```
/// use ndarray::Array3;
/// use pde_refine::filters::{Diffuse, EdgeEnhancing, EdgeEnhancingParams};
/// let disc = Array3::from_shape_fn((48, 48, 1), |(y, x, _)| {
///     let grain = 0.05 * ((y * 31 + x * 17 + y * x) % 9) as f32 / 9.0;
///     grain + if (y as f32 - 24.0).hypot(x as f32 - 24.0) < 14.0 { 0.8 } else { 0.2 }
/// });
/// let out = EdgeEnhancing::new(EdgeEnhancingParams::default())?.filter(disc.view(), 15)?;
/// assert!(out[(24, 36, 0)] - out[(24, 39, 0)] > 0.5); // the edge, at x = 38, is still steep
/// # Ok::<(), pde_refine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeEnhancing {
    params: EdgeEnhancingParams,
    eigenvalues: Eigenvalues,
    noise: Gaussian,
    integration: Gaussian,
}

impl EdgeEnhancing {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a parameter is outside its range.
    pub fn new(params: EdgeEnhancingParams) -> Result<Self, Error> {
        params.check()?;
        let EdgeEnhancingParams { kappa, noise_scale, integration_scale, power, floor, .. } = params;
        Ok(EdgeEnhancing {
            params,
            eigenvalues: Eigenvalues::new(kappa as f32, power, floor as f32),
            noise: Gaussian::new(noise_scale as f32),
            integration: Gaussian::new(integration_scale as f32),
        })
    }

    /// Parameters.
    #[must_use]
    pub fn params(&self) -> EdgeEnhancingParams {
        self.params
    }

    /// Sets `weights` from the structure tensor of `planes`. `tensors` holds three planes of cells if there is an
    /// integration scale, `rows` what [`Rows::split`] takes.
    #[inline(always)]
    fn tensors(
        &self,
        planes: &[f32],
        (c, h, w): (usize, usize, usize),
        weights: &mut Weights<'_>,
        tensors: &mut [f32],
        rows: &mut [f32],
    ) {
        let s = padded(w);
        let Rows { smooth, extended, mut structure } = Rows::split(rows, c, w, self.longest_radius());
        let share = 1.0 / c as f32;
        for y in 0..=h {
            let [xx, xy, yy] = if tensors.is_empty() {
                structure.each_mut().map(|row| &mut **row)
            } else {
                let (first, rest) = tensors.split_at_mut((h + 1) * s);
                let (second, third) = rest.split_at_mut((h + 1) * s);
                [first, second, third].map(|plane| &mut plane[y * s..][..s])
            };
            for k in 0..c {
                // the smoothed rows above and below the cells change places from row to row
                let (even, odd) = smooth[2 * k * s..][..2 * s].split_at_mut(s);
                let (above, below) = if y % 2 == 0 { (odd, even) } else { (even, odd) };
                if y < h {
                    let plane = (&planes[k * h * w..][..h * w], w);
                    self.noise.row(plane, (h, w), y, Edge::Pixels, extended, &mut below[1..]);
                    (below[0], below[w + 1]) = (below[1], below[w]);
                } else {
                    below.copy_from_slice(above);
                }
                if y == 0 {
                    above.copy_from_slice(below);
                }
                add_outer(above, below, share, k > 0, [&mut *xx, &mut *xy, &mut *yy], w);
            }
            if tensors.is_empty() {
                weights.set_row_from_structure(y, (h, w), structure.each_ref().map(|row| &**row), self.eigenvalues);
            }
        }
        if tensors.is_empty() {
            return;
        }
        for y in 0..=h {
            let edges = [Edge::Cells, Edge::OddCells, Edge::Cells];
            for ((plane, row), edge) in tensors.chunks_exact((h + 1) * s).zip(&mut structure).zip(edges) {
                self.integration.row((plane, s), (h + 1, w + 1), y, edge, extended, row);
            }
            let [xx, xy, yy] = &structure;
            weights.set_row_from_structure(y, (h, w), [xx, xy, yy], self.eigenvalues);
        }
    }

    fn longest_radius(&self) -> usize {
        self.noise.radius().max(self.integration.radius())
    }
}

/// Row buffers of [`EdgeEnhancing::tensors`].
struct Rows<'a> {
    /// Two padded rows a channel.
    smooth: &'a mut [f32],
    extended: &'a mut [f32],
    structure: [&'a mut [f32]; 3],
}

impl<'a> Rows<'a> {
    fn floats(channels: usize, w: usize, radius: usize) -> usize {
        (2 * channels + 4) * padded(w) + 2 * radius
    }

    #[inline(always)]
    fn split(rows: &'a mut [f32], channels: usize, w: usize, radius: usize) -> Self {
        let s = padded(w);
        let (smooth, rest) = rows.split_at_mut(2 * channels * s);
        let (extended, rest) = rest.split_at_mut(s + 2 * radius);
        let (xx, rest) = rest.split_at_mut(s);
        let (xy, rest) = rest.split_at_mut(s);
        Rows { smooth, extended, structure: [xx, xy, &mut rest[..s]] }
    }
}

/// Sets (or, with `more`, adds) `share` times the outer product of the gradient, formed in each cell between two
/// extended rows, with itself.
#[inline(always)]
fn add_outer(above: &[f32], below: &[f32], share: f32, more: bool, [xx, xy, yy]: [&mut [f32]; 3], w: usize) {
    let m = (w + 1).div_ceil(LANES);
    let (xx, xy, yy) = (lanes_mut(xx, m), lanes_mut(xy, m), lanes_mut(yy, m));
    let (u00, u01) = (lanes(above, 0, m), lanes(above, 1, m));
    let (u10, u11) = (lanes(below, 0, m), lanes(below, 1, m));
    for g in 0..m {
        let zero = [0.0; LANES];
        let (mut a, mut b, mut c) = if more { (xx[g], xy[g], yy[g]) } else { (zero, zero, zero) };
        for k in 0..LANES {
            let (p, q) = (u11[g][k] - u00[g][k], u01[g][k] - u10[g][k]);
            // capped so that squares of squares stay finite
            let cap = |v: f32| larger(smaller(v, 1e9), -1e9);
            let (dx, dy) = (cap(0.5 * (p + q)), cap(0.5 * (p - q)));
            let part = share * dx;
            a[k] = fused(part, dx, a[k]);
            b[k] = fused(part, dy, b[k]);
            c[k] = fused(share * dy, dy, c[k]);
        }
        (xx[g], xy[g], yy[g]) = (a, b, c);
    }
}

impl Diffuse for EdgeEnhancing {
    fn step(&self, planes: ArrayViewMut3<'_, f32>, scratch: &mut FilterScratch) {
        in_standard_layout(planes, |values, c, h, w| {
            let cells = (h + 1) * padded(w);
            let tensors = if self.integration.radius() > 0 { 3 * cells } else { 0 };
            let rows = Rows::floats(c, w, self.longest_radius()).max(Weights::floats(c, w));
            let scratch = scratch.floats(3 * cells + tensors + rows);
            let (horizontal, rest) = scratch.split_at_mut(cells);
            let (vertical, rest) = rest.split_at_mut(cells);
            let (diagonal, rest) = rest.split_at_mut(cells);
            let (tensors, rows) = rest.split_at_mut(tensors);
            let mut weights = Weights { horizontal, vertical, diagonal };
            widely(
                #[inline(always)]
                || {
                    self.tensors(values, (c, h, w), &mut weights, tensors, rows);
                    weights.step(values, (c, h, w), self.params.time_step as f32, rows);
                },
            );
        });
    }
}
