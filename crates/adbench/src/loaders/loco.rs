//! The MVTec LOCO AD layout: several masks an image, one a defect.
//!
//! ```text
//! <category>/train/good/000.png
//! <category>/validation/good/000.png
//! <category>/test/{good,logical_anomalies,structural_anomalies}/000.png
//! <category>/ground_truth/{logical_anomalies,structural_anomalies}/000/{000,001}.png
//! <category>/defects_config.json
//! ```
//!
//! The gray value of a mask names the type of its defect; `defects_config.json` lists the types and how much of each
//! must be found. AutoVI has the same layout with other kinds.
//!
//! Source: P. Bergmann et al., "Beyond Dents and Scratches: Logical Constraints in Unsupervised Anomaly Detection and
//! Localization", IJCV 130, 2022. License: CC BY-NC-SA 4.0.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use imgkit::image_io::ImageList;
use serde_json::Value;

use super::counts::{self, Counts};
use super::layout::Layout;
use super::listing::{Root, folders};
use super::plan::{Masks, Part, Plan, categories, category_folder, layout_advice, own_name, require, training_images};
use crate::dataset::{Dataset, DatasetError, DefectType, Finding, Policy};

const GOOD: [&str; 1] = ["good"];
const TYPES: &str = "defects_config.json";

/// The MVTec LOCO AD layout: as MVTec AD's, with `validation/good`, and with a folder of masks an image,
/// `ground_truth/<kind>/<image>/000.png`.
///
/// A pixel is anomalous where any mask of its image is not black: gray values, 236 to 255, name types of defects.
/// [`Dataset::defect_types`] holds those of `defects_config.json`, [`Sample::read_defects`] gives the masks one by one,
/// and [`Dataset::kinds_from_class_ids`] makes the types kinds. As kinds, logical and structural anomalies have figures
/// of their own.
///
/// [`Sample::read_defects`]: crate::dataset::Sample::read_defects
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MvtecLoco;

impl Layout for MvtecLoco {
    fn name(&self) -> &'static str {
        "mvtec-loco"
    }

    fn recognize(&self, root: &Path) -> Result<String, String> {
        let names = categories(root, &GOOD).map_err(|e| e.to_string())?;
        let first = names.first().ok_or("no folder with train/good")?;
        let category = category_folder(root, Some(first), &GOOD);
        if category.join(TYPES).is_file() {
            return Ok(format!("{first} has {TYPES}"));
        }
        let of_kinds = subfolders(&category.join("ground_truth"));
        let of_image = of_kinds.iter().flat_map(|kind| subfolders(kind)).next();
        let lack = || format!("{first} has neither {TYPES} nor ground_truth/<kind>/<image>/000.png");
        of_image.map(|_| format!("{first} has folders of masks in ground_truth/<kind>")).ok_or_else(lack)
    }

    fn categories(&self, root: &Path) -> Result<Vec<String>, DatasetError> {
        categories(root, &GOOD)
    }

    fn index(&self, root: &Path, category: Option<&str>, policy: Policy) -> Result<Dataset, DatasetError> {
        let folder = category_folder(root, category, &GOOD);
        require(&folder, || "check the path".to_owned())?;
        let (train, test, truth) = (folder.join("train"), folder.join("test"), folder.join("ground_truth"));
        for needed in [&train.join(GOOD[0]), &test] {
            require(needed, || layout_advice(&folder, &GOOD))?;
        }
        let mut plan = Plan::new(own_name(&folder), Root::new(&folder)?);
        plan.train_on(&train, GOOD[0])?;
        plan.validate_on(folder.join("validation").join(GOOD[0]));
        let mut of_masks: BTreeMap<String, PathBuf> = match truth.is_dir() {
            true => folders(&plan.root, &truth, &mut plan.findings)?.into_iter().collect(),
            false => BTreeMap::new(),
        };
        for (kind, images) in folders(&plan.root, &test, &mut plan.findings)? {
            if kind == GOOD[0] {
                plan.test.push(Part::new(None, images, Masks::Absent));
            } else {
                let masks = of_masks.remove(&kind).unwrap_or_else(|| truth.join(&kind));
                plan.test.push(Part::new(Some(kind), images, Masks::Folders(masks)));
            }
        }
        for of_kind in of_masks.into_values() {
            plan.spare_masks
                .extend(folders(&plan.root, &of_kind, &mut plan.findings)?.into_iter().map(|(_, path)| path));
            plan.spare_masks.push(of_kind);
        }
        plan.has_class_ids = true;
        let types = defect_types(&plan.root, &folder.join(TYPES), &mut plan.findings)?;
        counts::check(plan.index(Policy::Skip)?.with_defect_types(types), self.published(), policy)
    }

    fn training_images(&self, root: &Path, category: Option<&str>) -> Result<ImageList, DatasetError> {
        training_images(&category_folder(root, category, &GOOD), &GOOD)
    }

    fn published(&self) -> &'static [(&'static str, Counts)] {
        &counts::MVTEC_LOCO
    }
}

/// The folders in a folder; none where it cannot be listed.
fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Reads the types of defects; entries that cannot be understood are findings. Without the file there are none.
fn defect_types(root: &Root, file: &Path, findings: &mut Vec<Finding>) -> Result<Vec<DefectType>, DatasetError> {
    if fs::symlink_metadata(file).is_err() {
        return Ok(Vec::new());
    }
    if let Some(target) = root.escape(file) {
        findings.push(Finding::PathEscapesRoot { path: file.into(), target });
        return Ok(Vec::new());
    }
    let bytes = fs::read(file).map_err(|source| DatasetError::Io { path: file.into(), source })?;
    let entries = match serde_json::from_slice(&bytes) {
        Ok(Value::Array(entries)) => entries,
        other => {
            let reason = other.err().map_or_else(|| "no list of defect types".to_owned(), |e| format!("no JSON ({e})"));
            findings.push(Finding::BadFile { file: file.to_owned(), reason: format!("{reason}; restore the file") });
            return Ok(Vec::new());
        }
    };
    let mut types: Vec<DefectType> = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        match defect_type(entry) {
            Ok(new) if types.iter().any(|known| known.pixel_value == new.pixel_value) => {
                let reason = format!("pixel_value {} is another entry's, too; give each its own", new.pixel_value);
                findings.push(bad(file, i + 1, &reason));
            }
            Ok(new) => types.push(new),
            Err(reason) => findings.push(bad(file, i + 1, &reason)),
        }
    }
    Ok(types)
}

fn bad(file: &Path, entry: usize, reason: &str) -> Finding {
    Finding::BadEntry { file: file.to_owned(), split: "defect types", entry, reason: reason.to_owned() }
}

fn defect_type(entry: &Value) -> Result<DefectType, String> {
    let of = |key: &str| entry.get(key).ok_or_else(|| format!("no {key}; add it"));
    let name = of("defect_name")?.as_str().ok_or("defect_name is no text; correct it")?;
    let value = of("pixel_value")?.as_u64().and_then(|v| u8::try_from(v).ok()).filter(|&v| v > 0);
    let value = value.ok_or("pixel_value is not a whole number of 1 to 255; correct it")?;
    let is_relative = of("relative_saturation")?.as_bool().ok_or("relative_saturation is not true or false")?;
    let threshold = of("saturation_threshold")?.as_f64().filter(|t| *t > 0.0 && (*t <= 1.0 || !is_relative));
    let threshold = threshold.ok_or("saturation_threshold is not above 0 or, where relative, above 1; correct it")?;
    Ok(DefectType::new(name, value, threshold, is_relative))
}
