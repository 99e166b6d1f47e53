//! Files of the evidence detector.

use std::path::Path;
use std::sync::Arc;

use frozen_backbone::Backbone;
use frozen_backbone::model_file::{ModelFile, ModelParts, ModelTensor};
use imgkit::level::Window;
use ndarray::{Array1, Array2};

use crate::detectors::evidence::{EvidenceDetector, NormalImage};
use crate::error::Error;
use crate::evidence::bank::Bank;
use crate::evidence::heads::Head;
use crate::evidence::level::Level;
use crate::evidence::place_gaussian::PlaceGaussian;
use crate::evidence::place_nearest::PlaceNearest;
use crate::evidence::{Evidence, EvidenceKind};
use crate::features::gaussians::{Gaussians, Group};
use crate::features::whitening::Whitening;
use crate::persistence::detectors::DetectorFile;
use crate::persistence::format::Persist;
use crate::persistence::load::{WINDOWED, read_window};
use crate::selection::criterion::Reduction;
use crate::views::registration::Registration;

pub(super) const EVIDENCE: &str = "bisqad-evidence-2";

/// Name of what is known of real defects; files of detectors that were fitted with none lack it.
const DEFECTS: &str = "defects";

/// Largest side, number of images and weight that a file may name.
const MOST: usize = 1 << 24;

impl Persist for EvidenceDetector {
    fn parts(&self) -> Result<ModelParts, Error> {
        let counts = [self.side as u32, self.training_side as u32, self.levels.len() as u32];
        let normals = || self.normals.iter();
        let hashes = halves(normals().map(|n| n.hash));
        let scores: Vec<f64> = normals().map(|n| n.score).collect();
        let removed: Vec<u32> = normals().map(|n| u32::from(n.removed)).collect();
        let numbers = [
            f64::from(self.sum_scale.0),
            f64::from(self.sum_scale.1),
            f64::from(self.head_scale.0),
            f64::from(self.head_scale.1),
            f64::from(self.head_weight),
            f64::from(self.reduction.smoothing),
            self.reduction.share,
        ];
        let pairs = |scales: &mut dyn Iterator<Item = (f32, f32)>| -> Vec<f32> {
            scales.flat_map(|(mean, deviation)| [mean, deviation]).collect()
        };
        let channels = self.heads.first().map_or(0, |head| head.weights.iter().map(Vec::len).sum());
        let weights: Vec<f32> = self.heads.iter().flat_map(|head| head.weights.concat()).collect();
        let weights = Array2::from_shape_vec((self.heads.len(), channels), weights).unwrap_or_default();
        let biases: Vec<f32> = self.heads.iter().map(|head| head.bias).collect();
        let names: Vec<&str> = self.mechanisms();
        let mut tensors = vec![
            ("counts".to_owned(), ModelTensor::vector(&counts)),
            ("numbers".to_owned(), ModelTensor::vector(&numbers)),
            ("term_scales".to_owned(), ModelTensor::vector(&pairs(&mut self.term_scales.iter().copied()))),
            ("head_weights".to_owned(), ModelTensor::matrix(weights.view())),
            ("head_biases".to_owned(), ModelTensor::vector(&biases)),
            ("head_scales".to_owned(), ModelTensor::vector(&pairs(&mut self.heads.iter().map(|head| head.scale)))),
            ("normal_scores".to_owned(), ModelTensor::vector(&scores)),
            ("normal_hashes".to_owned(), ModelTensor::vector(&hashes)),
            ("removed".to_owned(), ModelTensor::vector(&removed)),
        ];
        if let Some(reference) = self.registration.as_ref().and_then(Registration::reference) {
            tensors.push(("reference".to_owned(), ModelTensor::matrix(reference.view())));
        }
        let mut parts = ModelParts::new(EVIDENCE, tensors)
            .with_backbone(self.backbone.id(), self.backbone.hash())
            .with_field("mechanisms", names.join("\n"));
        if !self.defect_hashes.is_empty() {
            let hashes = halves(self.defect_hashes.iter().copied());
            let tensors = vec![
                ("scores".to_owned(), ModelTensor::vector(&self.defect_scores)),
                ("hashes".to_owned(), ModelTensor::vector(&hashes)),
            ];
            parts = parts.with_model(DEFECTS, ModelParts::new(DEFECTS, tensors));
        }
        if self.registration.is_some() {
            parts = parts.with_field("aligned", "yes");
        }
        for (i, level) in self.levels.iter().enumerate() {
            parts = parts.with_model(&format!("level{i}"), level_parts(level));
        }
        Ok(parts)
    }
}

