//! The Real-IAD layout: a JSON file a category, five views an object.
//!
//! ```text
//! <root>/realiad_jsons/[realiad_jsons/]<category>.json
//! <root>/realiad_{1024,512,256,raw}/<prefix>/OK/S0001/<category>_0001_OK_C1_20231021133242.jpg
//! <root>/realiad_{1024,512,256,raw}/<prefix>/NG/<kind>/S0002/<category>_0002_NG_<kind>_C1_20231021133242_mask.png
//! ```
//!
//! The JSON is `{"meta": {"prefix", "normal_class"}, "train": [...], "test": [...]}`; entries are `{"anomaly_class",
//! "image_path", "mask_path"}`, with paths relative to the prefix and `null` without a mask.
//!
//! Source: C. Wang et al., "Real-IAD: A Real-World Multi-View Dataset for Benchmarking Versatile Industrial Anomaly
//! Detection", CVPR 2024. License: CC BY-NC-SA 4.0.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use imgkit::file::escaped;
use serde_json::Value;

use super::layout::Layout;
use super::listing::Root;
use super::plan::require;
use super::resolver::Resolver;
use crate::dataset::{Dataset, DatasetError, Finding, Policy, Sample, Split};

/// Folder of the JSON files; some copies have them in one of the same name in it.
const LISTS: &str = "realiad_jsons";
/// Folders of the images, from the one that is taken first. Without one, images are below the root.
const IMAGES: [&str; 4] = ["realiad_1024", "realiad_512", "realiad_256", "realiad_raw"];

/// The Real-IAD layout. The root is the dataset's folder, or the JSON file of one category.
///
/// [`Sample::object`](crate::dataset::Sample::object) is the object that several views show, and
/// [`Sample::condition`](crate::dataset::Sample::condition) the view, such as `C1`: [`Scores::by_object`] gives an
/// object the highest score of its views. Paths of the JSON are not trusted: absolute ones, `..` and links that lead
/// out of the folder of the images are refused.
///
/// [`Scores::by_object`]: crate::dataset::Scores::by_object
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RealIad;

impl Layout for RealIad {
    fn name(&self) -> &'static str {
        "real-iad"
    }

    fn recognize(&self, root: &Path) -> Result<String, String> {
        if root.is_file() {
            let is_json = root.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
            return if is_json { Ok("the root is a JSON file".to_owned()) } else { Err("no JSON file".to_owned()) };
        }
        match lists(root).first() {
            Some(_) => Ok(format!("there are JSON files in {LISTS}")),
            None => Err(format!("no JSON file in {LISTS}")),
        }
    }

    fn categories(&self, root: &Path) -> Result<Vec<String>, DatasetError> {
        if root.is_file() {
            return Ok(vec![stem(root)]);
        }
        require(root, || "check the path".to_owned())?;
        Ok(lists(root).iter().map(|list| stem(list)).collect())
    }

    fn index(&self, root: &Path, category: Option<&str>, policy: Policy) -> Result<Dataset, DatasetError> {
        let (top, list) = place(root, category)?;
        let bytes = fs::read(&list).map_err(|source| DatasetError::Io { path: list.clone(), source })?;
        let fail =
            |source: Box<dyn std::error::Error + Send + Sync>| DatasetError::Listing { path: list.clone(), source };
        let json: Value = serde_json::from_slice(&bytes).map_err(|e| fail(e.into()))?;
        let text = |key| json.get("meta").and_then(|meta| meta.get(key)).and_then(Value::as_str);
        let normal = text("normal_class").ok_or_else(|| fail("no meta.normal_class".into()))?;
        let images = IMAGES.iter().map(|folder| top.join(folder)).find(|path| path.is_dir()).unwrap_or(top);
        let prefix = text("prefix").unwrap_or_default();
        let (_, base) = Resolver::new(Root::new(&images)?)
            .resolve(prefix)
            .map_err(|finding| DatasetError::findings(&images, vec![finding]))?;
        require(&base, || format!("{} names it as the folder of the images", escaped(&list)))?;
        let mut entries = Entries::new(&list, normal, Resolver::new(Root::new(&base)?));
        for split in ["train", "test"] {
            match json.get(split) {
                Some(Value::Array(listed)) => {
                    listed.iter().enumerate().for_each(|(i, e)| entries.push(split, i + 1, e))
                }
                _ => return Err(fail(format!("no list `{split}`").into())),
            }
        }
        entries.finish(stem(&list), base, policy)
    }
}

