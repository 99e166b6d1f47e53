//! `maphc2f synth`: makes a data set of synthetic defects.

use std::path::{Path, PathBuf};
use std::time::Instant;

use maphc2f::factory::{DatasetParams, Job, PhotoSet, QualityScorer, Shard, Summary, synthesize};
use maphc2f::refuse_not_read;
use serde_json::json;

use crate::Result;
use crate::args::SynthArgs;
use crate::console::{Console, peak_rss_mb};
use crate::recipe::Recipe;

/// One data set to make.
struct PlannedRun {
    name: String,
    out: PathBuf,
    params: DatasetParams,
    photos: PhotoSet,
    /// Blocks of the parts before it.
    offset: u64,
}

impl PlannedRun {
    /// Which blocks this process makes: shards are counted through all parts.
    fn shard(&self, args: &SynthArgs) -> Shard {
        args.shard.unwrap_or_default().with_offset(self.offset)
    }
}

pub fn run(args: &SynthArgs, console: &Console) -> Result<u8> {
    let start = Instant::now();
    let scorer = args.quality_model.as_deref().map(QualityScorer::load).transpose()?;
    let (parts, missing) = parts(args, console)?;
    if args.dry_run {
        return Ok(plan(args, &parts, &missing, console));
    }
    if let Some(reason) = missing.first() {
        return Err(format!("{reason} ({} categories are missing; --dry-run lists them)", missing.len()).into());
    }
    if args.strict {
        parts.iter().try_for_each(|part| refuse_not_read(part.photos.not_read()))?;
    }
    let total: u64 = parts.iter().map(|p| p.params.samples_of(p.shard(args))).sum();
    let bar = console.bar("samples", total);
    let mut whole = Summary::default();
    for part in &parts {
        let job = Job::new(&part.params, &part.photos, &part.out)
            .with_shard(part.shard(args))
            .with_resume(args.resume)
            .with_strict(args.strict)
            .with_quality_scorer(scorer.as_ref());
        let done = synthesize(&job, &|n| bar.inc(n));
        let done = done.inspect_err(|_| bar.finish_and_clear())?;
        whole.images += done.images;
        whole.failed += done.failed;
        whole.kept += done.kept;
        whole.unusable.extend(done.unusable);
        whole.whole_frame.extend(done.whole_frame);
    }
    bar.finish_and_clear();
    note_whole_frames(&whole.whole_frame, console);
    for part in &parts {
        if let Some(set) = part.photos.foreground(part.params.side())?
            && let Some(note) = set.note()
        {
            console.say(&format!("note: {note}"));
        }
    }
    for (_, reason) in &whole.unusable {
        console.say(&format!("skipped: {reason}"));
    }
    parts.iter().for_each(|part| console.say_photos(&part.photos));
    let not_read = parts.iter().map(|part| part.photos.not_read().len()).sum();
    Ok(report(&whole, not_read, &args.out, start.elapsed().as_secs_f64(), console))
}

/// Says on which photos defects may lie beside the product.
fn note_whole_frames(photos: &[String], console: &Console) {
    const SHOWN: usize = 3;
    if !photos.is_empty() {
        let more = if photos.len() > SHOWN { ", ..." } else { "" };
        console.say(&format!(
            "note: on {} photos no object could be told from the background, as on a texture ({}{more}): defects lie \
             anywhere in the frame. If they show an object, name its masks with --masks.",
            photos.len(),
            photos[..photos.len().min(SHOWN)].join(", ")
        ));
    }
}

fn report(done: &Summary, not_read: usize, out: &Path, seconds: f64, console: &Console) -> u8 {
    let rate = done.images as f64 / seconds.max(1e-9);
    let object = json!({
        "images": done.images,
        "seconds": seconds,
        "images_per_second": rate,
        "failed": done.failed,
        "kept": done.kept,
        "unusable_photos": done.unusable.len(),
        "whole_frame_photos": done.whole_frame.len(),
        "not_read": not_read,
        "peak_rss_mb": peak_rss_mb(),
    });
    let line = format!(
        "{} samples in {seconds:.1} s ({rate:.1}/s) in {}; {} failed, {} were there before",
        done.images,
        out.display(),
        done.failed,
        done.kept
    );
    console.result(&line, &object);
    if done.failed > 0 || not_read > 0 { 3 } else { 0 }
}

/// The data sets to make, and a reason for each that cannot be made.
fn parts(args: &SynthArgs, console: &Console) -> Result<(Vec<PlannedRun>, Vec<String>)> {
    let params = |base: DatasetParams, photos: &PhotoSet| -> Result<DatasetParams> {
        let base = args.samples.over(base, photos, &|text| console.say(&text))?;
        let (formats, keep_best) = (base.formats().clone(), base.keep_best());
        let formats = args.format.clone().unwrap_or(formats);
        Ok(base.with_formats(formats).with_keep_best(args.keep_best.unwrap_or(keep_best)))
    };
    let (Some(recipe), Some(data)) = (&args.recipe, &args.data) else {
        let photos = args.photos.find()?;
        let params = params(DatasetParams::default().with_count(args.count.unwrap_or_default()), &photos)?;
        params.check()?;
        let name = args.out.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Ok((vec![PlannedRun { name, out: args.out.clone(), params, photos, offset: 0 }], Vec::new()));
    };
    let (mut parts, mut missing, mut offset) = (Vec::new(), Vec::new(), 0);
    for (set, category, base) in Recipe::read(recipe)?.runs() {
        let name = format!("{set}/{category}");
        match crate::recipe::locate(data, set, category) {
            Ok(photos) => {
                let params = params(base, &photos)?;
                params.check()?;
                let blocks = params.blocks();
                parts.push(PlannedRun { out: args.out.join(set).join(category), params, photos, name, offset });
                offset += blocks;
            }
            Err(reason) => missing.push(format!("{name}: {} samples: {reason}", base.count())),
        }
    }
    Ok((parts, missing))
}

/// Says what would be made; the exit code is 2 if something is missing.
fn plan(args: &SynthArgs, parts: &[PlannedRun], missing: &[String], console: &Console) -> u8 {
    let mut rows = Vec::new();
    for part in parts {
        let here = part.params.samples_of(part.shard(args));
        console.say(&format!(
            "{}: {} samples ({here} here) from {} photos",
            part.name,
            part.params.count(),
            part.photos.len()
        ));
        rows.push(
            json!({ "name": part.name, "count": part.params.count(), "here": here, "photos": part.photos.len() }),
        );
    }
    for reason in missing {
        console.say(&format!("missing: {reason}"));
    }
    let total: u64 = parts.iter().map(|p| p.params.count()).sum();
    let blocks: u64 = parts.iter().map(|p| p.params.blocks()).sum();
    let object = json!({ "count": total, "blocks": blocks, "parts": rows, "missing": missing });
    let line = format!("{total} samples in {blocks} blocks from {} folders; {} missing", parts.len(), missing.len());
    console.result(&line, &object);
    if missing.is_empty() { 0 } else { 2 }
}