fn level_parts(level: &Level) -> ModelParts {
    let normal = &level.gaussians;
    let mut tensors = vec![
        ("number".to_owned(), ModelTensor::vector(&[level.level as u32])),
        ("grid".to_owned(), ModelTensor::vector(&[normal.grid.0 as u32, normal.grid.1 as u32])),
        ("means".to_owned(), ModelTensor::half_matrix(normal.means.view())),
        ("inverses".to_owned(), ModelTensor::half_matrix(normal.inverses.view())),
    ];
    for Group { projection, .. } in &normal.groups {
        tensors.push(("mean".to_owned(), ModelTensor::vector(&projection.mean.to_vec())));
        tensors.push(("projection".to_owned(), ModelTensor::matrix(projection.projection.view())));
    }
    let kinds: Vec<&str> = level.evidence.iter().map(|evidence| evidence.kind().name()).collect();
    for evidence in &level.evidence {
        let name = |tensor: &str| format!("{}.{tensor}", evidence.kind().name());
        tensors.extend(evidence.tensors().into_iter().map(|(tensor, values)| (name(tensor), values)));
    }
    ModelParts::new("level", tensors).with_field("kinds", kinds.join("\n"))
}

impl EvidenceDetector {
    /// Reads a detector saved with this `backbone`.
    ///
    /// # Errors
    /// [`Error::File`] if it is unreadable or not whole, or belongs to another backbone or format.
    pub fn load(path: &Path, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        Self::read(ModelFile::read(path)?, backbone)
    }

    /// Reads a detector as [`Self::load`] does, alone or in a [`Windowed`](crate::Windowed), with its window.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_windowed(path: &Path, backbone: Arc<dyn Backbone>) -> Result<(Self, Option<Window>), Error> {
        let mut file = ModelFile::read(path)?;
        if file.field("format") != WINDOWED {
            return Ok((Self::read(file, backbone)?, None));
        }
        let detector = Self::read(file.take_model("detector"), backbone)?;
        Ok((detector, Some(read_window(&mut file)?)))
    }

    pub(super) fn read(mut file: ModelFile, backbone: Arc<dyn Backbone>) -> Result<Self, Error> {
        file.expect_backbone(EVIDENCE, backbone.as_ref())?;
        let counts: Vec<u32> = file.vector("counts")?;
        let &[side, training_side, levels] = counts.as_slice() else {
            return Err(file.damaged("counts").into());
        };
        for value in [side, training_side] {
            file.ensure((1..=MOST as u32).contains(&value), "counts", value, "a side in 1 to 16 777 216 px")?;
        }
        let channels: Vec<usize> = backbone.levels().iter().map(|level| level.channels).collect();
        file.ensure(levels > 0 && levels as usize <= channels.len(), "counts", levels, "levels of the backbone")?;
        let numbers: Vec<f64> = file.vector("numbers")?;
        let &[sum, sum_deviation, head, head_deviation, head_weight, smoothing, share] = numbers.as_slice() else {
            return Err(file.damaged("numbers").into());
        };
        for value in [sum_deviation, head_deviation] {
            file.ensure(value as f32 > 0.0, "numbers", value, "positive where it is a deviation")?;
        }
        let ok = (0.0..=MOST as f64).contains(&head_weight);
        file.ensure(ok, "numbers", head_weight, "a weight of the heads of at least 0")?;
        file.ensure((0.0..=100.0).contains(&smoothing), "numbers", smoothing, "a smoothing in [0, 100] patches")?;
        file.ensure(share > 0.0 && share <= 1.0, "numbers", share, "a share in (0, 1]")?;
        let levels = (0..levels)
            .map(|i| read_level(file.take_model(&format!("level{i}")), &channels))
            .collect::<Result<Vec<Level>, Error>>()?;
        let term_scales = scales(&mut file, "term_scales", levels.iter().map(|l| l.evidence.len()).sum())?;
        let heads = read_heads(&mut file, &channels)?;
        let normals = read_normals(&mut file)?;
        let (defect_scores, defect_hashes) = read_defects(file.take_model(DEFECTS))?;
        let registration = match file.field("aligned") {
            "" => None, // files of before alignment, too
            _ => Some(Registration::of(file.matrix("reference")?).ok_or_else(|| file.damaged("reference"))?),
        };
        let mut detector = Self {
            backbone,
            side: side as usize,
            registration,
            training_side: training_side as usize,
            levels,
            term_scales,
            sum_scale: (sum as f32, sum_deviation as f32),
            heads,
            head_scale: (head as f32, head_deviation as f32),
            head_weight: head_weight as f32,
            reduction: Reduction { smoothing: smoothing as f32, share },
            normals,
            normal_scores: Vec::new(),
            defect_scores,
            defect_hashes,
        };
        detector.collect_scores();
        Ok(detector)
    }
}

