//! Measures the metrics: differences from other implementations' frozen figures, and time on one thread and on two.
//!
//! ```text
//! cargo run --release -p experiments --bin metrics_report [-- --peers FILE] [--index FILES]
//! ```
//!
//! With the JSON that `experiments/peers/metrics.py` writes (and its folder of PNG files, which is deleted then), times
//! are set beside those of NumPy, scikit-learn, MVTec and Pillow, and `docs/metrics-report.md` is written. `--index`
//! makes that many empty files in a temporary folder and times their indexing. Ends with `result golden=<n> failed=<n>
//! auroc_1e7_s=<f> aupro_80x1024_s=<f>`, on one thread.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use experiments::bars::bar;
use experiments::metric_cases::{empty_files, maps, scores};
use experiments::program::{Result, finish, say};
use maphc2f::adbench::dataset::Policy;
use maphc2f::adbench::loaders::{Layout, Mvtec};
use maphc2f::adbench::metrics::{au_pro, aupimo, f1_max};
use maphc2f::adbench::metrics::{auroc, average_precision};
use maphc2f::imgkit::file::write_atomic;
use maphc2f::imgkit::image_io::{Photo, read_photo};
use maphc2f::imgkit::resize::{Kernel, resize_u8};
use ndarray::Array2;
use oracles::Xorshift;
use rayon::prelude::*;
use serde_json::Value;

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String> {
    let (mut peers, mut index) = (None, None);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("peers") => peers = Some(PathBuf::from(args.value()?)),
            lexopt::Arg::Long("index") => index = Some(args.value()?.to_string_lossy().parse::<usize>()?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    let mut golden = Golden::default();
    golden.run()?;
    let mut text = String::from(
        "# Metrics and loading, measured\n\nWritten by `cargo run --release -p experiments --bin metrics_report`; \
         every figure is computed by that run.\n\n\
         ## Golden comparisons\n\nFigures frozen by the scripts in `crates/adbench/tests/golden`, with their \
         versions; the largest error of each group's \
         cases.\n\n| case | reference | ours | error | bound | holds |\n|---|---|---|---|---|---|\n",
    );
    text += &golden.text;
    let read = |path: &PathBuf| -> Result<Value> {
        Ok(serde_json::from_slice(&std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?)?)
    };
    let figures = peers.as_ref().map(read).transpose()?;
    let pools = [1, 2].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build());
    let [Ok(one), Ok(two)] = pools else { return Err("no threads".into()) };
    let pools = [&one, &two];
    text += "\n## Times\n\nMedian (least) seconds of the runs; the peers' on one thread, and in brackets how many \
             times as long as ours on \
             one thread, least against least.\n\n| task | one thread | two threads | peers |\n|---|---|---|---|\n";
    let yardstick = yardstick()?;
    let auroc_1e7 = time_auroc(&mut text, pools, figures.as_ref())?;
    let au_pro_1024 = time_au_pro(&mut text, pools, figures.as_ref())?;
    if let (Some(path), Some(figures)) = (&peers, &figures) {
        time_loading(&mut text, pools, &path.with_extension("images"), figures)?;
    }
    let _ = writeln!(
        text,
        "\nWhat a second thread could gain then: two loops without memory, at once instead of in turn, were \
         {yardstick:.2} times as fast."
    );
    if let Some(files) = index {
        time_index(&mut text, files)?;
    }
    if let Some(figures) = &figures {
        let _ = writeln!(text, "\nPeers: `experiments/peers/metrics.py`, versions {}.", figures["versions"]);
    }
    say(&text);
    if peers.is_some() {
        write_atomic(experiments::workspace().join("docs/metrics-report.md"), &text)?;
    }
    Ok(format!(
        "result golden={} failed={} auroc_1e7_s={auroc_1e7:.4} aupro_80x1024_s={au_pro_1024:.3}",
        golden.rows, golden.failed
    ))
}

/// Rows of the table of golden comparisons.
#[derive(Default)]
struct Golden {
    text: String,
    rows: usize,
    failed: usize,
}

