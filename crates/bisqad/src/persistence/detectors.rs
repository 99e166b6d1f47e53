//! Detectors on one backbone.

use std::path::Path;
use std::sync::Arc;

use candle_core::Tensor;
use frozen_backbone::Backbone;
use ndarray::Array1;

use super::{File, Parts, matrix, vector};
use crate::detectors::gaussian::GaussianDetector;
use crate::detectors::memory::MemoryDetector;
use crate::detectors::patch::Calibration;
use crate::detectors::patch::{Fusion, PatchDetector};
use crate::error::Error;
use crate::features::coreset::Memory;
use crate::features::gaussians::{Gaussians, Group};
use crate::features::input_scales::Scales;
use crate::features::whitening::Whitening;
use crate::training::discriminator::Shape;

pub(super) const DETECTOR: &str = "bisqad-detector-5";
pub(super) const GAUSSIAN: &str = "bisqad-gaussian-2";
pub(super) const MEMORY: &str = "bisqad-memory-2";

impl PatchDetector {
    pub(crate) fn to_parts(&self) -> Result<Parts, Error> {
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
            self.trained_at as f32,
        ];
        let mut tensors = gaussians(normal)?;
        tensors.extend([
            ("lengths".to_owned(), vector(self.scales.lengths.iter().flat_map(|&(m, s)| [m, s]).collect())?),
            ("theta".to_owned(), vector(self.theta.clone())?),
            ("numbers".to_owned(), vector(numbers.to_vec())?),
            ("normal_scores".to_owned(), vector(self.normal_scores.clone())?),
            (
                "steered_by".to_owned(),
                vector(self.steered_by.iter().flat_map(|c| [*c as u32, (c >> 32) as u32]).collect())?,
            ),
        ]);
        Ok(Parts::new(DETECTOR, tensors).of(self.backbone.as_ref()))
    }

    /// Reads a detector saved with this `backbone`.
    ///
    /// # Errors
    /// [`Error::File`] if unreadable or damaged, [`Error::Mismatch`] if it belongs to another backbone or format.
    pub fn load(path: &Path, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        Self::read(File::read(path)?, backbone)
    }

    pub(super) fn read(mut file: File<'_>, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        file.is_of(DETECTOR, backbone.as_ref())?;
        let numbers: Vec<f32> = file.vector("numbers")?;
        let &[length, lm, ls, dm, ds, smoothing, hidden, fusion, side] = numbers.as_slice() else {
            return Err(file.damaged("numbers"));
        };
        let channels: Vec<usize> = backbone.levels().iter().map(|level| level.channels).collect();
        let normal = file.gaussians(&channels)?;
        let lengths: Vec<f32> = file.vector("lengths")?;
        let lengths = lengths.chunks_exact(2).map(|c| (c[0], c[1])).collect::<Vec<_>>();
        let scales = Scales { lengths, length, ..Scales::new(&normal) };
        let shape = Shape { inputs: scales.width(), levels: scales.levels.len(), hidden: hidden as usize };
        let theta: Vec<f64> = file.vector("theta")?;
        if scales.lengths.len() != shape.levels || theta.len() != shape.parameters() {
            return Err(file.damaged("theta"));
        }
        Ok(Self {
            backbone,
            normal,
            scales,
            shape,
            theta,
            calibration: Calibration { logit: (lm, ls), distance: (dm, ds) },
            smoothing,
            trained_at: side as usize,
            fusion: match fusion as u8 {
                1 => Fusion::Discriminator,
                2 => Fusion::Distance,
                _ => Fusion::Both,
            },
            normal_scores: file.vector("normal_scores")?,
            steered_by: file
                .vector::<u32>("steered_by")?
                .chunks_exact(2)
                .map(|c| u64::from(c[1]) << 32 | u64::from(c[0]))
                .collect(),
        })
    }
}

impl GaussianDetector {
    pub(crate) fn to_parts(&self) -> Result<Parts, Error> {
        let mut tensors = gaussians(&self.normal)?;
        tensors.push(("smoothing".to_owned(), vector(vec![self.smoothing])?));
        tensors.push(("trained_at".to_owned(), vector(vec![self.trained_at as u32])?));
        tensors.push(("normal_scores".to_owned(), vector(self.normal_scores.clone())?));
        Ok(Parts::new(GAUSSIAN, tensors).of(self.backbone.as_ref()))
    }

    /// Reads a detector saved with this `backbone`.
    ///
    /// # Errors
    /// [`Error::File`] if unreadable or damaged, [`Error::Mismatch`] if it belongs to another backbone or format.
    pub fn load(path: &Path, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        Self::read(File::read(path)?, backbone)
    }

