//! Verification: whether a folder holds what its run made.
//!
//! What must be there follows from the run's parameters and the manifests; the lists of checksums are compared with
//! that, and say nothing about what is to be opened. No link is followed, nothing but a regular file is read, and
//! memory grows neither with the number of differences nor with the numbers in the files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use rayon::prelude::*;

use super::error::Error;
use super::files::{Hash, open_regular, read_text};
use super::formats::{Content, Format, coco_merge};
use super::header::RunHeader;
use super::layout::{
    COCO, FOREGROUND, RUN, WORST, checksums, coco_block, coco_blocks, finished_blocks, manifest_block, tar,
};
use super::manifest::{Outcome, read_outcomes};
use super::plan::BLOCK;

/// Names of each kind that are listed; all are counted.
const LISTED: usize = 1000;

/// Largest list of checksums that is read, bytes: several files of 256 samples.
pub(super) const LARGEST: u64 = 1 << 22;

/// Findings of one kind: all are counted, the first of them named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Findings {
    /// Number of findings.
    pub count: u64,
    /// The first thousand names, in order.
    pub names: Vec<String>,
}

impl Findings {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn push(&mut self, name: String) {
        self.count += 1;
        if self.names.len() < LISTED {
            self.names.push(name);
        }
    }

    fn append(&mut self, other: Self) {
        self.count += other.count;
        self.names.extend(other.names.into_iter().take(LISTED - self.names.len()));
    }
}

/// Differences between a folder and the run that it should hold. Paths are relative to the folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// Samples in the manifest.
    pub images: u64,
    /// Indices without a sample, as the manifest says.
    pub failed: u64,
    /// Files whose hash was compared.
    pub files: u64,
    /// Blocks that are not finished.
    pub unfinished: Findings,
    /// Files that are not there.
    pub missing: Findings,
    /// Files with other content, and what stands in a file's place without being a regular file.
    pub differing: Findings,
    /// Files, links and others under names that the run does not have. Temporary files, which start with a dot, do not
    /// count, nor does the sheet that `maphc2f quality` leaves.
    pub unknown: Findings,
}

impl Verification {
    /// Whether the folder holds every file as it was made, and nothing else.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        [&self.unfinished, &self.missing, &self.differing, &self.unknown].iter().all(|found| found.is_empty())
    }

    fn add(&mut self, other: Self) {
        self.images += other.images;
        self.failed += other.failed;
        self.files += other.files;
        self.missing.append(other.missing);
        self.differing.append(other.differing);
    }

    /// Compares a file with the hashes that it must have.
    fn compare(&mut self, out: &Path, name: &str, expected: &[Option<&str>]) {
        self.files += 1;
        match hash_inside(out, name) {
            Ok(hash) if expected.iter().flatten().all(|other| **other == hash) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.missing.push(name.to_owned()),
            _ => self.differing.push(name.to_owned()),
        }
    }
}

/// Hash of a regular file in folders below `out` that are no links.
fn hash_inside(out: &Path, name: &str) -> io::Result<String> {
    let path = out.join(name);
    let folders = path.ancestors().skip(1).take_while(|folder| *folder != out);
    for folder in folders {
        if !fs::symlink_metadata(folder)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
    }
    Hash::of_reader(open_regular(&path)?)
}