impl Golden {
    fn add(&mut self, what: &str, reference: f64, ours: f64, bound: f64) {
        let error = (ours - reference).abs();
        let holds = error <= bound;
        let verdict = if holds { "yes" } else { "NO" };
        let _ =
            writeln!(self.text, "| {what} | {reference:.12} | {ours:.12} | {error:.1e} | {bound:.0e} | {verdict} |");
        self.rows += 1;
        self.failed += usize::from(!holds);
    }

    fn run(&mut self) -> Result<()> {
        let metrics: Value = golden("metrics.json")?;
        let official: Value = golden("aupro.json")?;
        for (i, case) in list(&metrics["ranked"]).iter().enumerate() {
            let scores = floats(&case["scores"]);
            let labels: Vec<bool> = list(&case["labels"]).iter().map(|v| v.as_bool() == Some(true)).collect();
            let number = |name: &str| case[name].as_f64().ok_or("golden data");
            self.add(&format!("AUROC {i}, scikit-learn"), number("auroc")?, auroc(&scores, &labels)?, 1e-9);
            let ours = average_precision(&scores, &labels)?;
            self.add(&format!("AP {i}, scikit-learn"), number("average_precision")?, ours, 1e-9);
            self.add(&format!("F1-max {i}, scikit-learn"), number("f1_max")?, f1_max(&scores, &labels)?.f1, 1e-9);
        }
        for (i, case) in list(&metrics["overlap"]).iter().enumerate() {
            let side = |name: &str| case[name].as_u64().unwrap_or(0) as usize;
            let (maps, masks) = images(case, (side("height"), side("width")))?;
            self.overlap(&format!("{i}, the definition"), &maps, &masks, &case["au_pro"], 1e-9)?;
        }
        for (i, case) in list(&official["cases"]).iter().enumerate() {
            let (maps, masks) = images(case, shape(&case["shape"]))?;
            self.overlap(&format!("{i}, the official code"), &maps, &masks, &case["official"], 2e-7)?;
        }
        for (i, case) in list(&metrics["low_rate"]).iter().enumerate() {
            let good: Vec<_> =
                list(&case["good"]).iter().map(|g| map(&g["map"], shape(&g["shape"]))).collect::<Result<_>>()?;
            let (maps, masks) = images(case, shape(&case["shape"]))?;
            let bounds = (case["bounds"][0].as_f64().unwrap_or(0.0), case["bounds"][1].as_f64().unwrap_or(0.0));
            let ours = aupimo(&views(&good), &views(&maps), &views(&masks), bounds)?;
            for (j, (ours, theirs)) in ours.iter().zip(list(&case["aupimo"])).enumerate() {
                let reference = theirs.as_f64().ok_or("golden data")?;
                self.add(&format!("AUPIMO {i}.{j}, the definition"), reference, *ours, 1e-9);
            }
        }
        Ok(())
    }

