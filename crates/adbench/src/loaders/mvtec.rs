//! The MVTec AD layout, which many other sets and most custom data share.
//!
//! ```text
//! <category>/train/good/000.png
//! <category>/test/good/000.png
//! <category>/test/<kind>/000.png
//! <category>/ground_truth/<kind>/000_mask.png   (or 000.png)
//! ```
//!
//! Source: P. Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 129, 2021.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::listing::{ImageFiles, folders};
use crate::dataset::{Dataset, Policy};
use crate::finding::{DatasetError, Finding};
use crate::split::{Sample, Split};

const GOOD: &str = "good";

/// Loader of the MVTec AD layout. Files are listed, not decoded, and never written.
///
/// A mask belongs to the image with its **stem** (`<stem>_mask`, else `<stem>`), never to the one at its position, so
/// that one missing mask does not shift the others. Dotfiles and files among the folders are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mvtec;

impl Mvtec {
    /// The categories below a dataset's root, in byte order: every folder that holds `train/good`.
    ///
    /// # Errors
    /// [`DatasetError::MissingFolder`] when the root is not a folder, [`DatasetError::Io`] when it cannot be listed.
    pub fn categories(root: impl AsRef<Path>) -> Result<Vec<String>, DatasetError> {
        let root = root.as_ref();
        require(root, || "check the path".to_owned())?;
        let found = folders(root)?.into_iter().filter(|(_, path)| path.join("train").join(GOOD).is_dir());
        Ok(found.map(|(name, _)| name).collect())
    }

    /// Indexes one category, refusing it when anything is wrong with its files.
    ///
    /// # Errors
    /// [`DatasetError::Findings`] lists everything that is wrong at once; [`DatasetError::MissingFolder`],
    /// [`DatasetError::EmptyFolder`] and [`DatasetError::Io`] when there is nothing to index.
    pub fn index(category: impl AsRef<Path>) -> Result<Dataset, DatasetError> {
        Self::index_with(category, Policy::Strict)
    }

    /// Indexes one category under a policy. See [`Mvtec::index`].
    ///
    /// # Errors
    /// As [`Mvtec::index`]; under [`Policy::Skip`] there is no [`DatasetError::Findings`].
    pub fn index_with(category: impl AsRef<Path>, policy: Policy) -> Result<Dataset, DatasetError> {
        let root = category.as_ref();
        let train_good = root.join("train").join(GOOD);
        let test = root.join("test");
        require(root, || "check the path".to_owned())?;
        require(&train_good, || layout_advice(root))?;
        require(&test, || layout_advice(root))?;

        let mut findings = Vec::new();
        let train = train_samples(root, &train_good, &mut findings)?;
        let test = test_samples(root, &test, &mut findings)?;
        let name = root.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Dataset::new(name, root.to_owned(), Split::new(train), Split::new(test), findings, policy)
    }
}

fn require(folder: &Path, advice: impl Fn() -> String) -> Result<(), DatasetError> {
    if folder.is_dir() {
        return Ok(());
    }
    Err(DatasetError::MissingFolder { path: folder.into(), advice: advice() })
}

/// What to do about a missing folder; the usual mistake is to give the root of all categories.
fn layout_advice(root: &Path) -> String {
    match Mvtec::categories(root).unwrap_or_default().first() {
        Some(category) => {
            format!("this looks like a root of categories, give one of them, such as {}", root.join(category).display())
        }
        None => "a category needs train/good, test/good, test/<kind> and ground_truth/<kind>".to_owned(),
    }
}

fn sample(root: &Path, image: &Path, mask: Option<PathBuf>, kind: Option<&str>) -> Sample {
    let relative = image.strip_prefix(root).unwrap_or(image);
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    Sample::new(parts.join("/"), image.to_owned(), mask, kind.map(str::to_owned))
}

fn train_samples(root: &Path, good: &Path, findings: &mut Vec<Finding>) -> Result<Vec<Sample>, DatasetError> {
    for (name, folder) in folders(&root.join("train"))? {
        if name != GOOD {
            let images = ImageFiles::list(&folder, findings)?.files();
            findings.push(Finding::AnomalyInTrain { folder, images });
        }
    }
    let images = ImageFiles::list(good, findings)?;
    if images.files() == 0 {
        let advice = "put the good training images there".to_owned();
        return Err(DatasetError::EmptyFolder { path: good.into(), advice });
    }
    Ok(images.iter().map(|(_, path)| sample(root, path, None, None)).collect())
}

