//! Saving and loading: safetensors with metadata that must match.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use frozen_backbone::Backbone;
use safetensors::SafeTensors;

use crate::{Error, Head, Sqe};

const FORMAT: &str = "sqe-1";

impl Sqe {
    /// Writes the head, its standardisation and what it belongs to. Written to a temporary name and renamed.
    ///
    /// # Errors
    /// [`Error::File`] if the path cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let fail =
            |e: &dyn std::fmt::Display| Error::File { path: path.to_owned(), reason: format!("cannot write: {e}") };
        let n = self.width();
        let mut tensors: Vec<(String, Tensor)> =
            self.vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
        tensors.push(("mean".into(), Tensor::from_vec(self.mean.clone(), n, &Device::Cpu)?));
        tensors.push(("scale".into(), Tensor::from_vec(self.scale.clone(), n, &Device::Cpu)?));
        let metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("backbone".to_owned(), self.backbone_id.clone()),
            ("backbone_hash".to_owned(), format!("{:016x}", self.backbone_hash)),
            ("hidden".to_owned(), self.head.hidden().to_string()),
        ]);
        let bytes =
            safetensors::serialize(tensors.iter().map(|(n, t)| (n, t)), Some(metadata)).map_err(|e| fail(&e))?;
        let temporary = path.with_extension("tmp");
        std::fs::write(&temporary, bytes).map_err(|e| fail(&e))?;
        std::fs::rename(&temporary, path).map_err(|e| fail(&e))
    }

    /// Reads a head saved for this `backbone`.
    ///
    /// # Errors
    /// [`Error::File`] if unreadable or damaged, [`Error::Mismatch`] if it belongs to another backbone or format.
    pub fn load(path: &Path, backbone: &dyn Backbone) -> Result<Self, Error> {
        let fail =
            |e: &dyn std::fmt::Display| Error::File { path: path.to_owned(), reason: format!("cannot read: {e}") };
        let bytes = std::fs::read(path).map_err(|e| fail(&e))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| fail(&e))?;
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
            .ok_or_else(|| fail(&"its metadata lacks a number `hidden`"))?;
        let head = if hidden == 0 { Head::Global } else { Head::Masked { hidden } };
        let mut sqe = Self::new(backbone, head, 0)?;
        let mut tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
        let mut take = |name: &str| tensors.remove(name).ok_or_else(|| fail(&format!("tensor `{name}` is missing")));
        for (name, var) in &sqe.vars {
            var.set(&take(name)?)?;
        }
        let (mean, scale) = (take("mean")?.to_vec1()?, take("scale")?.to_vec1()?);
        if mean.len() != sqe.width() || scale.len() != sqe.width() {
            return Err(Error::Width { found: mean.len(), expected: sqe.width() });
        }
        (sqe.mean, sqe.scale) = (mean, scale);
        Ok(sqe)
    }
}
