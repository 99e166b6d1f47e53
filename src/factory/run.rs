//! A run: blocks of samples, each made aside and given its final names when it is whole.

use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use imgkit::file::{write_atomic, write_atomic_with};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::files::Hash;
use super::formats::{Format, Tar, coco_fragment, coco_merge};
use super::manifest::ManifestRecord;
use super::plan::{BLOCK, Shard};
use super::quality::QualityScorer;
use super::sample::{Maker, Pictures};
use super::settings::Settings;
use super::sources::PhotoSet;
use crate::prepare_folder;

/// Samples that are in memory at once.
const CHUNK: u64 = 32;

/// What to make, from what, where, and which part of it.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// What.
    pub settings: &'a Settings,
    /// From which photos.
    pub sources: &'a PhotoSet,
    /// Into which folder.
    pub out: &'a Path,
    /// Which blocks.
    pub shard: Shard,
    /// Whether finished blocks are kept; otherwise finding one is an error.
    pub resume: bool,
    /// Whether a photo that cannot be used is an error, before anything is written.
    pub strict: bool,
    /// Chooses among tries where [`Settings::keep_best`] is below 1, and fills [`SampleRecord::quality`](super::SampleRecord::quality).
    pub judge: Option<&'a QualityScorer>,
}

impl<'a> Job<'a> {
    /// The whole run, afresh.
    pub fn new(settings: &'a Settings, sources: &'a PhotoSet, out: &'a Path) -> Self {
        Self { settings, sources, out, shard: Shard::default(), resume: false, strict: false, judge: None }
    }
}

/// What [`synthesize`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Samples made.
    pub images: u64,
    /// Indices without a sample.
    pub failed: u64,
    /// Indices of blocks that were finished before.
    pub kept: u64,
    /// Photos that could not be used: path relative to the sources' folder, reason.
    pub unusable: Vec<(String, String)>,
}

/// `run.json`: what a folder holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    /// Of this crate: another may draw other samples.
    version: String,
    pub(super) settings: Settings,
    /// Number of photos, and the hash of their names.
    sources: (usize, String),
    /// Hash of the quality estimator's file.
    judge: Option<String>,
}

impl Run {
    pub(super) fn read(out: &Path) -> Result<Self, Error> {
        let path = out.join("run.json");
        let fail = |reason: String| Error::Run { path: path.clone(), reason };
        let text =
            fs::read_to_string(&path).map_err(|e| fail(format!("cannot be read ({e}): name a folder of `synth`")))?;
        serde_json::from_str(&text).map_err(|e| fail(format!("is not what `synth` writes ({e})")))
    }
}

