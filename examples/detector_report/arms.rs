//! What is compared: baselines, control arms of synthesis, and ours. All but the first two train the same detector the same way.

use std::sync::Arc;

use maphc2f::adbench::resize::{Kernel, resize};
use maphc2f::bisqad::hypergradient::ForwardDifference;
use maphc2f::bisqad::{
    Anomaly, AnomalySource, Detector, Ensemble, GaussianDetector, GaussianParams, MetaSource, Silent, TrainParams,
    Upper, Weighting, fit, fit_memory,
};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::pde_refine::CoarseToFine;
use maphc2f::physdefect::Synthesize;
use maphc2f::physdefect::control::{CutPaste, CutPasteScar, PatchClone, PerlinBlend};
use maphc2f::sqe::{Head, Sqe};
use maphc2f::{MATERIALS, Pipeline, Source, Stage, Training, shrink, train};
use ndarray::{Array2, Array3, ArrayView3};

use crate::Result;
use crate::sets::Set;

/// In the order of the table; the last one is the default of the library.
pub(crate) const ARMS: [&str; 10] = [
    "patch-memory",
    "position-gaussian",
    "ours+gaussian",
    "feature-noise",
    "cutpaste",
    "perlin",
    "nsa-like",
    "ours-raw",
    "ours-npcF",
    "ours",
];

/// A trained arm and how it wants its images.
pub(crate) struct Trained {
    pub(crate) detector: Box<dyn Detector>,
    /// Height and width that all images must be brought to, for arms that need it.
    exact: Option<(usize, usize)>,
    side: usize,
}

impl Trained {
    pub(crate) fn prepare(&self, image: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let small = shrink(image, self.side)?;
        match self.exact {
            Some(size) => Ok(resize(small.view(), size, Kernel::Bilinear)?),
            None => Ok(small),
        }
    }
}

/// Trains the arm called `arm`.
pub(crate) fn trained(set: &Set, arm: &str, seed: u64, side: usize) -> Result<Trained> {
    let params = TrainParams { seed, ..Default::default() };
    let free = |detector: Box<dyn Detector>| Trained { detector, exact: None, side };
    let ours = || Pipeline::physical(&MATERIALS);
    let pipeline = match arm {
        "patch-memory" => {
            let net = Arc::new(EfficientNetLite0::pretrained()?);
            return Ok(free(Box::new(fit_memory(net, &set.normals, &params, &mut Silent)?)));
        }
        "position-gaussian" => return gaussian(set, side),
        "ours+gaussian" => return ensemble(set, params, side),
        "feature-noise" => return Ok(free(Box::new(noise_only(set, params)?))),
        "cutpaste" => control(vec![Box::new(CutPaste::default()), Box::new(CutPasteScar::default())]),
        "perlin" => control(vec![Box::new(PerlinBlend::default())]),
        "nsa-like" => control(vec![Box::new(PatchClone::default())]),
        "ours-raw" => ours()?.up_to(Stage::Raw),
        "ours-npcF" => ours()?.up_to(Stage::Coarse),
        _ => ours()?,
    };
    let source = Source::new(&pipeline, &set.normals, &set.names, seed)?;
    let training = Training { train: params, ..Default::default() };
    Ok(free(Box::new(train(&set.normals, &source, &training, None, &mut Silent)?.fitted.detector)))
}

/// Defects of other makes, as they are drawn.
fn control(makers: Vec<Box<dyn Synthesize>>) -> Pipeline {
    let mut pipeline = Pipeline::new(CoarseToFine::default());
    makers.into_iter().for_each(|maker| pipeline.push(vec![maker]));
    pipeline.up_to(Stage::Raw)
}

/// Good photos at their median size, for a position must mean the same in every image.
struct Alike {
    size: (usize, usize),
    normals: Vec<Array3<f32>>,
}

fn alike(set: &Set) -> Result<Alike> {
    let median = |of: &dyn Fn(&Array3<f32>) -> usize| {
        let mut sizes: Vec<usize> = set.normals.iter().map(of).collect();
        sizes.sort_unstable();
        sizes[sizes.len() / 2]
    };
    let size = (median(&|n| n.dim().0), median(&|n| n.dim().1));
    let resized = |n: &Array3<f32>| resize(n.view(), size, Kernel::Bilinear);
    Ok(Alike { size, normals: set.normals.iter().map(resized).collect::<std::result::Result<_, _>>()? })
}

/// It has no seed.
fn gaussian(set: &Set, side: usize) -> Result<Trained> {
    let Alike { size, normals } = alike(set)?;
    let net = Arc::new(EfficientNetLite0::pretrained()?);
    let detector = GaussianDetector::fit(net, &normals, GaussianParams::default())?;
    Ok(Trained { detector: Box::new(detector), exact: Some(size), side })
}

/// Our detector and the Gaussian as one, put on one scale by every tenth good photo, which neither has seen.
fn ensemble(set: &Set, params: TrainParams, side: usize) -> Result<Trained> {
    let Alike { size, normals } = alike(set)?;
    let (mut fitted, mut names, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (normal, name)) in normals.into_iter().zip(&set.names).enumerate() {
        if i % 10 == 0 {
            held.push(normal);
        } else {
            fitted.push(normal);
            names.push(name.clone());
        }
    }
    let pipeline = Pipeline::physical(&MATERIALS)?;
    let source = Source::new(&pipeline, &fitted, &names, params.seed)?;
    let training = Training { train: params, ..Default::default() };
    let ours = train(&fitted, &source, &training, None, &mut Silent)?.fitted.detector;
    let net = Arc::new(EfficientNetLite0::pretrained()?);
    let gaussian = GaussianDetector::fit(net, &fitted, GaussianParams::default())?;
    let detector = Ensemble::new(Arc::new(ours), Arc::new(gaussian), &held)?;
    Ok(Trained { detector: Box::new(detector), exact: Some(size), side })
}

/// Draws nothing: the discriminator learns from normal patches and from their pushed copies alone.
struct Untouched;

impl AnomalySource for Untouched {
    fn groups(&self) -> usize {
        1
    }
    fn anomaly(&self, normal: ArrayView3<'_, f32>, _: usize, _: usize, _: u64) -> std::result::Result<Anomaly, String> {
        let mut mask = Array2::from_elem((normal.dim().0, normal.dim().1), false);
        mask[(0, 0)] = true; // nothing can be seen there, so its patch trains neither way
        Ok(Anomaly { image: normal.to_owned(), mask, severity: None })
    }
}

fn noise_only(set: &Set, params: TrainParams) -> Result<maphc2f::bisqad::PatchDetector> {
    let net = Arc::new(EfficientNetLite0::pretrained()?);
    let mut quality = Sqe::new(net.as_ref(), Head::default(), params.seed)?;
    // as many updates as the other arms, of fewer draws
    let few = TrainParams {
        feature_noise: 1.0,
        weighting: Weighting::Uniform,
        steps: 1,
        updates: params.updates * params.steps,
        ..params
    };
    let method = ForwardDifference::default();
    let upper = Upper { quality: &mut quality, method: &method, meta: &MetaSource::HeldOutMechanism };
    Ok(fit(net, &set.normals, &Untouched, upper, &few, None, &mut Silent)?.detector)
}
