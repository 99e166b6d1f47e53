//! Outlines of masks on pictures.

use image::{Rgb, RgbImage};
use ndarray::{Array2, ArrayView2};

/// Outlines and frames: a color that surfaces seldom have, and a dark one beside it for those that do.
pub(crate) const BRIGHT: Rgb<u8> = Rgb([0, 229, 255]);
pub(crate) const DARK: Rgb<u8> = Rgb([8, 20, 28]);

/// Draws the outline of a mask that covers all of the picture, just outside of it.
pub(crate) fn draw_outline(picture: &mut RgbImage, mask: ArrayView2<'_, bool>) {
    let (width, height) = picture.dimensions();
    let (rows, columns) = mask.dim();
    // the pixels of the mask that a pixel of the picture shows: those that it touches, or the one it lies in
    let span = |at: u32, shown: u32, all: usize| {
        let (at, shown) = (at as usize, shown.max(1) as usize);
        let from = at * all / shown;
        from..((at + 1) * all / shown).max(from + 1).min(all)
    };
    let inside = Array2::from_shape_fn((height as usize, width as usize), |(y, x)| {
        let (ys, xs) = (span(y as u32, height, rows), span(x as u32, width, columns));
        ys.into_iter().any(|y| xs.clone().any(|x| mask[(y, x)]))
    });
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let (x, y) = (x as usize, y as usize);
        if inside[(y, x)] {
            continue;
        }
        let is_near = |reach: usize| {
            let (ys, xs) = (y.saturating_sub(reach)..=y + reach, x.saturating_sub(reach)..=x + reach);
            ys.into_iter().any(|y| xs.clone().any(|x| inside.get((y, x)) == Some(&true)))
        };
        if is_near(1) {
            *pixel = BRIGHT;
        } else if is_near(2) {
            *pixel = DARK;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imgkit::Rect;

    fn rectangle(size: (usize, usize), at: Rect) -> Array2<bool> {
        Array2::from_shape_fn(size, |(y, x)| (at.top..at.bottom).contains(&y) && (at.left..at.right).contains(&x))
    }

    #[test]
    fn an_outline_lies_around_the_mask_at_any_scale() {
        let mask = rectangle((20, 20), Rect { top: 5, left: 5, bottom: 10, right: 10 });
        for (side, inside) in [(40u32, 10u32..20), (20, 5..10), (10, 2..5)] {
            let mut picture = RgbImage::from_pixel(side, side, Rgb([100; 3]));
            draw_outline(&mut picture, mask.view());
            for (x, y, pixel) in picture.enumerate_pixels() {
                let away = |at: u32| (inside.start.saturating_sub(at)).max((at + 1).saturating_sub(inside.end));
                let expected = match away(x).max(away(y)) {
                    1 => BRIGHT,
                    2 => DARK,
                    _ => Rgb([100; 3]),
                };
                assert_eq!(*pixel, expected, "({x}, {y}) of {side}");
            }
        }
    }
}
