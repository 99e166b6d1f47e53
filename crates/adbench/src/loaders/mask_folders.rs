//! Pairing of images with folders of masks: one folder an image, one mask a defect.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use imgkit::file::escaped;

use super::listing::{ImageFiles, Root, folders};
use crate::dataset::{DatasetError, Finding};

/// Pairs each image with the masks in `folder/<stem>`. An image without a mask is a finding and left out, as are a
/// folder without an image and masks that lie in no folder; where all masks are missing the images count without.
pub(super) fn pair<'a>(
    root: &Root,
    images: &'a ImageFiles,
    folder: &Path,
    findings: &mut Vec<Finding>,
) -> Result<Vec<(&'a Path, Vec<PathBuf>)>, DatasetError> {
    let mut of_image: BTreeMap<String, PathBuf> = match folder.is_dir() {
        true => {
            // Loose masks belong to no image; whether they are any is told without a note on each other file.
            let loose = ImageFiles::masks(root, folder, None, &mut Vec::new())?;
            findings.extend(loose.iter().map(|(_, mask)| Finding::OrphanMask { mask: mask.clone() }));
            folders(root, folder, findings)?.into_iter().collect()
        }
        false => BTreeMap::new(),
    };
    if of_image.is_empty() {
        if images.files() > 0 {
            findings.push(Finding::MissingMaskFolder { folder: folder.to_owned(), images: images.files() });
        }
        return Ok(images.iter().map(|(_, image)| (image.as_path(), Vec::new())).collect());
    }
    let mut pairs = Vec::new();
    for (stem, image) in images.iter() {
        let own = of_image.remove(stem);
        let masks = match &own {
            Some(own) => ImageFiles::masks(root, own, None, findings)?,
            None => ImageFiles::default(),
        };
        if masks.files() == 0 {
            let expected = vec![folder.join(stem).join("000.png")];
            findings.push(Finding::MissingMask { image: image.clone(), expected });
            continue;
        }
        // Of masks that share a stem none is kept, so that the ground truth would lack a defect.
        let kept: Vec<PathBuf> = masks.iter().map(|(_, mask)| mask.clone()).collect();
        if kept.len() == masks.files() {
            pairs.push((image.as_path(), kept));
        }
    }
    for (stem, own) in of_image.into_iter().filter(|(stem, _)| !images.is_ambiguous(stem)) {
        let masks = ImageFiles::masks(root, &own, None, findings)?;
        let mask = masks.iter().next().map_or_else(|| own.join(escaped(&stem)), |(_, mask)| mask.clone());
        if masks.files() > 0 {
            findings.push(Finding::OrphanMask { mask });
        }
    }
    Ok(pairs)
}
