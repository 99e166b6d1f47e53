//! Quality of a data set that is made: rated from its files, written into its manifest.
//!
//! A line keeps its text but for what is rated, so that rating twice gives the same bytes. All blocks are rated before
//! the first is changed, and what is changed is written aside and renamed: the tar of a block, its checksums, and its
//! manifest last. A block that was broken off between these is mended by rating again.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use imgkit::image_io::{MaskRule, Photo, decode_mask, decode_photo};
use imgkit::level::to_u8;
use ndarray::{Array2, Array3};
use rayon::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sqe::{Diagnosis, Fault};

use super::error::Error;
use super::files::{Hash, read_text};
use super::formats::{Masks, Stored, StoredSample, Tar, TarReader};
use super::header::RunHeader;
use super::layout::{RUN, checksums, finished_blocks, manifest_block, tar};
use super::manifest::{LARGEST, Outcome};
use super::plan::BLOCK;
use super::quality_scorer::{QualityScorer, by_name};
use super::staging::{Staging, remove_leftovers};
use super::verify::LARGEST as LARGEST_SUMS;

/// Rating of one sample.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SampleRating {
    /// Its number in the run.
    pub index: u64,
    /// Its quality and faults.
    pub diagnosis: Diagnosis,
}

/// Sample of low quality, to be looked at.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RatedImage {
    /// Its rating.
    pub rating: SampleRating,
    /// Name of its mechanism.
    pub mechanism: String,
    /// Its photo, relative to the folder of good photos.
    pub photo: String,
    /// The image `(H, W, 1 or 3)`.
    pub image: Array3<u8>,
    /// The mask `(H, W)`.
    pub mask: Array2<bool>,
}

/// Ratings of a data set.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Ratings {
    /// Every sample, by its number. There is at least one.
    pub samples: Vec<SampleRating>,
    /// The lowest qualities, worst first, as many as were asked for.
    pub worst: Vec<RatedImage>,
}

impl Ratings {
    /// Quality below which `share` of the samples lie, in \[0, 1\]: 0.5 is the median, 0 and 1 are the extremes.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let mut all: Vec<f64> = self.samples.iter().map(|sample| sample.diagnosis.quality).collect();
        all.sort_by(f64::total_cmp);
        let at = (share.clamp(0.0, 1.0) * all.len().saturating_sub(1) as f64).round() as usize;
        all.get(at).copied().unwrap_or(f64::NAN)
    }

    /// Number of samples in which each fault is likelier than not and the likeliest, and of those with none.
    #[must_use]
    pub fn named(&self) -> (Vec<(Fault, usize)>, usize) {
        let found: Vec<Option<Fault>> = self.samples.iter().map(|sample| sample.diagnosis.fault()).collect();
        let count = |fault: Option<Fault>| found.iter().filter(|other| **other == fault).count();
        (Fault::ALL.into_iter().map(|fault| (fault, count(Some(fault)))).collect(), count(None))
    }
}

