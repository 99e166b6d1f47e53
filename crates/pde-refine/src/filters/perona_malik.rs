//! Perona-Malik diffusion.

use super::exp::exp2;
use super::{Diffuse, FilterScratch, check_time_step, in_standard_layout};
use crate::error::Error;
use crate::params::accessors;
use crate::simd::{fused, smaller, widely};
use imgkit::ensure;
use ndarray::ArrayViewMut3;

/// Edge-stopping function: diffusivity as a function of the difference `d` of two neighboring pixels; 1 at `d = 0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EdgeStop {
    /// Exponential, `exp(-(d / kappa)^2)`: favors strong edges over weak ones.
    Exponential,
    /// Rational, `1 / (1 + (d / kappa)^2)`: favors wide regions over small ones.
    Rational,
    /// Constant 1: linear diffusion, for comparison.
    Constant,
}

/// Parameters of [`PeronaMalik`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeronaMalikParams {
    kappa: f64,
    edge_stop: EdgeStop,
    time_step: f64,
}

accessors!(PeronaMalikParams {
    /// Contrast, in the image's units: larger differences are edges. 1e-6 to 1e6.
    kappa, with_kappa: f64;
    /// Edge-stopping function.
    edge_stop, with_edge_stop: EdgeStop;
    /// Time step, above 0 and at most 0.25, with pixels one unit apart.
    time_step, with_time_step: f64;
});

impl Default for PeronaMalikParams {
    /// For images in `[0, 1]`: `kappa` 0.05, exponential, time step 0.2.
    fn default() -> Self {
        PeronaMalikParams { kappa: 0.05, edge_stop: EdgeStop::Exponential, time_step: 0.2 }
    }
}

impl PeronaMalikParams {
    /// Checks the parameters; [`PeronaMalik::new`] calls it.
    ///
    /// # Errors
    /// [`Error::Parameter`] if `kappa` or `time_step` is NaN or outside its range.
    pub fn check(&self) -> Result<(), Error> {
        ensure((1e-6..=1e6).contains(&self.kappa), "PeronaMalik", "kappa", self.kappa, "1e-6 to 1e6")?;
        check_time_step("PeronaMalik", self.time_step)
    }
}

/// Perona-Malik diffusion, `u_t = div(g(|grad u|) grad u)`, channel by channel.
///
/// The explicit conservative scheme of Perona and Malik, "Scale-space and edge detection using anisotropic diffusion",
/// 1990, eq. 7 to 9: every face between two pixels has the flux `g(|d|) d` of their difference `d`. With the step at
/// most 1/4 each new value is a weighted mean of the old one and its four neighbors, so no value leaves the range of
/// its neighborhood.
///
/// ```
/// use ndarray::array;
/// use pde_refine::filters::{Diffuse, EdgeStop, PeronaMalik, PeronaMalikParams};
/// let linear = PeronaMalikParams::default().with_edge_stop(EdgeStop::Constant).with_time_step(0.25);
/// let out = PeronaMalik::new(linear)?.filter_plane(array![[0.0, 0.0, 1.0, 0.0, 0.0]].view(), 1)?;
/// assert_eq!(out, array![[0.0, 0.25, 0.5, 0.25, 0.0]]);
/// # Ok::<(), pde_refine::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeronaMalik {
    params: PeronaMalikParams,
}

impl PeronaMalik {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] if `kappa` or `time_step` is NaN or outside its range.
    pub fn new(params: PeronaMalikParams) -> Result<Self, Error> {
        params.check()?;
        Ok(PeronaMalik { params })
    }

    /// Parameters.
    #[must_use]
    pub fn params(&self) -> PeronaMalikParams {
        self.params
    }
}

impl Diffuse for PeronaMalik {
    fn step(&self, planes: ArrayViewMut3<'_, f32>, scratch: &mut FilterScratch) {
        let PeronaMalikParams { kappa, edge_stop, time_step } = self.params;
        let (kappa, step) = (f64::from(kappa as f32), time_step as f32);
        let scale = 1.0 / (kappa * kappa);
        let (k, log) = (scale as f32, (-scale * std::f64::consts::LOG2_E) as f32);
        in_standard_layout(planes, |values, _, h, w| {
            let scratch = scratch.floats(3 * w + 1);
            for plane in values.chunks_exact_mut(h * w) {
                match edge_stop {
                    EdgeStop::Exponential => {
                        step_plane(plane, w, step, scratch, move |a, b| (a * exp2(a * a * log), b * exp2(b * b * log)));
                    }
                    EdgeStop::Rational => step_plane(plane, w, step, scratch, move |a, b| {
                        // one division for two fluxes; capped so that the product is finite
                        let (p, q) = (smaller(fused(a * a, k, 1.0), 1e18), smaller(fused(b * b, k, 1.0), 1e18));
                        let inverse = 1.0 / (p * q);
                        (a * (q * inverse), b * (p * inverse))
                    }),
                    EdgeStop::Constant => step_plane(plane, w, step, scratch, |a, b| (a, b)),
                }
            }
        });
    }
}

/// Makes one step on one plane of width `w`. `fluxes` returns the fluxes of two differences; `scratch` holds `3 w + 1`
/// floats.
#[inline(always)]
fn step_plane(
    plane: &mut [f32],
    w: usize,
    step: f32,
    scratch: &mut [f32],
    fluxes: impl Fn(f32, f32) -> (f32, f32) + Copy,
) {
    widely(
        #[inline(always)]
        || {
            // local copies, so that the compiler knows the stores do not change them
            let (w, step, fluxes) = (w, step, fluxes);
            // fluxes through the faces left of each pixel and right of the last, below and above each pixel
            let (beside, rest) = scratch.split_at_mut(w + 1);
            let (mut below, mut above) = rest.split_at_mut(w);
            above.fill(0.0);
            beside[0] = 0.0;
            beside[w] = 0.0;
            let mut rest = &mut *plane;
            while !rest.is_empty() {
                let (row, next) = rest.split_at_mut(w);
                {
                    // below the last row lies itself: no difference, no flux
                    let next = if next.is_empty() { &*row } else { &next[..w] };
                    let (here, right, down) = (&row[..w - 1], &row[1..w], &next[..w - 1]);
                    let (to_right, to_below) = (&mut beside[1..w], &mut below[..w - 1]);
                    for x in 0..w - 1 {
                        (to_right[x], to_below[x]) = fluxes(right[x] - here[x], down[x] - here[x]);
                    }
                    below[w - 1] = fluxes(0.0, next[w - 1] - row[w - 1]).1;
                }
                let (left, right) = (&beside[..w], &beside[1..][..w]);
                let (up, down) = (&above[..w], &below[..w]);
                for x in 0..w {
                    row[x] = fused(step, (right[x] - left[x]) + (down[x] - up[x]), row[x]);
                }
                std::mem::swap(&mut above, &mut below);
                rest = next;
            }
        },
    );
}
