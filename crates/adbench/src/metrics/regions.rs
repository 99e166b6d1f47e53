//! Anomalous pixels of all images by region.

use rayon::prelude::*;

/// An anomalous pixel: its score and its region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RegionPixel {
    pub(super) key: u32,
    pub(super) region: u32,
}

/// The anomalous pixels of all images, and the sizes of their regions.
#[derive(Debug, Clone, Default)]
pub(super) struct Regions {
    pub(super) pixels: Vec<RegionPixel>,
    pub(super) sizes: Vec<usize>,
}

impl Regions {
    /// Adds a pixel of the current image's region `region`.
    pub(super) fn push(&mut self, key: u32, region: u32) {
        self.pixels.push(RegionPixel { key, region: self.sizes.len() as u32 + region });
    }

    /// Ends the current image, whose regions have these sizes.
    pub(super) fn close_image(&mut self, sizes: &[usize]) {
        self.sizes.extend_from_slice(sizes);
    }

    pub(super) fn append(&mut self, other: &Self) {
        let shift = self.sizes.len() as u32;
        self.pixels.extend(other.pixels.iter().map(|p| RegionPixel { key: p.key, region: p.region + shift }));
        self.sizes.extend_from_slice(&other.sizes);
    }

    /// Sorts the pixels by score.
    pub(super) fn sort(&mut self) {
        self.pixels.par_sort_unstable();
    }

    pub(super) fn count(&self) -> usize {
        self.sizes.len()
    }
}
