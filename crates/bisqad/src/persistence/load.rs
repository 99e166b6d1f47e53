//! Files of detectors of any kind, and of those that hold others: what they hold lies in the same file under a name of
//! its own.

use std::path::Path;
use std::sync::Arc;

use frozen_backbone::Backbone;
use frozen_backbone::model_file::{ModelFile, ModelParts, ModelTensor, hash_text};
use imgkit::level::Window;

use crate::detectors::Detector;
use crate::detectors::ensemble::Ensemble;
use crate::detectors::evidence::EvidenceDetector;
use crate::detectors::gaussian::GaussianDetector;
use crate::detectors::memory::MemoryDetector;
use crate::detectors::patch::PatchDetector;
use crate::detectors::projected::Projected;
use crate::detectors::tiled::Tiled;
use crate::detectors::windowed::Windowed;
use crate::error::Error;
use crate::features::projection::ChannelProjection;
use crate::persistence::detectors::{DETECTOR, DetectorFile, GAUSSIAN, MEMORY};
use crate::persistence::evidence::EVIDENCE;
use crate::persistence::format::Persist;

const ENSEMBLE: &str = "bisqad-ensemble-1";
const TILED: &str = "bisqad-tiled-1";
const PROJECTED: &str = "bisqad-projected-1";
pub(super) const WINDOWED: &str = "bisqad-windowed-1";

/// Loads any detector that [`Persist::save`](crate::Persist::save) wrote. Each of its parts takes the one of
/// `backbones` that it was saved with.
///
/// ```
/// use bisqad::{
///     Detector, Ensemble, GaussianDetector, GaussianParams, MemoryDetector, MemoryParams, NoObserver, Persist, load,
/// };
/// use frozen_backbone::EfficientNetLite0;
/// use ndarray::Array3;
/// use std::sync::Arc;
///
/// let photo = |i: usize| {
///     Array3::from_shape_fn((64, 64, 3), |(y, x, _)| 0.4 + 0.05 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
/// };
/// let normals: Vec<_> = (0..12).map(photo).collect();
/// let net = Arc::new(EfficientNetLite0::pretrained()?);
/// let params = MemoryParams::default().with_memory(256);
/// let memory = MemoryDetector::fit(net.clone(), &normals[..9], &params, &mut NoObserver)?;
/// let params = GaussianParams::default().with_dimensions(8);
/// let gaussian = GaussianDetector::fit(net.clone(), &normals[..9], &params, &mut NoObserver)?;
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
/// [`Error::File`] if it is unreadable or not whole, or for an unknown format or a backbone that is not given.
pub fn load(path: &Path, backbones: &[Arc<dyn Backbone>]) -> Result<Arc<dyn Detector>, Error> {
    detector(ModelFile::read(path)?, backbones)
}

/// Saves any detector that can be saved, as [`Persist::save`](crate::Persist::save) does.
///
/// # Errors
/// [`Error::Unsaved`] for a detector that cannot be saved, [`Error::File`] if the path cannot be written.
pub fn save(detector: &dyn Detector, path: &Path) -> Result<(), Error> {
    Ok(parts(detector)?.write(path)?)
}

/// What the file of `detector` holds.
fn parts(detector: &dyn Detector) -> Result<ModelParts, Error> {
    detector.as_persist().ok_or(Error::Unsaved { detector: detector.name() })?.parts()
}

/// Largest number of detectors that may lie in each other: reading must not recurse without end.
const MAX_DEPTH: usize = 16;

/// Finds the one of `backbones` that a file was saved with.
fn backbone(file: &ModelFile, backbones: &[Arc<dyn Backbone>]) -> Result<Arc<dyn Backbone>, Error> {
    let (id, hash) = (file.field("backbone"), file.field("backbone_hash"));
    if let Some(found) = backbones.iter().find(|b| id == b.id() && hash == hash_text(b.hash())) {
        return Ok(found.clone());
    }
    let field = if backbones.iter().any(|b| id == b.id()) { "backbone_hash" } else { "backbone" };
    let of = |b: &Arc<dyn Backbone>| if field == "backbone" { b.id().to_owned() } else { hash_text(b.hash()) };
    Err(file.mismatch(field, &backbones.iter().map(of).collect::<Vec<_>>().join(" or ")).into())
}

