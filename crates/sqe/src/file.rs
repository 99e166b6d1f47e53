//! Saving and loading of estimators.

use std::path::Path;

use candle_core::{Device, Tensor, Var};
use frozen_backbone::Backbone;
use frozen_backbone::model_file::{ModelFile, ModelParts, ModelTensor};
use ndarray::Array2;

use crate::error::Error;
use crate::network::{Head, Sqe};

/// Version of the format, in the metadata of every file.
const FORMAT: &str = "sqe-1";

impl Sqe {
    /// Writes the head, its standardization, and the id and hash of its backbone. The file is complete or not there at
    /// all.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let mut tensors = vec![
            ("mean".to_owned(), ModelTensor::vector(&self.mean)),
            ("scale".to_owned(), ModelTensor::vector(&self.scale)),
        ];
        for (name, var) in &self.vars {
            let values = var.flatten_all().and_then(|v| v.to_vec1::<f32>()).map_err(Error::network)?;
            let shape = var.dims2().map_err(Error::network)?;
            let values = Array2::from_shape_vec(shape, values).map_err(|e| Error::Network { source: e.into() })?;
            tensors.push(((*name).to_owned(), ModelTensor::matrix(values.view())));
        }
        let parts = ModelParts::new(FORMAT, tensors)
            .with_backbone(&self.backbone_id, self.backbone_hash)
            .with_field("hidden", self.head.hidden().to_string());
        Ok(parts.write(path)?)
    }

    /// Reads an estimator that [`Self::save`] wrote for this `backbone`.
    ///
    /// # Errors
    /// [`Error::File`] if it is unreadable or not whole, or of another backbone or version of the format.
    pub fn load(path: &Path, backbone: &dyn Backbone) -> Result<Self, Error> {
        Self::read(ModelFile::read(path)?, backbone)
    }

    /// Reads an estimator from the content of its file; errors name `path`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_bytes(path: &Path, bytes: &[u8], backbone: &dyn Backbone) -> Result<Self, Error> {
        Self::read(ModelFile::from_bytes(path, bytes)?, backbone)
    }

    fn read(mut file: ModelFile, backbone: &dyn Backbone) -> Result<Self, Error> {
        file.expect_backbone(FORMAT, backbone)?;
        let hidden: usize = file.field("hidden").parse().map_err(|_| file.damaged("hidden"))?;
        let head = if hidden == 0 { Head::Global } else { Head::Masked { hidden } };
        let (width, layout) = head.layout(backbone)?;

        let mut vars = Vec::new();
        for (name, shape) in layout {
            let values = file.matrix(name)?;
            if values.dim() != shape {
                return Err(file.damaged(name).into());
            }
            let tensor = Tensor::from_vec(values.into_iter().collect(), shape, &Device::Cpu);
            vars.push((name, tensor.and_then(|t| Var::from_tensor(&t)).map_err(Error::network)?));
        }
        let mut values = |name: &str| -> Result<Vec<f32>, Error> {
            let values: Vec<f32> = file.vector(name)?;
            if values.len() == width { Ok(values) } else { Err(file.damaged(name).into()) }
        };
        let (mean, scale) = (values("mean")?, values("scale")?);
        if let Some(&bad) = scale.iter().find(|s| **s <= 0.0) {
            return Err(file.out_of_range("scale", bad, "positive").into());
        }
        Ok(Self { head, backbone_id: backbone.id().to_owned(), backbone_hash: backbone.hash(), mean, scale, vars })
    }
}
