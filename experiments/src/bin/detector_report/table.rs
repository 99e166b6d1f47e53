//! The tables in Markdown: figures of the variants on every set, then the speed of ours and, with `--python`, of peers
//! (backbones by ONNX Runtime and PyTorch, whole detectors of anomalib).

use std::fmt::Write;

use maphc2f::adbench::metrics::{OverSeeds, over_seeds};
use serde_json::Value;

use crate::runs::Run;
use crate::speed::Speed;
use crate::variants::BASELINES;

/// Text of the tables, and the means of our detector over the sets.
pub(crate) struct Table {
    pub(crate) text: String,
    pub(crate) image: f64,
    pub(crate) pixel: f64,
    /// Largest loss of ours against the best baseline on a set, in images or pixels; 0 if there is none.
    pub(crate) worst_gap: f64,
}

pub(crate) fn write(runs: &[Run], speed: &Speed, sets: &[String], variants: &[String], side: usize) -> Table {
    let mut text = String::new();
    let native = |r: &Run| r.native;
    let resized = |r: &Run| r.resized;
    let (mut image, mut pixel) = (f64::NAN, f64::NAN);
    for (title, of) in [
        ("native", &native as &dyn Fn(&Run) -> (f64, f64)),
        ("the evaluation rule of `resize-256`, on the same maps", &resized),
    ] {
        let _ = writeln!(text, "\n### Image / pixel AUROC, {title}\n");
        let _ = writeln!(text, "| variant | {} | mean of sets | s to train |", sets.join(" | "));
        let _ = writeln!(text, "|---|{}---|---|", "---|".repeat(sets.len()));
        for variant in variants {
            let mut line = format!("| {variant} |");
            let mut means = Vec::new();
            for set in sets {
                let of_set: Vec<&Run> = runs.iter().filter(|r| r.is(set, variant, side)).collect();
                let figures = |pick: &dyn Fn((f64, f64)) -> f64| -> Option<OverSeeds> {
                    over_seeds(&of_set.iter().map(|r| pick(of(r))).collect::<Vec<_>>()).ok()
                };
                match (figures(&|p| p.0), figures(&|p| p.1)) {
                    (Some(i), Some(p)) => {
                        let _ = write!(line, " {} / {} ({}) |", spread(i), spread(p), i.runs);
                        means.push((i.mean, p.mean));
                    }
                    _ => line.push_str(" not run |"),
                }
            }
            let all = means.len() == sets.len();
            let mean = |pick: &dyn Fn(&(f64, f64)) -> f64| means.iter().map(pick).sum::<f64>() / means.len() as f64;
            let (i, p) = (mean(&|m| m.0), mean(&|m| m.1));
            if all {
                let _ = write!(line, " {i:.4} / {p:.4} |");
            } else {
                line.push_str(" |");
            }
            if variant == "ours" && title == "native" {
                (image, pixel) = (i, p);
            }
            let seconds: Vec<f64> = runs.iter().filter(|r| &r.variant == variant).map(|r| r.seconds).collect();
            let _ = match seconds.len() {
                0 => writeln!(text, "{line} - |"),
                n => writeln!(text, "{line} {:.0} |", seconds.iter().sum::<f64>() / n as f64),
            };
        }
    }
    let _ =
        writeln!(text, "\nMean over seeds, +- the standard deviation of one run; the number of seeds in brackets.\n");
    let _ = writeln!(text, "### Speed, one 288x288 image, ms (least of 60)\n\n| what | threads | ms |\n|---|---|---|");
    for (what, threads, ms) in [
        ("`predict`", "all", speed.predict),
        ("`predict`", "1", speed.predict_single),
        ("`predict` at 448x448", "all", speed.predict_large),
        ("`predict` of `patch-memory`, 4096 patches of 128 dimensions", "all", speed.memory),
        ("backbone of it (352x352 with the frame, to stride 32)", "1", speed.framed),
        ("backbone alone, 288x288", "1", speed.backbone),
        ("backbone alone, 288x288", "all", speed.backbone_all),
    ] {
        let _ = writeln!(text, "| {what} | {threads} | {ms:.2} |");
    }
    if let Some(peers) = &speed.peers {
        for threads in ["1", "2"] {
            for name in ["onnxruntime", "torch", "torch_channels_last"] {
                if let Some(ms) = peers["threads"][threads][name]["fastest"].as_f64() {
                    let _ = writeln!(text, "| {name}, backbone alone | {threads} | {ms:.2} |");
                }
            }
        }
        write_detectors(&mut text, peers);
        let _ = writeln!(text, "\nPeers: {}.", peers["versions"]);
    }
    Table { text, image, pixel, worst_gap: worst_gap(runs, sets, side) }
}

/// Rows of whole detectors of anomalib, by the script of peers: time only, their weights are random.
fn write_detectors(text: &mut String, peers: &Value) {
    for side in ["288", "448"] {
        for threads in ["1", "2"] {
            for (what, name, figure, to_ms) in [
                ("PatchCore, ResNet-18, `predict`", "patchcore", "predict_ms", 1.0),
                ("PatchCore, ResNet-18, fit to good images", "patchcore", "fit_s", 1e3),
                ("EfficientAD-S, `predict`", "efficientad_s", "predict_ms", 1.0),
                ("EfficientAD-S, one of 70 000 steps of training", "efficientad_s", "training_step_ms", 1.0),
            ] {
                if let Some(value) = peers["detectors"][side][threads][name][figure]["fastest"].as_f64() {
                    let _ = writeln!(text, "| {what} (anomalib), {side}x{side} | {threads} | {:.2} |", value * to_ms);
                }
            }
        }
    }
    if peers["detectors"].is_object() {
        let images = &peers["images"];
        let _ = writeln!(text, "\nPatchCore is fitted to {images} images, and keeps 10 % of their patches.");
    }
}

/// Largest loss of ours against the best baseline of each set, of the means over seeds.
fn worst_gap(runs: &[Run], sets: &[String], side: usize) -> f64 {
    let mean = |set: &str, variant: &str, pick: fn((f64, f64)) -> f64| -> Option<f64> {
        let found: Vec<f64> = runs.iter().filter(|r| r.is(set, variant, side)).map(|r| pick(r.native)).collect();
        (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
    };
    let mut worst = 0.0f64;
    for set in sets {
        for pick in [|p: (f64, f64)| p.0, |p: (f64, f64)| p.1] {
            let best = BASELINES.iter().filter_map(|b| mean(set, b, pick)).reduce(f64::max);
            if let (Some(best), Some(ours)) = (best, mean(set, "ours", pick)) {
                worst = worst.max(best - ours);
            }
        }
    }
    worst
}

fn spread(s: OverSeeds) -> String {
    if s.runs > 1 { format!("{:.3}+-{:.3}", s.mean, s.deviation) } else { format!("{:.3}", s.mean) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_of_what_the_script_printed() {
        let mut text = String::new();
        let fit = json!({ "predict_ms": { "fastest": 12.5 }, "fit_s": { "fastest": 3.25 } });
        write_detectors(&mut text, &json!({ "images": 20, "detectors": { "448": { "2": { "patchcore": fit } } } }));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "| PatchCore, ResNet-18, `predict` (anomalib), 448x448 | 2 | 12.50 |");
        assert_eq!(lines[1], "| PatchCore, ResNet-18, fit to good images (anomalib), 448x448 | 2 | 3250.00 |");
        assert_eq!(lines.len(), 4, "a line between, and one of the images: {text}");
        text.clear();
        write_detectors(&mut text, &json!({ "detectors": null }));
        assert_eq!(text, "");
    }
}
