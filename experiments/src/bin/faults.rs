//! Measures whether the estimator of faults tells spoiled defects from clean ones at equal contrast and area.
//!
//! ```text
//! cargo run --release -p experiments --bin faults [-- --out FOLDER] [--seed N] [--defects N] [--left-out]
//!     [--write FILE]
//! ```
//!
//! On the photographs that ship with the repository: a third of the photos of each product is held out in turn, and the
//! estimator is trained on the others with faults of strengths 0.35 and 1; pairs of a defect and itself spoiled at
//! strength 0.65, on held-out photos, are then ranked. `--left-out` also trains without each fault in turn and ranks
//! pairs of that one. `--defects` is the number of defects in all, of every mechanism in turn. `--write` trains on all
//! photos with all strengths, and writes that estimator: it is the one that ships with `sqe`.
//!
//! Writes `faults.png` (defects by every fault at full strength), `worst.png` (the twenty lowest clean defects on
//! held-out photos, with quality and diagnosis) and `faults.csv` to target/faults. Ends with `result sqe_pair=<f>
//! least_fault=<f> named=<f> visibility=<f> area=<f> cost=<f>`: pair accuracy, mean over faults and of the worst fault;
//! share of spoiled defects whose fault is named; Spearman correlation of the quality of clean defects with visibility
//! and area, mean over the three thirds; time of a diagnosis over that of making a sample.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use experiments::args::number;
use experiments::bars::bar;
use experiments::crop::around;
use experiments::program::{Result, finish, keep_result, say, say_written};
use maphc2f::imgkit::file::write_atomic;
use maphc2f::physdefect::{Domain, SampleKey, estimate_foreground};
use maphc2f::sqe::{Fault, FaultEstimator, FaultParams, FaultSet, spearman};
use maphc2f::{
    Cell, FaultSource, FaultySample, MATERIALS, Pipeline, STRENGTHS, Sheet, load_photos, prepare_folder, resize_square,
};
use ndarray::Array3;
use rayon::prelude::*;

/// Side of the photographs, of a cut and of a picture on a sheet, px.
const SIDE: usize = 256;
const CUT: usize = 96;
const SHOWN: u32 = 160;
/// Parts of the photos that are held out in turn.
const PARTS: usize = 3;
/// The strength that is held out, and what it is told from others by.
const HELD_OUT: f64 = STRENGTHS[1];
const EXACTLY: f64 = 1e-9;
/// Clean defects on the sheet of the worst.
const WORST: usize = 20;
const PRODUCTS: [&str; 8] = ["cardboard", "circuit_board", "felt", "leather", "objects", "paper", "rug", "wood"];

fn main() -> ExitCode {
    finish(run())
}

struct Photo {
    name: String,
    /// Which third of its product.
    part: usize,
    pixels: Array3<f32>,
    domain: Domain,
}

/// A defect of the evaluation.
struct Made {
    photo: usize,
    group: usize,
    key: SampleKey,
    set: FaultSet,
}

