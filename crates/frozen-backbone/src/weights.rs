//! Files of weights: read whole, checked tensor by tensor.

use std::path::{Path, PathBuf};

use candle_core::safetensors::BufferedSafetensors;
use candle_core::{DType, Device};

use crate::{Error, WeightsError};

/// A safetensors file in memory. Networks take from it what they need; tensors beyond that (a classifier, say) do no harm.
///
/// ```
/// use frozen_backbone::{Error, Weights, WeightsError};
///
/// let broken = Weights::from_bytes("net.safetensors", vec![0; 7]).unwrap_err();
/// assert!(matches!(broken, Error::Weights { reason: WeightsError::Damaged(_), .. }));
/// assert!(broken.to_string().contains("download it again"));
/// ```
pub struct Weights {
    path: PathBuf,
    file: BufferedSafetensors,
    hash: u64,
}

impl Weights {
    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::Weights`]: unreadable, truncated or no safetensors file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes =
            std::fs::read(path).map_err(|e| Error::Weights { path: path.to_owned(), reason: WeightsError::from(e) })?;
        Self::from_bytes(path, bytes)
    }

    /// From the file's content; `path` is what errors name.
    ///
    /// # Errors
    /// [`Error::Weights`]: truncated or no safetensors file.
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Result<Self, Error> {
        let path = path.into();
        match BufferedSafetensors::new(bytes) {
            Ok(file) => Ok(Self { hash: hash(&file), path, file }),
            Err(e) => Err(Error::Weights { path, reason: WeightsError::Damaged(e.to_string()) }),
        }
    }

    /// 64-bit FNV-1a hash over all tensors in order of their names: name, type, shape and data, but not the file's own metadata. It tells
    /// files apart and finds damage; it is no protection against someone who wants to deceive.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Refuses a file that is not the one expected.
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

    /// The numbers of tensor `name`, last axis fastest.
    ///
    /// # Errors
    /// [`Error::Weights`]: missing, of another shape or type, not finite. `network` is who needs it.
    pub(crate) fn get(&self, network: &'static str, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let tensor = || name.to_owned();
        let Ok(view) = self.file.get(name) else {
            return Err(self.error(WeightsError::Missing { tensor: tensor(), network }));
        };
        if view.shape() != shape {
            let (expected, found) = (shape.into(), view.shape().into());
            return Err(self.error(WeightsError::Shape { tensor: tensor(), network, expected, found }));
        }
        match DType::try_from(view.dtype()) {
            Ok(DType::F32 | DType::F16 | DType::BF16) => {}
            _ => return Err(self.error(WeightsError::Type { tensor: tensor(), found: format!("{:?}", view.dtype()) })),
        }
        let values: Vec<f32> = self.file.load(name, &Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(values),
            Some(index) => Err(self.error(WeightsError::Value { tensor: tensor(), index })),
        }
    }

    /// A convolution `(O, C, k, k)` without bias and the batch norm behind it, folded into weight and bias.
    ///
    /// # Errors
    /// As [`Self::get`]; also a variance below zero.
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

    fn error(&self, reason: WeightsError) -> Error {
        Error::Weights { path: self.path.clone(), reason }
    }
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tensors = self.file.tensors().len();
        f.debug_struct("Weights")
            .field("path", &self.path)
            .field("tensors", &tensors)
            .field("hash", &self.hash)
            .finish()
    }
}

fn hash(file: &BufferedSafetensors) -> u64 {
    let mut tensors = file.tensors();
    tensors.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    fnv1a(tensors.iter().flat_map(|(name, tensor)| {
        let head = format!("{name} {:?} {:?}\n", tensor.dtype(), tensor.shape()).into_bytes();
        head.into_iter().chain(tensor.data().iter().copied())
    }))
}

/// 64-bit FNV-1a of some bytes: names weights and images by their content; no cryptographic hash.
///
/// G. Fowler, L. C. Noll, K.-P. Vo, "The FNV Non-Cryptographic Hash Algorithm", IETF draft.
///
/// ```
/// assert_eq!(frozen_backbone::fnv1a(*b"foobar"), 0x8594_4171_f739_67e8);
/// ```
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let mix = |hash: u64, b: u8| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, mix)
}
