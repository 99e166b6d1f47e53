//! The `Domain`: pixels that may carry a defect.

use std::borrow::Cow;
use std::sync::Arc;

use imgkit::components::label_components;
use imgkit::distance::squared_to_background;
use imgkit::{Rect, bounding_box};
use ndarray::{Array2, ArrayView2};
use rand::Rng;

use crate::annotation::padded;
use crate::params::check_size;
use crate::place::Sites;
use crate::runs::Runs;
use crate::{Defect, Error};

/// Most objects that a domain is split into.
const MOST_OBJECTS: usize = 32;
/// Parts below this share of the largest are no objects of their own.
const LEAST_OBJECT: f64 = 0.06;
/// Largest ratio of an object's scale to the diameter of the largest disc inside it.
const ELONGATION: f64 = 1.5;

/// Set of pixels that may carry a defect: the whole frame or a foreground mask.
///
/// Defects start at any of them, or where [`Domain::placed`] and [`Domain::with_sites`] say.
///
/// Built once per photo; asking it costs nothing per image pixel.
#[derive(Debug, Clone)]
pub struct Domain {
    mask: Array2<bool>,
    bbox: Rect,
    pixels: Runs,
    scale: f64,
    /// Its connected parts, if there are several.
    objects: Arc<Vec<Domain>>,
    grain: Option<f64>,
    /// Where defects may start, if not everywhere.
    pub(crate) sites: Option<Arc<Sites>>,
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
        let whole = Self::single(mask, bbox);
        if whole.area() == bbox.area() {
            return Ok(whole);
        }
        let parts = label_components(whole.mask.view());
        let least = parts.sizes.iter().max().map_or(0.0, |&most| LEAST_OBJECT * most as f64);
        let mut labels: Vec<usize> = (0..parts.sizes.len()).filter(|&i| parts.sizes[i] as f64 >= least).collect();
        if labels.len() < 2 {
            return Ok(whole);
        }
        labels.sort_by_key(|&i| (std::cmp::Reverse(parts.sizes[i]), i));
        labels.truncate(MOST_OBJECTS);
        labels.sort_unstable();
        let object = |&i: &usize| {
            let mask = parts.labels.mapv(|label| label as usize == i + 1);
            bounding_box(mask.view()).map(|bbox| Self::single(mask, bbox))
        };
        let objects: Vec<Self> = labels.iter().filter_map(object).collect();
        let scale = objects.iter().map(|object| object.scale).fold(0.0, f64::max);
        Ok(Self { scale, objects: Arc::new(objects), ..whole })
    }

    fn single(mask: Array2<bool>, bbox: Rect) -> Self {
        let pixels = Runs::of(&mask);
        let thickness = if pixels.len() == bbox.area() {
            bbox.height().min(bbox.width()) as f64
        } else {
            // Beyond the frame there is no object.
            let padded = padded(&bbox.crop(mask.view()).to_owned(), 1);
            2.0 * (squared_to_background(padded.view()).iter().fold(0, |a, &d| a.max(d)) as f64).sqrt()
        };
        let scale = (pixels.len() as f64).sqrt().min(ELONGATION * thickness);
        Self { mask, bbox, pixels, scale, objects: Arc::default(), grain: None, sites: None }
    }

    /// Sets the direction along the grain of the surface, radians from +x (right) towards +y (down), as of ground,
    /// brushed or woven ones; `None` for none.
    #[must_use]
    pub fn with_grain(mut self, grain: Option<f64>) -> Self {
        self.grain = grain;
        if !self.objects.is_empty() {
            self.objects = Arc::new(self.objects.iter().map(|object| object.clone().with_grain(grain)).collect());
        }
        self
    }

    /// Direction along the grain of the surface, if it is known and has one.
    #[must_use]
    pub fn grain(&self) -> Option<f64> {
        self.grain
    }

    /// The domain and what a defect that shows the background changes beside it: the blur of the outline that it takes
    /// away. Sizes and places stay those of the domain.
    pub(crate) fn uncovering(&self, defect: &Defect) -> Cow<'_, Self> {
        if !defect.shows_background {
            return Cow::Borrowed(self);
        }
        let mut wider = self.clone();
        let mut mask = defect.bbox.crop_mut(wider.mask.view_mut());
        mask.zip_mut_with(&defect.opacity, |m, &a| *m |= a > 0.0);
        Cow::Owned(wider)
    }

    /// Its connected parts (eight neighbors) without those below 6 % of the largest, at most 32; empty if there is only
    /// one.
    #[must_use]
    pub fn objects(&self) -> &[Domain] {
        &self.objects
    }

    pub(crate) fn set_objects(&mut self, objects: Vec<Domain>) {
        self.objects = Arc::new(objects);
    }

    /// Samples one of its objects, each as likely as it has pixels that defects may start at; the domain itself if it
    /// is one object.
    pub fn pick_object<R: Rng + ?Sized>(&self, rng: &mut R) -> &Domain {
        let total: usize = self.objects.iter().map(|object| object.starts().len()).sum();
        if total == 0 {
            return self;
        }
        let mut left = rng.random_range(0..total);
        for object in self.objects.iter() {
            let own = object.starts().len();
            if left < own {
                return object;
            }
            left -= own;
        }
        self
    }

    /// Pixels that defects may start at.
    fn starts(&self) -> &Runs {
        self.sites.as_ref().map_or(&self.pixels, |sites| &sites.pixels)
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
    /// Characteristic length of the object, px, that sizes of defects are relative to: the square root of its area, but
    /// at most one and a half times the diameter of the largest disc inside it, so that a crack fits the neck of a
    /// screw. Of several objects that of the largest.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale
    }
    /// Whether the point (row, column) lies in a domain pixel.
    #[must_use]
    pub fn contains(&self, y: f64, x: f64) -> bool {
        let (h, w) = self.dim();
        y >= 0.0 && x >= 0.0 && (y as usize) < h && (x as usize) < w && self.mask[[y as usize, x as usize]]
    }
    /// Samples a pixel (row, column) uniformly of those that defects may start at.
    pub fn pick<R: Rng + ?Sized>(&self, rng: &mut R) -> (usize, usize) {
        // An object of several may have none: it is never picked.
        let starts = if self.starts().is_empty() { &self.pixels } else { self.starts() };
        self.one_of(starts, rng)
    }

    /// Samples a pixel (row, column) uniformly of all, such as one whose surface is copied.
    pub(crate) fn pick_any<R: Rng + ?Sized>(&self, rng: &mut R) -> (usize, usize) {
        self.one_of(&self.pixels, rng)
    }

    fn one_of<R: Rng + ?Sized>(&self, pixels: &Runs, rng: &mut R) -> (usize, usize) {
        let p = pixels.pixel(rng.random_range(0..pixels.len()));
        (p / self.mask.ncols(), p % self.mask.ncols())
    }
}
