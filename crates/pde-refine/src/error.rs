//! The error type of the crate.
//!
//! The variants and their fields are stable, the wording of messages is not; new variants may be added.

use imgkit::ParameterError;

/// Error of any function in this crate: what was wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two arrays that must agree in shape do not.
    #[error("{what} has shape {found:?}, expected {expected:?}: crop or resize it to match")]
    Shape {
        /// The array at fault.
        what: &'static str,
        /// The shape it should have.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// A parameter is outside its range or NaN.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// An array holds a NaN or an infinity where the computation needs a number.
    #[error("{what} is not finite at row {row}, column {column}: clean the array first")]
    NonFinite {
        /// The array at fault.
        what: &'static str,
        /// The row of the first bad value.
        row: usize,
        /// The column of the first bad value.
        column: usize,
    },
    /// The mask covers the whole frame and the screening is zero, so the solution is known only up to a constant.
    #[error("the mask covers the whole frame and lambda is 0: leave a pixel outside the mask or set lambda > 0")]
    NoBoundary,
    /// The solver does not handle this kind of system.
    #[error("`{solver}` needs {needs}, not so at row {row}, column {column}: use `Multigrid` or `MultigridPcg`")]
    Unsupported {
        /// The solver.
        solver: &'static str,
        /// What the system must be like.
        needs: &'static str,
        /// The row of the first pixel at fault.
        row: usize,
        /// Its column.
        column: usize,
    },
    /// The solver stopped before it reached its tolerance.
    #[error(
        "no convergence: residual {residual:.3e} after {iterations} iterations, tolerance {tolerance:.1e}: \
         allow more iterations, a looser tolerance, or use `MultigridPcg`"
    )]
    NotConverged {
        /// Iterations made.
        iterations: usize,
        /// The true relative residual reached.
        residual: f64,
        /// The tolerance asked for.
        tolerance: f64,
    },
}

/// Refuses `found` unless it equals `expected`.
pub(crate) fn check_shape(what: &'static str, expected: &[usize], found: &[usize]) -> Result<(), Error> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::Shape { what, expected: expected.to_vec(), found: found.to_vec() })
    }
}