/// The dataset's folder and the JSON file of a category.
fn place(root: &Path, category: Option<&str>) -> Result<(PathBuf, PathBuf), DatasetError> {
    if root.is_file() {
        let above = root.ancestors().skip(1).take(4);
        let has_images = |folder: &&Path| IMAGES.iter().any(|images| folder.join(images).is_dir());
        let top = above.clone().find(has_images).or(root.parent()).unwrap_or(Path::new("."));
        let top = if top.as_os_str().is_empty() { Path::new(".") } else { top };
        return Ok((top.to_owned(), root.to_owned()));
    }
    require(root, || "check the path".to_owned())?;
    let mut all = lists(root);
    let categories: Vec<String> = all.iter().map(|list| stem(list)).collect();
    let found = match category {
        Some(category) => categories.iter().position(|name| name == category),
        None if categories.len() > 1 => {
            return Err(DatasetError::SeveralCategories { path: root.into(), categories });
        }
        None => (!categories.is_empty()).then_some(0),
    };
    match found {
        Some(at) => Ok((root.to_owned(), all.swap_remove(at))),
        None => {
            let path = root.join(LISTS).join(category.unwrap_or("<category>")).with_extension("json");
            let advice = "a category needs its JSON file there".to_owned();
            Err(DatasetError::MissingFolder { path, advice })
        }
    }
}

/// The JSON files of the categories, in byte order.
fn lists(root: &Path) -> Vec<PathBuf> {
    let folder = root.join(LISTS);
    let of = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_list = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "json") && path.is_file();
        let mut all: Vec<PathBuf> = entries.filter(is_list).filter(|path| !stem(path).starts_with('.')).collect();
        all.sort_unstable();
        all
    };
    let direct = of(&folder);
    if direct.is_empty() { of(&folder.join(LISTS)) } else { direct }
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The entries read so far.
struct Entries<'a> {
    list: &'a Path,
    normal: &'a str,
    paths: Resolver,
    train: Vec<Sample>,
    test: Vec<Sample>,
    findings: Vec<Finding>,
    /// Where each image is listed.
    first: HashMap<String, (&'static str, usize)>,
    train_anomalies: usize,
}

impl<'a> Entries<'a> {
    fn new(list: &'a Path, normal: &'a str, paths: Resolver) -> Self {
        let (train, test, findings, first) = (Vec::new(), Vec::new(), Vec::new(), HashMap::new());
        Self { list, normal, paths, train, test, findings, first, train_anomalies: 0 }
    }

    fn push(&mut self, split: &'static str, entry: usize, value: &Value) {
        match self.sample(split, entry, value) {
            Ok(sample) if split == "train" && sample.is_anomalous() => self.train_anomalies += 1,
            Ok(sample) if split == "train" => self.train.push(sample),
            Ok(sample) => self.test.push(sample),
            Err(finding) => self.findings.push(finding),
        }
    }

    fn sample(&mut self, split: &'static str, entry: usize, value: &Value) -> Result<Sample, Finding> {
        let file = self.list.to_owned();
        let bad = |reason: String| Finding::BadEntry { file: file.clone(), split, entry, reason };
        let text = |key: &str| {
            let found = value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
            found.ok_or_else(|| bad(format!("no text {key}; add it")))
        };
        let class = text("anomaly_class")?;
        let (id, image) = self.paths.resolve(text("image_path")?)?;
        if let Some((split, first)) = self.first.get(&id) {
            let text = format!("{} is entry {first} of {split}, too; remove one", escaped(&image));
            return Err(bad(text));
        }
        self.first.insert(id.clone(), (split, entry));
        if !image.is_file() {
            return Err(bad(format!("no image {}; add the image or remove the entry", escaped(&image))));
        }
        let kind = (class != self.normal).then(|| class.to_owned());
        let mask = match value.get("mask_path") {
            None | Some(Value::Null) if kind.is_some() => {
                return Err(Finding::MissingMask { image, expected: Vec::new() });
            }
            None | Some(Value::Null) => None,
            Some(_) => {
                let (_, mask) = self.paths.resolve(text("mask_path")?)?;
                if !mask.is_file() {
                    return Err(Finding::MissingMask { image, expected: vec![mask] });
                }
                Some(mask)
            }
        };
        let sample = Sample::new(id.clone(), image, mask, kind).with_condition(view(&id));
        Ok(match id.rsplit_once('/') {
            Some((object, _)) => sample.with_object(object.to_owned()),
            None => sample,
        })
    }

    fn finish(mut self, category: String, base: PathBuf, policy: Policy) -> Result<Dataset, DatasetError> {
        if self.train_anomalies > 0 {
            let path = self.list.to_owned();
            self.findings.push(Finding::AnomalyInTrain { path, images: self.train_anomalies });
        }
        if self.train.is_empty() && self.test.is_empty() && self.findings.is_empty() {
            return Err(DatasetError::EmptyTable { path: self.list.to_owned(), category: None });
        }
        Dataset::new(category, base, Split::new(self.train), Split::new(self.test), self.findings, policy)
    }
}

/// The view that a file's name tells of: `C1` in `audiojack_0001_OK_C1_20231021133242.jpg`.
fn view(id: &str) -> Option<String> {
    let name = id.rsplit_once('/').map_or(id, |(_, name)| name);
    let is_view =
        |part: &&str| part.strip_prefix('C').is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit());
    name.split('_').find(is_view).map(str::to_owned)
}
