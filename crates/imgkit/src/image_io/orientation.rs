//! Orientation: how a stored image is turned to be shown, as EXIF and TIFF count it.

use ndarray::{Array3, Axis};

use super::photo::Photo;
use crate::Size;

/// Orientation 1 to 8; 1 is upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orientation(u8);

impl Orientation {
    pub(super) const UPRIGHT: Self = Self(1);

    /// From the tag's value; unknown ones are upright.
    #[cfg(any(feature = "image", feature = "tiff"))]
    pub(super) fn new(tag: u16) -> Self {
        if (1..=8).contains(&tag) { Self(tag as u8) } else { Self::UPRIGHT }
    }

    /// Size of the turned image.
    pub(super) fn size(self, stored: Size) -> Size {
        if self.0 >= 5 { Size { height: stored.width, width: stored.height } } else { stored }
    }

    pub(super) fn turn(self, photo: Photo) -> Photo {
        match photo {
            Photo::U8(pixels) => Photo::U8(self.array(pixels)),
            Photo::U16(pixels) => Photo::U16(self.array(pixels)),
            Photo::F32(pixels) => Photo::F32(self.array(pixels)),
        }
    }

    fn array<T: Copy>(self, mut pixels: Array3<T>) -> Array3<T> {
        if self == Self::UPRIGHT {
            return pixels;
        }
        if self.0 >= 5 {
            pixels.swap_axes(0, 1);
        }
        if matches!(self.0, 3 | 4 | 7 | 8) {
            pixels.invert_axis(Axis(0));
        }
        if matches!(self.0, 2 | 3 | 6 | 7) {
            pixels.invert_axis(Axis(1));
        }
        pixels.as_standard_layout().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the stored corner `a b / c d` comes to lie, by the EXIF standard's table.
    #[test]
    fn each_orientation_shows_the_picture_as_the_standard_says() {
        let stored = ndarray::arr3(&[[[b'a'], [b'b']], [[b'c'], [b'd']]]);
        let shown = ["abcd", "badc", "dcba", "cdab", "acbd", "cadb", "dbca", "bdac"];
        for (tag, shown) in (1..=8).zip(shown) {
            let turned = Orientation(tag).array(stored.clone());
            assert_eq!(String::from_utf8(turned.into_raw_vec_and_offset().0).unwrap(), shown, "{tag}");
        }
        assert_eq!(Orientation(6).size(Size { height: 2, width: 3 }), Size { height: 3, width: 2 });
    }
}
