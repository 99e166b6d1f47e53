//! The tables: every set and arm, paired differences, what spoilt samples cost, and what the weights follow.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use crate::Result;
use experiments::pairs::{mean, paired, spread};

const SPOILT: [(bool, &str); 2] = [(false, "no"), (true, "30 %")];

/// All of them, of finished runs and the arms among them.
pub(crate) fn all(lines: &[Value], arms: &[&str]) -> Result<String> {
    let mut text = String::new();
    figures(&mut text, lines, arms)?;
    against(&mut text, lines, arms)?;
    costs(&mut text, lines, arms)?;
    weights(&mut text, lines, arms)?;
    Ok(text)
}

/// `figure` of an arm, spoilt or not, minus that of another, over the sets and seeds that both were run on.
pub(crate) fn differences(lines: &[Value], arm: (&str, bool), other: (&str, bool), figure: &str) -> Vec<f64> {
    let of = |l: &Value, (arm, spoilt): (&str, bool)| l["arm"] == arm && l["spoilt"] == spoilt;
    let pair = |own: &Value| {
        let same = |l: &&Value| of(l, other) && l["set"] == own["set"] && l["seed"] == own["seed"];
        Some(own[figure].as_f64()? - lines.iter().find(same)?[figure].as_f64()?)
    };
    lines.iter().filter(|l| of(l, arm)).filter_map(pair).collect()
}

fn figures(text: &mut String, lines: &[Value], arms: &[&str]) -> Result<()> {
    *text += "\n| set | arm | spoilt | runs | image AUROC | pixel AUROC | AU-PRO |\n|---|---|---|---|---|---|---|\n";
    let sets: BTreeSet<&str> = lines.iter().filter_map(|l| l["set"].as_str()).collect();
    for set in sets {
        for (spoilt, said) in SPOILT {
            for arm in arms {
                let of = |l: &&Value| l["set"] == set && l["arm"] == *arm && l["spoilt"] == spoilt;
                let own: Vec<&Value> = lines.iter().filter(of).collect();
                if own.is_empty() {
                    continue;
                }
                write!(text, "| {set} | {arm} | {said} | {} |", own.len())?;
                for figure in ["image_auroc", "pixel_auroc", "au_pro"] {
                    let values: Vec<f64> = own.iter().filter_map(|l| l[figure].as_f64()).collect();
                    write!(text, " {:.4}", mean(&values))?;
                    if values.len() > 1 {
                        write!(text, " +- {:.4}", spread(&values))?;
                    }
                    *text += " |";
                }
                text.push('\n');
            }
        }
    }
    Ok(())
}

fn against(text: &mut String, lines: &[Value], arms: &[&str]) -> Result<()> {
    *text += "\nPaired differences over all sets and seeds that both arms were run on, with 95 % t intervals.\n\n\
              | arm minus arm | spoilt | pairs | image AUROC | pixel AUROC |\n|---|---|---|---|---|\n";
    for (spoilt, said) in SPOILT {
        let rows = arms.iter().flat_map(|a| ["uniform", "shuffled"].map(|o| (*a, o)));
        // `shuffled - uniform` says what its mirror image would
        for (arm, other) in rows.filter(|(a, o)| a != o && *a != "uniform") {
            let [image, pixel] =
                ["image_auroc", "pixel_auroc"].map(|figure| differences(lines, (arm, spoilt), (other, spoilt), figure));
            if !image.is_empty() {
                let (n, image, pixel) = (image.len(), paired(&image), paired(&pixel));
                writeln!(text, "| {arm} - {other} | {said} | {n} | {image} | {pixel} |")?;
            }
        }
    }
    Ok(())
}

fn costs(text: &mut String, lines: &[Value], arms: &[&str]) -> Result<()> {
    let cost = |arm: &str, figure: &str| differences(lines, (arm, false), (arm, true), figure);
    let uniform = ["image_auroc", "pixel_auroc"].map(|figure| mean(&cost("uniform", figure)));
    if arms.iter().all(|arm| cost(arm, "image_auroc").is_empty()) {
        return Ok(());
    }
    *text += "\nWhat spoilt samples cost, over the sets and seeds that were run with and without, and as a share of what they cost `uniform`.\n\n\
              | arm | pairs | image AUROC | share | pixel AUROC | share |\n|---|---|---|---|---|---|\n";
    for arm in arms {
        let [image, pixel] = ["image_auroc", "pixel_auroc"].map(|figure| cost(arm, figure));
        if !image.is_empty() {
            let shares = [mean(&image) / uniform[0], mean(&pixel) / uniform[1]];
            let (n, image, pixel) = (image.len(), paired(&image), paired(&pixel));
            writeln!(text, "| {arm} | {n} | {image} | {:.2} | {pixel} | {:.2} |", shares[0], shares[1])?;
        }
    }
    Ok(())
}

fn weights(text: &mut String, lines: &[Value], arms: &[&str]) -> Result<()> {
    *text += "\nMean weight in the last round by severity, lowest quarter to highest, and of spoilt samples; correlation of weight and area; effective \
              share; upper steps under the guard.\n\n\
              | arm | spoilt | lowest | low | high | highest | spoilt samples | area | effective | guarded |\n\
              |---|---|---|---|---|---|---|---|---|---|\n";
    for (spoilt, said) in SPOILT {
        for arm in arms {
            let own: Vec<&Value> = lines.iter().filter(|l| l["arm"] == *arm && l["spoilt"] == spoilt).collect();
            if own.is_empty() {
                continue;
            }
            write!(text, "| {arm} | {said} |")?;
            for band in [Some(0), Some(1), Some(2), Some(3), None] {
                let (mut sum, mut count) = (0.0, 0.0);
                for w in own.iter().filter_map(|l| l["weights"].as_array()).flatten() {
                    if w["band"].as_u64() == band {
                        let n = w["samples"].as_f64().unwrap_or(0.0);
                        sum += n * w["mean"].as_f64().unwrap_or(0.0);
                        count += n;
                    }
                }
                if count > 0.0 { write!(text, " {:.2} |", sum / count)? } else { text.push_str(" |") }
            }
            for (figure, digits) in [("area_correlation", 2), ("effective_share", 2), ("guarded", 1)] {
                let values: Vec<f64> = own.iter().filter_map(|l| l[figure].as_f64()).collect();
                write!(text, " {:.digits$} |", mean(&values))?;
            }
            text.push('\n');
        }
    }
    Ok(())
}