fn run() -> Result<String> {
    let (mut out, mut seed, mut defects, mut left_out) = (PathBuf::from("target/faults"), 0u64, 1056usize, false);
    let mut write: Option<PathBuf> = None;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("out") => out = args.value()?.into(),
            lexopt::Arg::Long("seed") => seed = number(&mut args, "seed")?,
            lexopt::Arg::Long("defects") => defects = number(&mut args, "defects")?,
            lexopt::Arg::Long("left-out") => left_out = true,
            lexopt::Arg::Long("write") => write = Some(args.value()?.into()),
            _ => return Err(arg.unexpected().into()),
        }
    }
    let photos = photos()?;
    prepare_folder(&out)?;
    let pipeline = Pipeline::standard(&MATERIALS)?;
    let source = FaultSource::new(&pipeline, &MATERIALS);
    let progress = bar("defects", defects);
    let started = Instant::now();
    let one = |i: usize| -> Result<Option<Made>> {
        let (photo, group) = (i % photos.len(), (i / photos.len()) % pipeline.groups());
        let key = SampleKey { seed, index: i as u64 };
        let of = &photos[photo];
        let set = source.set(photo, of.pixels.view(), &of.domain, group, key, &STRENGTHS)?;
        progress.inc(1);
        Ok(set.map(|set| Made { photo, group, key, set }))
    };
    let made: Vec<Option<Made>> = (0..defects)
        .into_par_iter()
        .map(|i| one(i).map_err(|e| e.to_string()))
        .collect::<std::result::Result<_, _>>()?;
    let made: Vec<Made> = made.into_iter().flatten().collect();
    progress.finish_and_clear();
    say(&format!("{} defects on {} photos in {:.0} s", made.len(), photos.len(), started.elapsed().as_secs_f64()));

    if let Some(path) = &write {
        let all: Vec<FaultSet> = made.iter().map(|m| m.set.clone()).collect();
        learn(&all, seed)?.save(path)?;
        say(&format!("wrote {}, trained on all {} defects at all strengths", path.display(), all.len()));
    }

    let mut accuracy = vec![Vec::new(); Fault::ALL.len()];
    let (mut named, mut correlations) = (Vec::new(), Vec::new());
    let mut clean: Vec<(f64, Option<Fault>, &Made)> = Vec::new();
    let mut csv = String::from("part,left_out,fault,strength,pairs,pair_accuracy\n");
    let strengths = STRENGTHS.map(|s| (s - EXACTLY, s + EXACTLY));
    for part in 0..PARTS {
        let (test, training): (Vec<&Made>, Vec<&Made>) = made.iter().partition(|m| photos[m.photo].part == part);
        let training: Vec<FaultSet> = training.iter().map(|m| without(&m.set, None)).collect();
        let estimator = learn(&training, seed)?;
        let sets: Vec<&FaultSet> = test.iter().map(|m| &m.set).collect();
        for range in strengths {
            for (fault, right, pairs) in estimator.pair_accuracy(&sets, range) {
                writeln!(csv, "{part},,{},{:.2},{pairs},{right:.4}", fault.name(), range.0 + EXACTLY)?;
                if range.0 < HELD_OUT && HELD_OUT < range.1 {
                    accuracy[number_of(fault)].push((right, pairs));
                }
            }
        }
        named.push(share_named(&estimator, &sets));
        let found: Vec<_> = sets.iter().map(|set| estimator.diagnose_statistics(&set.clean)).collect();
        let quality: Vec<f64> = found.iter().map(|d| d.quality).collect();
        let with = |of: fn(&FaultSet) -> f64| {
            spearman(&quality, &sets.iter().map(|set| of(set)).collect::<Vec<_>>()).unwrap_or(f64::NAN)
        };
        correlations.push([with(|set| set.visibility), with(|set| set.area)]);
        clean.extend(found.iter().zip(&test).map(|(d, m)| (d.quality, d.fault(), *m)));
        say(&format!(
            "part {part}: {:.0} % named, visibility and area {:+.3?}",
            100.0 * named[part],
            correlations[part]
        ));
    }
    let pooled = |of: &[(f64, usize)]| -> f64 {
        of.iter().map(|(right, n)| right * *n as f64).sum::<f64>() / of.iter().map(|(_, n)| *n).sum::<usize>() as f64
    };
    let by_fault: Vec<(Fault, f64, usize)> = (Fault::ALL.into_iter().zip(&accuracy))
        .filter(|(_, of)| !of.is_empty())
        .map(|(fault, of)| (fault, pooled(of), of.iter().map(|(_, n)| n).sum()))
        .collect();
    for (fault, right, pairs) in &by_fault {
        let mut line = format!("{:12} {right:.3} of {pairs} pairs", fault.name());
        if left_out {
            let mut of = Vec::new();
            for part in 0..PARTS {
                let (test, training): (Vec<&Made>, Vec<&Made>) =
                    made.iter().partition(|m| photos[m.photo].part == part);
                let training: Vec<FaultSet> = training.iter().map(|m| without(&m.set, Some(*fault))).collect();
                let estimator = learn(&training, seed)?;
                let sets: Vec<&FaultSet> = test.iter().map(|m| &m.set).collect();
                let found = estimator.pair_accuracy(&sets, strengths[1]);
                of.extend(found.into_iter().filter(|(f, ..)| f == fault).map(|(_, right, n)| (right, n)));
            }
            write!(line, "; left out of training {:.3}", pooled(&of))?;
            writeln!(csv, ",{},{},{HELD_OUT:.2},{pairs},{:.4}", fault.name(), fault.name(), pooled(&of))?;
        }
        say(&line);
    }
    let cost = cost(&source, &photos, &made, seed)?;
    write_atomic(out.join("faults.csv"), csv)?;
    faults_sheet(&source, &photos, &made)?.save(&out.join("faults.png"))?;
    clean.sort_by(|a, b| a.0.total_cmp(&b.0));
    worst_sheet(&source, &photos, &clean)?.save(&out.join("worst.png"))?;
    say_written(&out, &["faults.png", "worst.png", "faults.csv"]);
    let mean = |of: &dyn Fn(&[f64; 2]) -> f64| correlations.iter().map(of).sum::<f64>() / PARTS as f64;
    let line = format!(
        "result sqe_pair={:.4} least_fault={:.4} named={:.4} visibility={:+.4} area={:+.4} cost={cost:.4}",
        by_fault.iter().map(|f| f.1).sum::<f64>() / by_fault.len().max(1) as f64,
        by_fault.iter().map(|f| f.1).fold(f64::INFINITY, f64::min),
        named.iter().sum::<f64>() / PARTS as f64,
        mean(&|c| c[0]),
        mean(&|c| c[1]),
    );
    keep_result(&out, line)
}

fn number_of(fault: Fault) -> usize {
    Fault::ALL.iter().position(|f| *f == fault).unwrap_or(0)
}

