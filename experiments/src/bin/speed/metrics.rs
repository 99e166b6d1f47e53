//! Times of exact metrics and of the index of a large folder.

use std::path::Path;
use std::time::Instant;

use experiments::bars::bar;
use experiments::metric_cases::{empty_files, maps, scores};
use experiments::program::Result;
use experiments::timing::least_seconds;
use maphc2f::adbench::dataset::Policy;
use maphc2f::adbench::loaders::{Layout, Mvtec};
use maphc2f::adbench::metrics::{au_pro, auroc};

use crate::table::Table;

/// Returns the seconds of the AUROC of 10^7 scores.
pub(crate) fn measure(table: &mut Table) -> Result<f64> {
    table.section("Exact metrics, one thread, s");
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let mut result = f64::NAN;
    for share in [0.02, 0.5] {
        let (scores, labels) = scores(10_000_000, share);
        let run = || least_seconds(9, || Ok(auroc(&scores, &labels).map(drop)?)).map_err(|e| e.to_string());
        let seconds = one.install(run)?;
        let aim = (share < 0.1).then_some(0.05);
        table.at_most(&format!("AUROC of 10^7 scores, {:.0} % anomalous", 100.0 * share), seconds, aim, "");
        if share < 0.1 {
            result = seconds;
        }
    }
    let (maps, masks) = maps(80, 1024);
    let maps: Vec<_> = maps.iter().map(|m| m.view()).collect();
    let masks: Vec<_> = masks.iter().map(|m| m.view()).collect();
    let run = || least_seconds(3, || Ok(au_pro(&maps, &masks, 0.3).map(drop)?)).map_err(|e| e.to_string());
    table.at_most("AU-PRO of 80 maps of 1024 x 1024", one.install(run)?, Some(0.4), "");
    Ok(result)
}

/// Times the index of a folder of many empty files beside a bare walk.
pub(crate) fn index(files: usize, table: &mut Table) -> Result<()> {
    table.section("Index of a data set, s");
    let folder = tempfile::tempdir()?;
    let progress = bar("empty files", files);
    let category = empty_files(folder.path(), files, |count| progress.inc(count as u64))?;
    progress.finish_and_clear();
    let mut bare = f64::INFINITY;
    let mut ours = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        let found = walk(&category)?;
        bare = bare.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let data = Mvtec.index(&category, None, Policy::Strict)?;
        ours = ours.min(start.elapsed().as_secs_f64());
        if found < data.train().len() {
            return Err("the walk lost files".into());
        }
    }
    let aim = (files == 1_000_000).then_some(1.5);
    table.at_most(&format!("{files} files, MVTec AD layout"), ours, aim, "");
    table.at_most(
        "a bare walk of the same, names and types alone",
        bare,
        None,
        &format!("ours over it: {:.2}", ours / bare),
    );
    Ok(())
}

/// Files below a folder, counted.
fn walk(folder: &Path) -> Result<usize> {
    let mut files = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() { walk(&entry.path())? } else { 1 };
    }
    Ok(files)
}