fn detector(file: ModelFile, backbones: &[Arc<dyn Backbone>]) -> Result<Arc<dyn Detector>, Error> {
    if file.depth() > MAX_DEPTH {
        return Err(file.damaged("detector").into());
    }
    let own = |file: &ModelFile| backbone(file, backbones);
    Ok(match file.field("format") {
        DETECTOR => Arc::new(own(&file).and_then(|b| PatchDetector::read(file, b))?),
        EVIDENCE => Arc::new(own(&file).and_then(|b| EvidenceDetector::read(file, b))?),
        GAUSSIAN => Arc::new(own(&file).and_then(|b| GaussianDetector::read(file, b))?),
        MEMORY => Arc::new(own(&file).and_then(|b| MemoryDetector::read(file, b))?),
        ENSEMBLE => Arc::new(Ensemble::read(file, backbones)?),
        TILED => Arc::new(Tiled::read(file, backbones)?),
        PROJECTED => Arc::new(Projected::read(file, backbones)?),
        WINDOWED => Arc::new(Windowed::read(file, backbones)?),
        _ => return Err(file.mismatch("format", "one of a detector of this version").into()),
    })
}

impl Persist for Ensemble {
    fn parts(&self) -> Result<ModelParts, Error> {
        let tensors = vec![
            (
                "scales".to_owned(),
                ModelTensor::vector(&self.scales.map(|(mean, deviation)| [mean, deviation]).concat()),
            ),
            ("normal_scores".to_owned(), ModelTensor::vector(&self.normal_scores)),
        ];
        let [one, other] = &self.members;
        Ok(ModelParts::new(ENSEMBLE, tensors)
            .with_model("one", parts(one.as_ref())?)
            .with_model("other", parts(other.as_ref())?))
    }
}

impl Ensemble {
    fn read(mut file: ModelFile, backbones: &[Arc<dyn Backbone>]) -> Result<Self, Error> {
        let members = [detector(file.take_model("one"), backbones)?, detector(file.take_model("other"), backbones)?];
        let scales: Vec<f32> = file.vector("scales")?;
        let &[m, s, n, t] = scales.as_slice() else { return Err(file.damaged("scales").into()) };
        for spread in [s, t] {
            file.ensure(spread > 0.0, "scales", spread, "positive where it is a deviation")?;
        }
        Ok(Self { members, scales: [(m, s), (n, t)], normal_scores: file.scores()? })
    }
}

impl Persist for Tiled {
    fn parts(&self) -> Result<ModelParts, Error> {
        let sizes = [self.tile.0, self.tile.1, self.overlap].map(|v| v as u32);
        let tensors = vec![("tile".to_owned(), ModelTensor::vector(&sizes))];
        Ok(ModelParts::new(TILED, tensors).with_model("detector", parts(self.detector.as_ref())?))
    }
}

impl Tiled {
    fn read(mut file: ModelFile, backbones: &[Arc<dyn Backbone>]) -> Result<Self, Error> {
        let detector = detector(file.take_model("detector"), backbones)?;
        let sizes: Vec<u32> = file.vector("tile")?;
        let &[height, width, overlap] = sizes.as_slice() else { return Err(file.damaged("tile").into()) };
        Self::new(detector, (height as usize, width as usize), overlap as usize)
            .map_err(|_| file.damaged("tile").into())
    }
}

impl Persist for Projected {
    fn parts(&self) -> Result<ModelParts, Error> {
        let tensors = vec![
            ("weights".to_owned(), ModelTensor::matrix(self.projection.weights.view())),
            ("offset".to_owned(), ModelTensor::vector(&self.projection.offset)),
        ];
        Ok(ModelParts::new(PROJECTED, tensors).with_model("detector", parts(self.detector.as_ref())?))
    }
}

impl Projected {
    fn read(mut file: ModelFile, backbones: &[Arc<dyn Backbone>]) -> Result<Self, Error> {
        let detector = detector(file.take_model("detector"), backbones)?;
        let (weights, offset) = (file.matrix("weights")?, file.vector::<f32>("offset")?);
        let offset = offset.as_slice().try_into().map_err(|_| file.damaged("offset"))?;
        let projection = ChannelProjection::fixed(weights, offset).map_err(|_| file.damaged("weights"))?;
        Ok(Self::new(detector, projection))
    }
}

impl Persist for Windowed {
    fn parts(&self) -> Result<ModelParts, Error> {
        let (low, high) = self.window.ends();
        let tensors = vec![("window".to_owned(), ModelTensor::vector(&[low, high]))];
        Ok(ModelParts::new(WINDOWED, tensors).with_model("detector", parts(self.detector.as_ref())?))
    }
}

impl Windowed {
    fn read(mut file: ModelFile, backbones: &[Arc<dyn Backbone>]) -> Result<Self, Error> {
        let detector = detector(file.take_model("detector"), backbones)?;
        let window = read_window(&mut file)?;
        Ok(Self::new(detector, window))
    }
}

/// Window of a [`Windowed`].
pub(super) fn read_window(file: &mut ModelFile) -> Result<Window, Error> {
    let ends: Vec<f32> = file.vector("window")?;
    let &[low, high] = ends.as_slice() else { return Err(file.damaged("window").into()) };
    Ok(Window::new(low, high).map_err(|_| file.damaged("window"))?)
}
