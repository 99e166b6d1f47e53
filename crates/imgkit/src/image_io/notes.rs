//! Notes: what a reader should know of a file that was read.

use std::fmt;

use super::photo::Photo;

/// Share of the range of a deep file below which a note is given.
const LEAST_SHARE: f32 = 0.125;

/// Oddity of an image file that was read nevertheless.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// The file holds several images, of which the first was read. Thumbnails do not count.
    SeveralImages {
        /// Number of images.
        count: usize,
    },
    /// A color profile other than sRGB is dropped: values are as stored.
    ColorProfile,
    /// Less than an eighth of the range of 16 bits, or of 0 to 1 in floats, is in use.
    NarrowRange {
        /// Lowest stored value.
        lowest: f32,
        /// Highest stored value.
        highest: f32,
        /// End of the range.
        full: f32,
    },
    /// Floats lie outside 0 to 1.
    BeyondOne {
        /// Lowest stored value.
        lowest: f32,
        /// Highest stored value.
        highest: f32,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SeveralImages { count } => write!(f, "holds {count} images; the first is read"),
            Self::ColorProfile => write!(f, "its color profile is dropped; convert to sRGB if colors matter"),
            Self::NarrowRange { lowest, highest, full } => {
                let share = 100.0 * (highest - lowest) / full;
                write!(
                    f,
                    "uses {share:.0} % of the range 0 to {full}, from {lowest} to {highest}; a window, such as 0..4095 \
                     for 12 bits, spreads it"
                )
            }
            Self::BeyondOne { lowest, highest } => {
                write!(f, "holds floats from {lowest} to {highest}, not 0 to 1; a window, such as 0..255, maps them")
            }
        }
    }
}

impl Note {
    /// The kind of note in a few words, the same for all files: for counting.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SeveralImages { .. } => "several images in one file",
            Self::ColorProfile => "color profiles",
            Self::NarrowRange { .. } => "little of the range in use",
            Self::BeyondOne { .. } => "floats outside 0 to 1",
        }
    }

    /// Notes on the range of a photo's values.
    pub(super) fn of_range(photo: &Photo) -> Option<Self> {
        let (lowest, highest, full) = match photo {
            Photo::U8(_) => return None,
            Photo::U16(pixels) => {
                let ends = pixels.iter().fold((u16::MAX, 0), |(low, high), &v| (v.min(low), v.max(high)));
                (f32::from(ends.0), f32::from(ends.1), 65535.0)
            }
            Photo::F32(pixels) => {
                let ends = (f32::INFINITY, f32::NEG_INFINITY);
                let ends = pixels.iter().fold(ends, |(low, high), &v| (v.min(low), v.max(high)));
                (ends.0, ends.1, 1.0)
            }
        };
        if photo.bits() == 32 && (lowest < 0.0 || highest > 1.0) {
            return Some(Self::BeyondOne { lowest, highest });
        }
        (highest - lowest < LEAST_SHARE * full).then_some(Self::NarrowRange { lowest, highest, full })
    }
}

/// Whether a color profile is another than sRGB, by the names in it.
#[cfg(any(feature = "image", feature = "tiff"))]
pub(super) fn is_foreign_profile(profile: &[u8]) -> bool {
    let has = |name: &[u8]| profile.windows(name.len()).any(|at| at == name);
    !has(b"sRGB") && !has(b"s\0R\0G\0B")
}
