//! Volume-preserving Allen-Cahn flow, which makes a soft mask coherent.

use crate::error::Error;
use crate::params::accessors;
use crate::poisson::{Rectangle, Side, Sides};
use imgkit::ensure;
use ndarray::{Array2, ArrayView2};

/// Largest curvature `W''` of the double well, which makes the explicit part of the potential concave.
const CONVEXITY: f64 = 2.0;

/// Parameters of [`AllenCahn`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AllenCahnParams {
    width: f64,
    fidelity: f64,
    time_step: f64,
    max_steps: usize,
    tolerance: f64,
    preserve_volume: bool,
}

accessors!(AllenCahnParams {
    /// Interface width `eps` in pixels, 1e-6 to 1e9: an edge becomes `1/2 (1 + tanh(x / (sqrt(2) eps)))`. Below 0.5 the
    /// interface is thinner than the grid and sticks to it.
    width, with_width: f64;
    /// Fidelity `beta` to the given mask, 0 to 1e9.
    fidelity, with_fidelity: f64;
    /// Time step, 1e-9 to 1e9. Any is stable; one step moves the mask no further than a time of about `width / 2`
    /// would.
    time_step, with_time_step: f64;
    /// Limit on the number of steps, at least 1.
    max_steps, with_max_steps: usize;
    /// Largest change of a pixel in a step at which to stop, at least 0.
    tolerance, with_tolerance: f64;
    /// Whether the mean of the mask is kept. Otherwise discs shrink under curvature, `dR/dt = -eps / R`.
    preserve_volume, with_preserve_volume: bool;
});

impl Default for AllenCahnParams {
    /// Width 1.5, fidelity 0.02, time step 2, at most 60 steps, tolerance 1e-3, volume preserved.
    fn default() -> Self {
        AllenCahnParams {
            width: 1.5,
            fidelity: 0.02,
            time_step: 2.0,
            max_steps: 60,
            tolerance: 1e-3,
            preserve_volume: true,
        }
    }
}

impl AllenCahnParams {
    /// Checks the parameters; [`AllenCahn::new`] calls it.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a parameter is NaN or outside its range.
    pub fn check(&self) -> Result<(), Error> {
        let AllenCahnParams { width, fidelity, time_step, max_steps, tolerance, .. } = *self;
        let what = "AllenCahn";
        ensure((1e-6..=1e9).contains(&width), what, "width", width, "1e-6 to 1e9 pixels")?;
        ensure((0.0..=1e9).contains(&fidelity), what, "fidelity", fidelity, "0 to 1e9")?;
        ensure((1e-9..=1e9).contains(&time_step), what, "time_step", time_step, "1e-9 to 1e9")?;
        ensure(max_steps > 0, what, "max_steps", max_steps, "at least 1")?;
        ensure(tolerance >= 0.0, what, "tolerance", tolerance, "at least 0")?;
        Ok(())
    }
}

/// Statistics of a relaxation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AllenCahnStats {
    /// Free energy at the start and after each step.
    pub energy: Vec<f64>,
    /// Number of steps made.
    pub steps: usize,
    /// Largest change of a pixel in the last step.
    pub change: f64,
    /// Whether `change` fell to the tolerance. The mask is usable either way.
    pub converged: bool,
}

