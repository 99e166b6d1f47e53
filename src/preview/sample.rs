//! One sample of a preview: its pictures, and what is said about it.

use image::RgbImage;
use imgkit::{Rect, ensure};
use ndarray::Array2;
use physdefect::{FrameReason, Record};

use super::crop::{picture, window};
use super::outline::outline;
use crate::error::Error;
use crate::factory::RenderedSample;
use crate::foreground::Region;

/// Longer side of the picture of a whole photo, px.
const WHOLE: usize = 320;
/// Longer side of the largest crop that is shown pixel by pixel.
const CROP: usize = 512;

/// Sample of a [`Preview`](super::Preview): small pictures of a [`RenderedSample`], and what is said about it.
#[derive(Debug, Clone)]
pub struct PreviewSample {
    pub(super) record: Record,
    pub(super) region: Region,
    pub(super) region_confidence: Option<f64>,
    pub(super) region_reason: Option<FrameReason>,
    /// Pixels of the mask.
    pub(super) area: usize,
    /// Height and width of the photo.
    pub(super) size: (usize, usize),
    /// The part of the photo that the crops show.
    pub(super) at: Rect,
    /// Pictures: all of the photo with the defect, the crop without it and with it.
    pub(super) whole: RgbImage,
    pub(super) good: RgbImage,
    pub(super) bad: RgbImage,
    /// The mask of the crop, and its outline as an SVG path in px of the crop.
    pub(super) mask: Array2<bool>,
    pub(super) outline: String,
    pub(super) index: u64,
    pub(super) photo: String,
    pub(super) material: String,
    pub(super) command: String,
}

impl PreviewSample {
    /// Creates the pictures of a sample: the whole photo, and crops around its defect.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the sample is empty, or its arrays are not of one size.
    pub fn new(sample: &RenderedSample) -> Result<Self, Error> {
        let (height, width, channels) = sample.image.dim();
        let is_empty = height == 0 || width == 0 || channels == 0;
        ensure(!is_empty, "preview", "image", format!("{:?}", sample.image.dim()), "(H, W, 1 or 3), not empty")?;
        let alike = sample.photo.dim() == sample.image.dim() && sample.mask.dim() == (height, width);
        let found = format!("{:?} with a mask of {:?}", sample.photo.dim(), sample.mask.dim());
        ensure(alike, "preview", "photo", found, format!("of {height}x{width}x{channels}, and so the mask"))?;
        let at = window(sample.mask.view());
        let mask = sample.mask.slice_each_axis(|axis| at.slice_of(axis.axis)).to_owned();
        Ok(Self {
            record: sample.record.clone(),
            region: sample.region,
            region_confidence: sample.region_confidence,
            region_reason: sample.region_reason,
            area: sample.mask.iter().filter(|m| **m).count(),
            size: (height, width),
            at,
            whole: picture(&sample.image, Rect::whole((height, width)), WHOLE),
            good: picture(&sample.photo, at, CROP),
            bad: picture(&sample.image, at, CROP),
            outline: outline(mask.view()),
            mask,
            index: sample.record.key.index,
            photo: String::new(),
            material: String::new(),
            command: String::new(),
        })
    }

    /// Sets the number of the sample (default: the index of its key).
    #[must_use]
    pub fn with_index(mut self, index: u64) -> Self {
        self.index = index;
        self
    }

    /// Sets the name of the photo (default: none). Any text: it is escaped.
    #[must_use]
    pub fn with_photo(mut self, name: impl Into<String>) -> Self {
        self.photo = name.into();
        self
    }

    /// Sets the material that the surface was taken for (default: none).
    #[must_use]
    pub fn with_material(mut self, name: impl Into<String>) -> Self {
        self.material = name.into();
        self
    }

    /// Sets the command that makes the sample again (default: none).
    #[must_use]
    pub fn with_command(mut self, command: impl Into<String>) -> Self {
        self.command = command.into();
        self
    }

    /// Where the defect could lie, in words.
    pub(super) fn region_words(&self) -> String {
        let region = match self.region {
            Region::EstimatedForeground => "estimated foreground",
            Region::WholeFrame => "whole frame",
            Region::GivenMask => "given mask",
        };
        let reason = self.region_reason.map(|r| format!(": {}", r.words())).unwrap_or_default();
        let confidence = self.region_confidence.map(|c| format!(", confidence {c:.2}")).unwrap_or_default();
        format!("{region}{reason}{confidence}")
    }
}
