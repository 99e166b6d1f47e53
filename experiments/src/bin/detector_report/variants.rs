//! The variants that are compared: other detectors, other makes of synthetic defects, ablations, and ours.
//!
//! All but the first three train the same detector the same way.

use std::sync::Arc;

use experiments::program::Result;
use experiments::sets::ImageSet;
use maphc2f::bilevel::ForwardDifference;
use maphc2f::bisqad::{
    Anomaly, AnomalySource, Detector, Ensemble, Fusion, GaussianDetector, GaussianParams, MemoryDetector, MemoryParams,
    NoObserver, OuterProblem, PatchDetector, SourceError, TrainParams, ValidationAnomalies, Weighting, fit,
};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::pde_refine::CoarseToFine;
use maphc2f::physdefect::Synthesizer;
use maphc2f::physdefect::baselines::{CutPaste, CutPasteScar, PatchClone, PerlinBlend};
use maphc2f::sqe::{Head, Sqe};
use maphc2f::{BilevelParams, MATERIALS, Pipeline, PipelineSource, Stage, train_bilevel};
use ndarray::{Array2, Array3, ArrayView3};

/// Variants in the order of the table; the last one is the default of the library.
pub(crate) const VARIANTS: [&str; 11] = [
    "patch-memory",
    "position-gaussian",
    "untrained",
    "ours+memory",
    "feature-noise",
    "cutpaste",
    "perlin",
    "nsa-like",
    "ours-raw",
    "ours-npcF",
    "ours",
];

/// Trains the variant of a name.
pub(crate) fn train_variant(set: &ImageSet, variant: &str, seed: u64) -> Result<Box<dyn Detector>> {
    let params = TrainParams::default().with_seed(seed);
    let net = Arc::new(EfficientNetLite0::pretrained()?);
    let ours = || Pipeline::physical(&MATERIALS);
    let pipeline = match variant {
        "patch-memory" => {
            let params = MemoryParams::default().with_seed(seed);
            return Ok(Box::new(MemoryDetector::fit(net, &set.normals, &params, &mut NoObserver)?));
        }
        "position-gaussian" => {
            return Ok(Box::new(GaussianDetector::fit(
                net,
                &set.normals,
                &GaussianParams::default(),
                &mut NoObserver,
            )?));
        }
        "feature-noise" => {
            // as many updates as the other variants, of fewer batches
            let updates = params.updates() * params.steps();
            return Ok(Box::new(without_images(
                &set.normals,
                params.with_feature_noise(1.0).with_steps(1).with_updates(updates).with_shrinkage(Some(0.1)),
            )?));
        }
        "ours+memory" => return Ok(Box::new(ensemble(set, params)?)),
        "cutpaste" => unrefined(vec![Box::new(CutPaste::default()), Box::new(CutPasteScar::default())]),
        "perlin" => unrefined(vec![Box::new(PerlinBlend::default())]),
        "nsa-like" => unrefined(vec![Box::new(PatchClone::default())]),
        "ours-raw" => ours()?.up_to(Stage::Raw),
        "ours-npcF" => ours()?.up_to(Stage::Coarse),
        _ => ours()?,
    };
    let source = PipelineSource::new(&pipeline, &set.normals, &set.names, seed)?;
    if variant == "untrained" {
        // the defects serve to choose the shrinkage alone
        let none = BilevelParams::default()
            .with_detector(params.with_rounds(1).with_steps(1).with_updates(1))
            .with_ranked_defects(3);
        let model = train_bilevel(&set.normals, &source, &none, None, &mut NoObserver)?;
        return Ok(Box::new(model.fitted.detector.with_fusion(Fusion::Distance)));
    }
    let training = BilevelParams::default().with_detector(params);
    Ok(Box::new(train_bilevel(&set.normals, &source, &training, None, &mut NoObserver)?.fitted.detector))
}

/// Pipeline of one group for each synthesizer, without refinement.
fn unrefined(synthesizers: Vec<Box<dyn Synthesizer>>) -> Pipeline {
    let mut pipeline = Pipeline::new(CoarseToFine::default());
    synthesizers.into_iter().for_each(|synthesizer| pipeline.push(vec![synthesizer]));
    pipeline.up_to(Stage::Raw)
}

/// Ensemble of our detector and a memory, put on one scale by every tenth normal photo, which neither was fitted to.
fn ensemble(set: &ImageSet, params: TrainParams) -> Result<Ensemble> {
    let (mut fitted, mut names, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (normal, name)) in set.normals.iter().zip(&set.names).enumerate() {
        if i % 10 == 0 {
            held.push(normal.clone());
        } else {
            fitted.push(normal.clone());
            names.push(name.clone());
        }
    }
    let pipeline = Pipeline::physical(&MATERIALS)?;
    let source = PipelineSource::new(&pipeline, &fitted, &names, params.seed())?;
    let memory = MemoryParams::default().with_seed(params.seed());
    let training = BilevelParams::default().with_detector(params);
    let ours = train_bilevel(&fitted, &source, &training, None, &mut NoObserver)?.fitted.detector;
    let memory = MemoryDetector::fit(Arc::new(EfficientNetLite0::pretrained()?), &fitted, &memory, &mut NoObserver)?;
    Ok(Ensemble::new(Arc::new(ours), Arc::new(memory), &held)?)
}

/// Anomalies that change nothing: the discriminator learns from normal patches and their noisy copies alone.
struct NoAnomaly;

impl AnomalySource for NoAnomaly {
    fn mechanisms(&self) -> usize {
        1
    }
    fn anomaly(
        &self,
        normal: ArrayView3<'_, f32>,
        _: usize,
        _: usize,
        _: u64,
    ) -> std::result::Result<Anomaly, SourceError> {
        let mut mask = Array2::from_elem((normal.dim().0, normal.dim().1), false);
        mask[(0, 0)] = true; // nothing can be seen there, so its patch trains neither way
        Ok(Anomaly { image: normal.to_owned(), mask, severity: None })
    }
}

/// Trains without synthetic defects.
pub(crate) fn without_images(normals: &[Array3<f32>], params: TrainParams) -> Result<PatchDetector> {
    let net = Arc::new(EfficientNetLite0::pretrained()?);
    let mut quality = Sqe::new(net.as_ref(), Head::default(), params.seed())?;
    let params = params.with_weighting(Weighting::Uniform);
    let method = ForwardDifference::default();
    let upper =
        OuterProblem { quality: &mut quality, method: &method, validation: &ValidationAnomalies::HeldOutMechanism };
    Ok(fit(net, normals, &NoAnomaly, upper, &params, None, &mut NoObserver)?.detector)
}
