//! A run: blocks of samples, each staged and given its final names when it is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufWriter};
use std::path::Path;

use imgkit::file::escaped;
use physdefect::registry::Registry;
use physdefect::{FrameReason, Place};
use rayon::prelude::*;

use super::content::{PhotoContent, content_of};
use super::encoded::EncodedSample;
use super::error::Error;
use super::files::{Hash, read_text};
use super::formats::{Format, Formats, Tar, coco_fragment, coco_merge};
use super::header::RunHeader;
use super::layout::{COCO, FOREGROUND, RUN, coco_block, coco_blocks, finished_blocks, manifest_block, tar};
use super::manifest::{ManifestRecord, Outcome, read_outcomes};
use super::params::DatasetParams;
use super::photo_set::PhotoSet;
use super::plan::{BLOCK, Shard};
use super::quality_scorer::QualityScorer;
use super::sample::{MadeIndex, SampleMaker};
use super::staging::{StagedBlock, Staging, remove_leftovers};
use crate::foreground::{Region, SetForeground};
use crate::photo::prepare_folder;

/// Largest file of a set's foreground that is read, bytes.
pub(super) const LARGEST_FOREGROUND: u64 = 1 << 24;

/// Samples that are in memory at once.
const CHUNK: u64 = 32;

/// Job for [`synthesize`]: parameters, photos, output folder, and the part of the run to make.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    params: &'a DatasetParams,
    photos: &'a PhotoSet,
    out: &'a Path,
    registry: Registry,
    shard: Shard,
    resume: bool,
    strict: bool,
    quality_scorer: Option<&'a QualityScorer>,
}

impl<'a> Job<'a> {
    /// Creates the job of making a whole run afresh, from `photos` into the folder `out`.
    #[must_use]
    pub fn new(params: &'a DatasetParams, photos: &'a PhotoSet, out: &'a Path) -> Self {
        let (registry, shard) = (Registry::standard(), Shard::default());
        Self { params, photos, out, registry, shard, resume: false, strict: false, quality_scorer: None }
    }

    /// Sets the registry in which names of mechanisms are looked up (default: [`Registry::standard`]).
    #[must_use]
    pub fn with_registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Sets the part of the run that is made (default: the whole).
    #[must_use]
    pub fn with_shard(mut self, shard: Shard) -> Self {
        self.shard = shard;
        self
    }

    /// Sets whether finished blocks are kept; otherwise, the default, finding one is an error.
    #[must_use]
    pub fn with_resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Sets whether a photo that cannot be used is an error, before anything is written (default: it is skipped).
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Sets the estimator that chooses among candidates where [`DatasetParams::keep_best`] is below 1, and that fills
    /// [`SampleRecord::quality`](super::SampleRecord::quality) and
    /// [`SampleRecord::faults`](super::SampleRecord::faults)
    /// (default: [`QualityScorer::pretrained`] where it has to choose, none where it has not).
    #[must_use]
    pub fn with_quality_scorer(mut self, scorer: Option<&'a QualityScorer>) -> Self {
        self.quality_scorer = scorer;
        self
    }
}

/// Counts of what [`synthesize`] made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Samples made.
    pub images: u64,
    /// Indices without a sample, in the blocks that were made and in those that were finished before.
    pub failed: u64,
    /// Indices of blocks that were finished before.
    pub kept: u64,
    /// Photos that could not be used, now or before: path relative to the photos' folder, reason.
    pub unusable: Vec<(String, String)>,
    /// Photos on which defects may lie anywhere in the frame, because no object could be told from the background.
    pub whole_frame: Vec<String>,
}

/// Counts of the indices of some blocks.
#[derive(Debug, Default)]
struct Tally {
    images: u64,
    failed: u64,
    unusable: BTreeMap<String, String>,
    whole_frame: BTreeSet<String>,
}

/// Whether the whole frame was taken because object and background could not be parted, and not for a texture.
fn is_unclear(region: Option<Region>, reason: Option<FrameReason>) -> bool {
    region == Some(Region::WholeFrame) && reason != Some(FrameReason::Texture)
}

impl Tally {
    fn add(&mut self, source: &str, unclear: bool, failed: Option<(&str, bool)>) {
        match failed {
            None => self.images += 1,
            Some((reason, unusable)) => {
                self.failed += 1;
                if unusable {
                    self.unusable.insert(source.to_owned(), reason.to_owned());
                }
            }
        }
        if unclear && !self.whole_frame.contains(source) {
            self.whole_frame.insert(source.to_owned());
        }
    }

    fn add_record(&mut self, record: &ManifestRecord) {
        match record {
            ManifestRecord::Made(made) => {
                self.add(&made.source, is_unclear(Some(made.region), made.region_reason), None)
            }
            ManifestRecord::Failed(f) => self.add(&f.source, false, Some((f.failed.as_str(), f.unusable))),
        }
    }

