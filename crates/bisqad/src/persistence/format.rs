//! Safetensors files with metadata that must match, written atomically: the format below every detector and checkpoint.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use frozen_backbone::Backbone;
use ndarray::Array2;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, View};

use crate::error::Error;

/// Detector that can be saved to a file. Implemented by the detectors of this crate.
pub trait Persist {
    /// Collects what the file of this detector holds.
    ///
    /// # Errors
    /// [`Error::Unsaved`] if it holds a detector that cannot be saved.
    fn parts(&self) -> Result<Parts, Error>;

    /// Writes everything that [`load`](crate::load) needs into one safetensors file, complete or not at all. Backbones
    /// are named, not stored.
    ///
    /// # Errors
    /// [`Error::Write`] if the path cannot be written, and those of [`Self::parts`].
    fn save(&self, path: &Path) -> Result<(), Error> {
        self.parts()?.write(path)
    }
}

/// Content of the file of a detector, as [`Persist::parts`] collects it.
#[derive(Debug)]
pub struct Parts {
    tensors: Vec<(String, Tensor)>,
    metadata: HashMap<String, String>,
}

impl Parts {
    pub(crate) fn new(format: &str, tensors: Vec<(String, Tensor)>) -> Self {
        Self { tensors, metadata: HashMap::from([("format".to_owned(), format.to_owned())]) }
    }

    pub(crate) fn with(mut self, field: &str, value: String) -> Self {
        self.metadata.insert(field.to_owned(), value);
        self
    }

    /// Records the backbone that the content belongs to.
    pub(crate) fn of(self, backbone: &dyn Backbone) -> Self {
        self.with("backbone", backbone.id().to_owned()).with("backbone_hash", hash(backbone))
    }

    /// Adds the parts of another detector as `name/...`.
    pub(crate) fn holding(mut self, name: &str, other: Parts) -> Self {
        self.tensors.extend(other.tensors.into_iter().map(|(k, v)| (format!("{name}/{k}"), v)));
        self.metadata.extend(other.metadata.into_iter().map(|(k, v)| (format!("{name}/{k}"), v)));
        self
    }

    pub(crate) fn write(self, path: &Path) -> Result<(), Error> {
        let fail = |source: safetensors::SafeTensorError| {
            Error::Write(imgkit::file::WriteError::new(path, std::io::Error::other(source)))
        };
        let bytes = safetensors::serialize(self.tensors, Some(self.metadata)).map_err(fail)?;
        Ok(imgkit::file::write_atomic(path, bytes)?)
    }
}

pub(crate) fn hash(backbone: &dyn Backbone) -> String {
    format!("{:016x}", backbone.hash())
}

/// A tensor as it lies in the file: type, shape and little-endian bytes.
#[derive(Debug)]
pub(crate) struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Tensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Number type of the files.
pub(crate) trait Number: Copy {
    const DTYPE: Dtype;
    fn append(self, bytes: &mut Vec<u8>);
    fn read_all(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! number {
    ($type:ty, $dtype:expr) => {
        impl Number for $type {
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

fn tensor<T: Number>(values: impl Iterator<Item = T>, shape: Vec<usize>) -> Tensor {
    let mut bytes = Vec::with_capacity(shape.iter().product::<usize>() * size_of::<T>());
    values.for_each(|v| v.append(&mut bytes));
    Tensor { dtype: T::DTYPE, shape, bytes }
}

pub(crate) fn vector<T: Number>(values: &[T]) -> Tensor {
    tensor(values.iter().copied(), vec![values.len()])
}

pub(crate) fn matrix(rows: &Array2<f32>) -> Tensor {
    tensor(rows.iter().copied(), vec![rows.nrows(), rows.ncols()])
}

/// A file that was read, or the part of it that belongs to one detector.
pub(crate) struct File<'a> {
    pub(crate) path: &'a Path,
    tensors: HashMap<String, Tensor>,
    metadata: HashMap<String, String>,
}

impl<'a> File<'a> {
    pub(crate) fn read(path: &'a Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let damaged =
            |source: safetensors::SafeTensorError| Error::Damaged { path: path.to_owned(), source: source.into() };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let own = |(name, view): (String, TensorView<'_>)| {
            let tensor = Tensor { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() };
            (name, tensor)
        };
        let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?.tensors().into_iter().map(own).collect();
        Ok(Self { path, tensors, metadata })
    }

    /// Takes out what was added with [`Parts::holding`].
    pub(crate) fn held(&mut self, name: &str) -> Self {
        fn take<V>(from: &mut HashMap<String, V>, name: &str) -> HashMap<String, V> {
            let names: Vec<String> = from.keys().cloned().collect();
            let inside = names.iter().filter_map(|k| Some((k, k.strip_prefix(name)?.strip_prefix('/')?)));
            inside.filter_map(|(k, rest)| Some((rest.to_owned(), from.remove(k)?))).collect()
        }
        Self { path: self.path, tensors: take(&mut self.tensors, name), metadata: take(&mut self.metadata, name) }
    }

    /// Largest number of detectors that lie in each other.
    pub(crate) fn depth(&self) -> usize {
        self.metadata.keys().map(|key| key.matches('/').count()).max().unwrap_or(0)
    }

    /// Value of a metadata field; empty if there is none.
    pub(crate) fn field(&self, field: &str) -> String {
        self.metadata.get(field).cloned().unwrap_or_default()
    }

    pub(crate) fn mismatch(&self, field: &'static str, expected: &str) -> Error {
        let (found, expected) = (self.field(field), expected.to_owned());
        Error::Mismatch { path: self.path.to_owned(), field, found, expected }
    }

    pub(crate) fn expect(&self, field: &'static str, expected: &str) -> Result<(), Error> {
        if self.field(field) == expected { Ok(()) } else { Err(self.mismatch(field, expected)) }
    }

    /// Refuses all but this format and backbone.
    pub(crate) fn expect_backbone(&self, format: &str, backbone: &dyn Backbone) -> Result<(), Error> {
        self.expect("format", format)?;
        self.expect("backbone", backbone.id())?;
        self.expect("backbone_hash", &hash(backbone))
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<f32, Error> {
        self.vector(name)?.first().copied().ok_or_else(|| self.damaged(name))
    }

    pub(crate) fn damaged(&self, name: &str) -> Error {
        let source = format!("tensor `{name}` is missing or has another shape, type or range").into();
        Error::Damaged { path: self.path.to_owned(), source }
    }

    fn take<T: Number>(&mut self, name: &str) -> Result<(Vec<usize>, Vec<T>), Error> {
        let tensor = self.tensors.remove(name).filter(|t| t.dtype == T::DTYPE).ok_or_else(|| self.damaged(name))?;
        Ok((tensor.shape, T::read_all(&tensor.bytes)))
    }

    pub(crate) fn vector<T: Number>(&mut self, name: &str) -> Result<Vec<T>, Error> {
        let (shape, values) = self.take(name)?;
        if shape.len() == 1 { Ok(values) } else { Err(self.damaged(name)) }
    }

    pub(crate) fn matrix(&mut self, name: &str) -> Result<Array2<f32>, Error> {
        let (shape, values) = self.take(name)?;
        let &[rows, columns] = shape.as_slice() else { return Err(self.damaged(name)) };
        Array2::from_shape_vec((rows, columns), values).map_err(|_| self.damaged(name))
    }
}
