//! Conversion between shares of full scale and integer levels.

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
