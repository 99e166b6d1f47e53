//! Measures how real drawn defects are, and above all whether a head that is trained on them finds real ones.
//!
//! ```text
//! cargo run --release -p experiments --bin realism -- [--data FOLDER] [--only SET[/KIND],...] [--arms NAME,...]
//!     [--seeds N] [--head-only] [--before FOLDER] [--visibility LOW..HIGH] [--materials NAME,...]
//! ```
//!
//! For each kind of real defects and each way to draw them (arm), over seeds: (1) AUROC of a classifier that tells
//! crops of drawn defects from real ones, (2) precision and recall in feature space, (3) shapes of the masks, (4)
//! average precision of a linear head trained on drawn defects alone and scored on real ones. Five real defects a seed
//! calibrate one arm and are left out of every arm's test.
//!
//! `--visibility` and `--materials` replace the defaults of the uncalibrated arm. `--head-only` measures (4) alone.
//! `--before FOLDER` adds the samples of an older build: sets that its `maphc2f synth` wrote to
//! `FOLDER/SET/MECHANISM/SEED`.
//!
//! A whole run writes `docs/realism.md`, one of some kinds or arms target/realism/report.md; and sheets of crops for
//! people to target/realism; features of real photos are kept in target/realism/features. Ends with
//! `result crack_ap=<f> blowhole_ap=<f> ...`: pixel average precision of the uncalibrated arm, `absent` where it was
//! not measured.

mod arms;
mod data;
mod downstream;
mod report;
mod rows;
mod sheet;
mod two_sample;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use experiments::args::{list, names, number};
use experiments::placement;
use experiments::program::{Result, finish, say};
use experiments::realism::features::FeatureStore;
use maphc2f::MATERIALS;
use maphc2f::imgkit::rng::keyed_stream;
use maphc2f::physdefect::appearance::{Appearance, Material};
use maphc2f::physdefect::visibility::Visibility;
use rand::seq::SliceRandom;

use crate::arms::{ARMS, Arm, Canvas, Draw};
use crate::data::{Real, RowData};
use crate::report::{ArmFigures, RowReport};
use crate::rows::{Row, chosen};

/// Real defects that calibrate one arm.
const CALIBRATING: usize = 5;

fn main() -> ExitCode {
    finish(run())
}

struct Options {
    data: PathBuf,
    before: Option<PathBuf>,
    rows: Vec<Row>,
    arms: Vec<Arm>,
    seeds: u64,
    head_only: bool,
    /// Nothing is left out, so that the report may be written.
    whole: bool,
    /// Appearances of the uncalibrated arm.
    appearances: Vec<Appearance>,
}

/// Reads `low..high`.
fn range(args: &mut lexopt::Parser) -> Result<Visibility> {
    let text = args.value()?.to_string_lossy().into_owned();
    let (low, high) = text.split_once("..").ok_or("--visibility takes low..high")?;
    Ok(Visibility::between(low.parse()?, high.parse()?))
}

fn options() -> Result<Options> {
    let mut data = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let (mut before, mut only, mut arms, mut seeds, mut head_only) = (None, Vec::new(), Vec::new(), 5, false);
    let (mut visibility, mut materials) = (None, Vec::new());
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("data") => data = args.value()?.into(),
            lexopt::Arg::Long("before") => before = Some(args.value()?.into()),
            lexopt::Arg::Long("only") => only = list(&mut args)?,
            lexopt::Arg::Long("arms") => arms = names(&mut args, "arms", &ARMS.map(Arm::name))?,
            lexopt::Arg::Long("seeds") => seeds = number(&mut args, "seeds")?,
            lexopt::Arg::Long("head-only") => head_only = true,
            lexopt::Arg::Long("visibility") => visibility = Some(range(&mut args)?),
            lexopt::Arg::Long("materials") => materials = list(&mut args)?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    let materials: Vec<Material> = match materials.is_empty() {
        true => MATERIALS.to_vec(),
        false => materials.iter().map(|name| Material::by_name(name)).collect::<std::result::Result<_, _>>()?,
    };
    let own = visibility.is_some();
    let look = |&material: &Material| match visibility {
        Some(range) => Appearance::new(material).with_visibility(Some(range)),
        None => Appearance::new(material),
    };
    let appearances: Vec<Appearance> = materials.iter().map(look).collect();
    let whole = !own && only.is_empty() && arms.is_empty() && seeds >= 5 && !head_only;
    let kept = |arm: &Arm| {
        let asked = arms.is_empty() || arms.iter().any(|a| a == arm.name());
        asked && (*arm != Arm::Before || before.is_some())
    };
    let arms = ARMS.into_iter().filter(kept).collect();
    Ok(Options { data, before, rows: chosen(&only)?, arms, seeds, head_only, whole, appearances })
}