/// Low and high half of each hash: files have no numbers of 64 bits without a fraction.
fn halves(hashes: impl Iterator<Item = u64>) -> Vec<u32> {
    hashes.flat_map(|hash| [hash as u32, (hash >> 32) as u32]).collect()
}

/// Hash of its [`halves`].
fn whole((low, high): (u32, u32)) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn read_normals(file: &mut ModelFile) -> Result<Vec<NormalImage>, Error> {
    let scores = file.scores()?;
    let (hashes, odd) = file.pairs::<u32>("normal_hashes")?;
    let removed: Vec<u32> = file.vector("removed")?;
    if odd || hashes.len() != scores.len() || removed.len() != scores.len() {
        return Err(file.damaged("normal_hashes").into());
    }
    let all = hashes.into_iter().zip(scores).zip(removed);
    let normal = |((halves, score), removed): (((u32, u32), f64), u32)| NormalImage {
        hash: whole(halves),
        score,
        removed: removed != 0,
    };
    Ok(all.map(normal).collect())
}

/// Scores and hashes of real defects.
fn read_defects(mut file: ModelFile) -> Result<(Vec<f64>, Vec<u64>), Error> {
    if file.field("format") != DEFECTS {
        return Ok((Vec::new(), Vec::new()));
    }
    let scores: Vec<f64> = file.vector("scores")?;
    let (hashes, odd) = file.pairs::<u32>("hashes")?;
    if odd {
        return Err(file.damaged("hashes").into());
    }
    if let Some(score) = scores.iter().find(|score| !score.is_finite()) {
        return Err(file.out_of_range("scores", *score, "finite").into());
    }
    Ok((scores, hashes.into_iter().map(whole).collect()))
}

/// Means and deviations of `count` things.
fn scales(file: &mut ModelFile, name: &str, count: usize) -> Result<Vec<(f32, f32)>, Error> {
    let (scales, odd) = file.pairs::<f32>(name)?;
    if odd || scales.len() != count {
        return Err(file.damaged(name).into());
    }
    for &(_, deviation) in &scales {
        file.ensure(deviation > 0.0, name, deviation, "positive where it is a deviation")?;
    }
    Ok(scales)
}

