//! Detector and checkpoint files: safetensors with metadata that must match. Written to a temporary name and renamed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use frozen_backbone::Backbone;
use ndarray::{Array1, Array2};
use safetensors::SafeTensors;

use crate::adam::Adam;
use crate::detector::Calibration;
use crate::discriminator::Shape;
use crate::gaussians::{Gaussians, Group};
use crate::memory::Memory;
use crate::reading::Scales;
use crate::whitening::Whitening;
use crate::{Checkpoint, Error, Fusion, GaussianDetector, MemoryDetector, PatchDetector, RoundReport};

const DETECTOR: &str = "bisqad-detector-5";
const GAUSSIAN: &str = "bisqad-gaussian-1";
const MEMORY: &str = "bisqad-memory-1";
const CHECKPOINT: &str = "bisqad-checkpoint-3";

impl PatchDetector {
    /// Writes everything [`Self::load`] needs; the backbone is named, not stored.
    ///
    /// # Errors
    /// [`Error::File`] if the path cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
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
        write(path, tensors, metadata(DETECTOR, self.backbone.as_ref()))
    }

    /// Reads a detector saved with this `backbone`.
    ///
    /// # Errors
    /// [`Error::File`] if unreadable or damaged, [`Error::Mismatch`] if it belongs to another backbone or format.
    pub fn load(path: &Path, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        let mut file = File::of(path, DETECTOR, backbone.as_ref())?;
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
    /// Writes everything [`Self::load`] needs; the backbone is named, not stored.
    ///
    /// # Errors
    /// [`Error::File`] if the path cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let mut tensors = gaussians(&self.normal)?;
        tensors.push(("smoothing".to_owned(), vector(vec![self.smoothing])?));
        tensors.push(("normal_scores".to_owned(), vector(self.normal_scores.clone())?));
        write(path, tensors, metadata(GAUSSIAN, self.backbone.as_ref()))
    }

    /// Reads a detector saved with this `backbone`.
    ///
    /// # Errors
    /// [`Error::File`] if unreadable or damaged, [`Error::Mismatch`] if it belongs to another backbone or format.
    pub fn load(path: &Path, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        let mut file = File::of(path, GAUSSIAN, backbone.as_ref())?;
        let channels = backbone.levels().iter().map(|level| level.channels).sum();
        let normal = file.gaussians(&[channels])?;
        Ok(Self {
            backbone,
            normal,
            smoothing: file.number("smoothing")?,
            normal_scores: file.vector("normal_scores")?,
        })
    }
}

impl MemoryDetector {
    /// Writes everything [`Self::load`] needs; the backbone is named, not stored.
    ///
    /// # Errors
    /// [`Error::File`] if the path cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let tensors = vec![
            ("mean".to_owned(), vector(self.whitening.mean.to_vec())?),
            ("projection".to_owned(), matrix(&self.whitening.projection)?),
            ("memory".to_owned(), matrix(&self.memory.rows)?),
            ("owners".to_owned(), vector(self.memory.owners.clone())?),
            ("smoothing".to_owned(), vector(vec![self.smoothing])?),
            ("normal_scores".to_owned(), vector(self.normal_scores.clone())?),
        ];
        write(path, tensors, metadata(MEMORY, self.backbone.as_ref()))
    }

    /// Reads a detector saved with this `backbone`.
    ///
    /// # Errors
    /// [`Error::File`] if unreadable or damaged, [`Error::Mismatch`] if it belongs to another backbone or format.
    pub fn load(path: &Path, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        let mut file = File::of(path, MEMORY, backbone.as_ref())?;
        let whitening =
            Whitening { mean: Array1::from(file.vector::<f32>("mean")?), projection: file.matrix("projection")? };
        let channels: usize = backbone.levels().iter().map(|level| level.channels).sum();
        let rows = file.matrix("memory")?;
        let (features, dimensions) = whitening.projection.dim();
        if whitening.mean.len() != channels || features != channels || rows.ncols() != dimensions {
            return Err(file.damaged("projection"));
        }
        let memory = Memory::new(rows, file.vector("owners")?)?;
        let (smoothing, normal_scores) = (file.number("smoothing")?, file.vector("normal_scores")?);
        Ok(Self { backbone, whitening, memory, smoothing, normal_scores })
    }
}

