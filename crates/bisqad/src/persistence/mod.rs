//! Detector and checkpoint files: safetensors with metadata that must match. Written to a temporary name and renamed.

mod checkpoint;
mod combined;
mod detectors;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use frozen_backbone::Backbone;
use ndarray::Array2;
use safetensors::SafeTensors;

use crate::detectors::Detector;
use crate::detectors::ensemble::Ensemble;
use crate::detectors::gaussian::GaussianDetector;
use crate::detectors::memory::MemoryDetector;
use crate::detectors::patch::PatchDetector;
use crate::detectors::projected::Projected;
use crate::detectors::tiled::Tiled;
use crate::error::Error;

/// Reads any detector that [`Detector::save`] wrote: every part of it takes the one of `backbones` that it was saved with.
///
/// ```
/// use bisqad::{Detector, Ensemble, GaussianDetector, GaussianParams, MemoryDetector, MemoryParams, NoObserver, load};
/// use frozen_backbone::EfficientNetLite0;
/// use ndarray::Array3;
/// use std::sync::Arc;
///
/// let photo = |i: usize| {
///     Array3::from_shape_fn((64, 64, 3), |(y, x, _)| 0.4 + 0.05 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
/// };
/// let normals: Vec<_> = (0..12).map(photo).collect();
/// let net = Arc::new(EfficientNetLite0::pretrained()?);
/// let params = MemoryParams { memory: 256, ..Default::default() };
/// let memory = MemoryDetector::fit(net.clone(), &normals[..9], &params, &mut NoObserver)?;
/// let gaussian = GaussianDetector::fit(net.clone(), &normals[..9], GaussianParams { dimensions: 8, ..Default::default() })?;
/// let both = Ensemble::new(Arc::new(memory), Arc::new(gaussian), &normals[9..])?;
///
/// let file = tempfile::tempdir()?.keep().join("both.safetensors");
/// both.save(&file)?;
/// let again = load(&file, &[net])?;
/// assert_eq!(again.predict(photo(20).view())?, both.predict(photo(20).view())?);
/// # std::fs::remove_dir_all(file.parent().unwrap())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::File`] if unreadable or damaged, [`Error::Mismatch`] for a format that is none of a detector's or a backbone that is not given.
pub fn load(path: &Path, backbones: &[Arc<dyn Backbone>]) -> Result<Arc<dyn Detector>, Error> {
    File::read(path)?.detector(backbones)
}

/// What a detector's file holds. Made by this crate's own detectors ([`Detector::parts`]).
#[derive(Debug)]
pub struct Parts {
    tensors: Vec<(String, Tensor)>,
    metadata: HashMap<String, String>,
}

impl Parts {
    fn new(format: &str, tensors: Vec<(String, Tensor)>) -> Self {
        Self { tensors, metadata: HashMap::from([("format".to_owned(), format.to_owned())]) }
    }

    fn with(mut self, field: &str, value: String) -> Self {
        self.metadata.insert(field.to_owned(), value);
        self
    }

    /// Says which backbone it belongs to.
    fn of(self, backbone: &dyn Backbone) -> Self {
        self.with("backbone", backbone.id().to_owned()).with("backbone_hash", hash(backbone))
    }

    /// Takes another's parts in, as `name/...`.
    fn holding(mut self, name: &str, other: Parts) -> Self {
        self.tensors.extend(other.tensors.into_iter().map(|(k, v)| (format!("{name}/{k}"), v)));
        self.metadata.extend(other.metadata.into_iter().map(|(k, v)| (format!("{name}/{k}"), v)));
        self
    }

    pub(crate) fn write(self, path: &Path) -> Result<(), Error> {
        let fail =
            |e: &dyn std::fmt::Display| Error::File { path: path.to_owned(), reason: format!("cannot write: {e}") };
        let bytes = safetensors::serialize(self.tensors, Some(self.metadata)).map_err(|e| fail(&e))?;
        imgkit::file::write_atomic(path, bytes).map_err(|e| fail(&e.source))
    }
}

fn hash(backbone: &dyn Backbone) -> String {
    format!("{:016x}", backbone.hash())
}

fn vector<T: candle_core::WithDType>(values: Vec<T>) -> Result<Tensor, Error> {
    let n = values.len();
    Ok(Tensor::from_vec(values, n, &Device::Cpu)?)
}

fn matrix(rows: &Array2<f32>) -> Result<Tensor, Error> {
    Ok(Tensor::from_vec(rows.iter().copied().collect::<Vec<_>>(), rows.dim(), &Device::Cpu)?)
}

