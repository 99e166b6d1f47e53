//! One sample: photo, defect, refinement, measures, PNG.

use std::sync::Arc;

use imgkit::level::to_u8;
use ndarray::{Array2, Array3, ArrayView2};
use pde_refine::{CoarseToFine, Refine};
use physdefect::{Record, SampleKey, Synthesizer};
use sqe::{DESCRIPTORS, Descriptors};

use super::cache::Cache;
use super::error::Error;
use super::files::Hash;
use super::formats::{Format, png};
use super::manifest::{FailureRecord, ManifestRecord, MaskExtent, SampleRecord, SolverStats};
use super::plan::SamplePlan;
use super::quality::QualityScorer;
use super::settings::Settings;
use super::sources::{PhotoSet, SourcePhoto};

/// Tries before an index is given up: a defect may find no room or stay invisible.
const TRIES: u64 = 8;

/// Samples that are tried for index i have the indices i, i + 2^40, i + 2 * 2^40, ...
const NEXT_TRY: u32 = 40;

/// A defect on a photo, 8 bits. Outside the mask `image` equals the photo.
#[derive(Debug, Clone)]
pub struct RenderedSample {
    /// The photo with the defect `(H, W, C)`.
    pub image: Array3<u8>,
    /// Its mask `(H, W)`.
    pub mask: Array2<bool>,
    /// The photo `(H, W, C)`.
    pub photo: Array3<u8>,
    /// How it was made.
    pub record: Record,
    /// The coarse stage's solve.
    pub solver: SolverStats,
}

/// Puts sample `key` of a synthesiser on a photo and refines it.
pub(super) fn render(
    normal: &SourcePhoto,
    synthesizer: &dyn Synthesizer,
    refine: &CoarseToFine,
    key: SampleKey,
) -> Result<RenderedSample, crate::Error> {
    let photo = to_f32(&normal.pixels);
    let (h, w, _) = photo.dim();
    let sample = synthesizer.synthesize(photo.view(), &normal.domain, key)?;
    let (raw, mask) = (sample.paste(photo.view())?, sample.full_mask(h, w)?);
    let refined = refine.refine(photo.view(), raw.view(), mask.view())?;
    let mut image = normal.pixels.clone();
    let b = sample.bbox; // the mask lies inside it
    for (y, x) in (b.y0..b.y1).flat_map(|y| (b.x0..b.x1).map(move |x| (y, x))).filter(|&at| mask[at]) {
        for k in 0..image.dim().2 {
            image[[y, x, k]] = to_u8(refined.image[[y, x, k]]);
        }
    }
    let solver = SolverStats { iterations: refined.stats.solve.iterations, residual: refined.stats.solve.residual };
    Ok(RenderedSample { image, mask, photo: normal.pixels.clone(), record: sample.record, solver })
}

fn to_f32(pixels: &Array3<u8>) -> Array3<f32> {
    pixels.mapv(|v| f32::from(v) / 255.0)
}

/// Sample `index` of a run, without measures or files: for looking at.
///
/// # Errors
/// [`Error::Source`] if its photo cannot be used, [`Error::Pipeline`] if no try succeeds.
pub fn preview(settings: &Settings, sources: &PhotoSet, index: u64) -> Result<RenderedSample, Error> {
    settings.validate()?;
    let draw = settings.draw(sources.len(), index);
    let normal = sources.load(draw.source, settings.side)?;
    let synthesizer = settings.model(draw.share, draw.material).build().map_err(crate::Error::from)?;
    Ok(first_success(settings.seed, index, |key| render(&normal, synthesizer.as_ref(), &CoarseToFine::default(), key))?)
}

fn first_success<T>(
    seed: u64,
    index: u64,
    attempt: impl Fn(SampleKey) -> Result<T, crate::Error>,
) -> Result<T, crate::Error> {
    let key = |n: u64| SampleKey { seed, index: index + (n << NEXT_TRY) };
    let mut outcome = attempt(key(0));
    for n in 1..TRIES {
        if outcome.is_ok() {
            break;
        }
        outcome = attempt(key(n));
    }
    outcome
}

/// The pictures of a sample.
#[derive(Debug)]
pub(super) struct Pictures {
    pub(super) image: Vec<u8>,
    pub(super) mask: Vec<u8>,
    pub(super) bits: Array2<bool>,
    /// The photo without the defect, for the first sample on it.
    pub(super) good: Option<Vec<u8>>,
    /// Position of the mechanism in the mix.
    pub(super) class: usize,
}

impl Pictures {
    pub(super) fn encode(rendered: &RenderedSample, class: usize) -> Result<Self, Error> {
        let image = png::photo(&rendered.image).map_err(|e| crate::Error::output("image.png".as_ref(), &e))?;
        let mask = png::mask(rendered.mask.view()).map_err(|e| crate::Error::output("mask.png".as_ref(), &e))?;
        Ok(Self { image, mask, bits: rendered.mask.clone(), good: None, class })
    }
}

/// Makes the samples of a run, in any order.
pub(super) struct Maker<'a> {
    settings: &'a Settings,
    sources: &'a PhotoSet,
    pub(super) photos: Cache<'a>,
    judge: Option<&'a QualityScorer>,
    /// By mechanism, then by material.
    synthesizers: Vec<Vec<Box<dyn Synthesizer>>>,
    refine: CoarseToFine,
}

