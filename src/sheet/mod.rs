//! Contact sheets: images in a grid, for people.

mod outline;
mod text;

use std::path::Path;

use image::{Rgb, RgbImage};
use imgkit::image_io::write_png;
use imgkit::level::to_u8;
use ndarray::{Array3, ArrayView2, ArrayView3};

use crate::error::Error;
use text::Face;

#[cfg(feature = "preview")]
pub(crate) use outline::{BRIGHT, DARK};

const MARGIN: u32 = 6;
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
const INK: Rgb<u8> = Rgb([28, 35, 48]);
const MUTED: Rgb<u8> = Rgb([80, 90, 107]);
/// Height of the font of labels and captions, px.
const TEXT: f32 = 17.0;
/// Width of a column without images, px.
const EMPTY: u32 = 64;

/// Cell of a sheet: one image, and what is said below it.
#[derive(Debug, Clone)]
pub struct Cell {
    image: RgbImage,
    caption: Vec<String>,
}

impl Cell {
    /// Creates a cell of a photo `(H, W, 1 or 3)` in \[0, 1\], scaled to `side` x `side`; an empty one is white.
    #[must_use]
    pub fn photo(photo: ArrayView3<'_, f32>, side: u32) -> Self {
        let (h, w, c) = photo.dim();
        let at = |y: u32, x: u32| {
            let (y, x) = (y as usize * h / side as usize, x as usize * w / side as usize);
            [0, 1, 2].map(|k| to_u8(photo.get((y, x, if c >= 3 { k } else { 0 })).copied().unwrap_or(1.0)))
        };
        Self::image(RgbImage::from_fn(side, side, |x, y| Rgb(at(y, x))))
    }

    /// Creates a cell of a mask `(H, W)`, white on black.
    #[must_use]
    pub fn mask(mask: ArrayView2<'_, bool>, side: u32) -> Self {
        let gray = Array3::from_shape_fn((mask.nrows(), mask.ncols(), 1), |(y, x, _)| f32::from(mask[[y, x]]));
        Self::photo(gray.view(), side)
    }

    /// Creates a cell of an image as it is, of any size.
    #[must_use]
    pub fn image(image: RgbImage) -> Self {
        Self { image, caption: Vec::new() }
    }

    /// Creates an empty cell that keeps `width` px free.
    #[must_use]
    pub fn blank(width: u32) -> Self {
        Self::image(RgbImage::from_pixel(width, u32::from(width > 0), PAPER))
    }

    /// Draws the outline of a mask `(H, W)` of any size that covers all of the image: a bright line just outside of the
    /// mask and a dark one around that, so that it is seen on any ground. An empty mask has none.
    #[must_use]
    pub fn with_outline(mut self, mask: ArrayView2<'_, bool>) -> Self {
        outline::draw_outline(&mut self.image, mask);
        self
    }

    /// Sets lines of text below the image (default: none), the first of them in bold print. They run on below the cells
    /// to the right that have none, and are cut where that is not enough.
    #[must_use]
    pub fn with_caption<S: Into<String>>(mut self, lines: impl IntoIterator<Item = S>) -> Self {
        self.caption = lines.into_iter().map(Into::into).collect();
        self
    }
}