impl Checkpoint {
    /// Writes the state after the last finished round. `run` names what it belongs to (data, parameters).
    ///
    /// # Errors
    /// [`Error::File`] if the path cannot be written.
    pub fn save(&self, path: &Path, run: &str) -> Result<(), Error> {
        let rounds: Vec<f64> = self.rounds.iter().flat_map(RoundReport::numbers).collect();
        let adam = |a: &Adam| vector(vec![a.learning_rate, a.weight_decay, a.step as f64]);
        let tensors = vec![
            ("theta".to_owned(), vector(self.theta.clone())?),
            ("theta.adam".to_owned(), adam(&self.theta_adam)?),
            ("theta.first".to_owned(), vector(self.theta_adam.first.clone())?),
            ("theta.second".to_owned(), vector(self.theta_adam.second.clone())?),
            ("quality".to_owned(), vector(self.quality.clone())?),
            ("quality.adam".to_owned(), adam(&self.quality_adam)?),
            ("quality.first".to_owned(), vector(self.quality_adam.first.clone())?),
            ("quality.second".to_owned(), vector(self.quality_adam.second.clone())?),
            ("rounds".to_owned(), vector(rounds)?),
        ];
        let metadata =
            HashMap::from([("format".to_owned(), CHECKPOINT.to_owned()), ("run".to_owned(), run.to_owned())]);
        write(path, tensors, metadata)
    }

    /// Reads a state that was saved for the same `run`.
    ///
    /// # Errors
    /// [`Error::File`] if unreadable or damaged, [`Error::Mismatch`] if it belongs to another run.
    pub fn load(path: &Path, run: &str) -> Result<Self, Error> {
        let mut file = File::read(path, &[("format", CHECKPOINT), ("run", run)])?;
        let mut adam = |name: &str| -> Result<Adam, Error> {
            let numbers: Vec<f64> = file.vector(&format!("{name}.adam"))?;
            let &[learning_rate, weight_decay, step] = numbers.as_slice() else { return Err(file.damaged(name)) };
            let (first, second) = (file.vector(&format!("{name}.first"))?, file.vector(&format!("{name}.second"))?);
            Ok(Adam { learning_rate, weight_decay, step: step as u64, first, second })
        };
        let (theta_adam, quality_adam) = (adam("theta")?, adam("quality")?);
        let rounds: Vec<f64> = file.vector("rounds")?;
        let rounds = RoundReport::read_all(&rounds).ok_or_else(|| file.damaged("rounds"))?;
        Ok(Self { theta: file.vector("theta")?, theta_adam, quality: file.vector("quality")?, quality_adam, rounds })
    }
}

fn vector<T: candle_core::WithDType>(values: Vec<T>) -> Result<Tensor, Error> {
    let n = values.len();
    Ok(Tensor::from_vec(values, n, &Device::Cpu)?)
}

fn matrix(rows: &Array2<f32>) -> Result<Tensor, Error> {
    Ok(Tensor::from_vec(rows.iter().copied().collect::<Vec<_>>(), rows.dim(), &Device::Cpu)?)
}

/// What every detector's file says of itself.
fn metadata(format: &str, backbone: &dyn Backbone) -> HashMap<String, String> {
    HashMap::from([
        ("format".to_owned(), format.to_owned()),
        ("backbone".to_owned(), backbone.id().to_owned()),
        ("backbone_hash".to_owned(), format!("{:016x}", backbone.hash())),
    ])
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

fn write(path: &Path, tensors: Vec<(String, Tensor)>, metadata: HashMap<String, String>) -> Result<(), Error> {
    let fail = |e: &dyn std::fmt::Display| Error::File { path: path.to_owned(), reason: format!("cannot write: {e}") };
    let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|e| fail(&e))?;
    let temporary = path.with_extension("tmp");
    std::fs::write(&temporary, bytes).map_err(|e| fail(&e))?;
    std::fs::rename(&temporary, path).map_err(|e| fail(&e))
}

/// A file that was read and whose metadata matched.
struct File<'a> {
    path: &'a Path,
    tensors: HashMap<String, Tensor>,
}

impl<'a> File<'a> {
    fn read(path: &'a Path, expected: &[(&'static str, &str)]) -> Result<Self, Error> {
        let fail =
            |e: &dyn std::fmt::Display| Error::File { path: path.to_owned(), reason: format!("cannot read: {e}") };
        let bytes = std::fs::read(path).map_err(|e| fail(&e))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| fail(&e))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        for &(field, expected) in expected {
            let found = metadata.get(field).cloned().unwrap_or_default();
            if found != expected {
                return Err(Error::Mismatch { path: path.to_owned(), field, found, expected: expected.to_owned() });
            }
        }
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| fail(&e))?;
        Ok(Self { path, tensors })
    }

    /// A detector's file of this format and backbone.
    fn of(path: &'a Path, format: &str, backbone: &dyn Backbone) -> Result<Self, Error> {
        let hash = format!("{:016x}", backbone.hash());
        Self::read(path, &[("format", format), ("backbone", backbone.id()), ("backbone_hash", &hash)])
    }

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
