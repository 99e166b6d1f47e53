//! Conversion between shares of full scale and integer levels, and windows of stored values.

use std::fmt;
use std::str::FromStr;

use crate::{ParameterError, ensure};

/// Window of stored values: its low end is black, its high end white. Written `low..high`, such as `0..4095` for 12
/// bits.
///
/// ```
/// use imgkit::level::Window;
/// let window: Window = "0..4095".parse()?;
/// assert_eq!([window.share(-5.0), window.share(4095.0), window.share(f32::NAN)], [0.0, 1.0, 0.0]);
/// assert!("9..9".parse::<Window>().is_err());
/// # Ok::<(), imgkit::ParameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    low: f32,
    high: f32,
}

impl Window {
    /// Creates the window from `low` to `high`.
    ///
    /// # Errors
    /// [`ParameterError`] unless both are finite and `low < high`.
    pub fn new(low: f32, high: f32) -> Result<Self, ParameterError> {
        let is_window = low.is_finite() && high.is_finite() && low < high && (high - low).is_finite();
        let value = format_args!("{low}..{high}");
        ensure(is_window, "Window", "window", value, "two finite numbers low..high, the lower one first")?;
        Ok(Self { low, high })
    }

    /// Its low and high end.
    #[must_use]
    pub fn ends(self) -> (f32, f32) {
        (self.low, self.high)
    }

    /// Share of the window that lies below a stored value, clamped to `[0, 1]`. NaN becomes 0.
    #[must_use]
    pub fn share(self, value: f32) -> f32 {
        let share = (value - self.low) / (self.high - self.low);
        if share > 0.0 { share.min(1.0) } else { 0.0 }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.low, self.high)
    }
}

impl FromStr for Window {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        let ends = text.split_once("..").and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
        let wrong = || ParameterError::new("Window", "window", text, "two numbers low..high, such as 0..4095");
        ends.ok_or_else(wrong).and_then(|(low, high)| Self::new(low, high))
    }
}

/// Converts a share of full scale to 8 bits: clamped to `[0, 1]`, scaled, rounded half away from zero. NaN becomes 0.
///
/// ```
/// use imgkit::level::to_u8;
/// assert_eq!([-0.1, 0.0, 0.5, 1.0, 7.0, f32::NAN].map(to_u8), [0, 0, 128, 255, 255, 0]);
/// ```
#[must_use]
pub fn to_u8(share: f32) -> u8 {
    (share.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// Converts a share of full scale to 16 bits, as [`to_u8`].
#[must_use]
pub fn to_u16(share: f32) -> u16 {
    (share.clamp(0.0, 1.0) * 65535.0).round() as u16
}

/// Converts 8 bits to a share of full scale, `level / 255`. [`to_u8`] gives the level back.
#[must_use]
pub fn from_u8(level: u8) -> f32 {
    f32::from(level) / 255.0
}

/// Converts 16 bits to a share of full scale, `level / 65535`. [`to_u16`] gives the level back.
#[must_use]
pub fn from_u16(level: u16) -> f32 {
    f32::from(level) / 65535.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_survives_the_way_there_and_back() {
        for level in 0..=u8::MAX {
            assert_eq!(to_u8(from_u8(level)), level);
        }
        for level in 0..=u16::MAX {
            assert_eq!(to_u16(from_u16(level)), level);
        }
    }
}
