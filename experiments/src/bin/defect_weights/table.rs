//! Tables of arms and of paired differences between them.

use std::collections::BTreeMap;

use experiments::paired::{holm, interval_text, mean, p_value};
use experiments::program::say;
use experiments::runs::RunLog;
use serde_json::Value;

/// Runs that have every field of `key`.
pub(crate) fn rows_of<'a>(log: &'a RunLog, key: &Value) -> Vec<&'a Value> {
    let fits = |run: &&Value| key.as_object().is_some_and(|key| key.iter().all(|(k, v)| run.get(k) == Some(v)));
    log.runs().iter().filter(fits).collect()
}

/// Prints the mean figures of each arm by the fields `by`, and over all of them.
pub(crate) fn figures_of(runs: &[&Value], by: &[&str], arms: &[&str]) {
    let mut groups: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for run in runs {
        let name: Vec<&str> = by.iter().filter_map(|field| run[*field].as_str()).collect();
        groups.entry(name.join(", ")).or_default().push(run);
    }
    say(&format!("| | runs | {} |\n|---|---|{}", arms.join(" | "), "---|".repeat(arms.len())));
    let all = groups.iter().map(|(name, runs)| (name.as_str(), runs.clone())).chain([("all", runs.to_vec())]);
    for (name, runs) in all {
        let cell = |arm: &&str| {
            let of = |i: usize| mean(&runs.iter().filter_map(|r| r[*arm][i].as_f64()).collect::<Vec<f64>>());
            format!("{:.3} {:.3} {:.3}", of(0), of(1), of(2))
        };
        let cells: Vec<String> = arms.iter().map(cell).collect();
        say(&format!("| {name} | {} | {} |", runs.len(), cells.join(" | ")));
    }
}

/// Prints paired differences of pixel AP and image AUROC; p values are corrected by Holm over the claims.
pub(crate) fn differences(runs: &[&Value], claims: &[(&str, &str)]) {
    let of = |(a, b): (&str, &str), i: usize| -> Vec<f64> {
        let pair = |run: &&Value| Some(run[a][i].as_f64()? - run[b][i].as_f64()?);
        runs.iter().filter_map(pair).collect()
    };
    let p = holm(&claims.iter().map(|claim| p_value(&of(*claim, 0))).collect::<Vec<f64>>());
    say(&"\n| difference | pairs | pixel AP | p (Holm) | image AUROC |\n|---|---|---|---|---|");
    for ((a, b), p) in claims.iter().zip(p) {
        let (ap, image) = (of((a, b), 0), of((a, b), 2));
        let image = if image.iter().any(|v| v.is_finite()) { interval_text(&image) } else { String::new() };
        say(&format!("| {a} - {b} | {} | {} | {p:.4} | {image} |", ap.len(), interval_text(&ap)));
    }
}
