//! The multigrid solver.

use crate::error::Error;
use crate::params::accessors;
use crate::poisson::multigrid::cycle::{Hierarchy, Workspace};
use crate::poisson::solve::{Solve, SolveStats, Stopping, norm, relative, solve_channels};
use crate::poisson::system::System;
use crate::poisson::unit_multigrid::{UnitHierarchy, UnitWorkspace};
use imgkit::ensure;
use ndarray::{Array3, ArrayView3};

/// Parameters of [`Multigrid`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MultigridParams {
    stopping: Stopping,
    sweeps: usize,
    nested_start: bool,
}

accessors!(MultigridParams {
    /// Stopping rule.
    stopping, with_stopping: Stopping;
    /// Smoothing sweeps before and after each coarse-grid correction, 1 to 100: V(`sweeps`, `sweeps`) cycles.
    sweeps, with_sweeps: usize;
    /// Whether the first cycle is nested iteration (full multigrid) instead of a V-cycle.
    nested_start, with_nested_start: bool;
});

impl Default for MultigridParams {
    /// V(1,1) after a full-multigrid start, tolerance 1e-6, at most 60 cycles.
    fn default() -> Self {
        MultigridParams { stopping: Stopping::default(), sweeps: 1, nested_start: true }
    }
}

impl MultigridParams {
    /// Checks the parameters; [`Multigrid::new`] calls it.
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the documented ranges.
    pub fn check(&self) -> Result<(), Error> {
        self.stopping.check()?;
        ensure((1..=100).contains(&self.sweeps), "Multigrid", "sweeps", self.sweeps, "1 to 100")?;
        Ok(())
    }
}

/// Geometric multigrid: a full-multigrid start, then V-cycles with red-black Gauss-Seidel smoothing.
///
/// Cycles run in f32 on the residual, which is evaluated in f64 (iterative refinement), so the residual reported is
/// true and tolerances down to 1e-12 can be reached. Each cycle lowers the energy.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use pde_refine::poisson::{Multigrid, Solve, System};
///
/// let mask = Array2::from_shape_fn((33, 33), |(y, x)| (1..32).contains(&y) && (1..32).contains(&x));
/// let one = Array2::from_elem((33, 33), 1.0f32);
/// let system = System::new(mask.view(), one.view(), Array2::zeros((33, 33)).view())?;
/// let rhs = Array3::from_elem((1, 33, 33), 1.0);
/// let (u, stats) = Multigrid::default().solve(&system, rhs.view(), Array3::zeros((1, 33, 33)).view())?;
/// assert!(stats.residual <= 1e-6 && stats.iterations <= 8);
/// assert!((u[(0, 16, 16)] - 0.0736713 * 32.0 * 32.0).abs() < 0.1); // torsion of a square: 0.07367 a^2
/// # Ok::<(), pde_refine::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Multigrid {
    params: MultigridParams,
}

impl Multigrid {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the documented ranges.
    pub fn new(params: MultigridParams) -> Result<Self, Error> {
        params.check()?;
        Ok(Multigrid { params })
    }

    /// Parameters.
    #[must_use]
    pub fn params(&self) -> MultigridParams {
        self.params
    }

    pub(crate) fn stopping(&self) -> Stopping {
        self.params.stopping
    }

    pub(crate) fn sweeps(&self) -> usize {
        self.params.sweeps
    }

    /// Runs exactly `iterations` cycles, whatever the residual, and returns the iterate and its statistics.
    ///
    /// # Errors
    /// [`Error::Shape`] on mismatched shapes.
    pub fn iterate(
        &self,
        system: &System,
        rhs: ArrayView3<'_, f64>,
        guess: ArrayView3<'_, f64>,
        iterations: usize,
    ) -> Result<(Array3<f64>, SolveStats), Error> {
        self.run(system, rhs, guess, |_, made| Ok(made == iterations))
    }

    /// Runs cycles until `enough(residual, cycles made)`.
    fn run(
        &self,
        system: &System,
        rhs: ArrayView3<'_, f64>,
        guess: ArrayView3<'_, f64>,
        enough: impl Fn(f64, usize) -> Result<bool, Error> + Sync,
    ) -> Result<(Array3<f64>, SolveStats), Error> {
        if system.is_unit_five_point() && system.unknowns() > 0 {
            let grids = UnitHierarchy::new(system.mask(), Some(system.screening()), self.sweeps());
            solve_channels(system, rhs, guess, |b, x| self.cycles(system, &grids, b, x, &enough))
        } else {
            let grids = Hierarchy::new(system.level.clone(), self.sweeps());
            solve_channels(system, rhs, guess, |b, x| self.cycles(system, &grids, b, x, &enough))
        }
    }

    fn cycles<G: Grids>(
        &self,
        system: &System,
        h: &G,
        b: &[f64],
        x: &mut [f64],
        enough: impl Fn(f64, usize) -> Result<bool, Error>,
    ) -> Result<SolveStats, Error> {
        let mut work = h.workspace();
        let norm = norm(b);
        let mut stats = SolveStats { unknowns: system.unknowns(), ..SolveStats::default() };
        loop {
            stats.residual = relative(system, b, x, norm, h.residual_mut(&mut work));
            stats.history.push(stats.residual);
            if enough(stats.residual, stats.iterations)? {
                return Ok(stats);
            }
            let e = h.correct(&mut work, self.params.nested_start && stats.iterations == 0);
            for (x, &e) in x.iter_mut().zip(e) {
                *x += f64::from(e);
            }
            stats.iterations += 1;
        }
    }
}

/// Hierarchy of grids, as a multigrid iteration uses it.
trait Grids: Sync {
    type Work;
    fn workspace(&self) -> Self::Work;
    /// Residual to correct.
    fn residual_mut<'a>(&self, work: &'a mut Self::Work) -> &'a mut [f32];
    /// Correction that nested iteration (`full`) or a V-cycle from zero finds for the residual.
    fn correct<'a>(&self, work: &'a mut Self::Work, full: bool) -> &'a [f32];
}

impl Grids for Hierarchy {
    type Work = Workspace;

    fn workspace(&self) -> Workspace {
        self.workspace()
    }

    fn residual_mut<'a>(&self, work: &'a mut Workspace) -> &'a mut [f32] {
        self.residual_mut(work)
    }

    fn correct<'a>(&self, work: &'a mut Workspace, full: bool) -> &'a [f32] {
        if full { self.full_multigrid(work) } else { self.cycle(work, false) }
    }
}

impl Grids for UnitHierarchy {
    type Work = UnitWorkspace;

    fn workspace(&self) -> UnitWorkspace {
        self.workspace()
    }

    fn residual_mut<'a>(&self, work: &'a mut UnitWorkspace) -> &'a mut [f32] {
        self.residual_mut(work)
    }

    fn correct<'a>(&self, work: &'a mut UnitWorkspace, full: bool) -> &'a [f32] {
        if full {
            self.full_multigrid(work)
        } else {
            self.cycle(work, true)
        }
        self.correction_mut(work)
    }
}

impl Solve for Multigrid {
    fn solve(
        &self,
        system: &System,
        rhs: ArrayView3<'_, f64>,
        guess: ArrayView3<'_, f64>,
    ) -> Result<(Array3<f64>, SolveStats), Error> {
        self.run(system, rhs, guess, |residual, made| self.stopping().reached(residual, made))
    }
}
