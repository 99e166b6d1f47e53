//! A recipe: how many samples of which categories, and where those may lie.

use std::collections::BTreeMap;
use std::path::Path;

use maphc2f::factory::{DatasetParams, Formats, Materials, MechanismMix, PhotoSet, check_name};
use maphc2f::physdefect::Place;
use maphc2f::physdefect::visibility::Visibility;
use serde::Deserialize;

use crate::Result;

/// Content of a recipe file. The tables hold a count for each category.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    #[serde(default)]
    seed: u64,
    side: Option<usize>,
    mechanisms: Option<MechanismMix>,
    materials: Option<Materials>,
    visibility: Option<String>,
    place: Option<Place>,
    format: Option<Formats>,
    #[serde(default)]
    mvtec: BTreeMap<String, u64>,
    #[serde(default)]
    visa: BTreeMap<String, u64>,
    #[serde(default)]
    btad: BTreeMap<String, u64>,
}

/// Names that the datasets' folders go by.
const FOLDERS: [(&str, &[&str]); 3] = [
    ("mvtec", &["mvtec", "mvtec_ad", "mvtec_anomaly_detection", "MVTec", "MVTecAD", "."]),
    ("visa", &["visa", "VisA", "VisA_20220922", "VisA_pytorch", "."]),
    ("btad", &["btad", "BTAD", "BTech_Dataset_transformed", "."]),
];

impl Recipe {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| format!("{}: cannot be read ({e}): check the path", path.display()))?;
        let recipe: Self = toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        if let Some(text) = &recipe.visibility {
            text.parse::<Visibility>().map_err(|e| format!("{}: visibility: {e}", path.display()))?;
        }
        for (set, category, params) in recipe.runs() {
            let checked = check_name("category", category).and_then(|()| params.check());
            checked.map_err(|e| format!("{}: {set}.{category:?}: {e}", path.display()))?;
        }
        Ok(recipe)
    }

    /// Dataset, category and parameters of each run, in the order of the names.
    pub fn runs(&self) -> Vec<(&'static str, &str, DatasetParams)> {
        let base = DatasetParams::default().with_seed(self.seed).with_side(self.side);
        let own = base.visibility();
        let (mechanisms, materials) = (base.mechanisms().clone(), base.materials().clone());
        let formats = base.formats().clone();
        let base = base
            .with_mechanisms(self.mechanisms.clone().unwrap_or(mechanisms))
            .with_materials(self.materials.clone().unwrap_or(materials))
            .with_visibility(self.visibility.as_deref().and_then(|text| text.parse().ok()).unwrap_or(own))
            .with_place(self.place.unwrap_or_default())
            .with_formats(self.format.clone().unwrap_or(formats));
        let sets = [("mvtec", &self.mvtec), ("visa", &self.visa), ("btad", &self.btad)];
        let mut runs = Vec::new();
        for (set, counts) in sets {
            for (category, &count) in counts {
                runs.push((set, category.as_str(), base.clone().with_count(count)));
            }
        }
        runs
    }
}

/// Finds the good photos of a category of a dataset somewhere below `data`.
pub fn locate(data: &Path, set: &str, category: &str) -> std::result::Result<PhotoSet, String> {
    let folders = FOLDERS.iter().find(|(name, _)| *name == set).map_or(&[][..], |(_, folders)| folders);
    let found = folders.iter().find_map(|folder| PhotoSet::find(&data.join(folder), Some(category), None).ok());
    found.ok_or_else(|| format!("no `{category}` below {} (looked in {})", data.display(), folders.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use maphc2f::adbench::loaders::by_name;

    #[test]
    fn values_are_checked_as_flags_are_and_names_do_not_lead_elsewhere() {
        let read = |text: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            Recipe::read(file.path()).map(|_| ()).map_err(|e| (e.to_string(), file.path().display().to_string()))
        };
        read("[mvtec]\nbottle = 3").unwrap();
        for (text, word) in [
            ("[mvtec]\n\"../../bottle\" = 3", "category"),
            ("[mvtec]\n\"/tmp/bottle\" = 3", "category"),
            ("[btad]\n\"..\" = 3", "category"),
            ("[mvtec]\nbottle = 0", "count"),
            ("[mvtec]\nbottle = 1099511627777", "count"),
            ("side = 1000000000\n[mvtec]\nbottle = 3", "side"),
            ("mechanisms = \"cutpaste=1e308\"\n[mvtec]\nbottle = 3", "weight"),
            ("mechanisms = \"../cutpaste\"", "mechanisms"),
            ("[mvtec]\nbottle = -1", "integer"),
        ] {
            let (message, path) = read(text).unwrap_err();
            assert!(message.contains(word) && message.contains(&path), "{text}: {message}");
        }
    }

    #[test]
    fn the_published_size_is_reached_over_the_published_categories() {
        let recipe =
            Recipe::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/maphc2f-115987.toml"))).unwrap();
        for (layout, found) in [("mvtec", &recipe.mvtec), ("visa", &recipe.visa), ("btad", &recipe.btad)] {
            let official: Vec<&str> = by_name(layout).unwrap().published().iter().map(|(name, _)| *name).collect();
            assert_eq!(found.keys().collect::<Vec<_>>(), official);
        }
        let counts: Vec<u64> = recipe.runs().iter().map(|(_, _, params)| params.count()).collect();
        assert_eq!((counts.len(), counts.iter().sum::<u64>()), (30, 115_987));
    }
}
