//! Encoding of a sample's images as PNG.

use image::ImageError;
use ndarray::Array2;

use super::png;
use super::render::RenderedSample;

/// Image and mask of a sample as PNG, with what the formats need besides.
#[derive(Debug)]
pub(super) struct EncodedSample {
    pub(super) image: Vec<u8>,
    pub(super) mask: Vec<u8>,
    pub(super) bits: Array2<bool>,
    pub(super) changed: Array2<bool>,
    pub(super) soft: Array2<f32>,
    /// Position of the mechanism in the mix.
    pub(super) class: usize,
}

impl EncodedSample {
    pub(super) fn new(rendered: &RenderedSample, class: usize) -> Result<Self, ImageError> {
        let (image, mask) = (png::photo(&rendered.image)?, png::mask(rendered.mask.view())?);
        let (bits, changed, soft) = (rendered.mask.clone(), rendered.changed.clone(), rendered.soft.clone());
        Ok(Self { image, mask, bits, changed, soft, class })
    }
}
