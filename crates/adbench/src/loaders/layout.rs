//! The `Layout` trait, the list of all layouts, and finding the layout of a dataset.

use std::fmt::Debug;
use std::path::Path;

use imgkit::image_io::ImageList;

use super::ad2::{Ad2Split, MvtecAd2};
use super::btad::Btad;
use super::counts::Counts;
use super::loco::MvtecLoco;
use super::mpdd::Mpdd;
use super::mvtec::Mvtec;
use super::plan::{categories, require};
use super::real_iad::RealIad;
use super::table::TableLayout;
use super::visa::{Visa, VisaSplit};
use crate::dataset::{Dataset, DatasetError, Policy};

/// A layout of files that holds the categories of a dataset. Layouts list files; they neither decode nor write any.
///
/// Implement it for a dataset that is arranged in a way of its own. A single dataset whose folders can be named one by
/// one needs no layout: see [`Folder`](super::Folder).
///
/// ```no_run
/// use adbench::dataset::Policy;
/// use adbench::loaders::detect;
/// let root = std::path::Path::new("data/mvtec");
/// let layout = detect(root)?;
/// for category in layout.categories(root)? {
///     let data = layout.index(root, Some(&category), Policy::Strict)?;
///     println!("{category}: {} training and {} test images", data.train().len(), data.test().len());
/// }
/// # Ok::<(), adbench::dataset::DatasetError>(())
/// ```
pub trait Layout: Debug + Send + Sync {
    /// Name of the layout, as on a command line: lower case, such as `mvtec`.
    fn name(&self) -> &'static str;

    /// What shows that a root has this layout, in a few words, by the names of files and folders alone.
    ///
    /// # Errors
    /// What the root lacks of the layout, in a few words. A layout that does not say is chosen by its name alone.
    fn recognize(&self, _root: &Path) -> Result<String, String> {
        Err(BY_NAME.to_owned())
    }

    /// Names of the categories at a root, in byte order. A root that is itself one category gives its own name.
    ///
    /// # Errors
    /// [`DatasetError::MissingFolder`], [`DatasetError::Io`], [`DatasetError::TableHeader`] when the root cannot be
    /// listed.
    fn categories(&self, root: &Path) -> Result<Vec<String>, DatasetError>;

    /// Indexes one category: one of [`Layout::categories`], or `None` when the root is itself one category.
    ///
    /// # Errors
    /// [`DatasetError::Findings`] lists everything that is wrong with the files at once, under [`Policy::Strict`] only.
    /// [`DatasetError::MissingFolder`], [`DatasetError::EmptyFolder`], [`DatasetError::SeveralCategories`],
    /// [`DatasetError::EmptyTable`] and [`DatasetError::Io`] when there is nothing to index.
    fn index(&self, root: &Path, category: Option<&str>, policy: Policy) -> Result<Dataset, DatasetError>;

    /// Lists the good training images of a category without looking at its test images, and the files beside them that
    /// look like images and are not read. Links out of the dataset are followed.
    ///
    /// # Errors
    /// As [`Layout::index`], where there is nothing to list.
    fn training_images(&self, root: &Path, category: Option<&str>) -> Result<ImageList, DatasetError> {
        Ok(good_training_images(&self.index(root, category, Policy::Skip)?))
    }

    /// Categories of the published dataset and their numbers of images; empty where nothing was published.
    fn published(&self) -> &'static [(&'static str, Counts)] {
        &[]
    }
}

/// The good training images of an indexed dataset, and what of it is not read.
pub(super) fn good_training_images(data: &Dataset) -> ImageList {
    let good = data.train().samples().iter().filter(|sample| !sample.is_anomalous());
    let mut list = ImageList::default();
    list.photos = good.map(|sample| sample.image_path().to_owned()).collect();
    list
}

/// Why a layout is never recognized: others have the same files, or it does not say.
pub(super) const BY_NAME: &str = "chosen by its name alone";

/// All layouts that have a name. Of those that fit a root, [`detect`] takes the first: the more special come first.
pub const LAYOUTS: [&'static dyn Layout; 12] = [
    &TableLayout,
    &Visa::new(VisaSplit::OneClass),
    &Visa::new(VisaSplit::TwoClassHighShot),
    &Visa::new(VisaSplit::TwoClassFewShot),
    &RealIad,
    &Btad,
    &MvtecAd2::new(Ad2Split::Public),
    &MvtecAd2::new(Ad2Split::Private),
    &MvtecAd2::new(Ad2Split::PrivateMixed),
    &MvtecLoco,
    &Mpdd,
    &Mvtec,
];

/// Finds a layout by its name.
///
/// ```
/// use adbench::loaders::by_name;
/// assert_eq!(by_name("btad").map(|layout| layout.published().len()), Some(3));
/// assert!(by_name("mine").is_none());
/// ```
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Layout> {
    LAYOUTS.into_iter().find(|layout| layout.name() == name)
}

/// A layout that was found, and what showed it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Detected {
    /// The layout.
    pub layout: &'static dyn Layout,
    /// What showed it, in a few words.
    pub reason: String,
}

/// Finds the layout of the dataset at a root, or of the category when the root is one, by the names of files and
/// folders: the first of [`LAYOUTS`] that recognizes it.
///
/// # Errors
/// As [`detect_with_reason`].
pub fn detect(root: &Path) -> Result<&'static dyn Layout, DatasetError> {
    Ok(detect_with_reason(root)?.layout)
}

/// Finds a layout as [`detect`] does, with what showed it.
///
/// ```
/// use adbench::loaders::detect_with_reason;
/// let root = tempfile::tempdir()?;
/// assert!(detect_with_reason(root.path()).unwrap_err().to_string().contains("mvtec: no folder with train/good"));
/// std::fs::create_dir_all(root.path().join("bottle/train/good"))?;
/// let found = detect_with_reason(root.path())?;
/// assert_eq!((found.layout.name(), found.reason.as_str()), ("mvtec", "bottle has train/good"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`DatasetError::UnknownLayout`] when no layout fits, with what each lacks; [`DatasetError::MissingFolder`] and
/// [`DatasetError::Io`] when the root cannot be listed.
pub fn detect_with_reason(root: &Path) -> Result<Detected, DatasetError> {
    if !root.is_file() {
        require(root, || "check the path".to_owned())?;
        categories(root, &["good", "ok"])?;
    }
    let mut lacks = Vec::new();
    for layout in LAYOUTS {
        match layout.recognize(root) {
            Ok(reason) => return Ok(Detected { layout, reason }),
            Err(lack) if lack == BY_NAME => {}
            Err(lack) => lacks.push((layout.name(), lack)),
        }
    }
    Err(DatasetError::UnknownLayout { path: root.into(), lacks })
}
