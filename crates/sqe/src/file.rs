//! Saving and loading of estimators: safetensors files whose metadata must match the backbone.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Result as CandleResult, Tensor, Var};
use frozen_backbone::Backbone;
use imgkit::file::write_atomic;
use safetensors::{Dtype, SafeTensors};

use crate::error::Error;
use crate::network::{Head, Sqe};

/// Version of the format, in the metadata of every file.
const FORMAT: &str = "sqe-1";

impl Sqe {
    /// Writes the head, its standardization, and the id and hash of its backbone. The file is complete or not there at
    /// all.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let vector = |values: &[f32]| Tensor::from_slice(values, values.len(), &Device::Cpu);
        let tensors = || -> CandleResult<Vec<(&str, Tensor)>> {
            let trained = self.vars.iter().map(|(name, var)| (*name, var.as_tensor().clone()));
            Ok(trained.chain([("mean", vector(&self.mean)?), ("scale", vector(&self.scale)?)]).collect())
        };
        let metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("backbone".to_owned(), self.backbone_id.clone()),
            ("backbone_hash".to_owned(), format!("{:016x}", self.backbone_hash)),
            ("hidden".to_owned(), self.head.hidden().to_string()),
        ]);
        let tensors = tensors().map_err(Error::network)?;
        let bytes = safetensors::serialize(tensors.iter().map(|(name, tensor)| (name, tensor)), Some(metadata))
            .map_err(|e| Error::Network { source: e.into() })?;
        Ok(write_atomic(path, bytes)?)
    }

    /// Reads an estimator that [`Self::save`] wrote for this `backbone`.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Damaged`]; [`Error::Mismatch`] for a file of another backbone or version of the
    /// format.
    pub fn load(path: &Path, backbone: &dyn Backbone) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::from_bytes(path, &bytes, backbone)
    }

    /// Reads an estimator from the content of its file; errors name `path`.
    ///
    /// # Errors
    /// As [`Self::load`], but for [`Error::Read`].
    pub fn from_bytes(path: &Path, bytes: &[u8], backbone: &dyn Backbone) -> Result<Self, Error> {
        let damaged = |source| Error::Damaged { path: path.to_owned(), source };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(e.into()))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let check = |field: &'static str, expected: String| {
            let found = metadata.get(field).cloned().unwrap_or_default();
            let same = found == expected;
            if same { Ok(()) } else { Err(Error::Mismatch { path: path.to_owned(), field, found, expected }) }
        };
        check("format", FORMAT.to_owned())?;
        check("backbone", backbone.id().to_owned())?;
        check("backbone_hash", format!("{:016x}", backbone.hash()))?;
        let hidden: usize = metadata
            .get("hidden")
            .and_then(|h| h.parse().ok())
            .ok_or_else(|| damaged("its metadata lacks the number `hidden`".into()))?;
        let head = if hidden == 0 { Head::Global } else { Head::Masked { hidden } };
        let (width, layout) = head.layout(backbone)?;

        let tensors = SafeTensors::deserialize(bytes).map_err(|e| damaged(e.into()))?;
        let values = |name: &str, shape: &[usize]| -> Result<Vec<f32>, Error> {
            let tensor = tensors.tensor(name).map_err(|e| damaged(e.into()))?;
            if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
                let (kind, found) = (tensor.dtype(), tensor.shape());
                return Err(damaged(format!("tensor `{name}` is {kind:?} {found:?}, expected F32 {shape:?}").into()));
            }
            let numbers = tensor.data().as_chunks().0.iter();
            let values: Vec<f32> = numbers.map(|number| f32::from_le_bytes(*number)).collect();
            let finite = values.iter().all(|v| v.is_finite());
            if finite { Ok(values) } else { Err(damaged(format!("tensor `{name}` is not finite").into())) }
        };
        let mut vars = Vec::new();
        for (name, shape) in layout {
            let tensor = Tensor::from_vec(values(name, &[shape.0, shape.1])?, shape, &Device::Cpu);
            vars.push((name, tensor.and_then(|t| Var::from_tensor(&t)).map_err(Error::network)?));
        }
        let (mean, scale) = (values("mean", &[width])?, values("scale", &[width])?);
        if !scale.iter().all(|s| *s > 0.0) {
            return Err(damaged("tensor `scale` holds a number that is not positive".into()));
        }
        Ok(Self { head, backbone_id: backbone.id().to_owned(), backbone_hash: backbone.hash(), mean, scale, vars })
    }
}
