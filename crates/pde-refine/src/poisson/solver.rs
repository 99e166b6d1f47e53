//! Solvers of the screened Poisson system, behind one trait.

use super::multigrid::cycle::{Hierarchy, Workspace};
use super::multigrid::level::dot;
use super::system::System;
use super::unit_multigrid as unit;
use crate::error::{Error, check, check_shape};
use crate::parallel;
use ndarray::{Array3, ArrayView3, Axis};

/// What a solve did. With several channels, each figure is the worst channel's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SolveStats {
    /// Iterations (cycles or conjugate-gradient steps).
    pub iterations: usize,
    /// True relative residual `||b - A u|| / ||b||`, evaluated in f64 on the returned solution.
    pub residual: f64,
    /// The same before the first and after every iteration.
    pub history: Vec<f64>,
    /// Unknowns a channel.
    pub unknowns: usize,
}

impl SolveStats {
    /// Keeps the worst of both.
    pub(crate) fn merge(&mut self, other: &SolveStats) {
        self.iterations = self.iterations.max(other.iterations);
        self.residual = self.residual.max(other.residual);
        for (k, &r) in other.history.iter().enumerate() {
            match self.history.get_mut(k) {
                Some(h) => *h = h.max(r),
                None => self.history.push(r),
            }
        }
        self.unknowns = self.unknowns.max(other.unknowns);
    }
}

/// A solver of `A u = b`.
pub trait Solve: std::fmt::Debug + Send + Sync {
    /// Solves `A u = rhs` for every channel, starting from `guess`.
    ///
    /// `rhs` and `guess` are (C, H, W); only their values in the mask are read. The solution is `guess` outside the
    /// mask.
    ///
    /// # Errors
    /// [`Error::Shape`] on mismatched shapes, [`Error::NotConverged`], carrying iterations and residual, if the
    /// tolerance is not reached.
    fn solve(
        &self,
        system: &System,
        rhs: ArrayView3<'_, f64>,
        guess: ArrayView3<'_, f64>,
    ) -> Result<(Array3<f64>, SolveStats), Error>;

    /// The settings, if this is [`Multigrid`]: compositing then takes a faster way to the same result.
    fn multigrid(&self) -> Option<Multigrid> {
        None
    }
}

/// Where a solver stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopping {
    pub(crate) tolerance: f64,
    pub(crate) max_iterations: usize,
}

impl Stopping {
    /// Stops at the relative residual `tolerance` (> 0) or fails after `max_iterations` (>= 1).
    ///
    /// # Errors
    /// [`Error::Parameter`] outside those ranges.
    pub fn new(tolerance: f64, max_iterations: usize) -> Result<Self, Error> {
        check("tolerance", tolerance, tolerance.is_finite() && tolerance > 0.0, "a finite number > 0")?;
        check("max_iterations", max_iterations as f64, max_iterations > 0, ">= 1")?;
        Ok(Stopping { tolerance, max_iterations })
    }

    pub(crate) fn reached(self, residual: f64, iterations: usize) -> Result<bool, Error> {
        if residual <= self.tolerance {
            Ok(true)
        } else if iterations >= self.max_iterations || !residual.is_finite() {
            Err(Error::NotConverged { iterations, residual, tolerance: self.tolerance })
        } else {
            Ok(false)
        }
    }
}

