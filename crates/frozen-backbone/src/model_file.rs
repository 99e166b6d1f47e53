//! Files of models that read the features of a backbone: safetensors whose metadata must match, complete or not at all.
//!
//! No number of a file is used before it is checked: a file with NaN or an infinity in any tensor is neither read nor
//! written, and what is read is asked for with its range.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use half::f16;
use imgkit::file::{WriteError, escaped, write_atomic};
use ndarray::{Array2, ArrayView2};
use safetensors::{Dtype, SafeTensorError, SafeTensors, View};

use crate::backbone::Backbone;
use crate::weights::is_lfs_pointer;

/// Bytes of the header's length, with which a file begins.
const LENGTH_BYTES: usize = 8;

/// Boxed cause of an error, of a type that is not part of the stable interface.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Failure of reading or writing the file of a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// The file belongs to another model, backbone, run or version of the format.
    #[error("{}: {field} is `{found}`, expected `{expected}`: it was saved by another model", escaped(path))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Metadata field that differs.
        field: &'static str,
        /// Value in the file.
        found: String,
        /// Value needed.
        expected: String,
    },
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", escaped(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// Failure of the operating system.
        source: std::io::Error,
    },
    /// The file is not whole.
    #[error("{} is damaged: {source}; make it again", escaped(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Cause,
    },
    /// The file stands for another one that Git LFS keeps.
    #[error("{} is a Git LFS pointer, not the model itself: fetch it with `git lfs pull`", escaped(path))]
    LfsPointer {
        /// The file.
        path: PathBuf,
    },
    /// A tensor holds NaN or an infinity.
    #[error("{}: tensor `{tensor}` holds {value} at index {index}: the model is damaged, make it again", escaped(path))]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Position in the flattened tensor.
        index: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// A tensor holds a number that no model of this kind has.
    #[error("{}: tensor `{tensor}` holds {value}, which must be {expected}: make the file again", escaped(path))]
    Range {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// The number.
        value: f64,
        /// Allowed numbers.
        expected: &'static str,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Content that does not begin as a safetensors file does.
#[derive(Debug, thiserror::Error)]
#[error("it is no model, such as the detector.safetensors or quality.safetensors that training writes ({0})")]
struct NoModel(#[source] SafeTensorError);

mod sealed {
    pub trait Number: Copy {
        const DTYPE: safetensors::Dtype;
        fn append(self, bytes: &mut Vec<u8>);
        fn read_all(bytes: &[u8]) -> Vec<Self>;
    }
}

/// Number type of a tensor in a file: `f32`, `f64`, `u32` or `f16`.
pub trait Number: sealed::Number {}

macro_rules! number {
    ($type:ty, $dtype:expr) => {
        impl Number for $type {}
        impl sealed::Number for $type {
            const DTYPE: Dtype = $dtype;
            fn append(self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }
            fn read_all(bytes: &[u8]) -> Vec<Self> {
                bytes.as_chunks().0.iter().map(|chunk| Self::from_le_bytes(*chunk)).collect()
            }
        }
    };
}
number!(f32, Dtype::F32);
number!(f64, Dtype::F64);
number!(u32, Dtype::U32);
number!(f16, Dtype::F16);

/// Rounds to the nearest number of 16 bits, which [`ModelTensor::half_matrix`] stores: relative error at most 2^-11
/// between 6.1e-5 and 65 504; larger ones become +-65 504.
///
/// ```
/// use frozen_backbone::model_file::to_half;
/// assert_eq!(to_half(0.1), 0.099_975_586);
/// assert_eq!(to_half(-1e6), -65_504.0);
/// ```
#[must_use]
pub fn to_half(value: f32) -> f32 {
    f16::from_f32(value.clamp(-65_504.0, 65_504.0)).to_f32()
}

/// Tensor as it lies in the file: type, shape and little-endian bytes.
#[derive(Debug, Clone)]
pub struct ModelTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl ModelTensor {
    /// Position and value of the first number that is NaN or infinite.
    fn not_finite(&self) -> Option<(usize, f64)> {
        fn first<T: Number + Into<f64>>(bytes: &[u8]) -> Option<(usize, f64)> {
            let values = T::read_all(bytes).into_iter().map(Into::into);
            values.enumerate().find(|(_, v): &(usize, f64)| !v.is_finite())
        }
        match self.dtype {
            Dtype::F32 => first::<f32>(&self.bytes),
            Dtype::F64 => first::<f64>(&self.bytes),
            Dtype::F16 => first::<f16>(&self.bytes),
            _ => None,
        }
    }

    /// Refuses NaN and infinities.
    fn check(&self, path: &Path, name: &str) -> Result<(), ModelFileError> {
        match self.not_finite() {
            None => Ok(()),
            Some((index, value)) => {
                Err(ModelFileError::NotFinite { path: path.to_owned(), tensor: name.to_owned(), index, value })
            }
        }
    }

    fn new<T: Number>(values: impl Iterator<Item = T>, shape: Vec<usize>) -> Self {
        let mut bytes = Vec::with_capacity(values.size_hint().0 * size_of::<T>());
        values.for_each(|v| v.append(&mut bytes));
        Self { dtype: T::DTYPE, shape, bytes }
    }

    /// Tensor of one axis.
    #[must_use]
    pub fn vector<T: Number>(values: &[T]) -> Self {
        Self::new(values.iter().copied(), vec![values.len()])
    }

    /// Tensor of two axes, (rows, columns).
    #[must_use]
    pub fn matrix(values: ArrayView2<'_, f32>) -> Self {
        Self::new(values.iter().copied(), vec![values.nrows(), values.ncols()])
    }

    /// Tensor of two axes, (rows, columns), of numbers of 16 bits: each is rounded by [`to_half`].
    #[must_use]
    pub fn half_matrix(values: ArrayView2<'_, f32>) -> Self {
        let halves = values.iter().map(|&v| f16::from_f32(to_half(v)));
        Self::new(halves, vec![values.nrows(), values.ncols()])
    }
}

/// A tensor as safetensors writes it.
struct Written<'a>(&'a ModelTensor);

impl View for Written<'_> {
    fn dtype(&self) -> Dtype {
        self.0.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.0.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0.bytes)
    }
    fn data_len(&self) -> usize {
        self.0.bytes.len()
    }
}

