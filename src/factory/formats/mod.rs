//! Formats of a data set: the files of a sample, format by format. Paths are relative to the output folder.

mod coco;
mod contour;
mod webdataset;
mod yolo;

use std::fmt::{self, Display};
use std::str::FromStr;

use super::encoded::EncodedSample;
use super::error::Error;
use super::layout::stem;
use super::manifest::SampleRecord;
use super::text_list::{as_text, items, refuse};

pub(super) use coco::{fragment as coco_fragment, merge as coco_merge};
pub(super) use webdataset::Tar;

/// Format of a data set: layout of its images and masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Format {
    /// MVTec AD: `test/<mechanism>/` and `ground_truth/<mechanism>/`; each photo that carries defects stands in
    /// `train/good/` once, named as its first sample. Good test images (`test/good/`) are for you to add.
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
pub struct Formats(Vec<Format>);

impl Default for Formats {
    fn default() -> Self {
        Self(vec![Format::Mvtec])
    }
}

impl Formats {
    /// Creates a list of at least one format; repeated ones count once.
    ///
    /// # Errors
    /// [`Error::Parameter`] for no format.
    pub fn new(formats: impl IntoIterator<Item = Format>) -> Result<Self, Error> {
        let mut formats: Vec<Format> = formats.into_iter().collect();
        formats.sort_unstable();
        formats.dedup();
        if formats.is_empty() {
            refuse("format", "empty", format!("one or more of {}", known()))
        } else {
            Ok(Self(formats))
        }
    }
}

fn known() -> String {
    FORMATS.map(|(name, _)| name).join(", ")
}

impl FromStr for Formats {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let format = |item: &str| match FORMATS.iter().find(|(name, _)| *name == item) {
            Some((_, format)) => Ok(*format),
            None => refuse("format", item, format!("one of {}", known())),
        };
        Self::new(items(text).map(format).collect::<Result<Vec<_>, _>>()?)
    }
}

as_text!(Formats);

impl Display for Formats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = FORMATS.iter().filter(|(_, format)| self.has(*format)).map(|(name, _)| *name).collect();
        f.write_str(&names.join(","))
    }
}

impl Formats {
    /// Whether `format` is in the list.
    #[must_use]
    pub fn has(&self, format: Format) -> bool {
        self.0.contains(&format)
    }

    /// Files of one sample with their content.
    pub(super) fn files<'a>(
        &self,
        record: &SampleRecord,
        encoded: &'a EncodedSample,
    ) -> Vec<(String, std::borrow::Cow<'a, [u8]>)> {
        let (name, kind) = (stem(record.index), &record.mechanism);
        let (image, mask) = ((&encoded.image[..]).into(), (&encoded.mask[..]).into());
        let mut files: Vec<(String, std::borrow::Cow<'a, [u8]>)> = Vec::new();
        for format in &self.0 {
            match format {
                Format::Mvtec => {
                    files.push((format!("mvtec/test/{kind}/{name}.png"), std::borrow::Cow::clone(&image)));
                    if let Some(good) = &encoded.good {
                        files.push((format!("mvtec/train/good/{name}.png"), (&good[..]).into()));
                    }
                    files.push((format!("mvtec/ground_truth/{kind}/{name}_mask.png"), std::borrow::Cow::clone(&mask)));
                }
                Format::Yolo => {
                    let label = yolo::label(encoded.bits.view(), encoded.class);
                    files.push((format!("yolo/images/{name}.png"), std::borrow::Cow::clone(&image)));
                    files.push((format!("yolo/labels/{name}.txt"), label.into_bytes().into()));
                }
                Format::Coco => files.push((coco::image_path(&name), std::borrow::Cow::clone(&image))),
                Format::Webdataset => {} // a tar is written in order
            }
        }
        files
    }

    /// Files that depend on the names of the classes alone.
    pub(super) fn fixed(&self, classes: &[&str]) -> Vec<(&'static str, String)> {
        if self.has(Format::Yolo) { vec![("yolo/data.yaml", yolo::data(classes))] } else { Vec::new() }
    }
}