impl<'a> Maker<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        sources: &'a PhotoSet,
        judge: Option<&'a QualityScorer>,
    ) -> Result<Self, Error> {
        let build = |share: usize| {
            let materials = 0..settings.materials.0.len();
            materials.map(|material| Ok(settings.model(share, material).build().map_err(crate::Error::from)?)).collect()
        };
        let synthesizers = (0..settings.mechanisms.0.len()).map(build).collect::<Result<_, Error>>()?;
        let photos = Cache::new(sources, settings.side);
        Ok(Self { settings, sources, photos, judge, synthesizers, refine: CoarseToFine::default() })
    }

    /// The line of `index`, and its pictures if a sample was made.
    ///
    /// # Errors
    /// [`Error::Pipeline`] for what is wrong with more than this sample.
    pub(super) fn make(&self, index: u64) -> Result<(ManifestRecord, Option<Pictures>), Error> {
        let draw = self.settings.draw(self.sources.len(), index);
        let failure = |unusable: bool, failed: String| {
            let source = self.sources.name(draw.source).to_owned();
            let mechanism = self.settings.mechanisms.0[draw.share].name.clone();
            (ManifestRecord::Failed(FailureRecord { index, source, mechanism, unusable, failed }), None)
        };
        let normal = match self.photos.get(draw.source) {
            Ok(normal) => normal,
            Err(reason) => return Ok(failure(true, reason)),
        };
        let (rendered, quality) = match self.best(&normal, draw, index) {
            Ok(best) => best,
            Err(reason) => return Ok(failure(false, reason.to_string())),
        };
        let mut pictures = Pictures::encode(&rendered, draw.share)?;
        let first = index == 0 || self.settings.source(self.sources.len(), index - 1) != draw.source;
        if first && self.settings.formats.has(Format::Mvtec) {
            pictures.good =
                Some(png::photo(&normal.pixels).map_err(|e| crate::Error::output("good.png".as_ref(), &e))?);
        }
        let entry = SampleRecord {
            index,
            seed: self.settings.seed,
            source: self.sources.name(draw.source).to_owned(),
            source_sha256: normal.hash.clone(),
            side: self.settings.side,
            region: normal.region,
            mechanism: rendered.record.model.clone(),
            model: self.settings.model(draw.share, draw.material),
            key: rendered.record.key,
            severity: rendered.record.severity,
            contrast_to_noise: rendered.record.contrast_to_noise,
            measures: rendered.record.measures.clone(),
            solver: rendered.solver,
            quality,
            descriptors: descriptors(&rendered)?,
            size: rendered.mask.dim(),
            mask: extent(rendered.mask.view()),
            image_sha256: Hash::of(&pictures.image),
            mask_sha256: Hash::of(&pictures.mask),
        };
        Ok((ManifestRecord::Made(Box::new(entry)), Some(pictures)))
    }

    /// The first defect that succeeds, or the best of several by estimated quality.
    fn best(
        &self,
        normal: &Arc<SourcePhoto>,
        draw: SamplePlan,
        index: u64,
    ) -> Result<(RenderedSample, Option<f64>), crate::Error> {
        let synthesizer = self.synthesizers[draw.share][draw.material].as_ref();
        let attempt = |key| render(normal, synthesizer, &self.refine, key);
        let Some(judge) = self.judge else {
            return Ok((first_success(self.settings.seed, index, attempt)?, None));
        };
        let mut best: Option<(RenderedSample, f64)> = None;
        let mut refused = None;
        for candidate in 0..(1.0 / self.settings.keep_best).round() as u64 {
            let first = index + ((candidate * TRIES) << NEXT_TRY);
            let rendered = match first_success(self.settings.seed, first, attempt) {
                Ok(rendered) => rendered,
                Err(reason) => {
                    refused = Some(reason);
                    continue;
                }
            };
            let quality = judge.quality(to_f32(&rendered.image).view(), rendered.mask.view())?;
            if best.as_ref().is_none_or(|(_, q)| quality > *q) {
                best = Some((rendered, quality));
            }
        }
        match (best, refused) {
            (Some((rendered, quality)), _) => Ok((rendered, Some(quality))),
            (None, Some(reason)) => Err(reason),
            (None, None) => Ok((first_success(self.settings.seed, index, attempt)?, None)),
        }
    }
}

fn descriptors(rendered: &RenderedSample) -> Result<std::collections::BTreeMap<String, f64>, crate::Error> {
    let measured = Descriptors::measure(to_f32(&rendered.image).view(), rendered.mask.view())?;
    Ok(DESCRIPTORS.iter().filter_map(|&name| Some((name.to_owned(), measured.get(name)?))).collect())
}

/// Area and bounding box of a mask.
pub(super) fn extent(mask: ArrayView2<'_, bool>) -> MaskExtent {
    let (mut area, mut top, mut left, mut bottom, mut right) = (0, usize::MAX, usize::MAX, 0, 0);
    for (y, row) in mask.outer_iter().enumerate() {
        let marked = |(x, &m): (usize, &bool)| m.then_some(x);
        let Some(first) = row.iter().enumerate().find_map(marked) else { continue };
        let last = row.iter().enumerate().rev().find_map(marked).unwrap_or(first);
        area += row.iter().filter(|m| **m).count();
        (top, left) = (top.min(y), left.min(first));
        (bottom, right) = (bottom.max(y + 1), right.max(last + 1));
    }
    if area == 0 {
        return MaskExtent { area, r#box: [0; 4] };
    }
    MaskExtent { area, r#box: [left, top, right - left, bottom - top] }
}