/// Text of the hash of a backbone in metadata.
#[must_use]
pub fn hash_text(hash: u64) -> String {
    format!("{hash:016x}")
}

/// Content of the file of a model, to be written.
///
/// ```
/// use frozen_backbone::model_file::{ModelFile, ModelFileError, ModelParts, ModelTensor};
/// let folder = std::env::temp_dir().join(format!("model-file-{}", std::process::id()));
/// std::fs::create_dir_all(&folder)?;
/// let path = folder.join("model.safetensors");
/// let tensors = vec![("scale".to_owned(), ModelTensor::vector(&[0.5_f32, 2.0]))];
/// ModelParts::new("my-model-1", tensors).with_field("steps", "7").write(&path)?;
///
/// let mut file = ModelFile::read(&path)?;
/// file.expect("format", "my-model-1")?;
/// assert_eq!(file.vector::<f32>("scale")?, [0.5, 2.0]);
/// assert!(matches!(file.expect("steps", "8"), Err(ModelFileError::Mismatch { field: "steps", .. })));
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ModelParts {
    tensors: Vec<(String, ModelTensor)>,
    metadata: HashMap<String, String>,
}

impl ModelParts {
    /// Takes the tensors by name; `format` goes into the metadata and tells formats and their versions apart.
    #[must_use]
    pub fn new(format: &str, tensors: Vec<(String, ModelTensor)>) -> Self {
        Self { tensors, metadata: HashMap::from([("format".to_owned(), format.to_owned())]) }
    }

