//! Shows the defects that the quality estimator ranks lowest and highest, and whether quality falls with faults that it
//! was not trained on.
//!
//! ```text
//! cargo run --release -p experiments --bin quality [-- --out FOLDER] [--seed N] [--ladders N] [--samples N]
//!     [--equal-contrast]
//! ```
//!
//! On the photographs that ship with the repository: warm start on the versions (pasted, npcF, npcF++, untouched) of
//! some defects of each mechanism, then the quality of other defects. `--ladders` and `--samples` are the numbers of
//! each for a mechanism; `--equal-contrast` brings the versions of a defect to one contrast, so that faintness does not
//! rank high.
//!
//! Writes `sheet.png` (for each mechanism the lowest six and the highest six, cropped around the defect), `quality.csv`
//! (quality and every descriptor of every sample) and `monotonicity.svg` to target/quality. Ends with `result
//! pair_accuracy=<f> blur=<f> color=<f> seam=<f> cost=<f>`: accuracy on held-out defects, Spearman correlations of
//! quality with the strength of each fault, and the time of scoring over that of making a sample. What was seen stands
//! in `crates/sqe/README.md`.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use experiments::args::number;
use experiments::bars::bar;
use experiments::crop::around;
use experiments::plot::{Line, Panel, VerticalAxis, svg};
use experiments::program::{Result, finish, say, say_written};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::imgkit::file::write_atomic;
use maphc2f::physdefect::appearance::Material;
use maphc2f::physdefect::{Domain, SampleKey, estimate_foreground};
use maphc2f::sqe::{DESCRIPTORS, Head, MonotonicityReport, QualityFeatures, Sqe, WarmStartParams, spearman};
use maphc2f::{Cell, Pipeline, RankingTarget, Sheet, Stages, load_photos, prepare_folder, resize_square};
use ndarray::{Array2, Array3};

/// Photographs of each product.
const EACH: usize = 2;
/// Side of the photographs, of a cut and of a picture on the sheet, px.
const SIDE: usize = 256;
const CUT: usize = 96;
const SHOWN: u32 = 160;
/// Rows of the sheet, and samples that are degraded at rising strength.
const ROWS: usize = 6;
const DEGRADED: usize = 24;

fn main() -> ExitCode {
    finish(run())
}

/// A defect with its quality.
struct Scored {
    photo: usize,
    mechanism: usize,
    image: Array3<f32>,
    mask: Array2<bool>,
    features: QualityFeatures,
    severity: f64,
    quality: f64,
}