    pub(super) fn read(mut file: File<'_>, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        file.is_of(GAUSSIAN, backbone.as_ref())?;
        let channels = backbone.levels().iter().map(|level| level.channels).sum();
        let normal = file.gaussians(&[channels])?;
        Ok(Self {
            backbone,
            normal,
            smoothing: file.number("smoothing")?,
            trained_at: file.side()?,
            normal_scores: file.vector("normal_scores")?,
        })
    }
}

impl MemoryDetector {
    pub(crate) fn to_parts(&self) -> Result<Parts, Error> {
        let tensors = vec![
            ("mean".to_owned(), vector(self.whitening.mean.to_vec())?),
            ("projection".to_owned(), matrix(&self.whitening.projection)?),
            ("memory".to_owned(), matrix(&self.memory.rows)?),
            ("owners".to_owned(), vector(self.memory.owners.clone())?),
            ("smoothing".to_owned(), vector(vec![self.smoothing])?),
            ("trained_at".to_owned(), vector(vec![self.trained_at as u32])?),
            ("normal_scores".to_owned(), vector(self.normal_scores.clone())?),
        ];
        Ok(Parts::new(MEMORY, tensors).of(self.backbone.as_ref()))
    }

    /// Reads a detector saved with this `backbone`.
    ///
    /// # Errors
    /// [`Error::File`] if unreadable or damaged, [`Error::Mismatch`] if it belongs to another backbone or format.
    pub fn load(path: &Path, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        Self::read(File::read(path)?, backbone)
    }

    pub(super) fn read(mut file: File<'_>, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        file.is_of(MEMORY, backbone.as_ref())?;
        let whitening =
            Whitening { mean: Array1::from(file.vector::<f32>("mean")?), projection: file.matrix("projection")? };
        let channels: usize = backbone.levels().iter().map(|level| level.channels).sum();
        let rows = file.matrix("memory")?;
        let (features, dimensions) = whitening.projection.dim();
        if whitening.mean.len() != channels || features != channels || rows.ncols() != dimensions {
            return Err(file.damaged("projection"));
        }
        let memory = Memory::new(rows, file.vector("owners")?)?;
        let (smoothing, trained_at) = (file.number("smoothing")?, file.side()?);
        Ok(Self { backbone, whitening, memory, smoothing, trained_at, normal_scores: file.vector("normal_scores")? })
    }
}

fn gaussians(normal: &Gaussians) -> Result<Vec<(String, Tensor)>, Error> {
    let mut tensors = vec![
        ("grid".to_owned(), vector(vec![normal.grid.0 as u32, normal.grid.1 as u32])?),
        ("means".to_owned(), matrix(&normal.means)?),
        ("inverses".to_owned(), matrix(&normal.inverses)?),
    ];
    for (i, group) in normal.groups.iter().enumerate() {
        let Whitening { mean, projection } = &group.projection;
        tensors.push((format!("level{i}.mean"), vector(mean.to_vec())?));
        tensors.push((format!("level{i}.projection"), matrix(projection)?));
    }
    Ok(tensors)
}

impl File<'_> {
    /// Gaussians whose groups have these numbers of feature columns.
    fn gaussians(&mut self, channels: &[usize]) -> Result<Gaussians, Error> {
        let (mut groups, mut from) = (Vec::new(), 0);
        for (i, &channels) in channels.iter().enumerate() {
            let mean = Array1::from(self.vector::<f32>(&format!("level{i}.mean"))?);
            let projection = self.matrix(&format!("level{i}.projection"))?;
            if mean.len() != channels || projection.nrows() != channels {
                return Err(self.damaged(&format!("level{i}.projection")));
            }
            groups.push(Group { from, projection: Whitening { mean, projection } });
            from += channels;
        }
        let grid: Vec<u32> = self.vector("grid")?;
        let &[rows, columns] = grid.as_slice() else { return Err(self.damaged("grid")) };
        let grid = (rows as usize, columns as usize);
        let normal = Gaussians { groups, grid, means: self.matrix("means")?, inverses: self.matrix("inverses")? };
        if normal.is_whole() { Ok(normal) } else { Err(self.damaged("inverses")) }
    }

    /// What is kept as `trained_at`.
    fn side(&mut self) -> Result<usize, Error> {
        let side: Vec<u32> = self.vector("trained_at")?;
        side.first().map(|&s| s as usize).ok_or_else(|| self.damaged("trained_at"))
    }
}
