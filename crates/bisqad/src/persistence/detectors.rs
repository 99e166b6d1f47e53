//! Files of detectors on one backbone.

use std::path::Path;
use std::sync::Arc;

use frozen_backbone::Backbone;
use frozen_backbone::model_file::{ModelFile, ModelParts, ModelTensor};
use ndarray::Array1;

use crate::detectors::gaussian::GaussianDetector;
use crate::detectors::memory::MemoryDetector;
use crate::detectors::patch::{Calibration, Fusion, PatchDetector};
use crate::error::Error;
use crate::features::coreset::Memory;
use crate::features::gaussians::{Gaussians, Group};
use crate::features::input_scales::Scales;
use crate::features::whitening::Whitening;
use crate::persistence::format::Persist;
use crate::training::discriminator::Shape;

pub(super) const DETECTOR: &str = "bisqad-detector-5";
pub(super) const GAUSSIAN: &str = "bisqad-gaussian-2";
pub(super) const MEMORY: &str = "bisqad-memory-2";

/// Largest smoothing that a file may ask for, px: earlier versions fitted position Gaussians with up to 100.
const MAX_SMOOTHING: f32 = 100.0;

impl Persist for PatchDetector {
    fn parts(&self) -> Result<ModelParts, Error> {
        let (c, normal) = (&self.calibration, &self.normal);
        let numbers = [
            self.scales.length,
            c.logit.0,
            c.logit.1,
            c.distance.0,
            c.distance.1,
            self.smoothing,
            self.shape.hidden as f32,
            match self.fusion {
                Fusion::Both => 0.0,
                Fusion::Discriminator => 1.0,
                Fusion::Distance => 2.0,
            },
            self.training_side as f32,
        ];
        let lengths: Vec<f32> = self.scales.lengths.iter().flat_map(|&(mean, deviation)| [mean, deviation]).collect();
        let hashes: Vec<u32> = self.validation_hashes.iter().flat_map(|h| [*h as u32, (h >> 32) as u32]).collect();
        let mut tensors = gaussians(normal);
        tensors.extend([
            ("lengths".to_owned(), ModelTensor::vector(&lengths)),
            ("theta".to_owned(), ModelTensor::vector(&self.theta)),
            ("numbers".to_owned(), ModelTensor::vector(&numbers)),
            ("normal_scores".to_owned(), ModelTensor::vector(&self.normal_scores)),
            ("steered_by".to_owned(), ModelTensor::vector(&hashes)),
        ]);
        Ok(ModelParts::new(DETECTOR, tensors).with_backbone(self.backbone.id(), self.backbone.hash()))
    }
}

impl PatchDetector {
    /// Reads a detector saved with this `backbone`.
    ///
    /// # Errors
    /// [`Error::File`] if it is unreadable or not whole, or belongs to another backbone or format.
    pub fn load(path: &Path, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        Self::read(ModelFile::read(path)?, backbone)
    }

    pub(super) fn read(mut file: ModelFile, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        file.expect_backbone(DETECTOR, backbone.as_ref())?;
        let numbers: Vec<f32> = file.vector("numbers")?;
        let &[length, lm, ls, dm, ds, smoothing, hidden, fusion, side] = numbers.as_slice() else {
            return Err(file.damaged("numbers").into());
        };
        let channels: Vec<usize> = backbone.levels().iter().map(|level| level.channels).collect();
        let normal = file.gaussians(&channels)?;
        let lengths: Vec<f32> = file.vector("lengths")?;
        let lengths = lengths.chunks_exact(2).map(|c| (c[0], c[1])).collect::<Vec<_>>();
        let scales = Scales { lengths, length, ..Scales::new(&normal) };
        let shape = Shape { inputs: scales.width(), levels: scales.levels.len(), hidden: hidden as usize };
        let theta: Vec<f64> = file.vector("theta")?;
        // also keeps the product of sizes from overflowing
        if shape.hidden > theta.len() {
            return Err(file.damaged("numbers").into());
        }
        if !(0.0..=MAX_SMOOTHING).contains(&smoothing) {
            return Err(file.damaged("numbers").into());
        }
        if scales.lengths.len() != shape.levels || theta.len() != shape.parameters() {
            return Err(file.damaged("theta").into());
        }
        Ok(Self {
            backbone,
            normal,
            scales,
            shape,
            theta,
            calibration: Calibration { logit: (lm, ls), distance: (dm, ds) },
            smoothing,
            training_side: side as usize,
            fusion: match fusion as u8 {
                1 => Fusion::Discriminator,
                2 => Fusion::Distance,
                _ => Fusion::Both,
            },
            normal_scores: file.vector("normal_scores")?,
            validation_hashes: file
                .vector::<u32>("steered_by")?
                .chunks_exact(2)
                .map(|c| u64::from(c[1]) << 32 | u64::from(c[0]))
                .collect(),
        })
    }
}

impl Persist for GaussianDetector {
    fn parts(&self) -> Result<ModelParts, Error> {
        let mut tensors = gaussians(&self.normal);
        tensors.push(("smoothing".to_owned(), ModelTensor::vector(&[self.smoothing])));
        tensors.push(("trained_at".to_owned(), ModelTensor::vector(&[self.training_side as u32])));
        tensors.push(("normal_scores".to_owned(), ModelTensor::vector(&self.normal_scores)));
        Ok(ModelParts::new(GAUSSIAN, tensors).with_backbone(self.backbone.id(), self.backbone.hash()))
    }
}

