//! Where a defect may lie.

use ndarray::{Array2, ArrayView2, Axis, Slice};
use rand::Rng;

use crate::Error;
use crate::params::check_size;

/// A half-open pixel rectangle: rows `y0..y1`, columns `x0..x1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bbox {
    /// First row.
    pub y0: usize,
    /// First column.
    pub x0: usize,
    /// One past the last row.
    pub y1: usize,
    /// One past the last column.
    pub x1: usize,
}

impl Bbox {
    /// Rows; 0 if the last comes before the first.
    #[must_use]
    pub fn height(&self) -> usize {
        self.y1.saturating_sub(self.y0)
    }
    /// Columns; 0 if the last comes before the first.
    #[must_use]
    pub fn width(&self) -> usize {
        self.x1.saturating_sub(self.x0)
    }
    /// The box as a slice of one axis, for `slice_each_axis` (rows, columns, then everything).
    #[must_use]
    pub fn slice_of(&self, axis: Axis) -> Slice {
        match axis.index() {
            0 => Slice::from(self.y0..self.y1),
            1 => Slice::from(self.x0..self.x1),
            _ => Slice::from(..),
        }
    }
    /// Grown by `margin` on each side and clipped to an image of `height` x `width`.
    #[must_use]
    pub fn grown(&self, margin: usize, height: usize, width: usize) -> Self {
        Self {
            y0: self.y0.saturating_sub(margin),
            x0: self.x0.saturating_sub(margin),
            y1: (self.y1.saturating_add(margin)).min(height),
            x1: (self.x1.saturating_add(margin)).min(width),
        }
    }
}

/// The set of pixels that may carry a defect: the whole frame or a foreground mask.
///
/// Built once per photo; asking it costs nothing per image pixel.
#[derive(Debug, Clone)]
pub struct Domain {
    mask: Array2<bool>,
    bbox: Bbox,
    pixels: Vec<u32>,
}

impl Domain {
    /// The whole frame.
    ///
    /// # Errors
    /// [`Error::EmptyDomain`] if a side is zero, [`Error::Parameter`] for more than 2^32 pixels.
    pub fn full(height: usize, width: usize) -> Result<Self, Error> {
        check_size("domain", (height, width))?;
        Self::from_mask(Array2::from_elem((height, width), true))
    }

    /// The true pixels of `mask` `(H, W)`.
    ///
    /// # Errors
    /// [`Error::EmptyDomain`] if there is none.
    pub fn from_mask(mask: Array2<bool>) -> Result<Self, Error> {
        let (height, width) = mask.dim();
        let mut bbox = Bbox { y0: height, x0: width, y1: 0, x1: 0 };
        let mut pixels = Vec::new();
        for ((y, x), &inside) in mask.indexed_iter() {
            if inside {
                bbox.y0 = bbox.y0.min(y);
                bbox.x0 = bbox.x0.min(x);
                bbox.y1 = bbox.y1.max(y + 1);
                bbox.x1 = bbox.x1.max(x + 1);
                pixels.push((y * width + x) as u32);
            }
        }
        if pixels.is_empty() {
            return Err(Error::EmptyDomain { height, width });
        }
        Ok(Self { mask, bbox, pixels })
    }

    /// The mask `(H, W)`.
    #[must_use]
    pub fn mask(&self) -> ArrayView2<'_, bool> {
        self.mask.view()
    }
    /// `(H, W)` of the photo it belongs to.
    #[must_use]
    pub fn dim(&self) -> (usize, usize) {
        self.mask.dim()
    }
    /// Tight bounding box.
    #[must_use]
    pub fn bbox(&self) -> Bbox {
        self.bbox
    }
    /// Number of pixels.
    #[must_use]
    pub fn area(&self) -> usize {
        self.pixels.len()
    }
    /// Characteristic length sqrt(area), px: the scale that severity is relative to.
    #[must_use]
    pub fn scale(&self) -> f64 {
        (self.area() as f64).sqrt()
    }
    /// Whether the point (row, column) lies in a domain pixel.
    #[must_use]
    pub fn contains(&self, y: f64, x: f64) -> bool {
        let (h, w) = self.dim();
        y >= 0.0 && x >= 0.0 && (y as usize) < h && (x as usize) < w && self.mask[[y as usize, x as usize]]
    }
    /// A uniformly drawn pixel (row, column).
    pub fn pick<R: Rng + ?Sized>(&self, rng: &mut R) -> (usize, usize) {
        let p = self.pixels[rng.random_range(0..self.pixels.len())] as usize;
        (p / self.mask.ncols(), p % self.mask.ncols())
    }
}
