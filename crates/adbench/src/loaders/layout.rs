//! The `Layout` trait, the list of all layouts, and finding the layout of a dataset.

use std::fmt::Debug;
use std::path::Path;

use imgkit::image_io::ImageList;

use super::btad::{self, Btad};
use super::counts::Counts;
use super::mvtec::Mvtec;
use super::plan::{categories, good_name_of};
use super::table::TableLayout;
use super::visa::{self, Visa, VisaSplit};
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

/// All layouts that have a name: `mvtec`, `btad`, `visa`, `visa-2cls-highshot`, `visa-2cls-fewshot` and `table`.
pub const LAYOUTS: [&'static dyn Layout; 6] = [
    &Mvtec,
    &Btad,
    &Visa::new(VisaSplit::OneClass),
    &Visa::new(VisaSplit::TwoClassHighShot),
    &Visa::new(VisaSplit::TwoClassFewShot),
    &TableLayout,
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

/// Finds the layout of the dataset at a root, or of the category when the root is one, by the names of files and
/// folders.
///
/// A file is a table. Copies of VisA in folders are distinguished from MVTec AD and BTAD by the names of their
/// categories.
///
/// # Errors
/// [`DatasetError::UnknownLayout`] when no layout fits; [`DatasetError::MissingFolder`] and [`DatasetError::Io`] when
/// the root cannot be listed.
pub fn detect(root: &Path) -> Result<&'static dyn Layout, DatasetError> {
    const VISA: &Visa = &Visa::new(VisaSplit::OneClass);
    if root.is_file() {
        return Ok(&TableLayout);
    }
    if visa::is_marked(root) {
        return Ok(VISA);
    }
    if btad::is_marked(root) {
        return Ok(&Btad);
    }
    let names = categories(root, &["good", "ok"])?;
    let Some(first) = names.first() else { return Err(DatasetError::UnknownLayout { path: root.into() }) };
    if names.iter().all(|name| VISA.published().iter().any(|(published, _)| published == name)) {
        return Ok(VISA);
    }
    let is_ok = good_name_of(root, first, &["good", "ok"]) == Some("ok");
    Ok(if is_ok { &Btad } else { &Mvtec })
}
