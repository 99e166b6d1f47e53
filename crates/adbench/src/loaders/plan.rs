//! Indexing of a category's folders: the part of loading that all layouts in folders share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imgkit::file::escaped;
use imgkit::image_io::{ImageList, list_images};

use super::counts::Counts;
use super::listing::{ImageFiles, Root, folders};
use super::mask_folders;
use crate::dataset::{Dataset, DatasetError, Finding, Policy, Sample, Split};

/// Images of one folder and where their masks are.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// `None` for good images.
    pub(super) kind: Option<String>,
    pub(super) images: PathBuf,
    pub(super) masks: Masks,
    /// Whether it is known if the images are good.
    pub(super) is_labeled: bool,
}

impl Part {
    pub(super) fn new(kind: Option<String>, images: PathBuf, masks: Masks) -> Self {
        Self { kind, images, masks, is_labeled: true }
    }

    /// Images of which it is not known whether they are good.
    pub(super) fn without_label(images: PathBuf) -> Self {
        Self { kind: None, images, masks: Masks::Absent, is_labeled: false }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Masks {
    /// The dataset has none for these images.
    Absent,
    /// Images may have a mask in this folder.
    Optional(PathBuf),
    /// Every image must have a mask in this folder.
    Required(PathBuf),
    /// Every image must have a folder of its own in this folder, with a mask a defect.
    Folders(PathBuf),
}

/// All folders of one category.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) root: Root,
    pub(super) train: Vec<Part>,
    pub(super) validation: Vec<Part>,
    pub(super) test: Vec<Part>,
    /// Folders of masks that belong to no folder of images.
    pub(super) spare_masks: Vec<PathBuf>,
    /// Folders of the training split that are not good ones.
    pub(super) train_anomalies: Vec<PathBuf>,
    pub(super) has_class_ids: bool,
    /// The condition that an image's stem tells of.
    pub(super) condition: fn(&str) -> Option<String>,
    pub(super) findings: Vec<Finding>,
}

impl Plan {
    pub(super) fn new(name: String, root: Root) -> Self {
        Self {
            name,
            root,
            train: Vec::new(),
            validation: Vec::new(),
            test: Vec::new(),
            spare_masks: Vec::new(),
            train_anomalies: Vec::new(),
            has_class_ids: false,
            condition: |_| None,
            findings: Vec::new(),
        }
    }

    /// The usual folders of a category: `train/<good>`, `test/<good>`, `test/<kind>`, `ground_truth/<kind>`, with the
    /// first of the names for good that the category has.
    pub(super) fn category(folder: &Path, good_names: &[&str]) -> Result<Self, DatasetError> {
        require(folder, || "check the path".to_owned())?;
        let good = good_name(folder, good_names).unwrap_or(good_names[0]);
        let train_good = folder.join("train").join(good);
        let test = folder.join("test");
        require(&train_good, || layout_advice(folder, good_names))?;
        require(&test, || layout_advice(folder, good_names))?;
        let mut plan = Self::new(own_name(folder), Root::new(folder)?);
        plan.train_on(&folder.join("train"), good)?;
        let truth = folder.join("ground_truth");
        let mut mask_folders: BTreeMap<String, PathBuf> = if truth.is_dir() {
            folders(&plan.root, &truth, &mut plan.findings)?.into_iter().collect()
        } else {
            BTreeMap::new()
        };
        for (kind, images) in folders(&plan.root, &test, &mut plan.findings)? {
            let is_good = kind == good;
            let masks = match mask_folders.remove(&kind) {
                Some(masks) if is_good => Masks::Optional(masks),
                None if is_good => Masks::Absent,
                Some(masks) => Masks::Required(masks),
                None => Masks::Required(truth.join(&kind)),
            };
            plan.test.push(Part::new((!is_good).then_some(kind), images, masks));
        }
        plan.spare_masks.extend(mask_folders.into_values());
        Ok(plan)
    }

    /// Adds the good images of a folder of training images; its other folders are findings.
    pub(super) fn train_on(&mut self, train: &Path, good: &str) -> Result<(), DatasetError> {
        for (name, folder) in folders(&self.root, train, &mut self.findings)? {
            if name != good {
                self.train_anomalies.push(folder);
            }
        }
        self.train.push(Part::new(None, train.join(good), Masks::Absent));
        Ok(())
    }

    /// Adds the good images that the category sets aside for validation, if it does.
    pub(super) fn validate_on(&mut self, good: PathBuf) {
        if good.is_dir() {
            self.validation.push(Part::new(None, good, Masks::Absent));
        }
    }

