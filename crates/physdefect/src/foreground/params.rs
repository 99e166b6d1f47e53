//! Parameters of the foreground model of a set.

use imgkit::ParameterError;

use crate::Error;

/// Parameters of [`ForegroundModel`](super::ForegroundModel).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct ForegroundParams {
    max_photos: usize,
    smallest_part: f64,
    pinhole: f64,
}

impl Default for ForegroundParams {
    fn default() -> Self {
        Self { max_photos: 64, smallest_part: 0.06, pinhole: 0.004 }
    }
}

impl ForegroundParams {
    /// Sets how many photos of the set are looked at, spread over it: 1 to 1024, 64 by default.
    pub fn with_max_photos(mut self, value: usize) -> Self {
        self.max_photos = value;
        self
    }
    /// Sets the area, as a share of the largest part, below which a part is dropped: 0 to 1, 0.06 by default.
    pub fn with_smallest_part(mut self, value: f64) -> Self {
        self.smallest_part = value;
        self
    }
    /// Sets the area, as a share of the object, up to which a hole is closed even where it shows the background: 0 to 1,
    /// 0.004 by default.
    pub fn with_pinhole(mut self, value: f64) -> Self {
        self.pinhole = value;
        self
    }
    /// Photos that are looked at.
    pub fn max_photos(&self) -> usize {
        self.max_photos
    }
    /// Smallest part that is kept, as a share of the largest.
    pub fn smallest_part(&self) -> f64 {
        self.smallest_part
    }
    /// Largest hole that is closed, as a share of the object.
    pub fn pinhole(&self) -> f64 {
        self.pinhole
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range.
    pub fn check(&self) -> Result<(), Error> {
        const WHAT: &str = "ForegroundParams";
        let share = |name, value: f64| {
            if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(ParameterError::new(WHAT, name, value, "0 to 1")) }
        };
        if !(1..=1024).contains(&self.max_photos) {
            return Err(ParameterError::new(WHAT, "max_photos", self.max_photos as f64, "1 to 1024").into());
        }
        share("smallest_part", self.smallest_part)?;
        share("pinhole", self.pinhole)?;
        Ok(())
    }
}
