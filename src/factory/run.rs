//! A run: blocks of samples, each staged and given its final names when it is whole.

use std::fs;
use std::io::{self, BufWriter};
use std::path::Path;

use imgkit::file::{write_atomic, write_atomic_with};
use physdefect::registry::Registry;
use rayon::prelude::*;

use super::encoded::EncodedSample;
use super::error::Error;
use super::formats::{Format, Formats, Tar, coco_fragment, coco_merge};
use super::header::RunHeader;
use super::layout::{COCO, RUN, coco_block, coco_blocks, manifest_block, tar};
use super::manifest::{ManifestRecord, Outcome, read_outcomes};
use super::params::DatasetParams;
use super::photo_set::PhotoSet;
use super::plan::{BLOCK, Shard};
use super::quality_scorer::QualityScorer;
use super::sample::SampleMaker;
use super::staging::StagedBlock;
use super::text_list::refuse;
use crate::photo::prepare_folder;

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
    /// [`SampleRecord::quality`](super::SampleRecord::quality).
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
    /// Indices without a sample.
    pub failed: u64,
    /// Indices of blocks that were finished before.
    pub kept: u64,
    /// Photos that could not be used: path relative to the photos' folder, reason.
    pub unusable: Vec<(String, String)>,
}

/// Makes the samples of a job's blocks that are not there yet. `progress` is called with the number of samples that
/// were done.
///
/// # Errors
/// Before anything is written: [`Error::Parameter`], [`Error::Pipeline`] for an unknown mechanism,
/// [`Error::UnusablePhotos`], [`Error::OtherRun`], and without [`Job::with_resume`] [`Error::FinishedBlock`]. Later:
/// [`Error::Output`]; what is finished by then stays.
pub fn synthesize(job: &Job<'_>, progress: &(dyn Fn(u64) + Sync)) -> Result<Summary, Error> {
    let params = job.params;
    params.check()?;
    if params.keep_best() < 1.0 && job.quality_scorer.is_none() {
        return refuse("keep_best", params.keep_best(), "1 without a quality estimator: name its file");
    }
    let maker = SampleMaker::new(params, job.photos, &job.registry, job.quality_scorer)?;
    if job.strict {
        refuse_unusable(job)?;
    }
    let todo = begin(job)?;
    let mut summary = Summary::default();
    for block in params.blocks_of(job.shard) {
        let indices = params.indices(block);
        if todo.binary_search(&block).is_err() {
            let n = indices.end - indices.start;
            summary.kept += n;
            progress(n);
            continue;
        }
        let (images, failed) = make_block(job, &maker, block, progress)?;
        summary.images += images;
        summary.failed += failed;
    }
    let named = |(i, reason): (usize, String)| (job.photos.name(i).unwrap_or_default().to_owned(), reason);
    summary.unusable = maker.cache.unusable().into_iter().map(named).collect();
    if params.formats().has(Format::Coco) {
        merge_coco(params, job.out, !todo.is_empty())?;
    }
    Ok(summary)
}

fn refuse_unusable(job: &Job<'_>) -> Result<(), Error> {
    let load = |i: usize| job.photos.load(i, job.params.side()).err().map(|e| e.to_string());
    let reasons: Vec<String> = (0..job.photos.len()).into_par_iter().filter_map(load).collect();
    if reasons.is_empty() { Ok(()) } else { Err(Error::UnusablePhotos { reasons, total: job.photos.len() }) }
}