    /// Adds a field to the metadata.
    #[must_use]
    pub fn with_field(mut self, field: &str, value: impl Into<String>) -> Self {
        self.metadata.insert(field.to_owned(), value.into());
        self
    }

    /// Records [`Backbone::id`] and [`Backbone::hash`] of the backbone that the content belongs to.
    #[must_use]
    pub fn with_backbone(self, id: &str, hash: u64) -> Self {
        self.with_field("backbone", id).with_field("backbone_hash", hash_text(hash))
    }

    /// Adds the parts of another model as `name/...`.
    #[must_use]
    pub fn with_model(mut self, name: &str, other: Self) -> Self {
        self.tensors.extend(other.tensors.into_iter().map(|(k, v)| (format!("{name}/{k}"), v)));
        self.metadata.extend(other.metadata.into_iter().map(|(k, v)| (format!("{name}/{k}"), v)));
        self
    }

    /// Writes the file, complete or not at all. Equal contents make equal bytes.
    ///
    /// # Errors
    /// [`ModelFileError::Write`]; [`ModelFileError::NotFinite`], and nothing is written.
    pub fn write(self, path: &Path) -> Result<(), ModelFileError> {
        self.tensors.iter().try_for_each(|(name, tensor)| tensor.check(path, name))?;
        let tensors = self.tensors.iter().map(|(name, tensor)| (name, Written(tensor)));
        let fail = |e: Cause| WriteError::new(path, std::io::Error::other(e));
        let bytes = safetensors::serialize(tensors, Some(self.metadata)).map_err(|e| fail(e.into()))?;
        let bytes = with_sorted_header(&bytes).ok_or_else(|| fail("its header cannot be sorted".into()))?;
        Ok(write_atomic(path, bytes)?)
    }
}

/// The same file with the keys of its header in order, which depends on chance before.
fn with_sorted_header(file: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = file.split_first_chunk::<LENGTH_BYTES>()?;
    let (header, data) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let header: BTreeMap<String, BTreeMap<String, serde_json::Value>> = serde_json::from_slice(header).ok()?;
    let mut header = serde_json::to_vec(&header).ok()?;
    header.resize(header.len().next_multiple_of(8), b' '); // the data are aligned
    Some([&(header.len() as u64).to_le_bytes(), header.as_slice(), data].concat())
}

/// File of a model that was read, or the part of it that belongs to one of the models in it.
#[derive(Debug, Clone)]
pub struct ModelFile {
    path: PathBuf,
    /// Names of the models that this one lies in, each with a `/` behind it.
    inside: String,
    tensors: HashMap<String, ModelTensor>,
    metadata: HashMap<String, String>,
}