    /// Lists all folders and pairs images with masks.
    pub(super) fn index(self, policy: Policy) -> Result<Dataset, DatasetError> {
        let Self { name, root, spare_masks, train_anomalies, has_class_ids, condition, mut findings, .. } = self;
        for folder in train_anomalies {
            let images = ImageFiles::photos(&root, &folder, &mut findings)?.files();
            findings.push(match images {
                0 => Finding::EmptyFolder { folder },
                _ => Finding::AnomalyInTrain { path: folder, images },
            });
        }
        let listed = |parts: &[Part], advice: &str| {
            let mut findings = Vec::new();
            samples(&root, parts, &mut findings, advice).map(|samples| (samples, findings))
        };
        // side by side: of large sets listing and sorting take the time
        let (train, (validation, test)) = rayon::join(
            || listed(&self.train, "put the good training images there"),
            || {
                let validation = match self.validation.as_slice() {
                    [] => Ok(Default::default()),
                    parts => listed(parts, "put the good validation images there, or remove it"),
                };
                (validation, listed(&self.test, "put the test images into test/good and test/<kind>"))
            },
        );
        let mut note = |(samples, found): (Vec<Sample>, Vec<Finding>)| {
            for finding in found {
                // listing the folder above has noted a link as such already
                if !(matches!(finding, Finding::PathEscapesRoot { .. }) && findings.contains(&finding)) {
                    findings.push(finding);
                }
            }
            samples
        };
        let (train, validation, test) = (note(train?), note(validation?), note(test?));
        for folder in spare_masks {
            let masks = ImageFiles::masks(&root, &folder, None, &mut findings)?;
            findings.extend(masks.iter().map(|(_, mask)| Finding::OrphanMask { mask: mask.clone() }));
        }
        let told = |sample: Sample| {
            let condition = sample.image_path().file_stem().and_then(|stem| condition(&stem.to_string_lossy()));
            let sample = sample.with_condition(condition);
            if has_class_ids { sample.with_class_ids() } else { sample }
        };
        let of = |samples: Vec<Sample>| samples.into_iter().map(told).collect();
        let (train, validation, test) = (Split::new(of(train)), Split::new(of(validation)), Split::new(of(test)));
        Ok(Dataset::new(name, root.path().into(), train, test, findings, policy)?.with_validation(validation))
    }
}

/// The images of a category's folder of good training images.
pub(super) fn training_images(category: &Path, good_names: &[&str]) -> Result<ImageList, DatasetError> {
    require(category, || "check the path".to_owned())?;
    let good = good_name(category, good_names).unwrap_or(good_names[0]);
    let folder = category.join("train").join(good);
    require(&folder, || layout_advice(category, good_names))?;
    list_images(&folder).map_err(|source| DatasetError::Io { path: folder, source })
}

/// The first of the names that the category's training folder has.
fn good_name<'a>(category: &Path, names: &[&'a str]) -> Option<&'a str> {
    names.iter().copied().find(|name| category.join("train").join(name).is_dir())
}

/// [`good_name`] of a category at a root, which may be the category itself.
pub(super) fn good_name_of<'a>(root: &Path, category: &str, names: &[&'a str]) -> Option<&'a str> {
    good_name(&category_folder(root, Some(category), names), names)
}

/// The folder's own name, whatever way its path is written.
pub(super) fn own_name(folder: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
    name(folder).or_else(|| name(&folder.canonicalize().ok()?)).unwrap_or_default()
}

/// The folder of a category: below the root, or the root when that is the category.
pub(super) fn category_folder(root: &Path, category: Option<&str>, good_names: &[&str]) -> PathBuf {
    let Some(category) = category else { return root.into() };
    let inner = root.join(category);
    let is_root = || own_name(root) == category && good_name(root, good_names).is_some();
    if !inner.is_dir() && is_root() { root.into() } else { inner }
}

/// The categories at a root, in byte order: every folder that holds `train/<good>`, or else the root if it does.
pub(super) fn categories(root: &Path, good_names: &[&str]) -> Result<Vec<String>, DatasetError> {
    require(root, || "check the path".to_owned())?;
    if good_name(root, good_names).is_some() {
        return Ok(vec![own_name(root)]);
    }
    categories_below(root, good_names)
}

fn categories_below(root: &Path, good_names: &[&str]) -> Result<Vec<String>, DatasetError> {
    // Links are judged when a category is indexed, against the category.
    let mut found: Vec<String> = std::fs::read_dir(root)
        .map_err(|source| DatasetError::Io { path: root.into(), source })?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| !name.starts_with('.') && good_name(&root.join(name), good_names).is_some())
        .collect();
    found.sort_unstable();
    Ok(found)
}