fn photos() -> Result<Vec<Photo>> {
    let mut photos = Vec::new();
    for product in PRODUCTS {
        let folder = experiments::workspace().join("assets/photos").join(product);
        for (i, (path, photo)) in load_photos(&folder)?.into_iter().enumerate() {
            let pixels = resize_square(photo.view(), SIDE)?;
            let domain = estimate_foreground(pixels.view())?.into_domain()?;
            let name = format!("{product}/{}", path.file_stem().unwrap_or_default().to_string_lossy());
            photos.push(Photo { name, part: i % PARTS, pixels, domain });
        }
    }
    Ok(photos)
}

/// A set for training: without the strength that is held out, and without one fault.
fn without(set: &FaultSet, fault: Option<Fault>) -> FaultSet {
    let mut set = set.clone();
    set.spoiled.retain(|s| (s.strength - HELD_OUT).abs() > EXACTLY && Some(s.fault) != fault);
    set
}

fn learn(training: &[FaultSet], seed: u64) -> Result<FaultEstimator> {
    Ok(FaultEstimator::learn(training, &FaultParams::default().with_held_out(0.0).with_seed(seed))?.0)
}

/// Share of the spoiled defects of the held-out strength whose likeliest fault is the right one.
fn share_named(estimator: &FaultEstimator, sets: &[&FaultSet]) -> f64 {
    let spoiled = sets.iter().flat_map(|set| &set.spoiled);
    let spoiled: Vec<_> = spoiled.filter(|s| (s.strength - HELD_OUT).abs() < EXACTLY).collect();
    let is_named =
        |s: &&&maphc2f::sqe::SpoiledDefect| estimator.diagnose_statistics(&s.statistics).likeliest().0 == s.fault;
    spoiled.iter().filter(is_named).count() as f64 / spoiled.len().max(1) as f64
}

/// Time of a diagnosis over that of making the sample, on one thread.
fn cost(source: &FaultSource<'_>, photos: &[Photo], made: &[Made], seed: u64) -> Result<f64> {
    let training: Vec<FaultSet> = made.iter().take(40).map(|m| m.set.clone()).collect();
    let estimator = FaultEstimator::learn(&training, &FaultParams::default().with_epochs(1).with_seed(seed))?.0;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let (mut making, mut scoring) = (0.0, 0.0);
    for m in made.iter().step_by(made.len().div_ceil(60).max(1)) {
        let photo = &photos[m.photo];
        let start = Instant::now();
        let made = pool.install(|| source.make(photo.pixels.view(), &photo.domain, m.group, m.key, &[]))?;
        making += start.elapsed().as_secs_f64();
        let Some(FaultySample { stages, .. }) = made else { continue };
        let start = Instant::now();
        pool.install(|| estimator.diagnose(stages.fine.view(), stages.mask.view()))?;
        scoring += start.elapsed().as_secs_f64();
    }
    Ok(scoring / making)
}

/// Some defects, each by every fault at full strength.
fn faults_sheet(source: &FaultSource<'_>, photos: &[Photo], made: &[Made]) -> Result<Sheet> {
    const ROWS: usize = 10;
    let mut sheet = Sheet::new(std::iter::once("clean").chain(Fault::ALL.map(Fault::name)).collect::<Vec<_>>());
    // a step that has no factor in common with the number of photos
    for m in made.iter().step_by((made.len() / ROWS).max(1) | 1).take(ROWS) {
        let photo = &photos[m.photo];
        let found = source.make(photo.pixels.view(), &photo.domain, m.group, m.key, &[1.0])?;
        let Some(FaultySample { stages, spoiled, .. }) = found else { continue };
        let mut cells = vec![Cell::photo(around(stages.fine.view(), stages.mask.view(), CUT), SHOWN)];
        for fault in Fault::ALL {
            let image =
                spoiled.iter().find(|(f, ..)| *f == fault).map_or(photo.pixels.view(), |(.., s)| s.image.view());
            let mask = spoiled.iter().find(|(f, ..)| *f == fault).map_or(stages.mask.view(), |(.., s)| s.mask.view());
            cells.push(Cell::photo(around(image, mask, CUT), SHOWN));
        }
        sheet.push(cells)?;
    }
    Ok(sheet)
}

/// The lowest clean defects, left to right and down.
fn worst_sheet(source: &FaultSource<'_>, photos: &[Photo], clean: &[(f64, Option<Fault>, &Made)]) -> Result<Sheet> {
    const COLUMNS: usize = 5;
    let mut sheet = Sheet::new(vec!["lowest quality".to_owned(); COLUMNS]);
    let mut row = Vec::new();
    for (quality, fault, m) in clean.iter().take(WORST) {
        let photo = &photos[m.photo];
        let Some(FaultySample { stages, .. }) = source.make(photo.pixels.view(), &photo.domain, m.group, m.key, &[])?
        else {
            continue;
        };
        say(&format!("{}: {} quality {quality:.3}, {}", photo.name, m.group, fault.map_or("no fault", Fault::name)));
        row.push(Cell::photo(around(stages.fine.view(), stages.mask.view(), CUT), SHOWN));
        if row.len() == COLUMNS {
            sheet.push(std::mem::take(&mut row))?;
        }
    }
    Ok(sheet)
}