fn run() -> Result<String> {
    let (mut out, mut seed, mut ladders, mut samples) = (PathBuf::from("target/quality"), 0u64, 20usize, 60usize);
    let mut ranking = RankingTarget::default();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("equal-contrast") => ranking = RankingTarget::ContrastMatched,
            lexopt::Arg::Long("out") => out = args.value()?.into(),
            lexopt::Arg::Long("seed") => seed = number(&mut args, "seed")?,
            lexopt::Arg::Long("ladders") => ladders = number(&mut args, "ladders")?,
            lexopt::Arg::Long("samples") => samples = number(&mut args, "samples")?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    if samples < 2 * ROWS {
        return Err(format!("--samples must be at least {}: that many are shown", 2 * ROWS).into());
    }
    let root = experiments::workspace().join("assets/photos");
    let mut photos: Vec<(String, Array3<f32>, Domain)> = Vec::new();
    for folder in ["cardboard", "circuit_board", "felt", "leather", "objects", "paper", "rug", "wood"] {
        for (path, photo) in load_photos(&root.join(folder))?.into_iter().take(EACH) {
            let photo = resize_square(photo.view(), SIDE)?;
            let domain = estimate_foreground(photo.view())?.into_domain()?;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            photos.push((format!("{folder}/{stem}"), photo, domain));
        }
    }
    prepare_folder(&out)?;
    let pipeline = Pipeline::physical(&[Material::MATTE, Material::METAL])?;
    let net = EfficientNetLite0::pretrained()?;
    // a defect that cannot be made, or would not be visible, is skipped
    let make = |mechanism: usize, i: usize, stream: u64| -> Option<(usize, Stages)> {
        let photo = i % photos.len();
        let key = SampleKey { seed, index: (stream << 32) + (mechanism * 100_000 + i) as u64 };
        Some((photo, pipeline.stages(photos[photo].1.view(), &photos[photo].2, mechanism, key).ok()?))
    };

    let progress = bar("ranked defects", pipeline.groups() * ladders);
    let mut ranked = Vec::new();
    for mechanism in 0..pipeline.groups() {
        for i in 0..ladders {
            progress.inc(1);
            let Some((photo, stages)) = make(mechanism, i, 0) else { continue };
            ranked.push(ranking.rank(&net, photos[photo].1.view(), &stages)?);
        }
    }
    progress.finish_and_clear();
    let mut quality = Sqe::new(&net, Head::default(), seed)?;
    let warm = quality.warm_start(&ranked, &WarmStartParams::default().with_seed(seed))?;
    say(&format!(
        "{} defects: pairs ranked correctly {:.1} % in training, {:.1} % held out",
        ranked.len(),
        100.0 * warm.training_accuracy,
        100.0 * warm.held_out_accuracy
    ));

    let progress = bar("samples", pipeline.groups() * samples);
    let (mut scored, mut making, mut scoring) = (Vec::new(), 0.0, 0.0);
    for mechanism in 0..pipeline.groups() {
        for i in 0..samples {
            progress.inc(1);
            let start = Instant::now();
            let made = make(mechanism, i, 1);
            making += start.elapsed().as_secs_f64();
            let Some((photo, stages)) = made else { continue };
            let start = Instant::now();
            let features = QualityFeatures::extract(&net, stages.fine.view(), stages.mask.view())?;
            let q = quality.score(&[&features])?[0];
            scoring += start.elapsed().as_secs_f64();
            let severity = stages.record.severity;
            scored.push(Scored {
                photo,
                mechanism,
                image: stages.fine,
                mask: stages.mask,
                features,
                severity,
                quality: q,
            });
        }
    }
    progress.finish_and_clear();
    scored.sort_by(|a, b| {
        (a.mechanism, a.quality).partial_cmp(&(b.mechanism, b.quality)).unwrap_or(std::cmp::Ordering::Equal)
    });

    sheet(&scored, &pipeline)?.save(&out.join("sheet.png"))?;
    write_atomic(
        out.join("quality.csv"),
        &table(&scored, &photos.iter().map(|p| p.0.as_str()).collect::<Vec<_>>(), &pipeline)?,
    )?;
    let step = scored.len().div_ceil(DEGRADED).max(1);
    let views: Vec<_> = scored.iter().step_by(step).map(|j| (j.image.view(), j.mask.view())).collect();
    let reports = quality.measure_monotonicity(&net, &views, 6)?;
    write_atomic(out.join("monotonicity.svg"), plot(&reports))?;
    for c in &reports {
        let levels: Vec<String> = c.levels.iter().map(|(_, q)| format!("{q:.3}")).collect();
        say(&format!(
            "{:14} Spearman {:+.3}; quality at rising strength {}",
            c.degradation.name(),
            c.spearman,
            levels.join(" ")
        ));
    }
    for mechanism in 0..pipeline.groups() {
        let own = || scored.iter().filter(|j| j.mechanism == mechanism);
        let (q, severity): (Vec<f64>, Vec<f64>) = own().map(|j| (j.quality, j.severity)).unzip();
        let rho = spearman(&q, &severity).unwrap_or(f64::NAN);
        say(&format!("{:16} Spearman of quality and severity {rho:+.3}", pipeline.name(mechanism).unwrap_or("?")));
    }
    say_written(&out, &["sheet.png", "quality.csv", "monotonicity.svg"]);
    Ok(format!(
        "result pair_accuracy={:.4} blur={:.3} color={:.3} seam={:.3} cost={:.3}",
        warm.held_out_accuracy,
        reports[0].spearman,
        reports[1].spearman,
        reports[2].spearman,
        scoring / making
    ))
}

/// Two columns for each mechanism: its lowest, the worst on top, and its highest, the best on top. `scored` is sorted
/// by quality within a mechanism.
fn sheet(scored: &[Scored], pipeline: &Pipeline) -> Result<Sheet> {
    let mut labels = Vec::new();
    let mut columns: Vec<Vec<&Scored>> = Vec::new();
    for mechanism in 0..pipeline.groups() {
        let own: Vec<&Scored> = scored.iter().filter(|j| j.mechanism == mechanism).collect();
        let name = pipeline.name(mechanism).unwrap_or("?");
        if own.len() < 2 * ROWS {
            return Err(format!("only {} samples of {name} could be made: raise --samples", own.len()).into());
        }
        labels.push(format!("{name} low"));
        columns.push(own[..ROWS].to_vec());
        labels.push(format!("{name} high"));
        columns.push(own.iter().rev().take(ROWS).copied().collect());
    }
    let mut sheet = Sheet::new(labels);
    for row in 0..ROWS {
        let cut =
            |column: &Vec<&Scored>| Cell::photo(around(column[row].image.view(), column[row].mask.view(), CUT), SHOWN);
        sheet.push(columns.iter().map(cut).collect())?;
    }
    Ok(sheet)
}

/// CSV of the quality and every descriptor.
fn table(scored: &[Scored], photos: &[&str], pipeline: &Pipeline) -> Result<String> {
    let mut text = format!("mechanism,photo,severity,quality,{}\n", DESCRIPTORS.join(","));
    for j in scored {
        let name = pipeline.name(j.mechanism).unwrap_or("?");
        write!(text, "{name},{},{:.3},{:.4}", photos[j.photo], j.severity, j.quality)?;
        for (_, value) in j.features.descriptors().named() {
            write!(text, ",{value:.4}")?;
        }
        text.push('\n');
    }
    Ok(text)
}

fn plot(reports: &[MonotonicityReport]) -> String {
    let panel = |c: &MonotonicityReport| Panel {
        title: format!("{}: {:+.2}", c.degradation.name(), c.spearman),
        x_label: "strength".to_owned(),
        x_max: 1.0,
        lines: vec![Line { name: "mean quality".to_owned(), color: "#1b6ca8", points: c.levels.clone() }],
    };
    svg(&reports.iter().map(panel).collect::<Vec<_>>(), "quality", VerticalAxis::Unit, (0.5, "undecided"))
}
