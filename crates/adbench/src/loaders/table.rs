//! Datasets listed in a CSV table, one line an image.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::layout::Layout;
use super::listing::Root;
use super::plan::require;
use super::resolver::Resolver;
use crate::dataset::{Dataset, DatasetError, Finding, Policy, Sample, Split};

/// Loader of a CSV table: comma-separated, any line ends, with or without a byte-order mark, with a header that names
/// the columns in any order.
///
/// | column | meaning |
/// |---|---|
/// | `image` | path relative to the root, with `/` |
/// | `split` | `train` or `test` |
/// | `label` | `normal`, `good`, `ok` or `0`; `anomaly`, `anomalous`, `bad`, `ko` or `1` |
/// | `mask` | path relative to the root; empty for normal images. Without the column there are image figures only |
/// | `kind` | optional: kind of defect, `anomaly` when empty or absent |
/// | `object` or `category` | optional: the category |
///
/// The paths are not trusted: absolute ones, `..` and links that lead out of the root are refused. An image is known by
/// its path, so that equal file names in several folders are several images. Files are listed, not decoded, never
/// written.
///
/// ```no_run
/// use adbench::dataset::Policy;
/// use adbench::loaders::Table;
/// let candle = Table::new("VisA/split_csv/1cls.csv").with_root("VisA").with_category("candle").index(Policy::Strict)?;
/// # Ok::<(), adbench::dataset::DatasetError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Table {
    table: PathBuf,
    root: PathBuf,
    category: Option<String>,
    train_anomalies: bool,
    class_ids: bool,
}

/// Index of each column, by its name in lower case.
type Columns = HashMap<String, usize>;

const CATEGORY: [&str; 2] = ["object", "category"];

impl Table {
    /// Creates the loader of a table whose paths are relative to its own folder.
    #[must_use]
    pub fn new(table: impl Into<PathBuf>) -> Self {
        let table = table.into();
        // The parent of a bare file name is the empty path.
        let root = table.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        Self { table, root, category: None, train_anomalies: false, class_ids: false }
    }

    /// Sets the folder that paths are relative to.
    #[must_use]
    pub fn with_root(self, root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), ..self }
    }

    /// Keeps the lines of this category only.
    #[must_use]
    pub fn with_category(self, category: impl Into<String>) -> Self {
        Self { category: Some(category.into()), ..self }
    }

    /// Allows anomalous images in the training split, as supervised splits have them. By default they are findings.
    #[must_use]
    pub fn with_train_anomalies(self) -> Self {
        Self { train_anomalies: true, ..self }
    }

    /// Declares that masks hold class ids instead of black and white.
    #[must_use]
    pub fn with_class_ids(self) -> Self {
        Self { class_ids: true, ..self }
    }

    /// Names of the categories in the table, in byte order; empty without a column for them.
    ///
    /// # Errors
    /// [`DatasetError::Io`], [`DatasetError::TableHeader`], [`DatasetError::MissingColumn`] when the table cannot be
    /// read.
    pub fn categories(&self) -> Result<Vec<String>, DatasetError> {
        let bytes = self.bytes()?;
        let (mut reader, columns) = self.open(&bytes)?;
        let Some(column) = CATEGORY.iter().find_map(|name| columns.get(*name)).copied() else { return Ok(Vec::new()) };
        let names = reader.byte_records().filter_map(|row| Some(lossy(row.ok()?.get(column)?)));
        let mut names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Indexes the table: its lines of one category, or all when no category was chosen.
    ///
    /// # Errors
    /// [`DatasetError::Findings`] lists everything that is wrong at once, under [`Policy::Strict`] only.
    /// [`DatasetError::Io`], [`DatasetError::TableHeader`], [`DatasetError::MissingColumn`],
    /// [`DatasetError::EmptyTable`] and [`DatasetError::MissingFolder`] when there is nothing to index.
    pub fn index(&self, policy: Policy) -> Result<Dataset, DatasetError> {
        require(&self.root, || "check the path".to_owned())?;
        let bytes = self.bytes()?;
        let (mut reader, columns) = self.open(&bytes)?;
        let mut lines = Lines::new(self, Root::new(&self.root)?, columns);
        // The first record is the header, which `open` has read.
        for row in reader.byte_records() {
            match row {
                Ok(row) => lines.push(&row, line_of(&bytes, row.position())),
                Err(e) => {
                    let line = line_of(&bytes, e.position());
                    lines.findings.push(self.bad_row(line, "not as many fields as the header has; correct the line"));
                }
            }
        }
        lines.finish(policy)
    }

    fn bad_row(&self, line: u64, reason: impl Into<String>) -> Finding {
        Finding::BadRow { table: self.table.clone(), line, reason: reason.into() }
    }

    fn bytes(&self) -> Result<Vec<u8>, DatasetError> {
        fs::read(&self.table).map_err(|source| DatasetError::Io { path: self.table.clone(), source })
    }

    fn open<'a>(&self, bytes: &'a [u8]) -> Result<(csv::Reader<&'a [u8]>, Columns), DatasetError> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let header = reader.byte_headers().map_err(|e| {
            let (path, source) = (self.table.clone(), e.into());
            DatasetError::TableHeader { path, source }
        })?;
        let columns: Columns =
            header.iter().enumerate().map(|(i, name)| (lossy(name).to_ascii_lowercase(), i)).collect();
        for column in ["image", "split", "label"] {
            if !columns.contains_key(column) {
                return Err(DatasetError::MissingColumn { path: self.table.clone(), column });
            }
        }
        Ok((reader, columns))
    }
}

