//! Images and exact masks of a data set that is made, read from its files.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use serde::Deserialize;

use super::{Content, Format, Formats, coco};
use crate::factory::error::Error;
use crate::factory::files::{read_regular, read_text};
use crate::factory::layout::coco_block;
use crate::factory::png;

/// Largest image that is read, and largest file of a block's COCO fragments, bytes.
pub(super) const LARGEST: u64 = 1 << 30;

/// Where the images and masks of a data set are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::factory) enum Stored {
    /// A tar for each block.
    Tar,
    /// Files in MVTec AD's layout.
    Mvtec,
    /// Files of images, and the masks of a block as runs.
    Coco,
}

/// Files of a sample, both as PNG.
#[derive(Debug)]
pub(in crate::factory) struct StoredSample {
    pub(in crate::factory) image: (PathBuf, Vec<u8>),
    pub(in crate::factory) mask: (PathBuf, Vec<u8>),
}

/// Masks of a block that have no files of their own, as PNG by the number of the sample.
pub(in crate::factory) type Masks = BTreeMap<u64, Vec<u8>>;

impl Formats {
    /// Where exact masks are read from; `None` if there are only polygons. A tar comes first: it is rewritten.
    pub(in crate::factory) fn stored(&self) -> Option<Stored> {
        let known = [(Format::Webdataset, Stored::Tar), (Format::Mvtec, Stored::Mvtec), (Format::Coco, Stored::Coco)];
        known.into_iter().find(|(format, _)| self.has(*format)).map(|(_, stored)| stored)
    }
}

impl Stored {
    /// The masks of a block that have no files of their own.
    pub(in crate::factory) fn masks(self, out: &Path, block: u64) -> Result<Masks, Error> {
        if self != Self::Coco {
            return Ok(Masks::new());
        }
        let path = out.join(coco_block(block));
        let text = read_text(&path, LARGEST).map_err(|e| Error::sample_file(&path, e))?;
        let parse = |line: &str| mask_of(line).map_err(|e| Error::sample_file(&path, e));
        text.lines().map(parse).collect()
    }

    /// The files of sample `index` of the mechanism `kind` in the folder `out`, with `masks` of its block.
    pub(in crate::factory) fn sample(
        self,
        out: &Path,
        index: u64,
        kind: &str,
        masks: &Masks,
    ) -> Result<StoredSample, Error> {
        let format = if self == Self::Coco { Format::Coco } else { Format::Mvtec };
        let names = Formats(vec![format]).names(index, Some(kind), false);
        let path = |wanted: Content| {
            names.iter().find(|(_, content)| *content == wanted).map(|(name, _)| out.join(name)).unwrap_or_default()
        };
        let read = |path: PathBuf| match read_regular(&path, LARGEST) {
            Ok(bytes) => Ok((path, bytes)),
            Err(e) => Err(Error::sample_file(&path, e)),
        };
        let image = read(path(Content::Image))?;
        if self != Self::Coco {
            return Ok(StoredSample { image, mask: read(path(Content::Mask))? });
        }
        let blocks = out.join(coco_block(index / crate::factory::plan::BLOCK));
        match masks.get(&index) {
            Some(mask) => Ok(StoredSample { image, mask: (blocks, mask.clone()) }),
            None => Err(Error::sample_file(&blocks, format!("has no mask of sample {index}"))),
        }
    }
}

/// The mask of a fragment as PNG, with the number of its sample.
fn mask_of(line: &str) -> io::Result<(u64, Vec<u8>)> {
    #[derive(Deserialize)]
    struct Annotation {
        image_id: u64,
        segmentation: coco::Runs,
    }
    let (_, annotation) = line.split_once('\t').ok_or_else(|| io::Error::other("it is no COCO fragment"))?;
    let Annotation { image_id, segmentation } = serde_json::from_str(annotation).map_err(io::Error::other)?;
    let index = image_id.checked_sub(1).ok_or_else(|| io::Error::other("an image has number 0"))?;
    let mask: Array2<bool> = segmentation.mask().ok_or_else(|| io::Error::other("its runs do not fill the image"))?;
    Ok((index, png::mask(mask.view()).map_err(io::Error::other)?))
}