/// That all categories at a root have names of published ones, or which has not.
pub(super) fn names_are_published(
    root: &Path,
    good_names: &[&str],
    published: &[(&'static str, Counts)],
) -> Result<String, String> {
    let names = categories(root, good_names).map_err(|e| e.to_string())?;
    let other = names.iter().find(|name| published.iter().all(|(published, _)| published != name));
    match (names.first(), other) {
        (None, _) => Err(format!("no folder with train/{}", good_names.join(" or train/"))),
        (_, Some(other)) => Err(format!("{other} is none of its categories")),
        (Some(first), None) => Ok(format!("all categories are its own, such as {first}")),
    }
}

pub(super) fn require(folder: &Path, advice: impl Fn() -> String) -> Result<(), DatasetError> {
    if folder.is_dir() {
        return Ok(());
    }
    Err(DatasetError::MissingFolder { path: folder.into(), advice: advice() })
}

/// What to do about a missing folder; the usual mistake is to give the root of all categories.
pub(super) fn layout_advice(root: &Path, good_names: &[&str]) -> String {
    match categories_below(root, good_names).unwrap_or_default().first() {
        Some(category) => {
            format!("this looks like a root of categories, give one of them, such as {}", root.join(category).display())
        }
        None => {
            let good = good_names[0];
            format!("a category needs train/{good}, test/{good}, test/<kind> and ground_truth/<kind>")
        }
    }
}

fn samples(
    root: &Root,
    parts: &[Part],
    findings: &mut Vec<Finding>,
    advice: &str,
) -> Result<Vec<Sample>, DatasetError> {
    let mut samples = Vec::new();
    let mut files = 0;
    for part in parts {
        let images = ImageFiles::photos(root, &part.images, findings)?;
        files += images.files();
        if images.files() == 0 && parts.len() > 1 {
            findings.push(Finding::EmptyFolder { folder: part.images.clone() });
        }
        let prefix = relative(root.path(), &part.images);
        let make = |image: &Path, masks: Vec<PathBuf>| {
            let name = image.file_name().map(escaped).unwrap_or_default();
            let sample = Sample::new(format!("{prefix}{name}"), image.to_owned(), None, part.kind.clone());
            if part.is_labeled { sample.with_masks(masks) } else { sample.without_label() }
        };
        if let Masks::Folders(folder) = &part.masks {
            let pairs = mask_folders::pair(root, &images, folder, findings)?;
            samples.extend(pairs.into_iter().map(|(image, masks)| make(image, masks)));
            continue;
        }
        let masks = match &part.masks {
            Masks::Absent => None,
            Masks::Optional(folder) | Masks::Required(folder) if folder.is_dir() => {
                Some(ImageFiles::masks(root, folder, Some(&part.images), findings)?)
            }
            _ => None,
        };
        let has_none = masks.as_ref().is_none_or(|masks| masks.files() == 0) && images.files() > 0;
        let masks = match &part.masks {
            Masks::Required(folder) if has_none => {
                findings.push(Finding::MissingMaskFolder { folder: folder.clone(), images: images.files() });
                None
            }
            _ => masks,
        };
        match masks {
            None => samples.extend(images.iter().map(|(_, image)| make(image, Vec::new()))),
            Some(masks) => samples.extend(pair(part, &images, &masks, findings, make)),
        }
    }
    if files == 0 {
        let folder = match parts {
            [only] => only.images.clone(),
            [first, ..] => first.images.parent().unwrap_or(root.path()).into(),
            [] => root.path().join("test"),
        };
        return Err(DatasetError::EmptyFolder { path: folder, advice: advice.to_owned() });
    }
    Ok(samples)
}

/// A folder's path relative to the root, with `/` between and behind.
fn relative(root: &Path, folder: &Path) -> String {
    let relative = folder.strip_prefix(root).unwrap_or(folder);
    relative.iter().map(|part| format!("{}/", escaped(part))).collect()
}

/// Pairs images and masks of one kind by stem: `<stem>_mask`, else `<stem>`.
fn pair(
    part: &Part,
    images: &ImageFiles,
    masks: &ImageFiles,
    findings: &mut Vec<Finding>,
    make: impl Fn(&Path, Vec<PathBuf>) -> Sample,
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
        match (mask, &part.masks) {
            (Some(mask), _) => {
                if let Some(other) = used.insert(mask, image) {
                    let (first, second) = (other.to_owned(), image.clone());
                    findings.push(Finding::AmbiguousStem { first, second });
                    ambiguous.extend([other, image.as_path()]);
                }
            }
            (None, Masks::Required(folder)) => {
                let expected = vec![folder.join(format!("{suffixed}.png")), folder.join(format!("{stem}.png"))];
                findings.push(Finding::MissingMask { image: image.clone(), expected });
                continue;
            }
            (None, _) => {}
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
    pairs.into_iter().map(|(image, mask)| make(image, mask.cloned().into_iter().collect())).collect()
}
