//! One place to refuse a parameter.

use crate::Error;

/// Refuses NaN, infinities and anything outside `lo..=hi`.
pub(crate) fn within(
    model: &'static str,
    name: &'static str,
    value: f64,
    (lo, hi): (f64, f64),
    expected: &'static str,
) -> Result<(), Error> {
    if value >= lo && value <= hi { Ok(()) } else { Err(Error::Parameter { model, name, value, expected }) }
}

/// Refuses a severity outside \[0, 1\].
pub(crate) fn severity(model: &'static str, value: f64) -> Result<(), Error> {
    within(model, "severity", value, (0.0, 1.0), "in [0, 1]")
}