    fn add_outcome(&mut self, line: &Outcome) {
        let unclear = is_unclear(line.region, line.region_reason);
        self.add(&line.source, unclear, line.failed.as_deref().map(|reason| (reason, line.unusable)));
    }
}

/// Makes the samples of a job's blocks that are not there yet. `progress` is called with the number of samples that
/// were done.
///
/// # Errors
/// Before anything is written: [`Error::Parameter`], [`Error::Pipeline`] for an unknown mechanism,
/// [`Error::OutputInInput`], [`Error::UnusablePhotos`], [`Error::Photo`] if no photo shows a product or has room at the
/// place, in the regions or on the masks that were given, [`Error::OtherRun`], and without [`Job::with_resume`]
/// [`Error::FinishedBlock`]. Later: [`Error::Output`], [`Error::Photo`] and [`Error::OtherRun`] if a photo or the run's
/// description was replaced meanwhile; what is finished by then stays.
pub fn synthesize(job: &Job<'_>, progress: &(dyn Fn(u64) + Sync)) -> Result<Summary, Error> {
    let params = job.params;
    params.check()?;
    let has_to_choose = params.keep_best() < 1.0 && job.quality_scorer.is_none();
    let own = has_to_choose.then(QualityScorer::pretrained).transpose()?;
    let job = &job.clone().with_quality_scorer(job.quality_scorer.or(own.as_ref()));
    job.photos.check_output(job.out)?;
    let content = content_of(job.photos);
    let maker = SampleMaker::new(params, job.photos, &content, &job.registry, job.quality_scorer)?;
    if job.strict {
        refuse_unusable(job)?;
    }
    refuse_hopeless(job)?;
    let (begun, mut tally) = Begun::new(job, &content)?;
    let before = tally.images;
    let mut kept = 0;
    for block in params.blocks_of(job.shard) {
        if begun.kept.contains(&block) {
            let indices = params.indices(block);
            kept += indices.end - indices.start;
            progress(indices.end - indices.start);
        } else {
            begun.make_block(&maker, block, &mut tally, progress)?;
        }
    }
    if params.formats().has(Format::Coco) {
        merge_coco(params, job.out, kept < params.samples_of(job.shard))?;
    }
    Ok(Summary {
        images: tally.images - before,
        failed: tally.failed,
        kept,
        unusable: tally.unusable.into_iter().collect(),
        whole_frame: tally.whole_frame.into_iter().collect(),
    })
}

fn refuse_unusable(job: &Job<'_>) -> Result<(), Error> {
    let place = |i: usize| job.photos.load_placed(i, job.params.side(), job.params.place());
    let load = |i: usize| place(i).err().map(|e| e.to_string());
    let mut reasons: Vec<String> = (0..job.photos.len()).into_par_iter().filter_map(load).collect();
    reasons.extend(job.photos.not_read().iter().map(ToString::to_string));
    let total = job.photos.len() + job.photos.not_read().len();
    if reasons.is_empty() { Ok(()) } else { Err(Error::UnusablePhotos { reasons, total }) }
}

/// Refuses a set of which no photo shows a product, or has room at the place, in the regions or on the masks that were
/// given, with the first one's reason.
fn refuse_hopeless(job: &Job<'_>) -> Result<(), Error> {
    let (photos, side, place) = (job.photos, job.params.side(), job.params.place());
    let asked = place != Place::Anywhere || photos.has_regions() || photos.has_masks();
    let mut first = None;
    for i in 0..photos.len() {
        let refused = match photos.load_placed(i, side, place) {
            Ok(photo) if photos.has_masks() || !photo.is_uniform() => return Ok(()),
            Ok(_) => {
                let (photo, path) = (photos.name(i).unwrap_or_default().to_owned(), photos.path(i).unwrap_or_default());
                let reason = "is of one color throughout, as every photo of the set that can be read: photograph a \
                              product, or give masks of it";
                Error::Photo { photo, source: format!("{}: {reason}", escaped(&path)).into() }
            }
            // What cannot be read is skipped, and mended later.
            Err(_) if !asked => return Ok(()),
            Err(reason) => reason,
        };
        first = first.or(Some(refused));
    }
    first.map_or(Ok(()), Err)
}

/// A run whose folder is known to be its own.
struct Begun<'a> {
    job: &'a Job<'a>,
    /// Text of `run.json`.
    header: String,
    /// Blocks of the shard that are finished.
    kept: BTreeSet<u64>,
}