/// Volume-preserving Allen-Cahn flow of a soft mask, `m_t = eps lap m - W'(m) / eps + beta (m0 - m) + mu`.
///
/// Removes speckle and closes gaps narrower than about `eps`, and gives all edges one profile. It is the gradient flow
/// of
///
/// `E(m) = sum over pixels of [eps / 2 |grad m|^2 + W(m) / eps + beta / 2 (m - m0)^2]`
///
/// with the double well `W(m) = m^2 (1 - m)^2` on `[0, 1]`, continued by `m^2` below and `(1 - m)^2` above, five-point
/// differences and zero flux through the frame's edge; `mu`, one number a step, is the Lagrange multiplier of the
/// constraint that the mean of `m` is that of `m0` (Rubinstein and Sternberg, "Nonlocal reaction-diffusion equations
/// and nucleation", 1992).
///
/// A step treats `W - m^2`, which is concave as `W'' <= 2`, explicitly and the rest implicitly (convex splitting; Eyre,
/// "Unconditionally gradient stable time marching the Cahn-Hilliard equation", 1998), so the energy never rises at any
/// step size. The implicit equation has constant coefficients and is solved directly, in f64, by
/// [`poisson::Rectangle`]; the constraint adds a constant to its solution.
///
/// [`poisson::Rectangle`]: crate::poisson::Rectangle
///
/// With the mean preserved, curved interfaces shift the values of both phases by about `0.12 eps / R`, `R` being their
/// radius: values of the result may lie outside `[0, 1]` by that much. Clamping them to `[0, 1]` costs that volume.
///
/// ```
/// use ndarray::Array2;
/// use pde_refine::{AllenCahn, AllenCahnParams};
/// // a disc with a speck beside it
/// let disc = |y: f32, x: f32, r: f32| (y - 32.0).hypot(x - 32.0) < r;
/// let rough = Array2::from_shape_fn((64, 64), |(y, x)| {
///     if disc(y as f32, x as f32, 15.0) || (y, x) == (8, 8) { 1.0 } else { 0.0 }
/// });
/// let (mask, stats) = AllenCahn::new(AllenCahnParams::default())?.relax(rough.view())?;
/// assert!(mask[(32, 32)] > 0.95 && mask[(8, 8)] < 0.1);
/// assert!((mask.sum() - rough.sum()).abs() < 0.01);
/// assert!(stats.energy.last() < stats.energy.first());
/// # Ok::<(), pde_refine::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AllenCahn {
    params: AllenCahnParams,
}

impl AllenCahn {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a parameter is outside its range.
    pub fn new(params: AllenCahnParams) -> Result<Self, Error> {
        params.check()?;
        Ok(AllenCahn { params })
    }

    /// Parameters.
    #[must_use]
    pub fn params(&self) -> AllenCahnParams {
        self.params
    }

    /// Relaxes a soft mask (H, W), nominally in `[0, 1]`; any finite values are accepted. An empty mask is returned
    /// unchanged.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if the mask holds a NaN or an infinity; [`Error::NoBoundary`] if the interface is so much
    /// wider than the frame, some 10^6 pixels, that the step's equation is singular to working precision.
    pub fn relax(&self, mask: ArrayView2<'_, f32>) -> Result<(Array2<f32>, AllenCahnStats), Error> {
        if let Some(((row, column), _)) = mask.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(Error::NonFinite { what: "mask", row, column });
        }
        let (h, w) = mask.dim();
        let mut stats = AllenCahnStats { energy: vec![0.0], steps: 0, change: 0.0, converged: true };
        if mask.is_empty() {
            return Ok((mask.to_owned(), stats));
        }
        let AllenCahnParams { max_steps, preserve_volume, .. } = self.params;
        // Parameters are rounded to f32, as everywhere in this crate: the same values give the same bits.
        let rounded = |v: f64| f64::from(v as f32);
        let [eps, beta, step] = [self.params.width, self.params.fidelity, self.params.time_step].map(rounded);
        let (rate, tolerance) = (1.0 / step, rounded(self.params.tolerance));
        let initial: Vec<f64> = mask.iter().map(|&v| f64::from(v)).collect();
        let volume = preserve_volume.then(|| initial.iter().sum::<f64>());
        let mut m = initial.clone();
        let mut next = vec![0.0; h * w];
        stats.energy[0] = energy(&m, &initial, w, eps, beta);
        let keep = rate + CONVEXITY / eps;
        let plan = implicit(h, w, keep + beta, eps)?;
        let mut scratch = plan.scratch();
        while stats.steps < max_steps {
            for ((next, &m), &m0) in next.iter_mut().zip(&m).zip(&initial) {
                *next = (keep * m - slope(m) / eps + beta * m0) / eps;
            }
            plan.process(&mut next, &mut scratch)?;
            if let Some(volume) = volume {
                let missing = (volume - next.iter().sum::<f64>()) / next.len() as f64;
                next.iter_mut().for_each(|m| *m += missing);
            }
            let change = m.iter().zip(&next).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            std::mem::swap(&mut m, &mut next);
            stats.energy.push(energy(&m, &initial, w, eps, beta));
            stats.steps += 1;
            stats.change = change;
            stats.converged = change <= tolerance;
            if stats.converged {
                break;
            }
        }
        Ok((Array2::from_shape_fn((h, w), |(y, x)| m[y * w + x] as f32), stats))
    }
}