/// Checks the output folder, writes what depends on the parameters alone, and lists the blocks to make.
fn begin(job: &Job<'_>) -> Result<Vec<u64>, Error> {
    let header = RunHeader {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        params: job.params.clone(),
        photos: (job.photos.len(), job.photos.fingerprint()),
        quality_scorer: job.quality_scorer.map(|scorer| scorer.hash().to_owned()),
    };
    let path = job.out.join(RUN);
    let known = path.exists();
    if known && RunHeader::read(job.out)? != header {
        return Err(Error::OtherRun { path });
    }
    let mut todo = Vec::new();
    for block in job.params.blocks_of(job.shard) {
        let manifest = job.out.join(manifest_block(block));
        if !manifest.exists() || (job.resume && mended(job, &manifest)?) {
            todo.push(block);
        } else if !job.resume {
            return Err(Error::FinishedBlock { path: manifest });
        }
    }
    prepare_folder(job.out)?;
    let make = |folder: &str| fs::create_dir_all(job.out.join(folder)).map_err(Error::output(&job.out.join(folder)));
    make("manifest")?;
    for (name, text) in job.params.formats().fixed(&job.params.mechanisms().names()) {
        make(name.split('/').next().unwrap_or_default())?;
        write_atomic(job.out.join(name), text)?;
    }
    if !known {
        let text = serde_json::to_string_pretty(&header).map_err(Error::output(&path))?;
        write_atomic(&path, text + "\n")?;
    }
    Ok(todo)
}

/// Whether a finished block lacks samples whose photos can be used now.
fn mended(job: &Job<'_>, manifest: &Path) -> Result<bool, Error> {
    let usable = |line: &Outcome| line.unusable && job.photos.load_path(&line.source, job.params.side()).is_ok();
    Ok(read_outcomes(manifest)?.iter().any(usable))
}

/// Makes one block; returns how many samples there are and how many are lacking.
fn make_block(
    job: &Job<'_>,
    maker: &SampleMaker<'_>,
    block: u64,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(u64, u64), Error> {
    let formats = job.params.formats();
    let mut staged = StagedBlock::new(job.out, block)?;
    let tar_name = tar(block);
    let tar_path = staged.path(&tar_name);
    let tar_error = |e: io::Error| Error::output(&tar_path)(e);
    let mut tar = formats.has(Format::Webdataset).then(|| Tar::create(&tar_path)).transpose().map_err(tar_error)?;
    let (mut lines, mut coco, mut images, mut failed) = (String::new(), String::new(), 0, 0);
    let indices = job.params.indices(block);
    for first in indices.clone().step_by(CHUNK as usize) {
        let chunk: Vec<u64> = (first..(first + CHUNK).min(indices.end)).collect();
        let made: Vec<WrittenSample> =
            chunk.into_par_iter().map(|i| make_one(maker, &staged, formats, i, progress)).collect::<Result<_, _>>()?;
        for sample in made {
            match (&mut tar, sample.encoded) {
                (_, None) => failed += 1,
                (Some(tar), Some(encoded)) => {
                    tar.push(sample.index, &sample.line, &encoded).map_err(tar_error)?;
                    images += 1;
                }
                (None, Some(_)) => images += 1,
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
    staged.publish(block, &lines)?;
    Ok((images, failed))
}

/// A sample whose own files are written.
struct WrittenSample {
    index: u64,
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
    let (record, encoded) = maker.make(index)?;
    let (mut files, mut coco) = (Vec::new(), String::new());
    let text = |e: serde_json::Error| Error::output(Path::new(&manifest_block(index / BLOCK)))(e);
    if let (ManifestRecord::Made(record), Some(encoded)) = (&record, &encoded) {
        for (name, bytes) in formats.files(record, encoded) {
            files.push(staged.write(&name, &bytes)?);
        }
        if formats.has(Format::Coco) {
            coco = coco_fragment(record, encoded.bits.view(), encoded.class).map_err(text)?;
        }
    }
    let line = serde_json::to_string(&record).map_err(text)?;
    progress(1);
    Ok(WrittenSample { index, line, coco, files, encoded })
}

fn merge_coco(params: &DatasetParams, out: &Path, changed: bool) -> Result<(), Error> {
    let path = out.join(COCO);
    if path.exists() && !changed {
        return Ok(());
    }
    let Some(fragments) = coco_blocks(params.blocks(), out) else { return Ok(()) };
    let classes = params.mechanisms().names();
    Ok(write_atomic_with(&path, |file| coco_merge(&classes, &fragments, BufWriter::new(file)))?)
}
