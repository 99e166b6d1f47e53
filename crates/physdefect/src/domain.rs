//! The `Domain`: pixels that may carry a defect.

use imgkit::{Rect, bounding_box};
use ndarray::{Array2, ArrayView2};
use rand::Rng;

use crate::Error;
use crate::params::check_size;

/// Set of pixels that may carry a defect: the whole frame or a foreground mask.
///
/// Built once per photo; asking it costs nothing per image pixel.
#[derive(Debug, Clone)]
pub struct Domain {
    mask: Array2<bool>,
    bbox: Rect,
    pixels: Vec<u32>,
}

impl Domain {
    /// Creates a domain of the whole frame.
    ///
    /// # Errors
    /// [`Error::EmptyDomain`] if a side is zero, [`Error::Parameter`] for more than 2^32 pixels.
    pub fn full(height: usize, width: usize) -> Result<Self, Error> {
        check_size("domain", (height, width))?;
        Self::from_mask(Array2::from_elem((height, width), true))
    }

    /// Creates a domain of the true pixels of `mask` `(H, W)`.
    ///
    /// # Errors
    /// [`Error::EmptyDomain`] if there is none.
    pub fn from_mask(mask: Array2<bool>) -> Result<Self, Error> {
        let (height, width) = mask.dim();
        let Some(bbox) = bounding_box(mask.view()) else { return Err(Error::EmptyDomain { height, width }) };
        let inside = mask.indexed_iter().filter(|&(_, &m)| m);
        let pixels = inside.map(|((y, x), _)| (y * width + x) as u32).collect();
        Ok(Self { mask, bbox, pixels })
    }

    /// Mask `(H, W)`: true for pixels of the domain.
    #[must_use]
    pub fn mask(&self) -> ArrayView2<'_, bool> {
        self.mask.view()
    }
    /// Height and width of the photo.
    #[must_use]
    pub fn dim(&self) -> (usize, usize) {
        self.mask.dim()
    }
    /// Tight bounding box.
    #[must_use]
    pub fn bbox(&self) -> Rect {
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
    /// Samples a pixel (row, column) uniformly.
    pub fn pick<R: Rng + ?Sized>(&self, rng: &mut R) -> (usize, usize) {
        let p = self.pixels[rng.random_range(0..self.pixels.len())] as usize;
        (p / self.mask.ncols(), p % self.mask.ncols())
    }
}
