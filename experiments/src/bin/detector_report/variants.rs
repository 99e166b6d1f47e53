//! The variants that are compared: other detectors, other makes of synthetic defects, ablations, and ours.
//!
//! The control arms train the default detector the same way on defects of other makes.

use std::sync::Arc;

use experiments::program::Result;
use maphc2f::bilevel::ForwardDifference;
use maphc2f::bisqad::{
    Anomaly, AnomalySource, Detector, EvidenceDetector, EvidenceParams, Fusion, GaussianDetector, GaussianParams,
    MemoryDetector, MemoryParams, NoObserver, OuterProblem, PatchDetector, Persist, SourceError, TrainParams,
    ValidationAnomalies, Weighting, fit,
};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::pde_refine::CoarseToFine;
use maphc2f::physdefect::Synthesizer;
use maphc2f::physdefect::baselines::{CutPaste, CutPasteScar, PatchClone, PerlinBlend};
use maphc2f::sqe::{Head, Sqe};
use maphc2f::{BilevelParams, MATERIALS, Pipeline, PipelineSource, Stage, train, train_bilevel};
use ndarray::{Array2, Array3, ArrayView3};

/// Variants in the order of the table: baselines and the preset, control arms, and the default of the library last.
pub(crate) const VARIANTS: [&str; 11] = [
    "patch-memory",
    "position-gaussian",
    "untrained",
    "bilevel-2026-11",
    "feature-noise",
    "cutpaste",
    "perlin",
    "nsa-like",
    "no-heads",
    "three-mechanisms",
    "ours",
];

/// Detectors of other kinds, of which the default must be none below on any set.
pub(crate) const BASELINES: [&str; 4] = ["patch-memory", "position-gaussian", "untrained", "bilevel-2026-11"];

/// Shorter side at which the variants before the choice of evidence read images, px.
const OLD_SIDE: usize = 288;

/// Side of a variant's images.
pub(crate) fn side(variant: &str, side: usize) -> usize {
    if BASELINES.contains(&variant) || variant == "feature-noise" { side.min(OLD_SIDE) } else { side }
}

/// Trains the variant of a name on photos of its [`side`]. `no-heads` comes with `ours`, which it shares all but the
/// heads with.
pub(crate) fn train_variant(
    normals: &[Array3<f32>],
    names: &[String],
    variant: &str,
    seed: u64,
) -> Result<Vec<(&'static str, Box<dyn Detector>)>> {
    let old = TrainParams::default().with_seed(seed);
    let net = Arc::new(EfficientNetLite0::pretrained()?);
    let one = |detector: Box<dyn Detector>| {
        let name = VARIANTS.into_iter().find(|name| *name == variant).unwrap_or("unknown");
        Ok(vec![(name, detector)])
    };
    let params = EvidenceParams::default().with_seed(seed);
    let evidence = |pipeline: &Pipeline, params: EvidenceParams| -> Result<EvidenceDetector> {
        let source = PipelineSource::new(pipeline, normals, names, seed)?;
        Ok(train(normals, &source, &params, &mut NoObserver)?.detector)
    };
    match variant {
        "patch-memory" => {
            let params = MemoryParams::default().with_seed(seed);
            one(Box::new(MemoryDetector::fit(net, normals, &params, &mut NoObserver)?))
        }
        "position-gaussian" => {
            one(Box::new(GaussianDetector::fit(net, normals, &GaussianParams::default(), &mut NoObserver)?))
        }
        "untrained" => {
            // the defects serve to choose the shrinkage alone
            let none = BilevelParams::default()
                .with_detector(old.with_rounds(1).with_steps(1).with_updates(1))
                .with_ranked_defects(3);
            let pipeline = Pipeline::physical(&MATERIALS)?;
            let source = PipelineSource::new(&pipeline, normals, names, seed)?;
            let model = train_bilevel(normals, &source, &none, None, &mut NoObserver)?;
            one(Box::new(model.fitted.detector.with_fusion(Fusion::Distance)))
        }
        "bilevel-2026-11" => {
            let pipeline = Pipeline::physical(&MATERIALS)?;
            let source = PipelineSource::new(&pipeline, normals, names, seed)?;
            let training = BilevelParams::default().with_detector(old);
            one(Box::new(train_bilevel(normals, &source, &training, None, &mut NoObserver)?.fitted.detector))
        }
        "feature-noise" => {
            // as many updates as the preset, of fewer batches
            let updates = old.updates() * old.steps();
            let params = old.with_feature_noise(1.0).with_steps(1).with_updates(updates).with_shrinkage(Some(0.1));
            one(Box::new(without_images(normals, params)?))
        }
        "cutpaste" => {
            let pipeline = unrefined(vec![Box::new(CutPaste::default()), Box::new(CutPasteScar::default())]);
            one(Box::new(evidence(&pipeline, params)?))
        }
        // one mechanism, which cannot be left out: the weight that ours has most often
        "perlin" => one(Box::new(evidence(
            &unrefined(vec![Box::new(PerlinBlend::default())]),
            params.with_head_weight(Some(0.5)),
        )?)),
        "nsa-like" => one(Box::new(evidence(
            &unrefined(vec![Box::new(PatchClone::default())]),
            params.with_head_weight(Some(0.5)),
        )?)),
        "three-mechanisms" => one(Box::new(evidence(&Pipeline::physical(&MATERIALS)?, params)?)),
        _ => {
            let ours = evidence(&Pipeline::standard(&MATERIALS)?, params)?;
            let file = tempfile::NamedTempFile::new()?;
            ours.save(file.path())?;
            let net = Arc::new(EfficientNetLite0::pretrained_s32()?);
            let without = EvidenceDetector::load(file.path(), net)?.without_heads();
            Ok(vec![("ours", Box::new(ours) as Box<dyn Detector>), ("no-heads", Box::new(without))])
        }
    }
}

/// Pipeline of one group for each synthesizer, without refinement.
fn unrefined(synthesizers: Vec<Box<dyn Synthesizer>>) -> Pipeline {
    let mut pipeline = Pipeline::new(CoarseToFine::default());
    synthesizers.into_iter().for_each(|synthesizer| pipeline.push(vec![synthesizer]));
    pipeline.up_to(Stage::Raw)
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
