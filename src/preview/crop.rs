//! The part of a photo around its defect, and pictures of it.

use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};
use imgkit::{Rect, bounding_box};
use ndarray::{Array3, ArrayView2};

use crate::sheet::{BRIGHT, DARK};

/// Smallest side of a crop, px: enough of the surface to see the defect against.
const SMALLEST: usize = 72;
/// Least surface around the defect, px.
const MARGIN: usize = 14;

/// The part of a photo that shows its defect: the mask's box with a third of its longer side around it, square as far
/// as the photo goes. The whole photo for an empty mask.
pub(super) fn window(mask: ArrayView2<'_, bool>) -> Rect {
    let (height, width) = mask.dim();
    let Some(found) = bounding_box(mask) else { return Rect::whole((height, width)) };
    let longer = (found.bottom - found.top).max(found.right - found.left);
    let side = (longer + 2 * (longer / 3).max(MARGIN)).max(SMALLEST);
    let along = |from: usize, to: usize, most: usize| {
        let length = side.min(most);
        let start = ((from + to).saturating_sub(length) / 2).min(most - length);
        (start, start + length)
    };
    let ((top, bottom), (left, right)) =
        (along(found.top, found.bottom, height), along(found.left, found.right, width));
    Rect { top, left, bottom, right }
}

/// Pixels `(H, W, C)` of a window as RGB, its longer side shrunk to `longest` px if it is longer.
pub(super) fn picture(pixels: &Array3<u8>, at: Rect, longest: usize) -> RgbImage {
    let channels = pixels.dim().2;
    let image = RgbImage::from_fn((at.right - at.left) as u32, (at.bottom - at.top) as u32, |x, y| {
        let of = |k: usize| pixels.get((at.top + y as usize, at.left + x as usize, k)).copied().unwrap_or(0);
        Rgb([0, 1, 2].map(|k| of(if channels >= 3 { k } else { 0 })))
    });
    if image.width().max(image.height()) as usize > longest { scaled(&image, longest as u32) } else { image }
}

/// The image with its longer side at `longest` px.
pub(super) fn scaled(image: &RgbImage, longest: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let longer = width.max(height).max(1);
    let of = |side: u32| ((u64::from(side) * u64::from(longest) / u64::from(longer)) as u32).max(1);
    let kernel = if longest > longer { FilterType::CatmullRom } else { FilterType::Triangle };
    resize(image, of(width), of(height), kernel)
}

/// Draws the frame of a window of a photo of this size onto a picture of the whole photo.
pub(super) fn draw_frame(picture: &mut RgbImage, at: Rect, (rows, columns): (usize, usize)) {
    let (width, height) = picture.dimensions();
    let place = |at: usize, all: usize, shown: u32| (at as u64 * u64::from(shown) / all.max(1) as u64) as i64;
    let (left, right) = (place(at.left, columns, width), place(at.right, columns, width) - 1);
    let (top, bottom) = (place(at.top, rows, height), place(at.bottom, rows, height) - 1);
    // a rectangle outside of the frame and one inside are dark, so that it is seen on any ground
    for (by, color) in [(-1, DARK), (1, DARK), (0, BRIGHT)] {
        let (left, right, top, bottom) = (left + by, right - by, top + by, bottom - by);
        let mut dot = |x: i64, y: i64| {
            let place = u32::try_from(x).ok().zip(u32::try_from(y).ok());
            if let Some(pixel) = place.and_then(|(x, y)| picture.get_pixel_mut_checked(x, y)) {
                *pixel = color;
            }
        };
        (left..=right).for_each(|x| [top, bottom].into_iter().for_each(|y| dot(x, y)));
        (top..=bottom).for_each(|y| [left, right].into_iter().for_each(|x| dot(x, y)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn rectangle(size: (usize, usize), at: Rect) -> Array2<bool> {
        Array2::from_shape_fn(size, |(y, x)| (at.top..at.bottom).contains(&y) && (at.left..at.right).contains(&x))
    }

    #[test]
    fn a_window_holds_the_defect_and_surface_around_it_and_stays_in_the_photo() {
        let in_the_middle = Rect { top: 190, left: 140, bottom: 202, right: 152 };
        let found = window(rectangle((400, 300), in_the_middle).view());
        assert_eq!(found, Rect { top: 160, left: 110, bottom: 232, right: 182 }, "the smallest, about the center");
        let long = Rect { top: 100, left: 20, bottom: 220, right: 30 };
        let found = window(rectangle((400, 300), long).view());
        assert_eq!(found, Rect { top: 60, left: 0, bottom: 260, right: 200 }, "120 px and 40 px on each side");
        let in_a_corner = Rect { top: 395, left: 295, bottom: 400, right: 300 };
        let found = window(rectangle((400, 300), in_a_corner).view());
        assert_eq!(found, Rect { top: 328, left: 228, bottom: 400, right: 300 });
        let all = Rect::whole((40, 300));
        assert_eq!(window(rectangle((40, 300), all).view()), all);
        assert_eq!(window(Array2::from_elem((40, 300), false).view()), all);
    }

    #[test]
    fn a_frame_is_drawn_where_the_window_is() {
        let mut picture = RgbImage::from_pixel(100, 50, Rgb([100; 3]));
        draw_frame(&mut picture, Rect { top: 100, left: 40, bottom: 200, right: 140 }, (200, 400));
        // a quarter of the size: rows 25 to 49, columns 10 to 34; the last row is the picture's
        for (x, y, color) in [(10, 25, BRIGHT), (34, 49, BRIGHT), (20, 25, BRIGHT), (9, 30, DARK), (11, 30, DARK)] {
            assert_eq!(*picture.get_pixel(x, y), color, "({x}, {y})");
        }
        assert_eq!(*picture.get_pixel(20, 35), Rgb([100; 3]));
    }
}