impl ModelFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ModelFileError::Read`], and those of [`Self::from_bytes`].
    pub fn read(path: &Path) -> Result<Self, ModelFileError> {
        let bytes = std::fs::read(path).map_err(|source| ModelFileError::Read { path: path.to_owned(), source })?;
        Self::from_bytes(path, &bytes)
    }

    /// Reads the content of a file; errors name `path`.
    ///
    /// # Errors
    /// [`ModelFileError::Damaged`], [`ModelFileError::LfsPointer`], [`ModelFileError::NotFinite`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, ModelFileError> {
        if is_lfs_pointer(bytes) {
            return Err(ModelFileError::LfsPointer { path: path.to_owned() });
        }
        let (header_length, header) = SafeTensors::read_metadata(bytes).map_err(|e| {
            use SafeTensorError::{HeaderTooLarge, HeaderTooSmall, InvalidHeader, InvalidHeaderDeserialization};
            let is_foreign =
                matches!(e, HeaderTooLarge | HeaderTooSmall | InvalidHeader(_) | InvalidHeaderDeserialization(_));
            let source: Cause = if is_foreign { NoModel(e).into() } else { e.into() };
            ModelFileError::Damaged { path: path.to_owned(), source }
        })?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let data = bytes.get(LENGTH_BYTES + header_length..).unwrap_or_default();
        let mut infos: Vec<_> = header.tensors().into_iter().collect();
        infos.sort_by(|(a, _), (b, _)| a.cmp(b)); // so that of several faults one and the same is named
        let mut tensors = HashMap::new();
        for (name, info) in infos {
            let bytes = data.get(info.data_offsets.0..info.data_offsets.1).unwrap_or_default().to_vec();
            let tensor = ModelTensor { dtype: info.dtype, shape: info.shape.clone(), bytes };
            tensor.check(path, &name)?;
            tensors.insert(name, tensor);
        }
        Ok(Self { path: path.to_owned(), inside: String::new(), tensors, metadata })
    }

    /// Takes out what was added with [`ModelParts::with_model`].
    #[must_use]
    pub fn take_model(&mut self, name: &str) -> Self {
        fn take<V>(from: &mut HashMap<String, V>, name: &str) -> HashMap<String, V> {
            let names: Vec<String> = from.keys().cloned().collect();
            let inside = names.iter().filter_map(|k| Some((k, k.strip_prefix(name)?.strip_prefix('/')?)));
            inside.filter_map(|(k, rest)| Some((rest.to_owned(), from.remove(k)?))).collect()
        }
        let (tensors, metadata) = (take(&mut self.tensors, name), take(&mut self.metadata, name));
        Self { path: self.path.clone(), inside: format!("{}{name}/", self.inside), tensors, metadata }
    }

    /// Largest number of models that lie in each other.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.metadata.keys().map(|key| key.matches('/').count()).max().unwrap_or(0)
    }

    /// Value of a metadata field; empty if there is none.
    #[must_use]
    pub fn field(&self, field: &str) -> &str {
        self.metadata.get(field).map_or("", String::as_str)
    }

    /// Ids and hashes ([`hash_text`]) of the backbones that the content belongs to, those of the models in it included.
    ///
    /// ```
    /// use frozen_backbone::model_file::{ModelFile, ModelParts};
    /// let folder = std::env::temp_dir().join(format!("model-backbones-{}", std::process::id()));
    /// std::fs::create_dir_all(&folder)?;
    /// let path = folder.join("model.safetensors");
    /// let inner = ModelParts::new("part-1", Vec::new()).with_backbone("net-v1", 0xab);
    /// ModelParts::new("whole-1", Vec::new()).with_model("part", inner).write(&path)?;
    /// let of = ModelFile::read(&path)?.backbones();
    /// assert_eq!(of.into_iter().collect::<Vec<_>>(), [("net-v1".to_owned(), "00000000000000ab".to_owned())]);
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn backbones(&self) -> BTreeSet<(String, String)> {
        let of = |(key, id): (&String, &String)| {
            let inside = key.strip_suffix("backbone")?;
            let is_whole = inside.is_empty() || inside.ends_with('/');
            is_whole.then(|| (id.clone(), self.field(&format!("{key}_hash")).to_owned()))
        };
        self.metadata.iter().filter_map(of).collect()
    }

    /// Checks that a metadata field has the value `expected`.
    ///
    /// # Errors
    /// [`ModelFileError::Mismatch`].
    pub fn expect(&self, field: &'static str, expected: &str) -> Result<(), ModelFileError> {
        if self.field(field) == expected { Ok(()) } else { Err(self.mismatch(field, expected)) }
    }

    /// Checks that the file has this format and backbone.
    ///
    /// # Errors
    /// [`ModelFileError::Mismatch`].
    pub fn expect_backbone(&self, format: &str, backbone: &dyn Backbone) -> Result<(), ModelFileError> {
        self.expect("format", format)?;
        self.expect("backbone", backbone.id())?;
        self.expect("backbone_hash", &hash_text(backbone.hash()))
    }

    /// Error that says that a metadata field is not as `expected`.
    #[must_use]
    pub fn mismatch(&self, field: &'static str, expected: &str) -> ModelFileError {
        let (found, expected) = (self.field(field).to_owned(), expected.to_owned());
        ModelFileError::Mismatch { path: self.path.clone(), field, found, expected }
    }

    /// Error that says that a tensor or a metadata field is not as it must be.
    #[must_use]
    pub fn damaged(&self, name: &str) -> ModelFileError {
        let source = format!("`{}{name}` is missing or has another shape, type or range", self.inside).into();
        ModelFileError::Damaged { path: self.path.clone(), source }
    }

    /// Error that says that a number of a tensor is out of its range.
    #[must_use]
    pub fn out_of_range(&self, tensor: &str, value: impl Into<f64>, expected: &'static str) -> ModelFileError {
        let (path, tensor) = (self.path.clone(), format!("{}{tensor}", self.inside));
        ModelFileError::Range { path, tensor, value: value.into(), expected }
    }

    /// Checks that a number of a tensor is one of a range.
    ///
    /// # Errors
    /// [`ModelFileError::Range`].
    pub fn ensure(
        &self,
        ok: bool,
        tensor: &str,
        value: impl Into<f64>,
        expected: &'static str,
    ) -> Result<(), ModelFileError> {
        if ok { Ok(()) } else { Err(self.out_of_range(tensor, value, expected)) }
    }

    /// Converts a number of a tensor to a count, if it is whole and at most `most`.
    ///
    /// # Errors
    /// [`ModelFileError::Range`].
    pub fn whole(
        &self,
        tensor: &str,
        value: impl Into<f64>,
        most: usize,
        expected: &'static str,
    ) -> Result<usize, ModelFileError> {
        let value = value.into();
        let ok = value >= 0.0 && value <= most as f64 && value.fract() == 0.0;
        if ok { Ok(value as usize) } else { Err(self.out_of_range(tensor, value, expected)) }
    }

    fn take<T: Number>(&mut self, name: &str) -> Result<(Vec<usize>, Vec<T>), ModelFileError> {
        let tensor = self.tensors.remove(name).filter(|t| t.dtype == T::DTYPE).ok_or_else(|| self.damaged(name))?;
        Ok((tensor.shape, T::read_all(&tensor.bytes)))
    }

    /// Takes out a tensor of one axis.
    ///
    /// # Errors
    /// [`ModelFileError::Damaged`] if it is missing or has another type or number of axes.
    pub fn vector<T: Number>(&mut self, name: &str) -> Result<Vec<T>, ModelFileError> {
        let (shape, values) = self.take(name)?;
        if shape.len() == 1 { Ok(values) } else { Err(self.damaged(name)) }
    }

    /// Takes out a tensor of one number.
    ///
    /// # Errors
    /// [`ModelFileError::Damaged`] if it is missing or has another type or shape.
    pub fn number<T: Number>(&mut self, name: &str) -> Result<T, ModelFileError> {
        match self.vector(name)?.as_slice() {
            &[value] => Ok(value),
            _ => Err(self.damaged(name)),
        }
    }

    /// Takes out a tensor that [`ModelTensor::half_matrix`] made.
    ///
    /// # Errors
    /// [`ModelFileError::Damaged`] if it is missing or has another type or number of axes.
    pub fn half_matrix(&mut self, name: &str) -> Result<Array2<f32>, ModelFileError> {
        let (shape, values) = self.take::<f16>(name)?;
        let &[rows, columns] = shape.as_slice() else { return Err(self.damaged(name)) };
        let values = values.into_iter().map(f16::to_f32).collect();
        Array2::from_shape_vec((rows, columns), values).map_err(|_| self.damaged(name))
    }

    /// Takes out a tensor of two axes.
    ///
    /// # Errors
    /// [`ModelFileError::Damaged`] if it is missing or has another type or number of axes.
    pub fn matrix(&mut self, name: &str) -> Result<Array2<f32>, ModelFileError> {
        let (shape, values) = self.take(name)?;
        let &[rows, columns] = shape.as_slice() else { return Err(self.damaged(name)) };
        Array2::from_shape_vec((rows, columns), values).map_err(|_| self.damaged(name))
    }
}
