//! Samples of a run: photo, defect, refinement, measures, PNG.

use std::collections::BTreeMap;
use std::sync::Arc;

use physdefect::registry::Registry;
use physdefect::replay::SynthesizerConfig;
use physdefect::{MechanismKind, Place, Synthesizer};
use sqe::{DESCRIPTORS, Descriptors, Diagnosis};

use super::cache::Cache;
use super::content::PhotoContent;
use super::encoded::EncodedSample;
use super::error::Error;
use super::files::Hash;
use super::formats::Format;
use super::manifest::{FailureRecord, ManifestRecord, SampleRecord, Substitution};
use super::mix;
use super::params::DatasetParams;
use super::photo_set::{PhotoSet, SourcePhoto};
use super::plan::SamplePlan;
use super::png;
use super::quality_scorer::{QualityScorer, by_name};
use super::render::{RETRY, RenderedSample, extent, first_of, render_first, to_f32};
use super::text_list::refuse;
use crate::synthesis::Pipeline;

/// Renders sample `index` of a run with the mechanisms of `registry`, without measures or files.
///
/// # Errors
/// [`Error::Parameter`], [`Error::Photo`] if its photo cannot be used, [`Error::Pipeline`] for a mechanism that is not
/// in the registry or if no try succeeds.
pub fn preview(
    params: &DatasetParams,
    photos: &PhotoSet,
    registry: &Registry,
    index: u64,
) -> Result<RenderedSample, Error> {
    Ok(preview_with_plan(params, photos, registry, index)?.0)
}

/// Renders sample `index` as [`preview`] does, and says with what: where the planned mechanism and material cannot be
/// seen, others are taken, as in the run.
///
/// # Errors
/// Those of [`preview`].
pub fn preview_with_plan(
    params: &DatasetParams,
    photos: &PhotoSet,
    registry: &Registry,
    index: u64,
) -> Result<(RenderedSample, SamplePlan), Error> {
    params.check()?;
    refuse_without_inside(params, registry)?;
    if index >= params.count() {
        return refuse("index", index, format!("below the run's {} samples", params.count()));
    }
    let plan = params.plan(photos.len(), index);
    let photo = photos.load_placed(plan.photo, params.side(), params.place())?;
    let plans: Vec<SamplePlan> = params.tries(plan).collect();
    let mut pipeline = Pipeline::default();
    for tried in &plans {
        pipeline.push(vec![build(&config(params, registry, tried.mechanism, tried.material)?)?]);
    }
    let made = first_of(plans.iter().copied(), |tried, round| {
        let group = plans.iter().position(|plan| *plan == tried).unwrap_or(0);
        render_first(&photo, &pipeline, group, params.seed(), (index, round))
    });
    match made {
        Ok((rendered, tried, _)) => Ok((rendered, tried)),
        Err(Some(reason)) => Err(reason.into()),
        Err(None) => refuse("plan", "no try", "a mechanism and a material of the mix"),
    }
}

/// A synthesizer of the mix on one of the materials, as plain data.
fn config(
    params: &DatasetParams,
    registry: &Registry,
    mechanism: usize,
    material: usize,
) -> Result<SynthesizerConfig, Error> {
    let (entries, names) = (params.mechanisms().entries(), params.materials().names());
    let (Some(entry), Some(name)) = (entries.get(mechanism), names.get(material)) else {
        return refuse("plan", format!("{mechanism}, {material}"), "a mechanism and a material of the mix");
    };
    Ok(mix::config(entry, name, params.visibility(), registry, params.calibration())?)
}

/// Refuses a mix of which nothing can lie inside: pieces break off the outline alone.
fn refuse_without_inside(params: &DatasetParams, registry: &Registry) -> Result<(), Error> {
    if params.place() != Place::Inside {
        return Ok(());
    }
    for mechanism in 0..params.mechanisms().entries().len() {
        if build(&config(params, registry, mechanism, 0)?)?.kind() != MechanismKind::EdgeLoss {
            return Ok(());
        }
    }
    refuse("place", params.place(), "anywhere or edge for pieces broken off the edge, or other mechanisms beside them")
}

fn build(config: &SynthesizerConfig) -> Result<Box<dyn Synthesizer>, crate::Error> {
    Ok(config.build()?)
}

/// What an index yields.
pub(super) struct MadeIndex {
    pub(super) record: ManifestRecord,
    /// Images, if a sample was made.
    pub(super) images: Option<EncodedSample>,
    /// The photo without a defect as PNG, at its first index, whatever becomes of the samples on it.
    pub(super) good: Option<Vec<u8>>,
}

/// Makes the samples of a run, in any order.
pub(super) struct SampleMaker<'a> {
    params: &'a DatasetParams,
    photos: &'a PhotoSet,
    /// Content that the photos must have.
    content: &'a [PhotoContent],
    pub(super) cache: Cache<'a>,
    quality_scorer: Option<&'a QualityScorer>,
    /// One group for every pair of mechanism and material, by mechanism, then by material.
    pipeline: Pipeline,
    /// Of every group.
    configs: Vec<SynthesizerConfig>,
}

impl<'a> SampleMaker<'a> {
    pub(super) fn new(
        params: &'a DatasetParams,
        photos: &'a PhotoSet,
        content: &'a [PhotoContent],
        registry: &Registry,
        quality_scorer: Option<&'a QualityScorer>,
    ) -> Result<Self, Error> {
        let (mut pipeline, mut configs) = (Pipeline::default(), Vec::new());
        for mechanism in 0..params.mechanisms().entries().len() {
            for material in 0..params.materials().names().len() {
                let config = config(params, registry, mechanism, material)?;
                pipeline.push(vec![build(&config)?]);
                configs.push(config);
            }
        }
        refuse_without_inside(params, registry)?;
        let cache = Cache::new(photos, params.side(), params.place());
        Ok(Self { params, photos, content, cache, quality_scorer, pipeline, configs })
    }