/// CSV tables as a [`Layout`]: the root is the table's file, and paths in it are relative to its folder. See [`Table`].
///
/// A table without a column for the category is one category, named after the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableLayout;

impl Layout for TableLayout {
    fn name(&self) -> &'static str {
        "table"
    }

    fn recognize(&self, root: &Path) -> Result<String, String> {
        let is_table = root.is_file() && root.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("json"));
        if is_table { Ok("the root is a file".to_owned()) } else { Err("the root is no CSV file".to_owned()) }
    }

    fn categories(&self, root: &Path) -> Result<Vec<String>, DatasetError> {
        let names = Table::new(root).categories()?;
        Ok(if names.is_empty() { vec![stem(root)] } else { names })
    }

    fn index(&self, root: &Path, category: Option<&str>, policy: Policy) -> Result<Dataset, DatasetError> {
        let table = Table::new(root);
        match category {
            Some(category) if category != stem(root) || !table.categories()?.is_empty() => {
                table.with_category(category).index(policy)
            }
            _ => table.index(policy),
        }
    }
}

fn stem(table: &Path) -> String {
    table.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The line of a record, from 1. After CR LF the reader's position is before the LF, whose line it has not counted yet.
fn line_of(bytes: &[u8], position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 0 };
    position.line() + u64::from(bytes.get(position.byte() as usize) == Some(&b'\n'))
}

fn lossy(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

/// The lines read so far.
struct Lines<'a> {
    table: &'a Table,
    paths: Resolver,
    columns: Columns,
    train: Vec<Sample>,
    test: Vec<Sample>,
    findings: Vec<Finding>,
    first_line: HashMap<String, u64>,
    train_anomalies: usize,
}

impl<'a> Lines<'a> {
    fn new(table: &'a Table, root: Root, columns: Columns) -> Self {
        Self {
            table,
            paths: Resolver::new(root),
            columns,
            train: Vec::new(),
            test: Vec::new(),
            findings: Vec::new(),
            first_line: HashMap::new(),
            train_anomalies: 0,
        }
    }

    fn push(&mut self, row: &csv::ByteRecord, line: u64) {
        match self.sample(row, line) {
            Ok(None) => {}
            Ok(Some((true, sample))) if sample.is_anomalous() && !self.table.train_anomalies => {
                self.train_anomalies += 1;
            }
            Ok(Some((true, sample))) => self.train.push(sample),
            Ok(Some((false, sample))) => self.test.push(sample),
            Err(finding) => self.findings.push(finding),
        }
    }