impl<'a> Begun<'a> {
    /// Checks the output folder, writes what depends on the run alone, and finds the blocks to keep, with their counts.
    fn new(job: &'a Job<'a>, content: &[PhotoContent]) -> Result<(Self, Tally), Error> {
        let foreground = foreground_of(job)?;
        let header = RunHeader {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            params: job.params.clone(),
            photos: (job.photos.len(), job.photos.fingerprint()),
            content: Some(content.to_vec()),
            window: job.photos.reader().window().map(|window| window.to_string()),
            foreground: foreground.as_deref().map(|text| Hash::of(text.as_bytes())),
            quality_scorer: job.quality_scorer.map(|scorer| scorer.hash().to_owned()),
        };
        let known = RunHeader::find(job.out)?;
        if let Some(known) = &known {
            refuse_other(job.out, &header, known)?;
        }
        let (kept, tally) = kept_blocks(job, content)?;
        prepare_folder(job.out)?;
        remove_leftovers(job.out);
        let text = header.text().map_err(Error::output(&job.out.join(RUN)))?;
        let staging = Staging::new(job.out, "run")?;
        if known.as_ref() != Some(&header) {
            staging.write(RUN, text.as_bytes())?;
            if known.is_some() {
                staging.publish(RUN)?;
            } else if !staging.publish_new(RUN)? {
                // another process was faster
                let known = RunHeader::read(job.out)?;
                refuse_other(job.out, &header, &known)?;
            }
        }
        if let Some(text) = &foreground {
            staging.write(FOREGROUND, text.as_bytes())?;
            staging.publish(FOREGROUND)?;
        }
        for (name, text) in job.params.formats().fixed(&job.params.mechanisms().names()) {
            staging.write(&name, text.as_bytes())?;
            staging.publish(&name)?;
        }
        Ok((Self { job, header: text, kept }, tally))
    }

    /// Makes one block.
    fn make_block(
        &self,
        maker: &SampleMaker<'_>,
        block: u64,
        tally: &mut Tally,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), Error> {
        let (job, formats) = (self.job, self.job.params.formats());
        let mut staged = StagedBlock::new(job.out, block)?;
        let tar_name = tar(block);
        let tar_path = staged.path(&tar_name);
        let tar_error = |e: io::Error| Error::output(&tar_path)(e);
        let mut tar = formats.has(Format::Webdataset).then(|| staged.create(&tar_name)).transpose()?.map(Tar::new);
        let (mut lines, mut coco) = (String::new(), String::new());
        let indices = job.params.indices(block);
        for first in indices.clone().step_by(CHUNK as usize) {
            let chunk: Vec<u64> = (first..(first + CHUNK).min(indices.end)).collect();
            let made: Vec<WrittenSample> = chunk
                .into_par_iter()
                .map(|i| make_one(maker, &staged, formats, i, progress))
                .collect::<Result<_, _>>()?;
            for sample in made {
                tally.add_record(&sample.record);
                if let (Some(tar), Some(encoded)) = (&mut tar, sample.encoded) {
                    tar.push(sample.record.index(), &sample.line, &encoded.image, &encoded.mask).map_err(tar_error)?;
                }
                staged.add(sample.files);
                for (all, line) in [(&mut lines, &sample.line), (&mut coco, &sample.coco)] {
                    if !line.is_empty() {
                        all.push_str(line);
                        all.push('\n');
                    }
                }
            }
        }
        if let Some(tar) = tar {
            staged.add([(tar_name, tar.finish().map_err(tar_error)?)]);
        }
        if formats.has(Format::Coco) {
            let fragments = staged.write(&coco_block(block), coco.as_bytes())?;
            staged.add([fragments]);
        }
        let path = job.out.join(RUN);
        if !read_text(&path, self.header.len() as u64).is_ok_and(|text| text == self.header) {
            let changed = vec!["the file was replaced or removed while the run was made".to_owned()];
            return Err(Error::OtherRun { path, changed });
        }
        staged.publish(block, &lines)
    }
}

/// The foreground of the set as text: that of the run in the output folder, or fitted now. `None` where masks were
/// given.
///
/// A run keeps the one it began with, whatever photos are mended meanwhile.
fn foreground_of(job: &Job<'_>) -> Result<Option<String>, Error> {
    let side = job.params.side();
    let path = job.out.join(FOREGROUND);
    if job.photos.has_masks() {
        return Ok(None);
    }
    if let Ok(text) = read_text(&path, LARGEST_FOREGROUND) {
        let stored = SetForeground::from_json(&text).map_err(|e| Error::manifest(&path, e.to_string()))?;
        job.photos.keep_foreground(stored);
        return Ok(Some(text));
    }
    let Some(fitted) = job.photos.foreground(side)? else { return Ok(None) };
    fitted.to_json().map(Some).map_err(Error::output(&path))
}

