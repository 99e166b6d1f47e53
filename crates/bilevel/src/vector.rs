//! Vector arithmetic and parameter checks shared by the methods.

use crate::error::Error;

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// theta + factor * direction.
pub(crate) fn shifted(theta: &[f64], direction: &[f64], factor: f64) -> Result<Vec<f64>, Error> {
    same_length("gradient", direction.len(), theta.len())?;
    Ok(theta.iter().zip(direction).map(|(t, d)| t + factor * d).collect())
}

/// Refuses vectors of different lengths.
pub(crate) fn same_length(what: &'static str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Length { what, found, expected }) }
}

/// Refuses a parameter that is not positive and finite.
pub(crate) fn positive(what: &'static str, name: &'static str, value: f64) -> Result<(), Error> {
    Ok(imgkit::ensure(value > 0.0 && value.is_finite(), what, name, value, "positive and finite")?)
}

/// Refuses a count of 0.
pub(crate) fn at_least_one(what: &'static str, name: &'static str, value: usize) -> Result<(), Error> {
    Ok(imgkit::ensure(value > 0, what, name, value, "at least 1")?)
}
