//! Median time of one sample against the photo's side and against the defect's size; one thread, RGB.
//!
//! `cargo bench -p physdefect --bench speed` prints the tables of `docs/physdefect-speed.md`. Medians over samples of
//! different seeds, each the best of three, so that neither a lucky seed nor a busy machine counts.
// A benchmark talks to its reader.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use ndarray::Array3;
use physdefect::appearance::{Appearance, Material, Rendered};
use physdefect::baselines::{
    CutPaste, CutPasteParams, CutPasteScar, CutPasteScarParams, PatchClone, PatchCloneParams, PerlinBlend,
    PerlinBlendParams,
};
use physdefect::fracture::{FractureLine, PaperFrontier};
use physdefect::pitting::{PaperPolygon, PittingLoss};
use physdefect::warpage::PlasticWarpage;
use physdefect::{Domain, Error, SampleKey, Synthesizer};

fn synthesizers(low: f64, high: f64) -> Result<Vec<Box<dyn Synthesizer>>, Error> {
    let metal = Appearance::new(Material::METAL);
    Ok(vec![
        Box::new(Rendered::new(FractureLine::default(), metal)?.with_severity(low, high)?),
        Box::new(Rendered::new(PaperFrontier::default(), metal)?.with_severity(low, high)?),
        Box::new(Rendered::new(PittingLoss::default(), metal)?.with_severity(low, high)?),
        Box::new(Rendered::new(PaperPolygon::default(), metal)?.with_severity(low, high)?),
        Box::new(Rendered::new(PlasticWarpage::default(), metal)?.with_severity(low, high)?),
        Box::new(CutPaste::new(CutPasteParams::default().with_severity((low, high)))?),
        Box::new(CutPasteScar::new(CutPasteScarParams::default().with_severity((low, high)))?),
        Box::new(PerlinBlend::new(PerlinBlendParams::default().with_severity((low, high)))?),
        Box::new(PatchClone::new(PatchCloneParams::default().with_severity((low, high)))?),
    ])
}

fn photo(side: usize) -> Array3<f32> {
    Array3::from_shape_fn((side, side, 3), |(y, x, k)| 0.4 + 0.2 * ((y * 7 + x * 13 + k * 5) % 17) as f32 / 17.0)
}

/// Median milliseconds and mask pixels of a sample.
fn median(synth: &dyn Synthesizer, photo: &Array3<f32>, domain: &Domain, runs: u64) -> Option<(f64, f64)> {
    let (mut times, mut areas) = (Vec::new(), Vec::new());
    for index in 0..runs {
        let make = || synth.synthesize(photo.view(), domain, SampleKey { seed: 1, index });
        let timed = || {
            let start = Instant::now();
            let sample = make();
            (start.elapsed().as_secs_f64() * 1e3, sample)
        };
        let (first, Ok(sample)) = timed() else { continue };
        times.push((0..2).map(|_| timed().0).fold(first, f64::min));
        areas.push(sample.mask.iter().filter(|&&m| m).count() as f64);
    }
    times.sort_by(f64::total_cmp);
    areas.sort_by(f64::total_cmp);
    Some((*times.get(times.len() / 2)?, *areas.get(areas.len() / 2)?))
}

/// Slope of log time over log size between the first and the last point.
fn slope(points: &[(f64, f64)]) -> f64 {
    match (points.first(), points.last()) {
        (Some(a), Some(b)) => (b.1 / a.1).ln() / (b.0 / a.0).ln(),
        _ => f64::NAN,
    }
}

/// A table: one column for each setting, then the slope.
fn table(columns: &[String], rows: &[(&str, Vec<(f64, f64)>)]) {
    println!("| synthesizer | {} | slope |", columns.join(" | "));
    println!("|---|{}", "---|".repeat(columns.len() + 1));
    for (name, points) in rows {
        let cells: Vec<String> = points.iter().map(|(size, ms)| format!("{ms:.3} ms ({size:.0})")).collect();
        println!("| {name} | {} | {:.2} |", cells.join(" | "), slope(points));
    }
}

fn main() -> Result<(), Error> {
    let mut rows = Vec::new();
    let sides = [256usize, 512, 1024];
    println!("Severity 0.5, the defect grows with the photo (median ms, photo's pixels):\n");
    let names: Vec<String> = sides.iter().map(|s| format!("{s} x {s}")).collect();
    for synth in &synthesizers(0.5, 0.5)? {
        let mut points = Vec::new();
        for side in sides {
            let (photo, domain) = (photo(side), Domain::full(side, side)?);
            let found = median(&**synth, &photo, &domain, if side > 512 { 9 } else { 21 });
            points.extend(found.map(|(ms, _)| ((side * side) as f64, ms)));
        }
        rows.push((synth.name(), points));
    }
    table(&names, &rows);

    println!("\nPhoto fixed at 512 x 512, severity 0 to 1 (median ms, mask pixels):\n");
    rows.clear();
    let (fixed, whole) = (photo(512), Domain::full(512, 512)?);
    let severities = [0.0, 0.5, 1.0];
    let sets: Vec<_> = severities.iter().map(|&s| synthesizers(s, s)).collect::<Result<_, _>>()?;
    for (k, first) in sets[0].iter().enumerate() {
        let points = sets.iter().filter_map(|set| median(&*set[k], &fixed, &whole, 21)).map(|(ms, area)| (area, ms));
        rows.push((first.name(), points.collect()));
    }
    table(&severities.map(|s| format!("severity {s}")), &rows);

    println!("\nDefect fixed (domain of 256 x 256 px, severity 0.5), photo grows (median ms, photo's pixels):\n");
    rows.clear();
    for synth in &synthesizers(0.5, 0.5)? {
        let mut points = Vec::new();
        for side in sides {
            let inside = |i: usize| i.abs_diff(side / 2) * 2 < 256;
            let mask = ndarray::Array2::from_shape_fn((side, side), |(y, x)| inside(y) && inside(x));
            let found = median(&**synth, &photo(side), &Domain::from_mask(mask)?, 21);
            points.extend(found.map(|(ms, _)| ((side * side) as f64, ms)));
        }
        rows.push((synth.name(), points));
    }
    table(&names, &rows);
    Ok(())
}
