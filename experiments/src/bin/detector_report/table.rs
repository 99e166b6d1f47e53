//! The tables in Markdown.

use std::fmt::Write;

use maphc2f::adbench::metrics::{OverSeeds, over_seeds};

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
        ("backbone of it (320x320, with the mirrored frame)", "1", speed.framed),
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
        let _ = writeln!(text, "\nPeers: {}.", peers["versions"]);
    }
    Table { text, image, pixel, worst_gap: worst_gap(runs, sets, side) }
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
