//! Formats of a data set: the files of a sample, format by format. Paths are relative to the output folder.

mod coco;
mod contour;
mod stored;
mod webdataset;
mod yolo;

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::str::FromStr;

use super::encoded::EncodedSample;
use super::error::Error;
use super::layout::stem;
use super::png;
use super::text_list::{as_text, items, refuse};

pub(super) use coco::{fragment as coco_fragment, merge as coco_merge};
pub(super) use stored::{Masks, Stored, StoredSample};
pub(super) use webdataset::{Tar, TarReader};

/// Format of a data set: layout of its images and masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Format {
    /// MVTec AD: `test/<mechanism>/` and `ground_truth/<mechanism>/`; each photo that carries defects stands in
    /// `train/good/` once, named as its first sample. Good test images (`test/good/`) are for you to add.
    Mvtec,
    /// YOLO segmentation: a polygon for each part of the mask, an instance each; holes are kept by a cut that leads to
    /// them.
    Yolo,
    /// YOLO segmentation with one polygon for the whole mask, its parts joined by thin bridges: a sample is one
    /// instance.
    YoloJoined,
    /// COCO instances: exact masks, run-length encoded.
    Coco,
    /// WebDataset: a tar file for each block.
    Webdataset,
    /// Soft masks beside the others: `soft/<mechanism>/`, the visibility of each pixel from 0 to 255 (just noticeable)
    /// and the pixels that differ from the photo.
    Soft,
}

const FORMATS: [(&str, Format); 6] = [
    ("mvtec", Format::Mvtec),
    ("yolo", Format::Yolo),
    ("yolo-joined", Format::YoloJoined),
    ("coco", Format::Coco),
    ("webdataset", Format::Webdataset),
    ("soft", Format::Soft),
];

/// Formats written side by side, as text separated by commas: `mvtec`, `yolo`, `yolo-joined`, `coco`,
/// `webdataset`, `soft`.
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

    /// Names of the files that an index has, with what is in them: of its sample by the mechanism `kind`, if there is
    /// one, and its photo without the defect, if that is `good` here.
    pub(super) fn names(&self, index: u64, kind: Option<&str>, good: bool) -> Vec<(String, Content)> {
        let name = stem(index);
        let mut names = Vec::new();
        for format in &self.0 {
            if let Some(kind) = kind {
                match format {
                    Format::Mvtec => names.push((format!("mvtec/test/{kind}/{name}.png"), Content::Image)),
                    Format::Yolo | Format::YoloJoined => {
                        let (folder, joined) = (yolo_folder(*format), *format == Format::YoloJoined);
                        names.push((format!("{folder}/images/{name}.png"), Content::Image));
                        names.push((format!("{folder}/labels/{name}.txt"), Content::Label { joined }));
                    }
                    Format::Coco => names.push((coco::image_path(&name), Content::Image)),
                    Format::Soft => {
                        names.push((format!("soft/{kind}/{name}_soft.png"), Content::Soft));
                        names.push((format!("soft/{kind}/{name}_changed.png"), Content::Changed));
                    }
                    Format::Webdataset => {} // a tar is written in order
                }
            }
            if *format == Format::Mvtec && good {
                names.push((format!("mvtec/train/good/{name}.png"), Content::Good));
            }
            if let (Format::Mvtec, Some(kind)) = (format, kind) {
                names.push((format!("mvtec/ground_truth/{kind}/{name}_mask.png"), Content::Mask));
            }
        }
        names
    }

    /// Files of an index with their bytes; `sample` comes with the name of its mechanism.
    pub(super) fn files<'a>(
        &self,
        index: u64,
        sample: Option<(&str, &'a EncodedSample)>,
        good: Option<&'a [u8]>,
    ) -> Vec<(String, Cow<'a, [u8]>)> {
        let bytes = |content: Content| -> Option<Cow<'a, [u8]>> {
            let encoded = sample.map(|(_, encoded)| encoded);
            match content {
                Content::Good => good.map(Cow::Borrowed),
                Content::Image => encoded.map(|e| Cow::Borrowed(&e.image[..])),
                Content::Mask => encoded.map(|e| Cow::Borrowed(&e.mask[..])),
                Content::Soft => encoded.and_then(|e| png::map(e.soft.view()).ok()).map(Cow::Owned),
                Content::Changed => encoded.and_then(|e| png::mask(e.changed.view()).ok()).map(Cow::Owned),
                Content::Label { joined } => {
                    encoded.map(|e| Cow::Owned(yolo::label(e.bits.view(), e.class, joined).into_bytes()))
                }
            }
        };
        let names = self.names(index, sample.map(|(kind, _)| kind), good.is_some());
        names.into_iter().filter_map(|(name, content)| Some((name, bytes(content)?))).collect()
    }

    /// Files that depend on the names of the classes alone.
    pub(super) fn fixed(&self, classes: &[&str]) -> Vec<(String, String)> {
        let yolo = self.0.iter().filter(|format| matches!(format, Format::Yolo | Format::YoloJoined));
        yolo.map(|format| (format!("{}/data.yaml", yolo_folder(*format)), yolo::data(classes))).collect()
    }
}

fn yolo_folder(format: Format) -> &'static str {
    if format == Format::YoloJoined { "yolo-joined" } else { "yolo" }
}

/// What a file of a sample holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// The photo without the defect.
    Good,
    /// The photo with the defect.
    Image,
    /// The mask.
    Mask,
    /// Visibility of each pixel.
    Soft,
    /// Pixels that differ from the photo.
    Changed,
    /// The mask as polygons.
    Label { joined: bool },
}
