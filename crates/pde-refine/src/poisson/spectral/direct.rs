//! Direct solver behind the [`Solve`] trait.

use super::rectangle::{Rectangle, Side, Sides};
use crate::error::Error;
use crate::parallel;
use crate::poisson::solve::{Solve, SolveStats, Stopping, check_shapes};
use crate::poisson::system::System;
use imgkit::{Rect, bounding_box};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};

/// Direct solver, by [`Rectangle`], of systems whose region is one full rectangle with `D = 1` and a constant `lambda`.
///
/// The rectangle may lie anywhere in the array or fill it; where it ends at the array's edge that side has zero flux.
/// The residual is formed by [`System::apply`] in f64; a solve leaves about 1e-13 and is repeated on the residual while
/// the tolerance is not met.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use pde_refine::poisson::{Direct, Solve, System};
///
/// let mask = Array2::from_shape_fn((33, 33), |(y, x)| (1..32).contains(&y) && (1..32).contains(&x));
/// let one = Array2::from_elem((33, 33), 1.0f32);
/// let system = System::new(mask.view(), one.view(), Array2::zeros((33, 33)).view())?;
/// let rhs = Array3::from_elem((1, 33, 33), 1.0);
/// let (u, stats) = Direct::default().solve(&system, rhs.view(), Array3::zeros((1, 33, 33)).view())?;
/// assert!(stats.residual <= 1e-11 && stats.iterations == 1);
/// assert!((u[(0, 16, 16)] - 0.0736713 * 32.0 * 32.0).abs() < 0.1); // torsion of a square: 0.07367 a^2
/// # Ok::<(), pde_refine::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Direct {
    stopping: Stopping,
}

impl Default for Direct {
    /// Tolerance 1e-10, at most 3 solves.
    fn default() -> Self {
        Direct { stopping: Stopping::default().with_tolerance(1e-10).with_max_iterations(3) }
    }
}

impl Direct {
    /// Checks the stopping rule; an iteration is one direct solve.
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the ranges that [`Stopping`] documents.
    pub fn new(stopping: Stopping) -> Result<Self, Error> {
        stopping.check()?;
        Ok(Direct { stopping })
    }

    fn channel(
        self,
        system: &System,
        plan: &Rectangle,
        rect: Rect,
        rhs: ArrayView2<'_, f64>,
        guess: ArrayView2<'_, f64>,
    ) -> Result<(Array2<f64>, SolveStats), Error> {
        let b = rect.crop(rhs);
        let norm = norm(b);
        let mut u = guess.to_owned();
        let mut stats = SolveStats { unknowns: system.unknowns(), ..SolveStats::default() };
        loop {
            let mut r = &b - &rect.crop(system.apply(u.view())?.view());
            let residual = self::norm(r.view());
            stats.residual = if norm > 0.0 { residual / norm } else { residual };
            stats.history.push(stats.residual);
            if self.stopping.reached(stats.residual, stats.iterations)? {
                return Ok((u, stats));
            }
            plan.solve(r.view_mut())?;
            let mut inside = rect.crop_mut(u.view_mut());
            inside += &r;
            stats.iterations += 1;
        }
    }
}

impl Solve for Direct {
    /// # Errors
    /// Beside those of the trait, [`Error::Unsupported`] if the region is not a full rectangle, `D` is not 1 or
    /// `lambda` is not constant.
    fn solve(
        &self,
        system: &System,
        rhs: ArrayView3<'_, f64>,
        guess: ArrayView3<'_, f64>,
    ) -> Result<(Array3<f64>, SolveStats), Error> {
        check_shapes(system, rhs, guess)?;
        let mut out = guess.to_owned();
        if system.unknowns() == 0 {
            return Ok((out, SolveStats::default()));
        }
        let (plan, rect) = plan(system)?;
        let results = parallel::map(rhs.dim().0, system.unknowns(), |c| {
            self.channel(system, &plan, rect, rhs.index_axis(Axis(0), c), guess.index_axis(Axis(0), c))
        });
        let mut stats = SolveStats::default();
        for (mut out, result) in out.outer_iter_mut().zip(results) {
            let (u, channel) = result?;
            stats.merge(&channel);
            out.assign(&u);
        }
        Ok((out, stats))
    }
}

fn norm(a: ArrayView2<'_, f64>) -> f64 {
    a.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// Plans the solve of a rectangle with constant coefficients, and says where it lies.
fn plan(system: &System) -> Result<(Rectangle, Rect), Error> {
    let unsupported =
        |needs, (row, column): (usize, usize)| Error::Unsupported { solver: "Direct", needs, row, column };
    let (mask, frame) = (system.mask(), system.size());
    let rect = bounding_box(mask).unwrap_or_default();
    if let Some(((y, x), _)) = rect.crop(mask).indexed_iter().find(|(_, m)| !**m) {
        return Err(unsupported("a region that fills its bounding box", (rect.top + y, rect.left + x)));
    }
    let side = |at_edge: bool| if at_edge { Side::Neumann } else { Side::Dirichlet };
    let sides = Sides {
        top: side(rect.top == 0),
        bottom: side(rect.bottom == frame.height),
        left: side(rect.left == 0),
        right: side(rect.right == frame.width),
    };
    if let Some(at) = system.first_varied_diffusivity() {
        return Err(unsupported("D = 1", at));
    }
    let screening = rect.crop(system.screening());
    let lambda = screening[(rect.height() / 2, rect.width() / 2)];
    if let Some(((y, x), _)) = screening.indexed_iter().find(|(_, v)| **v != lambda) {
        return Err(unsupported("a constant lambda", (rect.top + y, rect.left + x)));
    }
    Ok((Rectangle::new(rect.size(), sides, lambda.into())?, rect))
}