/// Rates every sample of the finished run in `out` by `scorer`, writes quality and faults into its manifest, and into
/// its tar files where it has such, and returns them with the `worst` ones. `progress` is called with the number of
/// samples that were done since the last call, and that of the run. Equal files give equal bytes, however often they
/// are rated.
///
/// `run.json` is not changed: it says by which estimator samples were chosen, not rated.
///
/// # Errors
/// Before anything is changed: [`Error::NoRun`], [`Error::RunHeader`], [`Error::Unfinished`], [`Error::NoMasks`],
/// [`Error::NoSamples`], [`Error::Input`], [`Error::Manifest`] if a manifest is not that of its block or not as its
/// checksums say, [`Error::SampleFile`] for an image or mask that is missing or not as the manifest says,
/// [`Error::Pipeline`]. Later [`Error::Output`].
pub fn rate(
    out: &Path,
    scorer: &QualityScorer,
    worst: usize,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Ratings, Error> {
    let header = RunHeader::read(out)?;
    let (blocks, finished) = (header.params.blocks(), finished_blocks(out));
    let missing = (0..blocks).filter(|block| !finished.contains(block)).count() as u64;
    if missing > 0 {
        return Err(Error::Unfinished { path: out.join(RUN), missing, blocks });
    }
    let formats = header.params.formats();
    let Some(stored) = formats.stored() else {
        return Err(Error::NoMasks { path: out.join(RUN), formats: formats.to_string() });
    };
    remove_leftovers(out);
    let staging = Staging::new(out, "quality")?;
    let rating =
        Rating { out, header: &header, stored, scorer, staging, worst: Worst { most: worst, kept: Mutex::default() } };
    let rated: Vec<Vec<SampleRating>> =
        (0..blocks).into_par_iter().map(|block| rating.block(block, progress)).collect::<Result<_, _>>()?;
    let samples: Vec<SampleRating> = rated.into_iter().flatten().collect();
    if samples.is_empty() {
        return Err(Error::NoSamples { path: out.join(RUN) });
    }
    for block in 0..blocks {
        let tar = (stored == Stored::Tar).then(|| tar(block));
        let last = [checksums(block), manifest_block(block)];
        tar.into_iter().chain(last).try_for_each(|name| rating.staging.publish(&name))?;
    }
    Ok(Ratings { samples, worst: rating.worst.kept.into_inner().unwrap_or_else(PoisonError::into_inner) })
}

struct Rating<'a> {
    out: &'a Path,
    header: &'a RunHeader,
    stored: Stored,
    scorer: &'a QualityScorer,
    staging: Staging<'a>,
    worst: Worst,
}

/// The samples of lowest quality so far.
struct Worst {
    most: usize,
    kept: Mutex<Vec<RatedImage>>,
}

impl Worst {
    /// Takes a sample if it is among the worst, equal ones by their number, whatever the order in which they come.
    fn offer(&self, rating: &SampleRating, sample: impl FnOnce() -> RatedImage) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let quality = rating.diagnosis.quality;
        let at = kept.partition_point(|other| {
            let other = &other.rating;
            other.diagnosis.quality.total_cmp(&quality).then(other.index.cmp(&rating.index)).is_lt()
        });
        if at < self.most {
            kept.insert(at, sample());
            kept.truncate(self.most);
        }
    }
}

