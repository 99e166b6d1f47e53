//! Contact sheets: images in a grid, for people.

use std::path::Path;

use font8x8::UnicodeFonts;
use image::{Rgb, RgbImage};
use imgkit::image_io::write_png;
use imgkit::level::to_u8;
use ndarray::{Array3, ArrayView2, ArrayView3};

use crate::error::Error;

const MARGIN: u32 = 4;
const HEADER: u32 = 14;
const INK: Rgb<u8> = Rgb([30, 30, 30]);

/// Cell of a sheet: one image.
#[derive(Debug, Clone)]
pub struct Cell(RgbImage);

impl Cell {
    /// Creates a cell of a photo `(H, W, 1 or 3)` in \[0, 1\], scaled to `side` x `side`; an empty one is white.
    #[must_use]
    pub fn photo(photo: ArrayView3<'_, f32>, side: u32) -> Self {
        let (h, w, c) = photo.dim();
        let at = |y: u32, x: u32| {
            let (y, x) = (y as usize * h / side as usize, x as usize * w / side as usize);
            [0, 1, 2].map(|k| to_u8(photo.get((y, x, if c >= 3 { k } else { 0 })).copied().unwrap_or(1.0)))
        };
        Self(RgbImage::from_fn(side, side, |x, y| Rgb(at(y, x))))
    }

    /// Creates a cell of a mask `(H, W)`, white on black.
    #[must_use]
    pub fn mask(mask: ArrayView2<'_, bool>, side: u32) -> Self {
        let gray = Array3::from_shape_fn((mask.nrows(), mask.ncols(), 1), |(y, x, _)| f32::from(mask[[y, x]]));
        Self::photo(gray.view(), side)
    }
}

/// A contact sheet: a grid of images with a label over each column.
#[derive(Debug)]
pub struct Sheet {
    labels: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// Creates an empty sheet with these column labels (ASCII).
    #[must_use]
    pub fn new<S: Into<String>>(labels: impl IntoIterator<Item = S>) -> Self {
        Self { labels: labels.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`Error::Sheet`] if it has not one cell per label.
    pub fn push(&mut self, row: Vec<Cell>) -> Result<(), Error> {
        if row.len() != self.labels.len() {
            return Err(Error::Sheet { found: row.len(), expected: self.labels.len() });
        }
        self.rows.push(row);
        Ok(())
    }

    /// Writes the sheet as PNG, to a temporary name first.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        write_png(path, &self.draw()).map_err(|e| Error::output(path, e.source))
    }

    fn draw(&self) -> RgbImage {
        let (cw, ch) = self.rows.first().and_then(|r| r.first()).map_or((64, 0), |c| c.0.dimensions());
        let width = MARGIN + self.labels.len() as u32 * (cw + MARGIN);
        let height = HEADER + MARGIN + self.rows.len() as u32 * (ch + MARGIN);
        let mut canvas = RgbImage::from_pixel(width, height, Rgb([255, 255, 255]));
        for (i, label) in self.labels.iter().enumerate() {
            write_text(&mut canvas, label, MARGIN + i as u32 * (cw + MARGIN), MARGIN, cw);
        }
        for (j, row) in self.rows.iter().enumerate() {
            for (i, cell) in row.iter().enumerate() {
                let x = MARGIN + i as u32 * (cw + MARGIN);
                let y = HEADER + MARGIN + j as u32 * (ch + MARGIN);
                image::imageops::replace(&mut canvas, &cell.0, i64::from(x), i64::from(y));
            }
        }
        canvas
    }
}

/// Text in an 8x8 font, cut at `width` px.
fn write_text(canvas: &mut RgbImage, text: &str, left: u32, top: u32, width: u32) {
    for (i, letter) in text.chars().take(width as usize / 8).enumerate() {
        let Some(glyph) = font8x8::BASIC_FONTS.get(letter) else { continue };
        for (y, row) in glyph.iter().enumerate() {
            for x in (0..8u32).filter(|x| row >> x & 1 == 1) {
                if let Some(pixel) = canvas.get_pixel_mut_checked(left + i as u32 * 8 + x, top + y as u32) {
                    *pixel = INK;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn a_sheet_has_its_cells_in_place_and_refuses_ragged_rows() {
        let white = Cell::photo(Array3::ones((4, 4, 1)).view(), 8);
        let black = Cell::mask(Array2::from_elem((4, 4), false).view(), 8);
        let mut sheet = Sheet::new(["a", "b"]);
        sheet.push(vec![white.clone(), black]).unwrap();
        assert!(matches!(sheet.push(vec![white]), Err(Error::Sheet { found: 1, expected: 2 })));
        let image = sheet.draw();
        assert_eq!(image.dimensions(), (4 + 2 * 12, 14 + 4 + 12));
        assert_eq!(image.get_pixel(5, 20).0, [255; 3]);
        assert_eq!(image.get_pixel(17, 20).0, [0; 3]);
        assert!(image.enumerate_pixels().any(|(_, y, p)| y < 14 && *p == INK), "labels are drawn");
    }
}