/// Compares every file of a finished or unfinished run with the hash taken when it was made. `progress` is called after
/// each finished block.
///
/// # Errors
/// [`Error::NoRun`] or [`Error::RunHeader`] if the folder holds no run, [`Error::Manifest`] if a block's manifest is
/// not one.
pub fn verify(out: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<Verification, Error> {
    let header = RunHeader::read(out)?;
    let (params, all) = (&header.params, finished_blocks(out));
    let finished: BTreeSet<u64> = all.iter().copied().filter(|block| *block < params.blocks()).collect();
    let check = |block: &u64| {
        let found = check_block(out, &header, *block);
        progress(1);
        found.map(|(found, known)| (found, *block, known))
    };
    let blocks: Vec<u64> = finished.iter().copied().collect();
    let checked: Vec<(Verification, u64, KnownBlock)> = blocks.par_iter().map(check).collect::<Result<_, _>>()?;
    let mut whole = Verification::default();
    let files = BTreeSet::from([RUN, WORST].map(str::to_owned));
    let mut known = Known { header: &header, blocks: BTreeMap::new(), files };
    if let Some(hash) = &header.foreground {
        whole.compare(out, FOREGROUND, &[Some(hash)]);
        known.files.insert(FOREGROUND.to_owned());
    }
    for (found, block, names) in checked {
        whole.add(found);
        known.blocks.insert(block, names);
    }
    whole.unfinished.count = params.blocks() - finished.len() as u64;
    let missing = (0..params.blocks()).filter(|block| !finished.contains(block));
    whole.unfinished.names = missing.take(LISTED.min(whole.unfinished.count as usize)).map(|b| b.to_string()).collect();
    let classes = params.mechanisms().names();
    for (name, text) in params.formats().fixed(&classes) {
        whole.compare(out, &name, &[Some(&Hash::of(text.as_bytes()))]);
        known.files.insert(name);
    }
    if params.formats().has(Format::Coco)
        && let Some(fragments) = coco_blocks(params.blocks(), &all, out)
    {
        known.files.insert(COCO.to_owned());
        let mut hash = Hash::new(io::sink());
        // a fragment that cannot be read was found above
        if coco_merge(&classes, &fragments, &mut hash).is_ok() {
            whole.compare(out, COCO, &[Some(&hash.finish().0)]);
        }
    }
    let mut unknown = Unknown { known: &known, count: 0, first: BTreeSet::new() };
    unknown.walk(out, "");
    whole.unknown = Findings { count: unknown.count, names: unknown.first.into_iter().collect() };
    Ok(whole)
}

/// Which files the indices of a block have: nothing where its manifest is damaged, so that it cannot be known.
type KnownBlock = Option<Vec<KnownIndex>>;

/// What an index has.
#[derive(Debug, Clone, Copy)]
struct KnownIndex {
    /// Position of its sample's mechanism, if there is a sample.
    mechanism: Option<u16>,
    /// Whether its photo stands there without a defect.
    good: bool,
}

/// Checks a block's files.
fn check_block(out: &Path, header: &RunHeader, block: u64) -> Result<(Verification, KnownBlock), Error> {
    let mut found = Verification::default();
    let (lines, sums) = (manifest_block(block), checksums(block));
    let listed = read_text(&out.join(&sums), LARGEST);
    found.files += 1;
    let listed: BTreeMap<&str, &str> = match &listed {
        Ok(text) => text.lines().filter_map(|line| line.split_once("  ")).map(|(hash, name)| (name, hash)).collect(),
        Err(e) => {
            let kind = if e.kind() == io::ErrorKind::NotFound { &mut found.missing } else { &mut found.differing };
            kind.push(sums.clone());
            BTreeMap::new()
        }
    };
    found.compare(out, &lines, &[listed.get(lines.as_str()).copied()]);
    if found.differing.names.contains(&lines) {
        return Ok((found, None));
    }
    let path = out.join(&lines);
    let outcomes = read_outcomes(&path)?;
    let known = known_indices(header, block, &outcomes)
        .ok_or_else(|| Error::manifest(&path, "does not list the samples of its block: make the block again"))?;
    let mut expected = BTreeSet::from([lines]);
    for (outcome, index) in outcomes.iter().zip(&known) {
        for (name, content) in index.names(header, outcome.index) {
            let recorded = match content {
                Content::Image => outcome.image_sha256.as_deref(),
                Content::Mask => outcome.mask_sha256.as_deref(),
                Content::Good | Content::Soft | Content::Changed | Content::Label { .. } => None,
            };
            found.compare(out, &name, &[listed.get(name.as_str()).copied(), recorded]);
            expected.insert(name);
        }
    }
    for name in block_files(header, block) {
        found.compare(out, &name, &[listed.get(name.as_str()).copied()]);
        expected.insert(name);
    }
    // the list itself: neither less nor more than what must be there
    let is_complete = listed.len() == expected.len() && listed.keys().all(|name| expected.contains(*name));
    if !is_complete && !found.missing.names.contains(&sums) && !found.differing.names.contains(&sums) {
        found.differing.push(sums);
    }
    found.images = outcomes.iter().filter(|line| line.failed.is_none()).count() as u64;
    found.failed = outcomes.len() as u64 - found.images;
    Ok((found, Some(known)))
}

/// Files of a block that hold all of its samples, besides manifest and checksums.
fn block_files(header: &RunHeader, block: u64) -> Vec<String> {
    let formats = header.params.formats();
    let mut names = Vec::new();
    if formats.has(Format::Webdataset) {
        names.push(tar(block));
    }
    if formats.has(Format::Coco) {
        names.push(coco_block(block));
    }
    names
}

/// What each index of a block has; `None` if the lines are not those of the block.
fn known_indices(header: &RunHeader, block: u64, outcomes: &[Outcome]) -> Option<Vec<KnownIndex>> {
    let (params, photos) = (&header.params, header.photos.0);
    let (indices, classes) = (params.indices(block), params.mechanisms().names());
    if outcomes.len() as u64 != indices.end - indices.start {
        return None;
    }
    let known = |(outcome, index): (&Outcome, u64)| {
        let mechanism = classes.iter().position(|class| *class == outcome.mechanism)?;
        let mechanism = outcome.failed.is_none().then_some(u16::try_from(mechanism).ok()?);
        let good = params.formats().has(Format::Mvtec) && !outcome.unusable && params.is_first_of_photo(photos, index);
        (outcome.index == index).then_some(KnownIndex { mechanism, good })
    };
    outcomes.iter().zip(indices).map(known).collect()
}

impl KnownIndex {
    /// Names of the files of the index, with what is in them.
    fn names(self, header: &RunHeader, index: u64) -> Vec<(String, Content)> {
        let entries = header.params.mechanisms().entries();
        let kind = self.mechanism.and_then(|position| entries.get(usize::from(position))).map(|entry| entry.name());
        header.params.formats().names(index, kind, self.good)
    }
}

/// The files that a run has.
struct Known<'a> {
    header: &'a RunHeader,
    blocks: BTreeMap<u64, KnownBlock>,
    /// Files that belong to no block.
    files: BTreeSet<String>,
}