/// Makes the samples of a job's blocks that are not there yet. `progress` hears of samples as they are done, with their number.
///
/// # Errors
/// Before anything is written: [`Error::Setting`], [`Error::Unreadable`], and [`Error::Run`] if the folder holds another run or, without
/// [`Job::resume`], finished blocks of this one. Later: [`Error::Output`]; what is finished by then stays.
pub fn synthesize(job: &Job<'_>, progress: &(dyn Fn(u64) + Sync)) -> Result<Summary, Error> {
    job.settings.validate()?;
    if job.settings.keep_best < 1.0 && job.judge.is_none() {
        let expected = "needs a quality estimator: name its file".to_owned();
        return Err(Error::Setting { name: "keep-best", value: job.settings.keep_best.to_string(), expected });
    }
    let maker = Maker::new(job.settings, job.sources, job.judge)?;
    if job.strict {
        refuse_unusable(job)?;
    }
    let todo = begin(job)?;
    let mut summary = Summary::default();
    for block in (0..job.settings.blocks()).filter(|&b| job.shard.has(b)) {
        let indices = indices(job.settings, block);
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
    let named = |(i, reason): (usize, String)| (job.sources.name(i).to_owned(), reason);
    summary.unusable = maker.photos.unusable().into_iter().map(named).collect();
    if job.settings.formats.has(Format::Coco) {
        merge_coco(job.settings, job.out, !todo.is_empty())?;
    }
    Ok(summary)
}

/// Indices of a block.
pub(super) fn indices(settings: &Settings, block: u64) -> std::ops::Range<u64> {
    block * BLOCK..((block + 1) * BLOCK).min(settings.count)
}

/// A block's piece of the manifest, relative to the output folder.
pub(super) fn piece(block: u64) -> String {
    format!("manifest/{block:06}.jsonl")
}

/// The hashes of a block's files.
pub(super) fn sums(block: u64) -> String {
    format!("manifest/{block:06}.sums")
}

fn coco_part(block: u64) -> String {
    format!("coco/blocks/{block:06}.txt")
}

fn refuse_unusable(job: &Job<'_>) -> Result<(), Error> {
    let load = |i: usize| job.sources.load(i, job.settings.side).err().map(|e| e.to_string());
    let reasons: Vec<String> = (0..job.sources.len()).into_par_iter().filter_map(load).collect();
    if reasons.is_empty() { Ok(()) } else { Err(Error::Unreadable { reasons, total: job.sources.len() }) }
}

/// Checks the output folder, writes what depends on the settings alone, and lists the blocks to make.
fn begin(job: &Job<'_>) -> Result<Vec<u64>, Error> {
    let run = Run {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: job.settings.clone(),
        sources: (job.sources.len(), job.sources.fingerprint()),
        judge: job.judge.map(|j| j.hash().to_owned()),
    };
    let path = job.out.join("run.json");
    let known = path.exists();
    if known && Run::read(job.out)? != run {
        let reason =
            "holds a run with other settings, photos or another version: repeat those or choose another folder";
        return Err(Error::Run { path, reason: reason.to_owned() });
    }
    let mut todo = Vec::new();
    for block in (0..job.settings.blocks()).filter(|&b| job.shard.has(b)) {
        if !job.out.join(piece(block)).exists() || (job.resume && mended(job, block)?) {
            todo.push(block);
        } else if !job.resume {
            let reason = "is finished already: `resume` keeps it, another folder starts afresh".to_owned();
            return Err(Error::Run { path: job.out.join(piece(block)), reason });
        }
    }
    prepare_folder(job.out)?;
    let make = |folder: &str| fs::create_dir_all(job.out.join(folder)).map_err(Error::output(&job.out.join(folder)));
    make("manifest")?;
    for (name, text) in job.settings.formats.fixed(job.settings) {
        let path = job.out.join(name);
        make(name.split('/').next().unwrap_or_default())?;
        write_atomic(&path, text)?;
    }
    if !known {
        let text = serde_json::to_string_pretty(&run).map_err(Error::output(&path))?;
        write_atomic(&path, text + "\n")?;
    }
    Ok(todo)
}

/// Whether a finished block lacks samples whose photos can be used now.
fn mended(job: &Job<'_>, block: u64) -> Result<bool, Error> {
    let path = job.out.join(piece(block));
    for line in read_piece(&path)? {
        if let ManifestRecord::Failed(failure) = line
            && failure.unusable
            && job.sources.load_path(&failure.source, job.settings.side).is_ok()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The lines of a piece of the manifest.
pub(super) fn read_piece(path: &Path) -> Result<Vec<ManifestRecord>, Error> {
    let fail = |reason: String| Error::Manifest { path: path.to_owned(), reason };
    let text = fs::read_to_string(path).map_err(|e| fail(format!("cannot be read ({e})")))?;
    let parse = |(i, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| fail(format!("line {} is no sample ({e})", i + 1)))
    };
    text.lines().enumerate().map(parse).collect()
}

/// A block whose files are written aside, in a folder of this process.
struct StagedBlock<'a> {
    out: &'a Path,
    folder: PathBuf,
    /// Path relative to the output folder, and hash.
    files: Vec<(String, String)>,
}

impl<'a> StagedBlock<'a> {
    /// Leftovers of the block, from a process that was killed, are removed.
    fn new(out: &'a Path, block: u64) -> Result<Self, Error> {
        let mark = format!(".block-{block:06}.");
        let entries = fs::read_dir(out).map_err(Error::output(out))?;
        for entry in entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(&mark)) {
            fs::remove_dir_all(entry.path()).map_err(Error::output(&entry.path()))?;
        }
        let folder = out.join(format!("{mark}{}", std::process::id()));
        fs::create_dir(&folder).map_err(Error::output(&folder))?;
        Ok(Self { out, folder, files: Vec::new() })
    }

    /// Where `name` lies until the block is whole.
    fn aside(&self, name: &str) -> PathBuf {
        self.folder.join(name.replace('/', "@"))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(String, String), Error> {
        let path = self.aside(name);
        fs::write(&path, bytes).map_err(Error::output(&path))?;
        Ok((name.to_owned(), Hash::of(bytes)))
    }

    /// Gives every file its final name, the block's piece of the manifest last.
    fn publish(mut self, block: u64, lines: &str) -> Result<(), Error> {
        let written = self.write(&piece(block), lines.as_bytes())?;
        self.files.push(written);
        let text: String = self.files.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect();
        let (sums, _) = self.write(&sums(block), text.as_bytes())?;
        let (last, files) = self.files.split_last().map_or((None, &[][..]), |(last, files)| (Some(last), files));
        for name in files.iter().map(|(name, _)| name).chain([&sums]).chain(last.map(|(name, _)| name)) {
            let path = self.out.join(name);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(Error::output(folder))?;
            }
            fs::rename(self.aside(name), &path).map_err(Error::output(&path))?;
        }
        Ok(())
    }
}

