//! `maphc2f quality`: rates the samples of a data set.

use std::path::Path;
use std::time::Instant;

use maphc2f::factory::{QualityScorer, Ratings, rate};
use maphc2f::imgkit::file::{check_replaceable, escaped, lies_in};
use maphc2f::sqe::Fault;
use maphc2f::{prepare_folder, worst_sheet};
use serde_json::{Map, json};

use crate::Result;
use crate::args::QualityArgs;
use crate::console::Console;

/// Samples on the sheet.
const WORST: usize = 20;
/// Parts of the range of quality that are counted, and the longest bar of a part.
const PARTS: usize = 10;
const BAR: usize = 40;

pub fn run(args: &QualityArgs, console: &Console) -> Result<u8> {
    let start = Instant::now();
    let scorer = args.quality_model.as_deref().map_or_else(QualityScorer::pretrained, QualityScorer::load)?;
    let out = args.out.as_deref().unwrap_or(&args.data);
    let sheet = out.join("worst.png");
    check_output(out, &args.data, &sheet)?;
    let bar = console.bar("samples", 0);
    let rated = rate(&args.data, &scorer, WORST, &|n, total| {
        bar.set_length(total);
        bar.inc(n);
    });
    bar.finish_and_clear();
    let rated = rated?;
    prepare_folder(out)?;
    worst_sheet(&rated.worst).save(&sheet)?;
    let parts = parts(&rated);
    histogram(&parts).iter().for_each(|line| console.say(line));
    let (named, none) = rated.named();
    for (fault, count) in named.iter().filter(|(_, count)| *count > 0) {
        console.say(&format!("{:>12}  {count}", fault.name()));
    }
    console.say(&format!("{:>12}  {none}", "no fault"));
    if args.quality_model.is_none() {
        console.say(
            &"note: the built-in estimator does not know defects beside the product; `train` writes one that does",
        );
    }
    let quantile = |share: f64| rated.quantile(share);
    let faults: Map<String, serde_json::Value> =
        named.iter().map(|(fault, count)| (fault.name().to_owned(), json!(count))).collect();
    let object = json!({
        "samples": rated.samples.len(),
        "quality": { "least": quantile(0.0), "lowest_tenth": quantile(0.1), "median": quantile(0.5),
            "highest_tenth": quantile(0.9), "most": quantile(1.0), "parts": parts },
        "faults": faults,
        "no_fault": none,
        "estimator": scorer.hash(),
        "sheet": escaped(&sheet),
        "seconds": start.elapsed().as_secs_f64(),
    });
    let line = format!(
        "{} samples rated: quality {:.2} in the middle, a tenth below {:.2}; {} with a fault{}; the worst in {}",
        rated.samples.len(),
        quantile(0.5),
        quantile(0.1),
        rated.samples.len() - none,
        most(&named),
        sheet.display()
    );
    console.result(&line, &object);
    Ok(0)
}

/// Refuses what cannot be written, and a folder in the data set whose files `verify` would not know.
fn check_output(out: &Path, data: &Path, sheet: &Path) -> Result<()> {
    if lies_in(out, data) && !lies_in(data, out) {
        let why = "lies in the data set: choose a folder beside it, or leave --out out";
        return Err(format!("{}: {why}", escaped(out)).into());
    }
    Ok(check_replaceable(sheet)?)
}

/// Number of samples in each part of the range of quality.
fn parts(rated: &Ratings) -> [usize; PARTS] {
    let mut parts = [0; PARTS];
    for sample in &rated.samples {
        let part = (sample.diagnosis.quality * PARTS as f64) as usize;
        parts[part.min(PARTS - 1)] += 1;
    }
    parts
}

/// A line with a bar for each part.
fn histogram(parts: &[usize; PARTS]) -> Vec<String> {
    let most = parts.iter().copied().max().unwrap_or(0).max(1);
    let line = |(i, count): (usize, &usize)| {
        let (from, to) = (i as f64 / PARTS as f64, (i + 1) as f64 / PARTS as f64);
        let bar = "=".repeat((count * BAR).div_ceil(most));
        format!("{from:.1} to {to:.1}  {count:>7}  {bar}").trim_end().to_owned()
    };
    parts.iter().enumerate().map(line).collect()
}

/// The fault that is named most often, as the end of a phrase.
fn most(named: &[(Fault, usize)]) -> String {
    let most = named.iter().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 0);
    most.map(|(fault, count)| format!(" ({} {count}, more than any other)", fault.name())).unwrap_or_default()
}