impl Default for Stopping {
    /// Tolerance 1e-6, 60 iterations.
    fn default() -> Self {
        Stopping { tolerance: 1e-6, max_iterations: 60 }
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
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Multigrid {
    pub(crate) stopping: Stopping,
    pub(crate) sweeps: usize,
    full: bool,
}

impl Default for Multigrid {
    /// V(1,1) after a full-multigrid start, tolerance 1e-6.
    fn default() -> Self {
        Multigrid { stopping: Stopping::default(), sweeps: 1, full: true }
    }
}

impl Multigrid {
    /// V(`sweeps`, `sweeps`) cycles; `full` starts with nested iteration.
    ///
    /// # Errors
    /// [`Error::Parameter`] if `sweeps` is 0.
    pub fn new(stopping: Stopping, sweeps: usize, full: bool) -> Result<Self, Error> {
        check("sweeps", sweeps as f64, sweeps > 0, ">= 1")?;
        Ok(Multigrid { stopping, sweeps, full })
    }

    /// Makes exactly `iterations` cycles, whatever the residual, and returns the iterate and its figures.
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

    /// Cycles until `enough(residual, cycles made)`.
    fn run(
        &self,
        system: &System,
        rhs: ArrayView3<'_, f64>,
        guess: ArrayView3<'_, f64>,
        enough: impl Fn(f64, usize) -> Result<bool, Error> + Sync,
    ) -> Result<(Array3<f64>, SolveStats), Error> {
        match system.unit() {
            Some(lambda) if system.unknowns() > 0 => {
                let grids = unit::Hierarchy::new(system.mask(), Some(lambda), self.sweeps);
                solve_channels(system, rhs, guess, |b, x| self.cycles(system, &grids, b, x, &enough))
            }
            _ => {
                let grids = Hierarchy::new(system.level.clone(), self.sweeps);
                solve_channels(system, rhs, guess, |b, x| self.cycles(system, &grids, b, x, &enough))
            }
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
            let e = h.correct(&mut work, self.full && stats.iterations == 0);
            for (x, &e) in x.iter_mut().zip(e) {
                *x += f64::from(e);
            }
            stats.iterations += 1;
        }
    }
}

/// What a multigrid iteration needs of its grids.
trait Grids: Sync {
    type Work;
    fn workspace(&self) -> Self::Work;
    /// The residual to correct.
    fn residual_mut<'a>(&self, work: &'a mut Self::Work) -> &'a mut [f32];
    /// The correction that nested iteration (`full`) or a V-cycle from zero finds for it.
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

impl Grids for unit::Hierarchy {
    type Work = unit::Workspace;

    fn workspace(&self) -> unit::Workspace {
        self.workspace()
    }

    fn residual_mut<'a>(&self, work: &'a mut unit::Workspace) -> &'a mut [f32] {
        self.residual_mut(work)
    }

    fn correct<'a>(&self, work: &'a mut unit::Workspace, full: bool) -> &'a [f32] {
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
        self.run(system, rhs, guess, |residual, made| self.stopping.reached(residual, made))
    }

    fn multigrid(&self) -> Option<Multigrid> {
        Some(*self)
    }
}

/// Conjugate gradients in f64, preconditioned by one symmetric multigrid cycle in f32: for strongly varying `D`.
///
/// Jumps of `D` by 10^4 cost little (a mean factor of 0.12 to 0.15 an iteration) along straight interfaces and around
/// weak inclusions; around strong inclusions with jagged edges, and on checkerboards, convergence slows as the grid
/// grows.
///
/// The direction update is the flexible one (Polak-Ribiere), which tolerates the rounding of the preconditioner.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use pde_refine::poisson::{MgCg, Solve, System};
///
/// let mask = Array2::from_shape_fn((20, 20), |(y, x)| (1..19).contains(&y) && (1..19).contains(&x));
/// let d = Array2::from_shape_fn((20, 20), |(_, x)| if x < 10 { 1.0 } else { 1e-4 });
/// let system = System::new(mask.view(), d.view(), Array2::zeros((20, 20)).view())?;
/// let rhs = Array3::from_elem((1, 20, 20), 1.0);
/// let (_, stats) = MgCg::default().solve(&system, rhs.view(), Array3::zeros((1, 20, 20)).view())?;
/// assert!(stats.residual <= 1e-6);
/// # Ok::<(), pde_refine::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MgCg {
    stopping: Stopping,
}

impl MgCg {
    /// Stops where `stopping` says.
    pub fn new(stopping: Stopping) -> Self {
        MgCg { stopping }
    }