impl Rating<'_> {
    /// Rates a block, and writes its manifest, its checksums and its tar aside.
    fn block(&self, block: u64, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Vec<SampleRating>, Error> {
        let (name, sums) = (manifest_block(block), checksums(block));
        let path = self.out.join(&name);
        let read = |path: PathBuf, limit| read_text(&path, limit).map_err(|source| Error::Input { path, source });
        let (text, listed) = (read(path.clone(), LARGEST)?, read(self.out.join(&sums), LARGEST_SUMS)?);
        let outcomes = self.outcomes(block, &path, &text)?;
        let (lines, tar): (Vec<Line>, Option<(String, String)>) = if self.stored == Stored::Tar {
            let (lines, hash) = self.through_tar(block, &outcomes, progress)?;
            (lines, Some((tar(block), hash)))
        } else {
            let masks: Masks = self.stored.masks(self.out, block)?;
            let rate = |(outcome, line): &(Outcome, &str)| {
                let rated = self.line(outcome, line, |kind| self.stored.sample(self.out, outcome.index, kind, &masks));
                progress(1, self.header.params.count());
                rated
            };
            (outcomes.par_iter().map(rate).collect::<Result<_, _>>()?, None)
        };
        let changed: String = lines.iter().map(|line| line.text.clone() + "\n").collect();
        let (before, after) = (Hash::of(text.as_bytes()), Hash::of(changed.as_bytes()));
        let is_known = |line: &str| {
            line.split_once("  ").is_some_and(|(hash, other)| other == name && (hash == before || hash == after))
        };
        if !listed.lines().any(is_known) {
            let reason = "is not what its checksums say: if rating it was broken off, rate it again by the same \
                          estimator; otherwise `verify` says what differs";
            return Err(Error::manifest(&path, reason));
        }
        let renewed = |line: &str| match line.split_once("  ") {
            Some((_, other)) if other == name => format!("{after}  {name}\n"),
            Some((_, other)) => match &tar {
                Some((tar, hash)) if other == tar => format!("{hash}  {tar}\n"),
                _ => format!("{line}\n"),
            },
            None => format!("{line}\n"),
        };
        let listed: String = listed.lines().map(renewed).collect();
        self.staging.write(&sums, listed.as_bytes())?;
        self.staging.write(&name, changed.as_bytes())?;
        Ok(lines.into_iter().filter_map(|line| line.rating).collect())
    }

    /// The lines of a block with what they say of files.
    fn outcomes<'t>(&self, block: u64, path: &Path, text: &'t str) -> Result<Vec<(Outcome, &'t str)>, Error> {
        let parse = |(i, line): (usize, &'t str)| -> Result<(Outcome, &'t str), Error> {
            let outcome =
                serde_json::from_str(line).map_err(|e| Error::manifest(path, format!("line {} ({e})", i + 1)))?;
            Ok((outcome, line))
        };
        let outcomes: Vec<(Outcome, &str)> = text.lines().enumerate().map(parse).collect::<Result<_, _>>()?;
        if outcomes.iter().map(|(outcome, _)| outcome.index).ne(self.header.params.indices(block)) {
            return Err(Error::manifest(path, "does not list the samples of its block: make the block again"));
        }
        Ok(outcomes)
    }

    /// Rates the samples of a block from its tar, and writes that aside with the new lines; returns its hash, too.
    fn through_tar(
        &self,
        block: u64,
        outcomes: &[(Outcome, &str)],
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<(Vec<Line>, String), Error> {
        let name = tar(block);
        let path = self.out.join(&name);
        let mut written = Tar::new(self.staging.create(&name)?);
        let mut reader = TarReader::open(&path).map_err(|e| Error::sample_file(&path, e))?;
        let mut entries = reader.entries().map_err(|e| Error::sample_file(&path, e))?;
        let mut lines = Vec::new();
        for (outcome, line) in outcomes {
            let mut files = None;
            let rated = self.line(outcome, line, |_| {
                let (image, mask) = entries.sample(outcome.index).map_err(|e| Error::sample_file(&path, e))?;
                files = Some((image.clone(), mask.clone()));
                Ok(StoredSample { image: (path.clone(), image), mask: (path.clone(), mask) })
            })?;
            if let Some((image, mask)) = files {
                let pushed = written.push(outcome.index, &rated.text, &image, &mask);
                pushed.map_err(Error::output(&path))?;
            }
            lines.push(rated);
            progress(1, self.header.params.count());
        }
        Ok((lines, written.finish().map_err(Error::output(&path))?))
    }

    /// Rates the sample of a line, whose files `read` reads by the name of the mechanism.
    fn line(
        &self,
        outcome: &Outcome,
        line: &str,
        read: impl FnOnce(&str) -> Result<StoredSample, Error>,
    ) -> Result<Line, Error> {
        if outcome.failed.is_some() {
            return Ok(Line { text: line.to_owned(), rating: None });
        }
        let path = self.out.join(manifest_block(outcome.index / BLOCK));
        let entries = self.header.params.mechanisms().entries();
        let Some(kind) = entries.iter().map(|entry| entry.name()).find(|name| *name == outcome.mechanism) else {
            let reason = format!("sample {} is of no mechanism of the run: make the block again", outcome.index);
            return Err(Error::manifest(&path, reason));
        };
        let StoredSample { image, mask } = read(kind)?;
        for ((path, bytes), recorded) in [(&image, &outcome.image_sha256), (&mask, &outcome.mask_sha256)] {
            if recorded.as_deref() != Some(&Hash::of(bytes)) {
                return Err(Error::sample_file(path, "is not what the manifest says"));
            }
        }
        let photo = decode_photo(&image.1, &image.0).map_err(crate::Error::from)?;
        let mask = decode_mask(&mask.1, &mask.0, MaskRule::NonZero).map_err(crate::Error::from)?.mask;
        let diagnosis = self.scorer.diagnose(photo.to_f32().view(), mask.view())?;
        let text = rated_line(line, &diagnosis).map_err(|e| Error::manifest(&path, e.to_string()))?;
        let rating = SampleRating { index: outcome.index, diagnosis };
        self.worst.offer(&rating, || RatedImage {
            rating: rating.clone(),
            mechanism: kind.to_owned(),
            photo: outcome.source.clone(),
            image: match photo {
                Photo::U8(pixels) => pixels,
                other => other.to_f32().mapv(to_u8),
            },
            mask,
        });
        Ok(Line { text, rating: Some(rating) })
    }
}

