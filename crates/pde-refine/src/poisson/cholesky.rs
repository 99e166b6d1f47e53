//! Dense direct solver, the reference for small regions.

use super::solve::{Solve, SolveStats, check_shapes};
use super::system::System;
use crate::error::Error;
use imgkit::{Size, ensure};
use ndarray::{Array1, Array2, Array3, ArrayView3, Axis, Zip};
use ndarray_linalg::cholesky::{FactorizeC, SolveC, UPLO};

/// Dense Cholesky solver of LAPACK, exact to rounding. Needs the feature `openblas-system` and a system OpenBLAS.
///
/// Memory grows with the square of the unknowns and time with the cube: meant as an independent reference and for
/// regions of up to some thousand pixels.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use pde_refine::poisson::{Cholesky, Solve, System};
///
/// let mask = Array2::from_shape_fn((9, 9), |(y, x)| (1..8).contains(&y) && (1..8).contains(&x));
/// let one = Array2::from_elem((9, 9), 1.0f32);
/// let system = System::new(mask.view(), one.view(), Array2::zeros((9, 9)).view())?;
/// let rhs = Array3::from_elem((1, 9, 9), 1.0);
/// let (_, stats) = Cholesky::default().solve(&system, rhs.view(), Array3::zeros((1, 9, 9)).view())?;
/// assert!(stats.residual < 1e-13);
/// # Ok::<(), pde_refine::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cholesky {
    max_unknowns: usize,
}

impl Default for Cholesky {
    /// At most 4096 unknowns: a matrix of 128 MiB.
    fn default() -> Self {
        Self { max_unknowns: 4096 }
    }
}

impl Cholesky {
    /// Sets the largest number of unknowns that is accepted, 1 to 32 768.
    ///
    /// # Errors
    /// [`Error::Parameter`] outside that range.
    pub fn new(max_unknowns: usize) -> Result<Self, Error> {
        let ok = (1..=32_768).contains(&max_unknowns);
        ensure(ok, "Cholesky", "max_unknowns", max_unknowns, "1 to 32768")?;
        Ok(Self { max_unknowns })
    }
}

impl Solve for Cholesky {
    fn solve(
        &self,
        system: &System,
        rhs: ArrayView3<'_, f64>,
        guess: ArrayView3<'_, f64>,
    ) -> Result<(Array3<f64>, SolveStats), Error> {
        check_shapes(system, rhs, guess)?;
        let Size { height: h, width: w } = system.size();
        let n = system.unknowns();
        let expected = format!("at most {}, the solver's `max_unknowns`: use `Multigrid`", self.max_unknowns);
        ensure(n <= self.max_unknowns, "Cholesky", "unknowns", n, expected)?;
        let pixels: Vec<_> = system.mask().indexed_iter().filter(|(_, m)| **m).map(|(p, _)| p).collect();
        let mut solution = guess.to_owned();
        if n == 0 {
            return Ok((solution, SolveStats::default()));
        }
        let mut matrix = Array2::zeros((n, n));
        let mut unit = Array2::zeros((h, w));
        for (mut column, &pixel) in matrix.axis_iter_mut(Axis(1)).zip(&pixels) {
            unit[pixel] = 1.0;
            let image = system.apply(unit.view())?;
            column.iter_mut().zip(&pixels).for_each(|(a, &p)| *a = image[p]);
            unit[pixel] = 0.0;
        }
        let singular = |_| Error::NoBoundary;
        let factor = matrix.factorizec(UPLO::Lower).map_err(singular)?;
        let mut stats = SolveStats { iterations: 1, unknowns: n, ..SolveStats::default() };
        for (b, mut u) in rhs.outer_iter().zip(solution.outer_iter_mut()) {
            let values: Array1<f64> = pixels.iter().map(|&p| b[p]).collect();
            let x = factor.solvec(&values).map_err(singular)?;
            pixels.iter().zip(&x).for_each(|(&p, &v)| u[p] = v);
            let (mut square, mut norm) = (0.0, 0.0);
            let image = system.apply(u.view())?;
            Zip::from(system.mask()).and(&b).and(&image).for_each(|&m, &b, &a| {
                if m {
                    square += (b - a) * (b - a);
                    norm += b * b;
                }
            });
            stats.residual = stats.residual.max(if norm > 0.0 { (square / norm).sqrt() } else { square.sqrt() });
        }
        stats.history = vec![1.0, stats.residual];
        Ok((solution, stats))
    }
}