    /// Makes `index`.
    ///
    /// # Errors
    /// [`Error::Pipeline`] for what is wrong with more than this sample, [`Error::Photo`] if the photo was replaced.
    pub(super) fn make(&self, index: u64) -> Result<MadeIndex, Error> {
        let plan = self.params.plan(self.photos.len(), index);
        let source = self.photos.name(plan.photo).unwrap_or_default().to_owned();
        let failure = |unusable: bool, failed: String| {
            let mechanism = self.params.mechanisms().entries()[plan.mechanism].name().to_owned();
            let source = source.clone();
            ManifestRecord::Failed(FailureRecord { index, source, mechanism, unusable, failed })
        };
        let photo = match self.cache.get(plan.photo) {
            Ok(photo) => photo,
            Err(reason) => return Ok(MadeIndex { record: failure(true, reason), images: None, good: None }),
        };
        if self.content.get(plan.photo).and_then(|content| content.sha256.as_ref()) != Some(&photo.hash) {
            let reason = format!("{source}: was replaced while the run was made: put it back, then resume");
            return Err(Error::Photo { photo: source.clone(), source: reason.into() });
        }
        let encoding = |source| Error::Encode { index, source };
        let shown = self.params.formats().has(Format::Mvtec) && self.params.is_first_of_photo(self.photos.len(), index);
        let good = shown.then(|| png::photo(&photo.pixels)).transpose().map_err(encoding)?;
        let made = first_of(self.params.tries(plan), |tried, round| self.best(&photo, tried, index, round));
        let ((rendered, diagnosis), made_with, refused) = match made {
            Ok(made) => made,
            Err(reason) => {
                let reason = reason.map(|reason| reason.to_string()).unwrap_or_default();
                return Ok(MadeIndex { record: failure(false, reason), images: None, good });
            }
        };
        let mechanism_of = |plan: SamplePlan| self.params.mechanisms().entries()[plan.mechanism].name().to_owned();
        let instead_of = refused.map(|reason| Substitution {
            mechanism: mechanism_of(plan),
            material: self.params.materials().names()[plan.material].clone(),
            reason: reason.to_string(),
        });
        let plan = made_with;
        let encoded = EncodedSample::new(&rendered, plan.mechanism).map_err(encoding)?;
        let record = SampleRecord {
            index,
            seed: self.params.seed(),
            source,
            source_sha256: photo.hash.clone(),
            side: self.params.side(),
            region: photo.region,
            region_confidence: photo.region_confidence,
            region_reason: photo.region_reason,
            place: self.params.place(),
            painted_sha256: photo.painted_hash.clone(),
            mechanism: mechanism_of(plan),
            instead_of,
            model: self.configs[self.group(plan)].clone(),
            key: rendered.record.key,
            severity: rendered.record.severity,
            visibility: rendered.record.visibility,
            visibility_target: rendered.record.visibility_target,
            object_scale: rendered.record.object_scale,
            contrast_to_noise: rendered.record.contrast_to_noise,
            measures: rendered.record.measures.clone(),
            solver: rendered.solver,
            quality: diagnosis.as_ref().map(|found| found.quality),
            faults: diagnosis.as_ref().map(by_name).unwrap_or_default(),
            descriptors: descriptors(&rendered)?,
            size: rendered.mask.dim(),
            mask: extent(rendered.mask.view()),
            image_sha256: Hash::of(&encoded.image),
            mask_sha256: Hash::of(&encoded.mask),
        };
        Ok(MadeIndex { record: ManifestRecord::Made(Box::new(record)), images: Some(encoded), good })
    }

    /// Number of the pipeline's group that a plan uses.
    fn group(&self, plan: SamplePlan) -> usize {
        plan.mechanism * self.params.materials().names().len() + plan.material
    }

    /// The first defect that succeeds, or the best of several candidates by estimated quality.
    fn best(
        &self,
        photo: &Arc<SourcePhoto>,
        plan: SamplePlan,
        index: u64,
        round: u64,
    ) -> Result<(RenderedSample, Option<Diagnosis>), crate::Error> {
        let render = |first| render_first(photo, &self.pipeline, self.group(plan), self.params.seed(), (first, round));
        let Some(scorer) = self.quality_scorer else {
            return Ok((render(index)?, None));
        };
        let mut best: Option<(RenderedSample, Diagnosis)> = None;
        let mut refused = None;
        for candidate in 0..(1.0 / self.params.keep_best()).round() as u64 {
            // a candidate's tries follow those of the one before
            let rendered = match render(RETRY.index(index, candidate * RETRY.tries())) {
                Ok(rendered) => rendered,
                Err(reason) => {
                    refused = Some(reason);
                    continue;
                }
            };
            let found = scorer.diagnose(to_f32(&rendered.image).view(), rendered.mask.view())?;
            if best.as_ref().is_none_or(|(_, other)| found.quality > other.quality) {
                best = Some((rendered, found));
            }
        }
        match (best, refused) {
            (Some((rendered, found)), _) => Ok((rendered, Some(found))),
            (None, Some(reason)) => Err(reason),
            (None, None) => Ok((render(index)?, None)),
        }
    }
}

fn descriptors(rendered: &RenderedSample) -> Result<BTreeMap<String, f64>, crate::Error> {
    let measured = Descriptors::measure_u8(rendered.image.view(), rendered.mask.view())?;
    Ok(DESCRIPTORS.iter().filter_map(|&name| Some((name.to_owned(), measured.get(name)?))).collect())
}