    /// The sample of a line and whether it is for training; `None` for a line of another category.
    fn sample(&mut self, row: &csv::ByteRecord, line: u64) -> Result<Option<(bool, Sample)>, Finding> {
        let bad = |reason: String| self.table.bad_row(line, reason);
        let field = |name: &str| self.columns.get(name).and_then(|&i| row.get(i));
        let text = |name: &str| {
            let of = |bytes| std::str::from_utf8(bytes).map_err(|_| bad(format!("{name} is not UTF-8; re-encode it")));
            field(name).map(of).transpose().map(Option::unwrap_or_default)
        };
        if let Some(wanted) = &self.table.category {
            let named = CATEGORY.iter().find_map(|name| field(name));
            if named != Some(wanted.as_bytes()) {
                return Ok(None);
            }
        }
        let is_train = match text("split")?.to_ascii_lowercase().as_str() {
            "train" => true,
            "test" => false,
            other => return Err(bad(format!("split is {other:?}; it must be train or test"))),
        };
        let is_anomalous = match text("label")?.to_ascii_lowercase().as_str() {
            "normal" | "good" | "ok" | "0" => false,
            "anomaly" | "anomalous" | "bad" | "ko" | "1" => true,
            other => return Err(bad(format!("label is {other:?}; it must be normal or anomaly"))),
        };
        let (image, mask, kind) = (text("image")?.to_owned(), text("mask")?.to_owned(), text("kind")?.to_owned());
        let has_masks = field("mask").is_some();
        let (id, image_path) = self.resolve(&image, line)?;
        if let Some(&first) = self.first_line.get(&id) {
            let table = self.table.table.clone();
            return Err(Finding::DuplicateImage { table, first, second: line, image: image_path });
        }
        self.first_line.insert(id.clone(), line);
        if !image_path.is_file() {
            return Err(Finding::MissingImage { table: self.table.table.clone(), line, image: image_path });
        }
        let mask = if mask.is_empty() {
            if is_anomalous && has_masks {
                return Err(Finding::MissingMask { image: image_path, expected: Vec::new() });
            }
            None
        } else {
            let (_, mask_path) = self.resolve(&mask, line)?;
            if !mask_path.is_file() {
                return Err(Finding::MissingMask { image: image_path, expected: vec![mask_path] });
            }
            Some(mask_path)
        };
        let kind = is_anomalous.then(|| if kind.is_empty() { "anomaly".to_owned() } else { kind });
        let sample = Sample::new(id, image_path, mask, kind);
        Ok(Some((is_train, if self.table.class_ids { sample.with_class_ids() } else { sample })))
    }

    /// A path of the table as id and as path, unless it leads out of the root.
    fn resolve(&mut self, given: &str, line: u64) -> Result<(String, PathBuf), Finding> {
        let (id, path) = self.paths.resolve(given)?;
        if id.is_empty() {
            return Err(self.table.bad_row(line, "no path of an image; give one"));
        }
        Ok((id, path))
    }

    fn finish(mut self, policy: Policy) -> Result<Dataset, DatasetError> {
        if self.train_anomalies > 0 {
            let path = self.table.table.clone();
            self.findings.push(Finding::AnomalyInTrain { path, images: self.train_anomalies });
        }
        if self.train.is_empty() && self.test.is_empty() && self.findings.is_empty() {
            let (path, category) = (self.table.table.clone(), self.table.category.clone());
            return Err(DatasetError::EmptyTable { path, category });
        }
        let folder_name =
            || self.paths.root().file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let name = self.table.category.clone().unwrap_or_else(folder_name);
        let (train, test) = (Split::new(self.train), Split::new(self.test));
        Dataset::new(name, self.paths.root().into(), train, test, self.findings, policy)
    }
}