fn read_heads(file: &mut ModelFile, channels: &[usize]) -> Result<Vec<Head>, Error> {
    let names: Vec<String> = file.field("mechanisms").lines().map(str::to_owned).collect();
    let weights = file.matrix("head_weights")?;
    let biases: Vec<f32> = file.vector("head_biases")?;
    let fits = weights.nrows() == names.len() && biases.len() == names.len();
    if !fits || (!names.is_empty() && weights.ncols() != channels.iter().sum::<usize>()) {
        return Err(file.damaged("head_weights").into());
    }
    let scales = scales(file, "head_scales", names.len())?;
    let rows = weights.outer_iter().zip(biases).zip(scales);
    let head = |(name, ((row, bias), scale)): (String, _)| {
        let row: ndarray::ArrayView1<'_, f32> = row;
        let mut rest = row.iter().copied();
        Head { name, weights: channels.iter().map(|&n| rest.by_ref().take(n).collect()).collect(), bias, scale }
    };
    Ok(names.into_iter().zip(rows).map(head).collect())
}

fn read_level(mut file: ModelFile, channels: &[usize]) -> Result<Level, Error> {
    let number: u32 = file.number("number")?;
    let Some(&channels) = channels.get(number as usize) else { return Err(file.damaged("number").into()) };
    let (mean, projection) = (Array1::from(file.vector::<f32>("mean")?), file.matrix("projection")?);
    if mean.len() != channels || projection.nrows() != channels {
        return Err(file.damaged("projection").into());
    }
    let projection = Whitening { mean, projection };
    file.ensure_seen("projection", &projection)?;
    let dimensions = projection.projection.ncols();
    let grid: Vec<u32> = file.vector("grid")?;
    let &[rows, columns] = grid.as_slice() else { return Err(file.damaged("grid").into()) };
    let grid = (rows as usize, columns as usize);
    let names: Vec<String> = file.field("kinds").lines().map(str::to_owned).collect();
    let kinds: Option<Vec<EvidenceKind>> = names.iter().map(|name| EvidenceKind::by_name(name)).collect();
    let Some(kinds) = kinds.filter(|kinds| !kinds.is_empty() && kinds.is_sorted_by(|a, b| a < b)) else {
        return Err(file.damaged("kinds").into());
    };
    let groups = vec![Group { from: 0, projection }];
    let (means, inverses) = (file.half_matrix("means")?, file.half_matrix("inverses")?);
    let gaussians = if kinds.iter().any(|kind| kind.is_by_place()) {
        Gaussians { groups, grid, means, inverses }
    } else {
        Gaussians::components_alone(groups)
    };
    if gaussians.grid != (0, 0) || kinds.iter().any(|kind| kind.is_by_place()) {
        if !gaussians.is_whole() {
            return Err(file.damaged("inverses").into());
        }
        if let Some(value) = gaussians.scales().find(|scale| *scale <= 0.0) {
            return Err(file.out_of_range("inverses", value, "positive where it scales a direction").into());
        }
    }
    let mut evidence: Vec<Box<dyn Evidence>> = Vec::new();
    for kind in kinds {
        let name = |tensor: &str| format!("{}.{tensor}", kind.name());
        evidence.push(match kind {
            EvidenceKind::PlaceGaussian => Box::new(PlaceGaussian),
            EvidenceKind::PlaceNearest => {
                let rows = file.half_matrix(&name("rows"))?;
                let counts: Vec<u32> = file.vector(&name("counts"))?;
                let spacing: Vec<f32> = file.vector(&name("spacing"))?;
                let images: Vec<u32> = file.vector(&name("images"))?;
                let read = PlaceNearest::read(grid, &rows, &counts, &spacing, &images);
                let damaged = || file.damaged(&name("rows"));
                Box::new(read.filter(|_| rows.ncols() == dimensions).ok_or_else(damaged)?)
            }
            EvidenceKind::Bank | EvidenceKind::BankDensity => {
                let rows = file.half_matrix(&name("rows"))?;
                let fits = rows.ncols() == dimensions;
                let spacing: Vec<f32> = file.vector(&name("spacing"))?;
                let images: Vec<u32> = file.vector(&name("images"))?;
                let radius: f32 = file.number(&name("radius"))?;
                let read = Bank::read(rows, spacing, images, radius).filter(|bank| fits && bank.kind() == kind);
                Box::new(read.ok_or_else(|| file.damaged(&name("rows")))?)
            }
        });
    }
    Ok(Level { level: number as usize, gaussians, evidence })
}