/// A file that was read, or what it holds of one detector.
struct File<'a> {
    path: &'a Path,
    tensors: HashMap<String, Tensor>,
    metadata: HashMap<String, String>,
}

impl<'a> File<'a> {
    fn read(path: &'a Path) -> Result<Self, Error> {
        let fail =
            |e: &dyn std::fmt::Display| Error::File { path: path.to_owned(), reason: format!("cannot read: {e}") };
        let bytes = std::fs::read(path).map_err(|e| fail(&e))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| fail(&e))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| fail(&e))?;
        Ok(Self { path, tensors, metadata })
    }

    /// Takes out what was written with [`Parts::holding`].
    fn held(&mut self, name: &str) -> Self {
        fn take<V>(from: &mut HashMap<String, V>, name: &str) -> HashMap<String, V> {
            let names: Vec<String> = from.keys().cloned().collect();
            let inside = names.iter().filter_map(|k| Some((k, k.strip_prefix(name)?.strip_prefix('/')?)));
            inside.filter_map(|(k, rest)| Some((rest.to_owned(), from.remove(k)?))).collect()
        }
        Self { path: self.path, tensors: take(&mut self.tensors, name), metadata: take(&mut self.metadata, name) }
    }

    fn says(&self, field: &str) -> String {
        self.metadata.get(field).cloned().unwrap_or_default()
    }

    fn mismatch(&self, field: &'static str, expected: &str) -> Error {
        let (found, expected) = (self.says(field), expected.to_owned());
        Error::Mismatch { path: self.path.to_owned(), field, found, expected }
    }

    fn expect(&self, field: &'static str, expected: &str) -> Result<(), Error> {
        if self.says(field) == expected { Ok(()) } else { Err(self.mismatch(field, expected)) }
    }

    /// Refuses all but this format and backbone.
    fn is_of(&self, format: &str, backbone: &dyn Backbone) -> Result<(), Error> {
        self.expect("format", format)?;
        self.expect("backbone", backbone.id())?;
        self.expect("backbone_hash", &hash(backbone))
    }

    /// The one of `backbones` that it was saved with.
    fn backbone(&self, backbones: &[Arc<dyn Backbone>]) -> Result<Arc<dyn Backbone>, Error> {
        let found =
            backbones.iter().find(|b| self.says("backbone") == b.id() && self.says("backbone_hash") == hash(&***b));
        let field =
            if backbones.iter().any(|b| self.says("backbone") == b.id()) { "backbone_hash" } else { "backbone" };
        let of = |b: &Arc<dyn Backbone>| if field == "backbone" { b.id().to_owned() } else { hash(&**b) };
        found.cloned().ok_or_else(|| self.mismatch(field, &backbones.iter().map(of).collect::<Vec<_>>().join(" or ")))
    }

    fn detector(self, backbones: &[Arc<dyn Backbone>]) -> Result<Arc<dyn Detector>, Error> {
        let own = |file: &Self| file.backbone(backbones);
        Ok(match self.says("format").as_str() {
            detectors::DETECTOR => Arc::new(own(&self).and_then(|b| PatchDetector::read(self, b))?),
            detectors::GAUSSIAN => Arc::new(own(&self).and_then(|b| GaussianDetector::read(self, b))?),
            detectors::MEMORY => Arc::new(own(&self).and_then(|b| MemoryDetector::read(self, b))?),
            combined::ENSEMBLE => Arc::new(Ensemble::read(self, backbones)?),
            combined::TILED => Arc::new(Tiled::read(self, backbones)?),
            combined::PROJECTED => Arc::new(Projected::read(self, backbones)?),
            _ => return Err(self.mismatch("format", "one of a detector of this version")),
        })
    }

    fn number(&mut self, name: &str) -> Result<f32, Error> {
        self.vector(name)?.first().copied().ok_or_else(|| self.damaged(name))
    }

    fn damaged(&self, name: &str) -> Error {
        let reason = format!("tensor `{name}` is missing or has another shape: the file is damaged, make it again");
        Error::File { path: self.path.to_owned(), reason }
    }

    fn vector<T: candle_core::WithDType>(&mut self, name: &str) -> Result<Vec<T>, Error> {
        let tensor = self.tensors.remove(name).ok_or_else(|| self.damaged(name))?;
        tensor.to_vec1().map_err(|_| self.damaged(name))
    }

    fn matrix(&mut self, name: &str) -> Result<Array2<f32>, Error> {
        let tensor = self.tensors.remove(name).ok_or_else(|| self.damaged(name))?;
        let values = tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?;
        let shape = tensor.dims2().map_err(|_| self.damaged(name))?;
        Array2::from_shape_vec(shape, values).map_err(|_| self.damaged(name))
    }
}