impl Drop for StagedBlock<'_> {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok(); // the next run removes what this could not
    }
}

/// Makes one block; returns how many samples there are and how many are lacking.
fn make_block(
    job: &Job<'_>,
    maker: &Maker<'_>,
    block: u64,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(u64, u64), Error> {
    let formats = &job.settings.formats;
    let mut stage = StagedBlock::new(job.out, block)?;
    let tar_name = format!("webdataset/{block:06}.tar");
    let tar_path = stage.aside(&tar_name);
    let tar_error = |e: io::Error| Error::output(&tar_path)(e);
    let mut tar = formats.has(Format::Webdataset).then(|| Tar::create(&tar_path)).transpose().map_err(tar_error)?;
    let (mut lines, mut coco, mut images, mut failed) = (String::new(), String::new(), 0, 0);
    let indices = indices(job.settings, block);
    for first in indices.clone().step_by(CHUNK as usize) {
        let chunk: Vec<u64> = (first..(first + CHUNK).min(indices.end)).collect();
        let made: Vec<Done> =
            chunk.into_par_iter().map(|i| one(maker, &stage, formats, i, progress)).collect::<Result<_, _>>()?;
        for done in made {
            match (&mut tar, done.pictures) {
                (_, None) => failed += 1,
                (Some(tar), Some(pictures)) => {
                    tar.push(done.index, &done.line, &pictures).map_err(tar_error)?;
                    images += 1;
                }
                (None, Some(_)) => images += 1,
            }
            stage.files.extend(done.files);
            for (all, line) in [(&mut lines, &done.line), (&mut coco, &done.coco)] {
                if !line.is_empty() {
                    all.push_str(line);
                    all.push('\n');
                }
            }
        }
    }
    if let Some(tar) = tar {
        stage.files.push((tar_name, tar.finish().map_err(tar_error)?));
    }
    if formats.has(Format::Coco) {
        let part = stage.write(&coco_part(block), coco.as_bytes())?;
        stage.files.push(part);
    }
    stage.publish(block, &lines)?;
    Ok((images, failed))
}

/// A sample whose own files are written.
struct Done {
    index: u64,
    line: String,
    coco: String,
    files: Vec<(String, String)>,
    pictures: Option<Pictures>,
}

fn one(
    maker: &Maker<'_>,
    stage: &StagedBlock<'_>,
    formats: &super::Formats,
    index: u64,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Done, Error> {
    let (line, pictures) = maker.make(index)?;
    let (mut files, mut coco) = (Vec::new(), String::new());
    let text = |e: serde_json::Error| Error::output(Path::new(&piece(index / BLOCK)))(e);
    if let (ManifestRecord::Made(entry), Some(pictures)) = (&line, &pictures) {
        for (name, bytes) in formats.files(entry, pictures) {
            files.push(stage.write(&name, &bytes)?);
        }
        if formats.has(Format::Coco) {
            coco = coco_fragment(entry, pictures.bits.view(), pictures.class).map_err(text)?;
        }
    }
    let line = serde_json::to_string(&line).map_err(text)?;
    progress(1);
    Ok(Done { index, line, coco, files, pictures })
}

/// Every block's part of the COCO annotations; `None` unless all blocks are there.
pub(super) fn coco_parts(settings: &Settings, out: &Path) -> Option<Vec<PathBuf>> {
    let there = |block: u64| out.join(piece(block)).exists().then(|| out.join(coco_part(block)));
    (0..settings.blocks()).map(there).collect()
}

/// Where the merged annotations lie.
pub(super) const COCO: &str = "coco/annotations.json";

fn merge_coco(settings: &Settings, out: &Path, changed: bool) -> Result<(), Error> {
    let path = out.join(COCO);
    if path.exists() && !changed {
        return Ok(());
    }
    let Some(parts) = coco_parts(settings, out) else { return Ok(()) };
    Ok(write_atomic_with(&path, |file| coco_merge(settings, &parts, BufWriter::new(file)))?)
}
