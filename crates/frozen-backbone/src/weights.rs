//! Weight files in the safetensors format, read whole and checked tensor by tensor.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use imgkit::hash::fnv1a;
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, WeightsError};

/// Weight file in memory: a safetensors file with a hash over all its tensors.
///
/// A network reads the tensors it needs; further tensors, such as a classifier, are ignored.
///
/// ```
/// use frozen_backbone::{Error, Weights, WeightsError};
///
/// let broken = Weights::from_bytes("net.safetensors", vec![0; 7]).unwrap_err();
/// assert!(matches!(broken, Error::Weights { source: WeightsError::Damaged(_), .. }));
/// assert!(broken.to_string().contains("download it again"));
/// ```
pub struct Weights {
    path: PathBuf,
    bytes: Vec<u8>,
    /// By name, so that the order in the file does not matter.
    tensors: BTreeMap<String, Entry>,
    hash: u64,
}

/// Whether the content of a file only says where Git LFS keeps the file that it stands for.
pub(crate) fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.starts_with(b"version https://git-lfs.github.com/spec/")
}

/// Type, shape and place of a tensor in the file.
struct Entry {
    kind: Dtype,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

impl Weights {
    /// Reads a safetensors file.
    ///
    /// # Errors
    /// [`Error::Weights`]: unreadable, truncated or not a safetensors file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes =
            std::fs::read(path).map_err(|e| Error::Weights { path: path.to_owned(), source: WeightsError::from(e) })?;
        Self::from_bytes(path, bytes)
    }

    /// Reads the content of a safetensors file; errors name `path`.
    ///
    /// # Errors
    /// [`Error::Weights`]: truncated or not a safetensors file.
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Result<Self, Error> {
        let path = path.into();
        if is_lfs_pointer(&bytes) {
            return Err(Error::Weights { path, source: WeightsError::LfsPointer });
        }
        let (header, metadata) = match SafeTensors::read_metadata(&bytes) {
            Ok(found) => found,
            Err(e) => return Err(Error::Weights { path, source: WeightsError::Damaged(e.into()) }),
        };
        let data = size_of::<u64>() + header; // the length of the header comes first
        let tensors: BTreeMap<String, Entry> = metadata
            .tensors()
            .into_iter()
            .map(|(name, info)| {
                let (start, end) = info.data_offsets;
                (name, Entry { kind: info.dtype, shape: info.shape.clone(), bytes: data + start..data + end })
            })
            .collect();
        let hash = fnv1a(tensors.iter().flat_map(|(name, tensor)| {
            let head = format!("{name} {:?} {:?}\n", tensor.kind, tensor.shape).into_bytes();
            head.into_iter().chain(bytes[tensor.bytes.clone()].iter().copied())
        }));
        Ok(Self { path, bytes, tensors, hash })
    }

    /// 64-bit FNV-1a hash over all tensors in the order of their names: name, type, shape and data, but not the
    /// metadata of the file.
    ///
    /// It tells files apart and finds damage; it gives no protection against a forged file.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Shape of tensor `name`; `None` if the file has no tensor of this name. It tells networks apart.
    ///
    /// ```
    /// use frozen_backbone::Weights;
    /// let header = r#"{"conv1.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#;
    /// let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 8]].concat();
    /// let weights = Weights::from_bytes("net.safetensors", file)?;
    /// assert_eq!((weights.shape("conv1.weight"), weights.shape("bn1.weight")), (Some(&[1, 2][..]), None));
    /// # Ok::<(), frozen_backbone::Error>(())
    /// ```
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|tensor| tensor.shape.as_slice())
    }

    /// Checks that the hash is the expected one.
    ///
    /// # Errors
    /// [`Error::Weights`] with both hashes.
    pub fn expect_hash(self, expected: u64) -> Result<Self, Error> {
        if self.hash == expected {
            Ok(self)
        } else {
            Err(self.error(WeightsError::Hash { expected, found: self.hash }))
        }
    }

    /// Numbers of tensor `name`, last axis fastest, for `network`.
    ///
    /// # Errors
    /// [`Error::Weights`]: missing, of another shape or type, not finite.
    pub(crate) fn get(&self, network: &'static str, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let tensor = || name.to_owned();
        let Some(entry) = self.tensors.get(name) else {
            return Err(self.error(WeightsError::Missing { tensor: tensor(), network }));
        };
        if entry.shape != shape {
            let (expected, found) = (shape.into(), entry.shape.as_slice().into());
            return Err(self.error(WeightsError::Shape { tensor: tensor(), network, expected, found }));
        }
        let data = &self.bytes[entry.bytes.clone()];
        let values: Vec<f32> = match entry.kind {
            Dtype::F32 => data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::F16 => data.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
            Dtype::BF16 => data.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
            other => return Err(self.error(WeightsError::Type { tensor: tensor(), found: format!("{other:?}") })),
        };
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(values),
            Some(index) => Err(self.error(WeightsError::Value { tensor: tensor(), index })),
        }
    }

    /// Weight and bias of a convolution `(O, C, k, k)` without bias with the batch norm behind it folded in.
    ///
    /// # Errors
    /// As [`Self::get`]; also a negative variance.
    pub(crate) fn folded(
        &self,
        network: &'static str,
        (convolution, norm): (&str, &str),
        shape: [usize; 4],
        epsilon: f32,
    ) -> Result<(Vec<f32>, Vec<f32>), Error> {
        let mut weight = self.get(network, &format!("{convolution}.weight"), &shape)?;
        let part = |name: &str| self.get(network, &format!("{norm}.{name}"), &shape[..1]);
        let (scale, shift, mean, variance) =
            (part("weight")?, part("bias")?, part("running_mean")?, part("running_var")?);
        if let Some(index) = variance.iter().position(|v| *v < 0.0) {
            return Err(self.error(WeightsError::Value { tensor: format!("{norm}.running_var"), index }));
        }
        let scale: Vec<f32> = scale.iter().zip(&variance).map(|(s, v)| s / (v + epsilon).sqrt()).collect();
        let fan = shape[1..].iter().product();
        weight.chunks_exact_mut(fan).zip(&scale).for_each(|(w, s)| w.iter_mut().for_each(|w| *w *= s));
        let bias = shift.iter().zip(mean.iter().zip(&scale)).map(|(b, (m, s))| b - m * s).collect();
        Ok((weight, bias))
    }

    fn error(&self, source: WeightsError) -> Error {
        Error::Weights { path: self.path.clone(), source }
    }
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Weights")
            .field("path", &self.path)
            .field("tensors", &self.tensors.len())
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
