//! Out-of-range parameters.

use std::borrow::Cow;
use std::fmt::Display;

/// Parameter that is not a number or outside its range.
///
/// Stable: the fields and the form of the message. The words of `expected` may change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: parameter `{name}` is {value}, but must be {expected}")]
#[non_exhaustive]
pub struct ParameterError {
    /// Type or step that the parameter belongs to.
    pub what: &'static str,
    /// Parameter, as written in code.
    pub name: &'static str,
    /// Offending value.
    pub value: String,
    /// Allowed values in words, with the unit.
    pub expected: Cow<'static, str>,
}

impl ParameterError {
    /// Reports `value` of the parameter `name` of `what`, which must be `expected`.
    #[must_use]
    pub fn new(
        what: &'static str,
        name: &'static str,
        value: impl Display,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { what, name, value: value.to_string(), expected: expected.into() }
    }
}

/// Checks a condition on a parameter.
///
/// # Errors
/// [`ParameterError`] unless `ok`.
///
/// ```
/// use imgkit::ensure;
/// let sigma = f64::NAN;
/// let error = ensure(sigma > 0.0, "blur", "sigma", sigma, "above 0").unwrap_err();
/// assert_eq!(error.to_string(), "blur: parameter `sigma` is NaN, but must be above 0");
/// ```
pub fn ensure(
    ok: bool,
    what: &'static str,
    name: &'static str,
    value: impl Display,
    expected: impl Into<Cow<'static, str>>,
) -> Result<(), ParameterError> {
    if ok { Ok(()) } else { Err(ParameterError::new(what, name, value, expected)) }
}