impl Known<'_> {
    fn has(&self, name: &str) -> bool {
        self.files.contains(name) || self.is_of_block(name).unwrap_or(false)
    }

    /// Whether a name is that of a block's file or of a sample's, by the number in it.
    fn is_of_block(&self, name: &str) -> Option<bool> {
        let file = name.rsplit('/').next()?;
        let digits = file.find(|c: char| !c.is_ascii_digit()).map_or(file, |end| &file[..end]);
        let number: u64 = digits.parse().ok()?;
        if self.blocks.contains_key(&number) {
            let own = [manifest_block(number), checksums(number)];
            if own.iter().chain(&block_files(self.header, number)).any(|other| other == name) {
                return Some(true);
            }
        }
        match self.blocks.get(&(number / BLOCK))? {
            None => Some(true), // nobody can know
            Some(indices) => {
                let index = indices.get((number % BLOCK) as usize)?;
                Some(index.names(self.header, number).iter().any(|(other, _)| other == name))
            }
        }
    }
}

/// A search for what a run does not have.
struct Unknown<'a> {
    known: &'a Known<'a>,
    count: u64,
    first: BTreeSet<String>,
}

impl Unknown<'_> {
    fn walk(&mut self, folder: &Path, prefix: &str) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let (path, name) = (entry.path(), format!("{prefix}{name}"));
            let kind = entry.file_type().ok();
            if kind.is_some_and(|kind| kind.is_dir()) {
                self.walk(&path, &format!("{name}/"));
            } else if !self.known.has(&name) {
                self.count += 1;
                self.first.insert(name);
                if self.first.len() > LISTED {
                    self.first.pop_last();
                }
            }
        }
    }
}
