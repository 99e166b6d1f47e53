//! Files of detectors on one backbone.

use std::path::Path;
use std::sync::Arc;

use frozen_backbone::Backbone;
use frozen_backbone::model_file::{ModelFile, ModelParts, ModelTensor, Number};
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

/// Largest shorter side of training images that a file may name, px: beyond it `f32` holds no odd number.
const MAX_SIDE: usize = 1 << 24;
const SIDE: &str = "a side in 1 to 16 777 216 px";

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
        for spread in [length, ls, ds] {
            file.ensure(spread > 0.0, "numbers", spread, "positive where it is a spread or a length")?;
        }
        file.ensure((0.0..=MAX_SMOOTHING).contains(&smoothing), "numbers", smoothing, "a smoothing in [0, 100] px")?;
        let fusion = match file.whole("numbers", fusion, 2, "0, 1 or 2 for the fusion")? {
            0 => Fusion::Both,
            1 => Fusion::Discriminator,
            _ => Fusion::Distance,
        };
        let training_side = file.whole("numbers", side, MAX_SIDE, SIDE)?;
        file.ensure(training_side > 0, "numbers", side, SIDE)?;
        let channels: Vec<usize> = backbone.levels().iter().map(|level| level.channels).collect();
        let normal = file.gaussians(&channels)?;
        let (lengths, odd) = file.pairs::<f32>("lengths")?;
        let scales = Scales { lengths, length, ..Scales::new(&normal) };
        let theta: Vec<f64> = file.vector("theta")?;
        // no more units than there are parameters: also keeps the product of sizes from overflowing
        let hidden = file.whole("numbers", hidden, theta.len(), "a count of hidden units that fits theta")?;
        let shape = Shape { inputs: scales.width(), levels: scales.levels.len(), hidden };
        if scales.lengths.len() != shape.levels || odd {
            return Err(file.damaged("lengths").into());
        }
        for &(_, deviation) in &scales.lengths {
            file.ensure(deviation > 0.0, "lengths", deviation, "positive where it is a deviation")?;
        }
        if theta.len() != shape.parameters() {
            return Err(file.damaged("theta").into());
        }
        if let Some(&value) = theta.iter().find(|v| v.abs() > f64::from(f32::MAX)) {
            return Err(file.out_of_range("theta", value, "a 32-bit number").into());
        }
        let normal_scores = file.scores()?;
        let (hashes, odd) = file.pairs::<u32>("steered_by")?;
        if odd {
            return Err(file.damaged("steered_by").into());
        }
        Ok(Self {
            backbone,
            normal,
            scales,
            shape,
            theta,
            calibration: Calibration { logit: (lm, ls), distance: (dm, ds) },
            smoothing,
            training_side,
            fusion,
            normal_scores,
            validation_hashes: hashes.into_iter().map(|(low, high)| u64::from(high) << 32 | u64::from(low)).collect(),
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
            normal_scores: file.scores()?,
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
        file.ensure_seen("projection", &whitening)?;
        let memory = Memory::new(rows);
        let (smoothing, training_side, normal_scores) = (file.smoothing()?, file.side()?, file.scores()?);
        Ok(Self { backbone, whitening, memory, smoothing, training_side, normal_scores })
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
pub(super) trait DetectorFile {
    /// Reads the image scores of held-out normal images, which are means of 32-bit numbers.
    fn scores(&mut self) -> Result<Vec<f64>, Error>;
    /// Reads a tensor of pairs; whether a number is left over.
    fn pairs<T: Number>(&mut self, name: &str) -> Result<(Vec<(T, T)>, bool), Error>;
    /// Checks that a projection keeps a dimension and that none of them is blind to all features.
    fn ensure_seen(&self, name: &str, projection: &Whitening) -> Result<(), Error>;
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
            let name = format!("level{i}.projection");
            if mean.len() != channels || projection.nrows() != channels {
                return Err(self.damaged(&name).into());
            }
            let projection = Whitening { mean, projection };
            self.ensure_seen(&name, &projection)?;
            groups.push(Group { from, projection });
            from += channels;
        }
        let grid: Vec<u32> = self.vector("grid")?;
        let &[rows, columns] = grid.as_slice() else { return Err(self.damaged("grid").into()) };
        let grid = (rows as usize, columns as usize);
        let normal = Gaussians { groups, grid, means: self.matrix("means")?, inverses: self.matrix("inverses")? };
        if !normal.is_whole() {
            return Err(self.damaged("inverses").into());
        }
        let bad = normal.scales().find(|scale| *scale <= 0.0);
        match bad {
            None => Ok(normal),
            Some(value) => Err(self.out_of_range("inverses", value, "positive where it scales a direction").into()),
        }
    }

    fn scores(&mut self) -> Result<Vec<f64>, Error> {
        const NAME: &str = "normal_scores";
        let scores: Vec<f64> = self.vector(NAME)?;
        match scores.iter().find(|s| s.abs() > f64::from(f32::MAX)) {
            None => Ok(scores),
            Some(&value) => Err(self.out_of_range(NAME, value, "a 32-bit number").into()),
        }
    }

    fn pairs<T: Number>(&mut self, name: &str) -> Result<(Vec<(T, T)>, bool), Error> {
        let values: Vec<T> = self.vector(name)?;
        let (pairs, rest) = values.as_chunks::<2>();
        Ok((pairs.iter().map(|&[a, b]| (a, b)).collect(), !rest.is_empty()))
    }

    fn ensure_seen(&self, name: &str, projection: &Whitening) -> Result<(), Error> {
        if projection.projection.ncols() == 0 {
            return Err(self.damaged(name).into());
        }
        let blind = projection.projection.columns().into_iter().any(|column| column.iter().all(|v| *v == 0.0));
        Ok(self.ensure(!blind, name, 0.0, "another number somewhere in each column")?)
    }

    fn smoothing(&mut self) -> Result<f32, Error> {
        let smoothing: f32 = self.number("smoothing")?;
        self.ensure((0.0..=MAX_SMOOTHING).contains(&smoothing), "smoothing", smoothing, "in [0, 100] px")?;
        Ok(smoothing)
    }

    fn side(&mut self) -> Result<usize, Error> {
        let side: u32 = self.number("trained_at")?;
        self.ensure((1..=MAX_SIDE as u32).contains(&side), "trained_at", side, SIDE)?;
        Ok(side as usize)
    }
}