/// Double well `W(m)`.
fn well(m: f64) -> f64 {
    let beyond = m - m.clamp(0.0, 1.0);
    let m = m - beyond;
    (m * (1.0 - m)).powi(2) + beyond * beyond
}

/// Derivative `W'(m)`.
fn slope(m: f64) -> f64 {
    let beyond = m - m.clamp(0.0, 1.0);
    let m = m - beyond;
    2.0 * m * (1.0 - m) * (1.0 - 2.0 * m) + 2.0 * beyond
}

fn energy(m: &[f64], initial: &[f64], w: usize, eps: f64, beta: f64) -> f64 {
    let mut sum = 0.0;
    for (y, row) in m.chunks_exact(w).enumerate() {
        let squares = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        sum += row.iter().map(|&m| well(m)).sum::<f64>() / eps;
        sum += 0.5 * eps * squares(&row[1..], row);
        if let Some(below) = m.get((y + 1) * w..(y + 2) * w) {
            sum += 0.5 * eps * squares(below, row);
        }
        sum += 0.5 * beta * squares(row, &initial[y * w..][..w]);
    }
    sum
}

/// Plans the direct solution of `(a - eps lap) m = eps f` with zero flux through the frame's edge.
fn implicit(h: usize, w: usize, a: f64, eps: f64) -> Result<Rectangle, Error> {
    Rectangle::new((h, w), Sides::all(Side::Neumann), a / eps)
}

#[cfg(test)]
mod tests {
    use super::{implicit, slope, well};

    #[test]
    fn the_transform_solves_the_five_point_equation() {
        for (h, w) in [(1, 1), (1, 7), (5, 1), (2, 2), (9, 14), (16, 33)] {
            let f: Vec<f64> = (0..h * w).map(|i| ((i * 37) % 23) as f64 - 11.0).collect();
            let (a, eps) = (0.3, 1.7);
            let mut m: Vec<f64> = f.iter().map(|f| f / eps).collect();
            let plan = implicit(h, w, a, eps).unwrap();
            plan.process(&mut m, &mut plan.scratch()).unwrap();
            for y in 0..h {
                for x in 0..w {
                    let at = |y: usize, x: usize| m[y * w + x];
                    let (u, d, l, r) =
                        (y.saturating_sub(1), (y + 1).min(h - 1), x.saturating_sub(1), (x + 1).min(w - 1));
                    let lap = at(u, x) + at(d, x) + at(y, l) + at(y, r) - 4.0 * at(y, x);
                    let residual = a * at(y, x) - eps * lap - f[y * w + x];
                    assert!(residual.abs() < 1e-11, "{h}x{w} at {y},{x}: {residual:e}");
                }
            }
        }
    }

    #[test]
    fn the_slope_is_that_of_the_well_and_its_curvature_at_most_two() {
        let step = 1e-5;
        for i in -300..=400 {
            let m = f64::from(i) / 100.0 + 0.0033;
            assert!(((well(m + step) - well(m - step)) / (2.0 * step) - slope(m)).abs() < 1e-8, "{m}");
            assert!((slope(m + step) - slope(m)) / step <= super::CONVEXITY + 1e-9, "{m}");
        }
    }
}