impl GaussianDetector {
    /// Reads a detector saved with this `backbone`.
    ///
    /// # Errors
    /// [`Error::File`] if it is unreadable or not whole, or belongs to another backbone or format.
    pub fn load(path: &Path, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        Self::read(ModelFile::read(path)?, backbone)
    }

    pub(super) fn read(mut file: ModelFile, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        file.expect_backbone(GAUSSIAN, backbone.as_ref())?;
        let channels = backbone.levels().iter().map(|level| level.channels).sum();
        let normal = file.gaussians(&[channels])?;
        Ok(Self {
            backbone,
            normal,
            smoothing: file.smoothing()?,
            training_side: file.side()?,
            normal_scores: file.vector("normal_scores")?,
        })
    }
}

impl Persist for MemoryDetector {
    fn parts(&self) -> Result<ModelParts, Error> {
        let tensors = vec![
            ("mean".to_owned(), ModelTensor::vector(&self.whitening.mean.to_vec())),
            ("projection".to_owned(), ModelTensor::matrix(self.whitening.projection.view())),
            ("memory".to_owned(), ModelTensor::matrix(self.memory.rows.view())),
            ("smoothing".to_owned(), ModelTensor::vector(&[self.smoothing])),
            ("trained_at".to_owned(), ModelTensor::vector(&[self.training_side as u32])),
            ("normal_scores".to_owned(), ModelTensor::vector(&self.normal_scores)),
        ];
        Ok(ModelParts::new(MEMORY, tensors).with_backbone(self.backbone.id(), self.backbone.hash()))
    }
}

impl MemoryDetector {
    /// Reads a detector saved with this `backbone`.
    ///
    /// # Errors
    /// [`Error::File`] if it is unreadable or not whole, or belongs to another backbone or format.
    pub fn load(path: &Path, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        Self::read(ModelFile::read(path)?, backbone)
    }

    pub(super) fn read(mut file: ModelFile, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        file.expect_backbone(MEMORY, backbone.as_ref())?;
        let whitening =
            Whitening { mean: Array1::from(file.vector::<f32>("mean")?), projection: file.matrix("projection")? };
        let channels: usize = backbone.levels().iter().map(|level| level.channels).sum();
        let rows = file.matrix("memory")?;
        let (features, dimensions) = whitening.projection.dim();
        if rows.nrows() == 0 {
            return Err(file.damaged("memory").into());
        }
        if whitening.mean.len() != channels || features != channels || rows.ncols() != dimensions {
            return Err(file.damaged("projection").into());
        }
        let memory = Memory::new(rows);
        let (smoothing, training_side) = (file.smoothing()?, file.side()?);
        Ok(Self { backbone, whitening, memory, smoothing, training_side, normal_scores: file.vector("normal_scores")? })
    }
}

fn gaussians(normal: &Gaussians) -> Vec<(String, ModelTensor)> {
    let mut tensors = vec![
        ("grid".to_owned(), ModelTensor::vector(&[normal.grid.0 as u32, normal.grid.1 as u32])),
        ("means".to_owned(), ModelTensor::matrix(normal.means.view())),
        ("inverses".to_owned(), ModelTensor::matrix(normal.inverses.view())),
    ];
    for (i, group) in normal.groups.iter().enumerate() {
        let Whitening { mean, projection } = &group.projection;
        tensors.push((format!("level{i}.mean"), ModelTensor::vector(&mean.to_vec())));
        tensors.push((format!("level{i}.projection"), ModelTensor::matrix(projection.view())));
    }
    tensors
}

/// What files of several detectors hold.
trait DetectorFile {
    /// Reads Gaussians whose groups have these numbers of feature columns.
    fn gaussians(&mut self, channels: &[usize]) -> Result<Gaussians, Error>;
    /// Standard deviation of the smoothing of the map, px.
    fn smoothing(&mut self) -> Result<f32, Error>;
    /// Shorter side of the training images, px.
    fn side(&mut self) -> Result<usize, Error>;
}

impl DetectorFile for ModelFile {
    fn gaussians(&mut self, channels: &[usize]) -> Result<Gaussians, Error> {
        let (mut groups, mut from) = (Vec::new(), 0);
        for (i, &channels) in channels.iter().enumerate() {
            let mean = Array1::from(self.vector::<f32>(&format!("level{i}.mean"))?);
            let projection = self.matrix(&format!("level{i}.projection"))?;
            if mean.len() != channels || projection.nrows() != channels {
                return Err(self.damaged(&format!("level{i}.projection")).into());
            }
            groups.push(Group { from, projection: Whitening { mean, projection } });
            from += channels;
        }
        let grid: Vec<u32> = self.vector("grid")?;
        let &[rows, columns] = grid.as_slice() else { return Err(self.damaged("grid").into()) };
        let grid = (rows as usize, columns as usize);
        let normal = Gaussians { groups, grid, means: self.matrix("means")?, inverses: self.matrix("inverses")? };
        if normal.is_whole() { Ok(normal) } else { Err(self.damaged("inverses").into()) }
    }

    fn smoothing(&mut self) -> Result<f32, Error> {
        let smoothing = *self.vector::<f32>("smoothing")?.first().ok_or_else(|| self.damaged("smoothing"))?;
        let ok = (0.0..=MAX_SMOOTHING).contains(&smoothing);
        if ok { Ok(smoothing) } else { Err(self.damaged("smoothing").into()) }
    }

    fn side(&mut self) -> Result<usize, Error> {
        let side: Vec<u32> = self.vector("trained_at")?;
        Ok(side.first().map(|&s| s as usize).ok_or_else(|| self.damaged("trained_at"))?)
    }
}
