//! What a sample becomes on disk, format by format. Paths are relative to the output folder.

mod coco;
mod contour;
pub(super) mod png;
mod webdataset;
mod yolo;

use std::fmt::{self, Display};
use std::str::FromStr;

use super::error::Error;
use super::manifest::SampleRecord;
use super::sample::Pictures;
use super::settings::{Settings, items, setting};

pub(super) use coco::{fragment as coco_fragment, merge as coco_merge};
pub(super) use webdataset::Tar;

/// A way to lay out images and masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Format {
    /// MVTec AD: `test/<mechanism>/` and `ground_truth/<mechanism>/`; each photo that carries defects stands in `train/good/` once, named
    /// as its first sample. Good test images (`test/good/`) are for you to add.
    Mvtec,
    /// YOLO segmentation: a polygon for each part of the mask; holes in a part are not expressed.
    Yolo,
    /// COCO instances: exact masks, run-length encoded.
    Coco,
    /// WebDataset: a tar file for each block.
    Webdataset,
}

const FORMATS: [(&str, Format); 4] =
    [("mvtec", Format::Mvtec), ("yolo", Format::Yolo), ("coco", Format::Coco), ("webdataset", Format::Webdataset)];

/// Formats written side by side, as text separated by commas: `mvtec`, `yolo`, `coco`, `webdataset`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Formats(pub Vec<Format>);

impl Default for Formats {
    fn default() -> Self {
        Self(vec![Format::Mvtec])
    }
}

impl FromStr for Formats {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = FORMATS.map(|(name, _)| name).join(", ");
        let mut formats = Vec::new();
        for item in items(text) {
            match FORMATS.iter().find(|(name, _)| *name == item) {
                Some((_, format)) => formats.push(*format),
                None => return setting("format", item, format!("choose from {known}")),
            }
        }
        formats.sort_unstable();
        formats.dedup();
        if formats.is_empty() {
            setting("format", text, format!("give one or more of {known}"))
        } else {
            Ok(Self(formats))
        }
    }
}

impl Display for Formats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = FORMATS.iter().filter(|(_, format)| self.has(*format)).map(|(name, _)| *name).collect();
        f.write_str(&names.join(","))
    }
}

impl Formats {
    /// Whether `format` is one of them.
    pub fn has(&self, format: Format) -> bool {
        self.0.contains(&format)
    }

    /// Files of one sample with their content.
    pub(super) fn files<'a>(
        &self,
        entry: &SampleRecord,
        pictures: &'a Pictures,
    ) -> Vec<(String, std::borrow::Cow<'a, [u8]>)> {
        let (name, kind) = (stem(entry.index), &entry.mechanism);
        let (image, mask) = ((&pictures.image[..]).into(), (&pictures.mask[..]).into());
        let mut files: Vec<(String, std::borrow::Cow<'a, [u8]>)> = Vec::new();
        for format in &self.0 {
            match format {
                Format::Mvtec => {
                    files.push((format!("mvtec/test/{kind}/{name}.png"), std::borrow::Cow::clone(&image)));
                    if let Some(good) = &pictures.good {
                        files.push((format!("mvtec/train/good/{name}.png"), (&good[..]).into()));
                    }
                    files.push((format!("mvtec/ground_truth/{kind}/{name}_mask.png"), std::borrow::Cow::clone(&mask)));
                }
                Format::Yolo => {
                    let label = yolo::label(pictures.bits.view(), pictures.class);
                    files.push((format!("yolo/images/{name}.png"), std::borrow::Cow::clone(&image)));
                    files.push((format!("yolo/labels/{name}.txt"), label.into_bytes().into()));
                }
                Format::Coco => files.push((coco::image_path(&name), std::borrow::Cow::clone(&image))),
                Format::Webdataset => {} // a tar is written in order
            }
        }
        files
    }

    /// Files that depend on the settings alone.
    pub(super) fn fixed(&self, settings: &Settings) -> Vec<(&'static str, String)> {
        if self.has(Format::Yolo) { vec![("yolo/data.yaml", yolo::data(settings))] } else { Vec::new() }
    }
}

/// A sample's name in every format.
pub(super) fn stem(index: u64) -> String {
    format!("{index:08}")
}