    fn overlap(
        &mut self,
        case: &str,
        maps: &[Array2<f32>],
        masks: &[Array2<bool>],
        of: &Value,
        bound: f64,
    ) -> Result<()> {
        for (limit, reference) in of.as_object().ok_or("golden data")? {
            let ours = au_pro(&views(maps), &views(masks), limit.parse()?)?;
            self.add(&format!("AU-PRO@{limit} {case}"), reference.as_f64().ok_or("golden data")?, ours, bound);
        }
        Ok(())
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn floats(value: &Value) -> Vec<f32> {
    list(value).iter().filter_map(|v| Some(v.as_f64()? as f32)).collect()
}

fn shape(value: &Value) -> (usize, usize) {
    let side = |i: usize| value[i].as_u64().unwrap_or(0) as usize;
    (side(0), side(1))
}

fn map(value: &Value, shape: (usize, usize)) -> Result<Array2<f32>> {
    Ok(Array2::from_shape_vec(shape, floats(value))?)
}

/// Score maps and masks.
type Images = (Vec<Array2<f32>>, Vec<Array2<bool>>);

fn images(case: &Value, shape: (usize, usize)) -> Result<Images> {
    let of = |name: &str| list(&case[name]).iter().map(|v| map(v, shape)).collect::<Result<Vec<_>>>();
    Ok((of("maps")?, of("masks")?.iter().map(|m| m.mapv(|v| v > 0.0)).collect()))
}

fn views<T>(arrays: &[Array2<T>]) -> Vec<ndarray::ArrayView2<'_, T>> {
    arrays.iter().map(|a| a.view()).collect()
}

/// Median and least seconds.
#[derive(Clone, Copy)]
struct Seconds {
    median: f64,
    least: f64,
}

fn timed(runs: usize, pool: &rayon::ThreadPool, mut run: impl FnMut() -> Result<()> + Send) -> Result<Seconds> {
    let mut seconds = Vec::new();
    for i in 0..=runs {
        let start = Instant::now();
        pool.install(|| run().map_err(|e| e.to_string()))?;
        if i > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    seconds.sort_by(f64::total_cmp);
    Ok(Seconds { median: seconds[runs / 2], least: seconds[0] })
}

fn row(text: &mut String, task: &str, [one, two]: [Seconds; 2], peers: &[(&str, &Value)]) {
    let cell = |s: Seconds| format!("{:.4} ({:.4})", s.median, s.least);
    let peers: Vec<String> = peers
        .iter()
        .filter_map(|(name, v)| {
            let (median, least) = (v["seconds"].as_f64()?, v["fastest"].as_f64()?);
            let mut text = format!("{name} {median:.3} ({least:.3}): {:.1}x", least / one.least);
            if let Some(error) = v["error"].as_f64() {
                let _ = write!(text, ", error {error:.1e}");
            }
            if let Some(mb) = v["peak_mb"].as_f64() {
                let _ = write!(text, ", {mb:.0} MB");
            }
            Some(text)
        })
        .collect();
    let _ = writeln!(text, "| {task} | {} | {} | {} |", cell(one), cell(two), peers.join("; "));
}

/// Speed of two independent loops at once over that in turn: 2 on two idle cores, 1 where there is one.
fn yardstick() -> Result<f64> {
    let spin = || {
        let mut random = Xorshift::new(1);
        (0..200_000_000).fold(0.0, |sum: f32, _| sum.max(random.uniform()))
    };
    let start = Instant::now();
    std::hint::black_box((spin(), spin()));
    let in_turn = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let other = std::thread::spawn(spin);
    std::hint::black_box(spin());
    std::hint::black_box(other.join().map_err(|_| "a thread failed")?);
    Ok(in_turn / start.elapsed().as_secs_f64())
}

/// Least seconds for 1e7 scores, 2 % anomalous, on one thread.
fn time_auroc(text: &mut String, pools: [&rayon::ThreadPool; 2], peers: Option<&Value>) -> Result<f64> {
    let mut result = f64::NAN;
    for share in [0.02, 0.5] {
        let progress = bar("AUROC of 1e7 scores", 2);
        let (scores, labels) = scores(10_000_000, share);
        let before = fresh_peak_mb();
        let mut times = Vec::new();
        for pool in pools {
            times.push(timed(9, pool, || Ok(auroc(&scores, &labels).map(|_| ())?))?);
            progress.inc(1);
        }
        progress.finish_and_clear();
        let extra = before.zip(peak_mb()).map_or_else(String::new, |(a, b)| {
            format!(", {:.1} bytes a score beyond the input", (b - a) * f64::from(1 << 20) / scores.len() as f64)
        });
        let same = |v: &&Value| v["share"].as_f64().is_some_and(|s| (s - f64::from(share)).abs() < 1e-6);
        let peer = peers.and_then(|p| list(&p["auroc"]).iter().find(same)).unwrap_or(&Value::Null);
        let peers = [("NumPy", &peer["numpy"]), ("scikit-learn", &peer["sklearn"])];
        row(
            text,
            &format!("exact AUROC of 1e7 scores, {} % anomalous{extra}", 100.0 * share),
            [times[0], times[1]],
            &peers,
        );
        if share < 0.1 {
            result = times[0].least;
        }
    }
    Ok(result)
}

/// Least seconds for 80 maps 1024 x 1024 on one thread.
fn time_au_pro(text: &mut String, pools: [&rayon::ThreadPool; 2], peers: Option<&Value>) -> Result<f64> {
    let mut result = f64::NAN;
    for side in [256_usize, 1024] {
        let progress = bar("AU-PRO of 80 maps", 2);
        let (maps, masks) = maps(80, side);
        let (map_views, mask_views) = (views(&maps), views(&masks));
        let before = fresh_peak_mb();
        let mut times = Vec::new();
        for pool in pools {
            times.push(timed(3, pool, || Ok(au_pro(&map_views, &mask_views, 0.3).map(|_| ())?))?);
            progress.inc(1);
        }
        progress.finish_and_clear();
        let extra =
            before.zip(peak_mb()).map_or_else(String::new, |(a, b)| format!(", {:.0} MB beyond the maps", b - a));
        let peer = peers.and_then(|p| list(&p["au_pro"]).iter().find(|v| v["side"] == side)).unwrap_or(&Value::Null);
        let task = format!("exact AU-PRO@0.3 of 80 maps {side} x {side}{extra}");
        let peers = [("MVTec, 5000 thresholds", &peer["mvtec"]), ("MVTec AD, exact", &peer["mvtec_exact"])];
        row(text, &task, [times[0], times[1]], &peers);
        result = times[0].least;
    }
    Ok(result)
}

/// Resets the peak that the system counts, then reads it as [`peak_mb`] does.
fn fresh_peak_mb() -> Option<f64> {
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    peak_mb()
}

/// Largest resident set so far, MB; `None` where the system does not say.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

fn time_loading(text: &mut String, pools: [&rayon::ThreadPool; 2], folder: &Path, peers: &Value) -> Result<()> {
    let listing = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}; run the peers' script", folder.display()))?;
    let mut paths = listing.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    paths.sort_unstable();
    let load = |path: &PathBuf| -> std::result::Result<(), String> {
        let Photo::U8(image) = read_photo(path).map_err(|e| e.to_string())? else { return Err("8 bits".to_owned()) };
        resize_u8(image.view(), (256, 256), Kernel::Bilinear).map(|_| ()).map_err(|e| e.to_string())
    };
    let mut times = Vec::new();
    for pool in pools {
        times.push(timed(2, pool, || Ok(paths.par_iter().try_for_each(load)?))?);
    }
    let task = format!("decode {} PNG files of 900 x 900 and resize to 256 x 256", paths.len());
    let loading = &peers["loading"];
    if loading["images"] != paths.len() {
        return Err(format!("{}: not the files that the peers were timed with", folder.display()).into());
    }
    row(
        text,
        &task,
        [times[0], times[1]],
        &[("Pillow", &loading["pillow_1"]), ("Pillow on two threads", &loading["pillow_2"])],
    );
    let two = loading["pillow_2"]["fastest"].as_f64().unwrap_or(f64::NAN);
    let _ = writeln!(text, "\nOn two threads, ours against Pillow's: {:.2}x.", two / times[1].least);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

fn time_index(text: &mut String, files: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let progress = bar("empty files", files);
    let category = empty_files(folder.path(), files, |count| progress.inc(count as u64))?;
    progress.finish_and_clear();
    let mut seconds = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        let data = Mvtec.index(&category, None, Policy::Strict)?;
        seconds = seconds.min(start.elapsed().as_secs_f64());
        if data.train().len() != files / 2 {
            return Err("indexing lost files".into());
        }
    }
    let _ = writeln!(text, "\nIndexing {files} files: {seconds:.2} s (least of 3).");
    Ok(())
}

/// Figures of other libraries, stored beside the tests of `adbench`.
fn golden(name: &str) -> Result<Value> {
    let path = experiments::workspace().join("crates/adbench/tests/golden").join(name);
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}
