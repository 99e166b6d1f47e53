//! The error type of the crate.
//!
//! The variants and their fields are stable, the wording of messages is not; new variants may be added.

use imgkit::ParameterError;

/// Error of any function in this crate: what was wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Shape mismatch between arrays.
    #[error("{what} has shape {found:?}, expected {expected:?}: crop or resize it to match")]
    Shape {
        /// Array at fault.
        what: &'static str,
        /// Shape it should have.
        expected: Vec<usize>,
        /// Shape it has.
        found: Vec<usize>,
    },
    /// Parameter outside its range, or NaN.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// NaN, infinity or forbidden value in an array, where the computation reads it.
    #[error("{what} is not finite at row {row}, column {column}: clean the array first")]
    NonFinite {
        /// Array at fault.
        what: &'static str,
        /// Row of the first bad value.
        row: usize,
        /// Column of the first bad value.
        column: usize,
    },
    /// Mask over the whole frame with zero screening, which leaves the solution undetermined by a constant.
    #[error("the mask covers the whole frame and lambda is 0: leave a pixel outside the mask or set lambda > 0")]
    NoBoundary,
    /// System of a kind that the solver does not handle.
    #[error("`{solver}` needs {needs}, not so at row {row}, column {column}: use `Multigrid` or `MultigridPcg`")]
    Unsupported {
        /// Solver that was asked.
        solver: &'static str,
        /// Property that the solver needs.
        needs: &'static str,
        /// Row of the first pixel at fault.
        row: usize,
        /// Column of the first pixel at fault.
        column: usize,
    },
    /// Iteration limit reached before the tolerance.
    #[error(
        "no convergence: residual {residual:.3e} after {iterations} iterations, tolerance {tolerance:.1e}: \
         allow more iterations, a looser tolerance, or use `MultigridPcg`"
    )]
    NotConverged {
        /// Iterations made.
        iterations: usize,
        /// True relative residual reached.
        residual: f64,
        /// Tolerance asked for.
        tolerance: f64,
    },
}

/// Checks a shape.
pub(crate) fn check_shape(what: &'static str, expected: &[usize], found: &[usize]) -> Result<(), Error> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::Shape { what, expected: expected.to_vec(), found: found.to_vec() })
    }
}