fn test_samples(root: &Path, test: &Path, findings: &mut Vec<Finding>) -> Result<Vec<Sample>, DatasetError> {
    let truth = root.join("ground_truth");
    let mut mask_folders: BTreeMap<String, PathBuf> =
        if truth.is_dir() { folders(&truth)?.into_iter().collect() } else { BTreeMap::new() };
    let mut samples = Vec::new();
    let mut files = 0;
    for (kind, folder) in folders(test)? {
        let images = ImageFiles::list(&folder, findings)?;
        files += images.files();
        let mask_folder = mask_folders.remove(&kind);
        if images.files() == 0 {
            findings.push(Finding::EmptyFolder { folder });
        } else if mask_folder.is_none() && kind != GOOD {
            findings.push(Finding::MissingMaskFolder { folder: truth.join(&kind), images: images.files() });
            continue;
        }
        let masks = mask_folder.map(|f| ImageFiles::list(&f, findings)).transpose()?.unwrap_or_default();
        let kind = (kind != GOOD).then_some(kind.as_str());
        samples.extend(pair(root, &truth, kind, &images, &masks, findings));
    }
    for folder in mask_folders.values() {
        let masks = ImageFiles::list(folder, findings)?;
        findings.extend(masks.iter().map(|(_, mask)| Finding::OrphanMask { mask: mask.clone() }));
    }
    if files == 0 {
        let advice = "put the test images into test/good and test/<kind>".to_owned();
        return Err(DatasetError::EmptyFolder { path: test.into(), advice });
    }
    Ok(samples)
}

/// Pairs images and masks of one kind by stem. Good images may have a mask, anomalous ones must.
fn pair(
    root: &Path,
    truth: &Path,
    kind: Option<&str>,
    images: &ImageFiles,
    masks: &ImageFiles,
    findings: &mut Vec<Finding>,
) -> Vec<Sample> {
    let mut used: BTreeMap<&Path, &Path> = BTreeMap::new();
    let mut ambiguous: BTreeSet<&Path> = BTreeSet::new();
    let mut pairs = Vec::new();
    for (stem, image) in images.iter() {
        let suffixed = format!("{stem}_mask");
        if masks.is_ambiguous(&suffixed) || masks.is_ambiguous(stem) {
            continue; // Listed already; which mask is meant is unknown.
        }
        let candidates = [masks.get(&suffixed), masks.get(stem)];
        if let [Some(first), Some(second)] = candidates {
            findings.push(Finding::AmbiguousStem { first: first.clone(), second: second.clone() });
            used.extend([(first.as_path(), image.as_path()), (second.as_path(), image.as_path())]);
            continue;
        }
        let mask = candidates.into_iter().flatten().next();
        match mask {
            Some(mask) => {
                if let Some(other) = used.insert(mask, image) {
                    let (first, second) = (other.to_owned(), image.clone());
                    findings.push(Finding::AmbiguousStem { first, second });
                    ambiguous.extend([other, image.as_path()]);
                }
            }
            None if kind.is_some() => {
                let folder = truth.join(kind.unwrap_or(GOOD));
                findings.push(Finding::MissingMask {
                    image: image.clone(),
                    expected: folder.join(format!("{suffixed}.png")),
                    alternative: folder.join(format!("{stem}.png")),
                });
                continue;
            }
            None => {}
        }
        pairs.push((image.as_path(), mask));
    }
    let is_orphan = |stem: &str, mask: &Path| {
        let image_stem = stem.strip_suffix("_mask").unwrap_or(stem);
        !used.contains_key(mask) && !images.is_ambiguous(image_stem) && !images.is_ambiguous(stem)
    };
    let orphans = masks.iter().filter(|(stem, mask)| is_orphan(stem, mask));
    findings.extend(orphans.map(|(_, mask)| Finding::OrphanMask { mask: mask.clone() }));
    pairs.retain(|(image, _)| !ambiguous.contains(image));
    pairs.into_iter().map(|(image, mask)| sample(root, image, mask.cloned(), kind)).collect()
}