    fn channel(&self, system: &System, h: &Hierarchy, b: &[f64], x: &mut [f64]) -> Result<SolveStats, Error> {
        let mut work = h.workspace();
        let norm = norm(b);
        let mut stats = SolveStats { unknowns: system.unknowns(), ..SolveStats::default() };
        let n = b.len();
        let (mut p, mut ap, zero) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        let (mut z_old, mut rz_old) = (vec![0.0; n], 0.0);
        loop {
            stats.residual = relative(system, b, x, norm, h.residual_mut(&mut work));
            stats.history.push(stats.residual);
            if self.stopping.reached(stats.residual, stats.iterations)? {
                return Ok(stats);
            }
            let r: Vec<f64> = h.residual_mut(&mut work).iter().map(|&v| f64::from(v)).collect();
            let z = precondition(h, &mut work);
            let rz = dot(&r, &z);
            let beta = if rz_old > 0.0 { ((rz - dot(&r, &z_old)) / rz_old).max(0.0) } else { 0.0 };
            for (p, z) in p.iter_mut().zip(&z) {
                *p = z + beta * *p;
            }
            system.level.apply_f64(&p, &zero, &mut ap);
            let curvature = dot(&p, &ap);
            let alpha = if curvature > 0.0 { dot(&r, &p) / curvature } else { 0.0 };
            for (x, p) in x.iter_mut().zip(&p) {
                *x += alpha * p;
            }
            // The Polak-Ribiere term z_new . (r_new - r_old) equals rz_new - r_old . z_new, and symmetry of the
            // preconditioner turns the second product into r_new . z_old.
            (z_old, rz_old) = (z, rz);
            stats.iterations += 1;
        }
    }
}

fn precondition(h: &Hierarchy, work: &mut Workspace) -> Vec<f64> {
    h.cycle(work, true).iter().map(|&v| f64::from(v)).collect()
}

impl Solve for MgCg {
    fn solve(
        &self,
        system: &System,
        rhs: ArrayView3<'_, f64>,
        guess: ArrayView3<'_, f64>,
    ) -> Result<(Array3<f64>, SolveStats), Error> {
        let hierarchy = Hierarchy::new(system.level.clone(), 1);
        solve_channels(system, rhs, guess, |b, x| self.channel(system, &hierarchy, b, x))
    }
}

fn norm(b: &[f64]) -> f64 {
    dot(b, b).sqrt()
}

/// Relative residual; writes the residual itself to `r`.
fn relative(system: &System, b: &[f64], x: &[f64], norm: f64, r: &mut [f32]) -> f64 {
    let residual = system.level.residual_f64(x, b, r).sqrt();
    if norm > 0.0 { residual / norm } else { residual }
}

/// Refuses a right-hand side or a guess of another shape than the system's.
pub(crate) fn check_shapes(system: &System, rhs: ArrayView3<'_, f64>, guess: ArrayView3<'_, f64>) -> Result<(), Error> {
    let (h, w) = system.dim();
    check_shape("rhs", &[guess.dim().0, h, w], rhs.shape())?;
    check_shape("guess", &[rhs.dim().0, h, w], guess.shape())
}

fn solve_channels(
    system: &System,
    rhs: ArrayView3<'_, f64>,
    guess: ArrayView3<'_, f64>,
    solve: impl Fn(&[f64], &mut [f64]) -> Result<SolveStats, Error> + Sync,
) -> Result<(Array3<f64>, SolveStats), Error> {
    check_shapes(system, rhs, guess)?;
    let mut out = guess.to_owned();
    if system.unknowns() == 0 {
        return Ok((out, SolveStats::default()));
    }
    let one = |c: usize| {
        let b = system.pad(rhs.index_axis(Axis(0), c));
        let mut x = system.pad(guess.index_axis(Axis(0), c));
        solve(&b, &mut x).map(|stats| (x, stats))
    };
    let results = parallel::map(rhs.dim().0, system.unknowns(), one);
    let mut stats = SolveStats::default();
    for (c, result) in results.into_iter().enumerate() {
        let (x, channel) = result?;
        stats.merge(&channel);
        let mut plane = out.index_axis_mut(Axis(0), c);
        for ((i, &m), o) in system.mask().indexed_iter().zip(plane.iter_mut()) {
            if m {
                *o = x[system.level.at(i.0, i.1)];
            }
        }
    }
    Ok((out, stats))
}