/// A contact sheet: a grid of images with a label over each column. Columns are as wide and rows as tall as their
/// largest cell.
///
/// ```
/// use maphc2f::{Cell, Sheet};
/// use ndarray::Array3;
///
/// let gray = Array3::from_elem((40, 60, 3), 0.5f32);
/// let mut sheet = Sheet::new(["photo", "half as large"]);
/// let cell = Cell::photo(gray.view(), 128).with_caption(["gray", "60 × 40 px"]);
/// sheet.push(vec![cell, Cell::photo(gray.view(), 64)])?;
/// let folder = tempfile::tempdir()?;
/// sheet.save(&folder.path().join("sheet.png"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Sheet {
    labels: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// Creates an empty sheet with these column labels. Text may be Latin, Greek or Cyrillic; other letters are boxes.
    #[must_use]
    pub fn new<S: Into<String>>(labels: impl IntoIterator<Item = S>) -> Self {
        Self { labels: labels.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// A sheet of rows that have one cell per label.
    #[cfg(feature = "preview")]
    pub(crate) fn of_rows(labels: Vec<&str>, rows: impl Iterator<Item = Vec<Cell>>) -> Self {
        Self { rows: rows.collect(), ..Self::new(labels) }
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
        let (bold, regular) = (Face::semibold(TEXT), Face::regular(TEXT));
        let header = if self.labels.iter().all(String::is_empty) { 0 } else { MARGIN + bold.line() };
        let width_of = |i: usize| self.rows.iter().filter_map(|r| r.get(i)).map(|c| c.image.width()).max();
        let lefts: Vec<u32> = (0..=self.labels.len())
            .scan(MARGIN, |left, i| {
                let here = *left;
                *left += width_of(i).unwrap_or(EMPTY) + MARGIN;
                Some(here)
            })
            .collect();
        let heights: Vec<(u32, u32)> = self.rows.iter().map(|row| row_height(row, regular.line())).collect();
        let width = lefts.last().copied().unwrap_or(MARGIN);
        let height = header + MARGIN + heights.iter().map(|(image, text)| image + text + MARGIN).sum::<u32>();
        let mut canvas = RgbImage::from_pixel(width, height, PAPER);
        let room = |from: usize, to: usize| (lefts[to] - MARGIN).saturating_sub(lefts[from]) as f32;
        for (i, label) in self.labels.iter().enumerate() {
            bold.draw(&mut canvas, (lefts[i], MARGIN), INK, &bold.fit(label, room(i, i + 1)));
        }
        let mut top = header + MARGIN;
        for (row, (image, text)) in self.rows.iter().zip(heights) {
            for (i, cell) in row.iter().enumerate() {
                image::imageops::replace(&mut canvas, &cell.image, i64::from(lefts[i]), i64::from(top));
                let end = (i + 1..row.len()).find(|&k| !row[k].caption.is_empty()).unwrap_or(row.len());
                for (line, words) in cell.caption.iter().enumerate() {
                    let (face, ink) = if line == 0 { (&bold, INK) } else { (&regular, MUTED) };
                    let at = (lefts[i], top + image + 2 + line as u32 * face.line());
                    face.draw(&mut canvas, at, ink, &face.fit(words, room(i, end)));
                }
            }
            top += image + text + MARGIN;
        }
        canvas
    }
}

/// Height of a row's images, and of the captions below them with some room, px.
fn row_height(row: &[Cell], line: u32) -> (u32, u32) {
    let image = row.iter().map(|cell| cell.image.height()).max().unwrap_or(0);
    let lines = row.iter().map(|cell| cell.caption.len() as u32).max().unwrap_or(0);
    (image, if lines == 0 { 0 } else { lines.saturating_mul(line) + 10 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn a_sheet_has_its_cells_in_place_and_refuses_ragged_rows() {
        let gray = Cell::photo(Array3::from_elem((4, 4, 1), 0.5).view(), 8);
        let black = Cell::mask(Array2::from_elem((4, 4), false).view(), 20);
        let mut sheet = Sheet::new(["a", "b"]);
        sheet.push(vec![gray.clone(), black.clone()]).unwrap();
        sheet.push(vec![black, gray.clone()]).unwrap();
        assert!(matches!(sheet.push(vec![gray]), Err(Error::Sheet { found: 1, expected: 2 })));
        let image = sheet.draw();
        // header of 6 + 17 px, then margins of 6 px around columns of 20 px and rows of 20 px
        assert_eq!(image.dimensions(), (3 * 6 + 2 * 20, 23 + 3 * 6 + 2 * 20));
        for (x, y, level) in
            [(6, 29, 128), (13, 36, 128), (14, 29, 255), (32, 29, 0), (51, 48, 0), (6, 54, 255), (6, 55, 0)]
        {
            assert_eq!(image.get_pixel(x, y).0, [level; 3], "({x}, {y})");
        }
        let inked = |left: u32, right: u32| {
            image.enumerate_pixels().any(|(x, y, p)| y < 23 && (left..right).contains(&x) && p.0[0] < 128)
        };
        assert!(inked(6, 26) && inked(32, 52), "both labels are drawn");
    }

    #[test]
    fn a_caption_runs_on_below_cells_without_one_and_no_further() {
        let cell = |width| Cell::image(RgbImage::from_pixel(width, 10, Rgb([128; 3])));
        let long = "a caption as long as three cells, and longer than that by far";
        let mut sheet = Sheet::new(["", "", ""]);
        sheet.push(vec![cell(60).with_caption(["first", long]), cell(60), cell(60).with_caption(["x"])]).unwrap();
        let image = sheet.draw();
        assert_eq!(image.dimensions(), (4 * 6 + 3 * 60, 6 + 10 + 2 * 17 + 10 + 6), "no header without labels");
        // columns at 6, 72 and 138 px; the second line's ink ends before the third column, and near it
        let second_line = image.enumerate_pixels().filter(|(_, y, p)| (35..52).contains(y) && p.0[0] < 200);
        let right = second_line.map(|(x, _, _)| x).max().unwrap();
        assert!((100..132).contains(&right), "{right}");
    }

    #[test]
    fn blank_cells_keep_their_width_free() {
        let mut sheet = Sheet::new(["", ""]);
        sheet.push(vec![Cell::blank(30), Cell::blank(0)]).unwrap();
        let image = sheet.draw();
        assert_eq!(image.width(), 3 * 6 + 30);
        assert!(image.pixels().all(|p| *p == PAPER));
    }
}
