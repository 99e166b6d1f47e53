//! Parameters of the foreground model of a set.

use crate::Error;
use crate::params::{parameters, require, within};

parameters! {
    /// Parameters of a [`ForegroundModel`](super::ForegroundModel).
    ///
    /// ```
    /// use physdefect::ForegroundParams;
    /// let params = ForegroundParams::default().with_max_photos(100).with_smallest_part(0.02);
    /// assert!(params.check().is_ok());
    /// assert!(params.with_pinhole(f64::NAN).check().is_err());
    /// ```
    pub struct ForegroundParams {
        /// Photos of the set that are looked at, spread over it: 1 to 1024.
        max_photos / with_max_photos: usize = 64,
        /// Area, as a share of the largest part, below which a part is dropped: 0 to 1.
        smallest_part / with_smallest_part: f64 = 0.06,
        /// Area, as a share of the object, up to which a hole is closed even where it shows the background: 0 to 1.
        pinhole / with_pinhole: f64 = 0.004,
    }
}

impl ForegroundParams {
    /// Checks every value.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range.
    pub fn check(&self) -> Result<(), Error> {
        const WHAT: &str = "ForegroundParams";
        let photos = self.max_photos();
        require((1..=1024).contains(&photos), WHAT, "max_photos", photos as f64, "1 to 1024")?;
        within(WHAT, "smallest_part", self.smallest_part(), (0.0, 1.0), "0 to 1")?;
        within(WHAT, "pinhole", self.pinhole(), (0.0, 1.0), "0 to 1")
    }
}
