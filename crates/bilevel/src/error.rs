//! The error of this crate.
//!
//! Stable: the variants and their fields. The wording of messages and of `hint` may change.

use imgkit::ParameterError;

/// Failure of a hypergradient or of an inverse-Hessian product.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Two vectors that must have one length do not.
    #[error("{what} has {found} entries, expected {expected}")]
    Length {
        /// The vector in question.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The required length.
        expected: usize,
    },
    /// An inverse-Hessian product, or a hypergradient, could not be computed.
    #[error("{method} failed at iteration {iteration}: {hint}")]
    Unsolved {
        /// Name of the method.
        method: &'static str,
        /// Iteration, product or column at which it failed.
        iteration: usize,
        /// Cause and remedy.
        hint: &'static str,
    },
    /// Too few samples keep all the weight.
    #[error(
        "the weights collapsed at step {step}: {effective:.1} effective samples of {samples} are left; raise the penalty \
         or lower the rate"
    )]
    Collapsed {
        /// Upper step, from 1 on.
        step: usize,
        /// Effective samples (Kish).
        effective: f64,
        /// Samples.
        samples: usize,
    },
    /// Evaluating the problem failed.
    #[error("the problem could not be evaluated")]
    Problem(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Wraps an error that evaluating the problem raised.
    ///
    /// ```
    /// let error = bilevel::Error::problem("no data");
    /// assert!(std::error::Error::source(&error).is_some());
    /// ```
    #[must_use]
    pub fn problem(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Problem(source.into())
    }
}