/// Refuses another run than the one that `out` holds. A photo whose file was replaced makes another run, unless there
/// is no sample of it yet: then it was mended.
fn refuse_other(out: &Path, header: &RunHeader, known: &RunHeader) -> Result<(), Error> {
    let refuse = |changed: Vec<String>| Err(Error::OtherRun { path: out.join(RUN), changed });
    let differences = header.differences(known);
    if !differences.is_empty() {
        return refuse(differences);
    }
    let Some(mut changes) = header.changes_since(known) else {
        return refuse(vec!["it was begun by a version that did not record the content of photos".to_owned()]);
    };
    if !changes.replaced.is_empty() {
        let mut used = BTreeSet::new();
        for block in finished_blocks(out) {
            let made = read_outcomes(&out.join(manifest_block(block)))?.into_iter().filter(|o| o.failed.is_none());
            used.extend(made.map(|outcome| outcome.source));
        }
        changes.replaced.retain(|name| used.contains(name));
    }
    let changed = changes.in_words();
    if changed.is_empty() { Ok(()) } else { refuse(changed) }
}

/// The blocks of the job's shard that are finished and need not be made again.
fn kept_blocks(job: &Job<'_>, content: &[PhotoContent]) -> Result<(BTreeSet<u64>, Tally), Error> {
    let now: BTreeMap<&str, Option<&str>> = content.iter().map(|p| (p.name.as_str(), p.sha256.as_deref())).collect();
    let (mut kept, mut tally) = (BTreeSet::new(), Tally::default());
    for block in finished_blocks(job.out) {
        if block >= job.params.blocks() || !job.shard.has(block) {
            continue;
        }
        let manifest = job.out.join(manifest_block(block));
        if !job.resume {
            return Err(Error::FinishedBlock { path: manifest });
        }
        let outcomes = read_outcomes(&manifest)?;
        let other =
            |o: &&Outcome| o.failed.is_none() && now.get(o.source.as_str()) != Some(&o.source_sha256.as_deref());
        if let Some(outcome) = outcomes.iter().find(other) {
            let changed = vec![format!("sample {} was made of another photo {}", outcome.index, outcome.source)];
            return Err(Error::OtherRun { path: manifest, changed });
        }
        if !mended(job, &outcomes) {
            kept.insert(block);
            outcomes.iter().for_each(|outcome| tally.add_outcome(outcome));
        }
    }
    Ok((kept, tally))
}

/// Whether a finished block lacks samples whose photos can be used now.
fn mended(job: &Job<'_>, outcomes: &[Outcome]) -> bool {
    let lacking: BTreeSet<&str> = outcomes.iter().filter(|o| o.unusable).map(|o| o.source.as_str()).collect();
    let place = |i: usize| job.photos.load_placed(i, job.params.side(), job.params.place());
    let usable = |name: &&str| job.photos.find_name(name).is_some_and(|i| place(i).is_ok());
    lacking.iter().any(usable)
}

/// A sample whose own files are written.
struct WrittenSample {
    record: ManifestRecord,
    line: String,
    coco: String,
    files: Vec<(String, String)>,
    encoded: Option<EncodedSample>,
}

fn make_one(
    maker: &SampleMaker<'_>,
    staged: &StagedBlock<'_>,
    formats: &Formats,
    index: u64,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<WrittenSample, Error> {
    let MadeIndex { record, images: encoded, good } = maker.make(index)?;
    let mut coco = String::new();
    let text = |e: serde_json::Error| Error::output(Path::new(&manifest_block(index / BLOCK)))(e);
    let mut sample = None;
    if let (ManifestRecord::Made(record), Some(encoded)) = (&record, &encoded) {
        sample = Some((record.mechanism.as_str(), encoded));
        if formats.has(Format::Coco) {
            coco = coco_fragment(record, encoded.bits.view(), encoded.class).map_err(text)?;
        }
    }
    let mut files = Vec::new();
    for (name, bytes) in formats.files(index, sample, good.as_deref()) {
        files.push(staged.write(&name, &bytes)?);
    }
    let line = serde_json::to_string(&record).map_err(text)?;
    progress(1);
    Ok(WrittenSample { record, line, coco, files, encoded })
}

fn merge_coco(params: &DatasetParams, out: &Path, changed: bool) -> Result<(), Error> {
    let path = out.join(COCO);
    if !changed && fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    let Some(fragments) = coco_blocks(params.blocks(), &finished_blocks(out), out) else { return Ok(()) };
    let (classes, staging) = (params.mechanisms().names(), Staging::new(out, "coco")?);
    let merged = coco_merge(&classes, &fragments, BufWriter::new(staging.create(COCO)?));
    merged.map_err(Error::output(&path))?;
    staging.publish(COCO)
}