fn run() -> Result<String> {
    let options = options()?;
    if !options.data.exists() {
        return Ok(format!("result skipped: {} is absent", options.data.display()));
    }
    let start = Instant::now();
    let store = FeatureStore::open("target/realism/features")?;
    let mut reports = Vec::new();
    for row in &options.rows {
        let report = measure(row, &options, &store)?;
        say(&report);
        reports.push(report);
    }
    let placement = if options.head_only {
        None
    } else {
        placement::measure(&options.data, &experiments::workspace().join("experiments/references/foregrounds.json"))?
    };
    if !options.head_only {
        let partial = PathBuf::from("target/realism/report.md");
        let path = if options.whole { experiments::workspace().join("docs/realism.md") } else { partial };
        report::write(&path, &reports, (options.seeds, options.before.is_some()), placement)?;
    }
    say(&format!("{:.0} s", start.elapsed().as_secs_f64()));
    Ok(report::result_line(&reports, placement))
}

/// Measures every arm on one kind.
fn measure(row: &Row, options: &Options, store: &FeatureStore) -> Result<RowReport> {
    let registry = maphc2f::physdefect::registry::Registry::standard();
    if registry.by_name(row.mechanism).is_err() {
        return Ok(RowReport::skipped(*row, format!("there is no mechanism `{}`", row.mechanism)));
    }
    if !row.root(&options.data).exists() {
        return Ok(RowReport::skipped(*row, "the set is absent".to_owned()));
    }
    let data = RowData::load(row, &options.data, store)?;
    let mut report = RowReport::new(*row, &data, options.arms.iter().map(|arm| ArmFigures::new(*arm)).collect());
    for seed in 0..options.seeds {
        let mut order: Vec<&Real> = data.defects.iter().collect();
        order.shuffle(&mut keyed_stream(seed, 1 << 60));
        let (calibrating, tested) = order.split_at(CALIBRATING.min(order.len()));
        let canvas = Canvas::load(&data.photos, row.side, seed)?;
        let others: Vec<_> = canvas.others.iter().take(arms::DRAWN).map(|&i| &data.normals[i]).collect();
        let before = options.before.as_deref();
        let appearances = &options.appearances;
        let draw = Draw { row, canvas: &canvas, calibrating, before, seed, appearances };
        let crops = if options.head_only {
            None
        } else {
            Some(two_sample::RealCrops::new(store.net(), tested, &canvas, seed)?)
        };
        if let Some(crops) = &crops {
            report.floor.push(crops.halves(seed)?);
        }
        let mut shown: Vec<(&str, Vec<_>)> = Vec::new();
        for figures in &mut report.arms {
            let drawn = match draw.samples(figures.arm) {
                Ok(drawn) => drawn,
                Err(e) => {
                    figures.refused.get_or_insert_with(|| e.to_string());
                    continue;
                }
            };
            figures.drawn.push(drawn.len());
            if drawn.is_empty() {
                figures.refused.get_or_insert_with(|| "no photo can carry such a defect".to_owned());
                continue;
            }
            match downstream::train(store.net(), &drawn, &others, seed) {
                Ok(head) => figures.head.push(downstream::score(&head, tested, &data.good)?),
                Err(e) => {
                    figures.refused.get_or_insert_with(|| e.to_string());
                }
            }
            if let Some(crops) = &crops {
                figures.two_sample.push(crops.compare(store.net(), &drawn, seed)?);
                figures.shapes.extend(drawn.iter().filter_map(|d| experiments::realism::shape::measure(d.mask.view())));
                shown.push((figures.arm.name(), drawn));
            }
        }
        if seed == 0 && !options.head_only {
            sheet::save(row, tested, &shown)?;
        }
    }
    Ok(report)
}
