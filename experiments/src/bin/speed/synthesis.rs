//! Samples a second of the data set factory beside other tools, by threads, and at 1024 px.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use experiments::program::Result;
use maphc2f::physdefect::appearance::Appearance;
use maphc2f::physdefect::registry::Registry;
use maphc2f::physdefect::visibility::Visibility;
use maphc2f::physdefect::{Foreground, SampleKey, estimate_foreground};
use maphc2f::{MATERIALS, PHYSICAL, Pipeline, SEVERITY, load_photo, prepare_folder, resize_square, save_photo};
use ndarray::Array3;
use serde_json::Value;

use crate::Setup;
use crate::table::Table;

const SIDE: usize = 256;
const LARGE: usize = 1024;
const PHOTOS: usize = 32;
const ROUNDS: usize = 3;
/// Samples of a run by which threads are compared.
const MANY: usize = 2048;

/// Returns our samples over those of NSA's recipe in the same time, the whole process, one thread.
pub(crate) fn measure(setup: &Setup, table: &mut Table) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let program = setup.programs.join("maphc2f");
    let photos = photos(setup)?;
    let normals = save(&photos, SIDE, PHOTOS, &folder.path().join("normals"))?;
    table.section(&format!("Synthesis, {SIDE} x {SIDE}, samples a second"));
    let (ours, normals_of_peers) = (program.to_string_lossy(), normals.to_string_lossy());
    let args = ["--photos", &normals_of_peers, "--ours", &ours, "--seconds", "2", "--rounds", "3"];
    let peers = setup.ask("synthesis.py", &args)?;
    let rate = |name: &str| peers.as_ref().and_then(|p| p["images_per_second"][name].as_f64()).unwrap_or(f64::NAN);
    for (name, what) in [
        ("clone_nsa", "NSA's recipe (OpenCV's clone), in memory"),
        ("perlin_draem", "DRAEM's recipe, in memory"),
        ("defect_synthesis", "defect-synthesis 0.1.0, in memory"),
        ("anomalib_perlin", "anomalib's Perlin noise, in memory"),
        ("ours", "`maphc2f synth`, whole process with files, one thread"),
    ] {
        table.ratio(what, rate(name), None, "");
    }
    let ratio = rate("ours") / rate("clone_nsa");
    table.ratio("ours over NSA's recipe", ratio, Some(1.0), "");
    let drawn = in_memory(&photos)?;
    table.ratio("ours in memory: image and mask, no descriptors, no file", drawn, None, "");
    table.ratio("the same over NSA's recipe", drawn / rate("clone_nsa"), Some(1.5), "");

    let out = folder.path().join("out");
    let mut best = [0.0f64; 2];
    let mut memory = 0.0f64;
    for _ in 0..ROUNDS {
        for (threads, best) in [1, 2].iter().zip(&mut best) {
            let found = synth(&program, &normals, &out, MANY, *threads)?;
            *best = best.max(found.0);
            memory = memory.max(found.1);
        }
    }
    let note = format!("{:.0} and {:.0}, {MANY} samples", best[1], best[0]);
    table.ratio("two threads over one", best[1] / best[0], Some(1.9), &note);
    let few = synth(&program, &normals, &out, MANY / 4, 2)?.1;
    let note = format!("{memory:.0} and {few:.0} MB");
    table.at_most(&format!("peak memory of {MANY} samples over that of {}", MANY / 4), memory / few, None, &note);
    let large = save(&photos, LARGE, 8, &folder.path().join("large"))?;
    let mut rate = 0.0f64;
    for _ in 0..ROUNDS {
        rate = rate.max(synth(&program, &large, &out, MANY / 4, 2)?.0);
    }
    table.ratio(&format!("{LARGE} x {LARGE}, two threads, eight photos"), rate, Some(40.0), "");
    Ok(ratio)
}

/// Photos to draw on.
fn photos(setup: &Setup) -> Result<Vec<Array3<f32>>> {
    let mut paths = Vec::new();
    let shipped = experiments::workspace().join("assets/photos");
    let folders: Vec<PathBuf> = match &setup.photos {
        Some(folder) => vec![folder.clone()],
        None => ["cardboard", "felt", "leather", "paper", "rug", "wood"].map(|name| shipped.join(name)).to_vec(),
    };
    for folder in folders {
        for entry in std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "jpg" || e == "png") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err("--photos: no photo was found there".into());
    }
    let load = |path: &PathBuf| Ok(load_photo(path)?);
    paths.iter().take(PHOTOS).map(load).collect()
}

/// Writes photos at one side, over again until there are `count`.
fn save(photos: &[Array3<f32>], side: usize, count: usize, folder: &Path) -> Result<PathBuf> {
    prepare_folder(folder)?;
    for (i, photo) in photos.iter().cycle().take(count).enumerate() {
        save_photo(&folder.join(format!("{i:03}.png")), resize_square(photo.view(), side)?.view())?;
    }
    Ok(folder.to_owned())
}

/// Samples a second and peak memory in MB, as the program says.
fn synth(program: &Path, normals: &Path, out: &Path, count: usize, threads: usize) -> Result<(f64, f64)> {
    if out.exists() {
        std::fs::remove_dir_all(out)?;
    }
    let (count, threads) = (count.to_string(), threads.to_string());
    let mut command = Command::new(program);
    command.arg("synth").arg("--normals").arg(normals).arg("--out").arg(out);
    command.args(["--count", &count, "--seed", "1", "--threads", &threads, "--json", "-q"]);
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let said: Value = serde_json::from_str(line)?;
    let figure = |name: &str| said[name].as_f64().unwrap_or(f64::NAN);
    Ok((figure("images_per_second"), figure("peak_rss_mb")))
}

/// Samples a second drawn and refined in memory, on one thread, where the product lies known beforehand.
fn in_memory(photos: &[Array3<f32>]) -> Result<f64> {
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let rate = one.install(|| -> std::result::Result<f64, maphc2f::Error> {
        // as `maphc2f synth` draws them: three mechanisms, and what cannot be seen is refused
        let looks = MATERIALS.map(|m| Appearance::new(m).with_visibility(Some(Visibility::default())));
        let pipeline = Pipeline::from_appearances(&Registry::standard(), &PHYSICAL, &looks, SEVERITY)?;
        let mut on = Vec::new();
        for photo in photos {
            let photo = resize_square(photo.view(), SIDE)?;
            if let Ok(domain) = estimate_foreground(photo.view()).and_then(Foreground::into_domain) {
                on.push((photo, domain));
            }
        }
        let mut best = 0.0f64;
        for _ in 0..ROUNDS {
            let (mut made, start) = (0, Instant::now());
            for index in 0..512 {
                let (photo, domain) = &on[index % on.len()];
                let key = SampleKey { seed: 1, index: index as u64 };
                made += usize::from(pipeline.synthesize(photo.view(), domain, index % pipeline.groups(), key).is_ok());
            }
            best = best.max(made as f64 / start.elapsed().as_secs_f64());
        }
        Ok(best)
    });
    Ok(rate?)
}