/// A line of the manifest, rated if it has a sample.
struct Line {
    text: String,
    rating: Option<SampleRating>,
}

/// The line with another quality and other faults; all else keeps its text and place.
fn rated_line(line: &str, found: &Diagnosis) -> serde_json::Result<String> {
    let Fields(fields) = serde_json::from_str(line)?;
    let (quality, faults) = (serde_json::to_string(&found.quality)?, serde_json::to_string(&by_name(found))?);
    let rated = format!("\"quality\":{quality},\"faults\":{faults}");
    let has_quality = fields.iter().any(|(key, _)| key == "quality");
    let mut parts = Vec::with_capacity(fields.len() + 1);
    for (key, value) in &fields {
        match key.as_str() {
            "quality" => parts.push(rated.clone()),
            "faults" => {}
            key => parts.push(format!("{}:{}", serde_json::to_string(key)?, value.get())),
        }
    }
    if !has_quality {
        parts.push(rated);
    }
    Ok(format!("{{{}}}", parts.join(",")))
}

/// Fields of an object in their order, each with the text of its value.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(quality: f64) -> Diagnosis {
        Diagnosis { quality, faults: [0.25; Fault::ALL.len()] }
    }

    #[test]
    fn a_line_keeps_its_text_but_for_what_is_rated() {
        let kept = r#"{"index":3,"severity":0.10000000000000001,"a\"b":"\"quality\":1","model":{"quality":7},"#;
        let before = kept.to_owned() + r#""quality":null,"size":[1, 2]}"#;
        let after = rated_line(&before, &found(0.5)).unwrap();
        let rated = r#""quality":0.5,"faults":{"color-cast":0.25,"#;
        assert!(after.starts_with(&(kept.to_owned() + rated)) && after.ends_with(r#"0.25},"size":[1, 2]}"#), "{after}");
        assert_eq!(rated_line(&after, &found(0.5)).unwrap(), after);
        let again = rated_line(&after, &found(0.75)).unwrap();
        assert_eq!(again, after.replace("\"quality\":0.5", "\"quality\":0.75"));
        assert!(rated_line("{}", &found(0.5)).unwrap().starts_with("{\"quality\":0.5,"));
        assert!(rated_line("[1]", &found(0.5)).is_err() && rated_line("{\"a\":", &found(0.5)).is_err());
    }

    #[test]
    fn the_worst_are_kept_in_order_however_they_come() {
        let qualities = [0.5, 0.1, 0.9, 0.1, 0.3, 0.7];
        for turn in 0..qualities.len() {
            let worst = Worst { most: 3, kept: Mutex::default() };
            for i in 0..qualities.len() {
                let index = (i * 5 + turn) % qualities.len();
                let rating = SampleRating { index: index as u64, diagnosis: found(qualities[index]) };
                let image = || RatedImage {
                    rating: rating.clone(),
                    mechanism: String::new(),
                    photo: String::new(),
                    image: Array3::zeros((1, 1, 1)),
                    mask: Array2::from_elem((1, 1), true),
                };
                worst.offer(&rating, image);
            }
            let kept: Vec<u64> = worst.kept.into_inner().unwrap().iter().map(|r| r.rating.index).collect();
            assert_eq!(kept, [1, 3, 4], "{turn}");
        }
    }

    #[test]
    fn quantiles_and_counts_are_those_of_the_samples() {
        let of = |index: u64, quality: f64, seam: f64| {
            let mut diagnosis = found(quality);
            diagnosis.faults[0] = seam;
            SampleRating { index, diagnosis }
        };
        let samples = vec![of(0, 0.4, 0.9), of(1, 0.2, 0.3), of(2, 0.6, 0.8)];
        let ratings = Ratings { samples, worst: Vec::new() };
        assert_eq!([0.0, 0.5, 1.0].map(|share| ratings.quantile(share)), [0.2, 0.4, 0.6]);
        let (named, none) = ratings.named();
        assert_eq!((named[0], named[1].1, none), ((Fault::Seam, 2), 0, 1));
    }
}
