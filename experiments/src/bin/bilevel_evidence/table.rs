//! The tables: figures of every set and variant, paired differences, the cost of corrupted samples, and the weights.

use std::collections::BTreeSet;
use std::fmt::Write;

use experiments::paired::{interval_text, mean, standard_deviation};
use experiments::program::Result;
use serde_json::Value;

use crate::logged;

const CORRUPTED: [(bool, &str); 2] = [(false, "no"), (true, "30 %")];

/// Writes every table of finished runs and the variants among them.
pub(crate) fn tables(lines: &[Value], variants: &[&str]) -> Result<String> {
    let mut text = String::new();
    figures(&mut text, lines, variants)?;
    against(&mut text, lines, variants)?;
    costs(&mut text, lines, variants)?;
    weights(&mut text, lines, variants)?;
    Ok(text)
}

/// Differences of a figure between a variant, corrupted or not, and another, over the sets and seeds that both were run
/// on.
pub(crate) fn differences(lines: &[Value], variant: (&str, bool), other: (&str, bool), figure: &str) -> Vec<f64> {
    let of = |l: &Value, (variant, corrupted): (&str, bool)| l["arm"] == logged(variant) && l["spoilt"] == corrupted;
    let pair = |own: &Value| {
        let same = |l: &&Value| of(l, other) && l["set"] == own["set"] && l["seed"] == own["seed"];
        Some(own[figure].as_f64()? - lines.iter().find(same)?[figure].as_f64()?)
    };
    lines.iter().filter(|l| of(l, variant)).filter_map(pair).collect()
}

fn figures(text: &mut String, lines: &[Value], variants: &[&str]) -> Result<()> {
    *text +=
        "\n| set | variant | corrupted | runs | image AUROC | pixel AUROC | AU-PRO |\n|---|---|---|---|---|---|---|\n";
    let sets: BTreeSet<&str> = lines.iter().filter_map(|l| l["set"].as_str()).collect();
    for set in sets {
        for (corrupted, said) in CORRUPTED {
            for variant in variants {
                let of = |l: &&Value| l["set"] == set && l["arm"] == logged(variant) && l["spoilt"] == corrupted;
                let own: Vec<&Value> = lines.iter().filter(of).collect();
                if own.is_empty() {
                    continue;
                }
                write!(text, "| {set} | {variant} | {said} | {} |", own.len())?;
                for figure in ["image_auroc", "pixel_auroc", "au_pro"] {
                    let values: Vec<f64> = own.iter().filter_map(|l| l[figure].as_f64()).collect();
                    write!(text, " {:.4}", mean(&values))?;
                    if values.len() > 1 {
                        write!(text, " +- {:.4}", standard_deviation(&values))?;
                    }
                    *text += " |";
                }
                text.push('\n');
            }
        }
    }
    Ok(())
}

fn against(text: &mut String, lines: &[Value], variants: &[&str]) -> Result<()> {
    *text += "\nPaired differences over all sets and seeds that both variants were run on, with 95 % t intervals.\n\n\
              | variant minus variant | corrupted | pairs | image AUROC | pixel AUROC |\n|---|---|---|---|---|\n";
    for (corrupted, said) in CORRUPTED {
        let rows = variants.iter().flat_map(|a| ["uniform", "shuffled"].map(|o| (*a, o)));
        // `shuffled - uniform` says what its mirror image would
        for (variant, other) in rows.filter(|(a, o)| a != o && *a != "uniform") {
            let [image, pixel] = ["image_auroc", "pixel_auroc"]
                .map(|figure| differences(lines, (variant, corrupted), (other, corrupted), figure));
            if !image.is_empty() {
                let (n, image, pixel) = (image.len(), interval_text(&image), interval_text(&pixel));
                writeln!(text, "| {variant} - {other} | {said} | {n} | {image} | {pixel} |")?;
            }
        }
    }
    Ok(())
}

fn costs(text: &mut String, lines: &[Value], variants: &[&str]) -> Result<()> {
    let cost = |variant: &str, figure: &str| differences(lines, (variant, false), (variant, true), figure);
    let uniform = ["image_auroc", "pixel_auroc"].map(|figure| mean(&cost("uniform", figure)));
    if variants.iter().all(|variant| cost(variant, "image_auroc").is_empty()) {
        return Ok(());
    }
    *text += "\nCost of corrupted samples, over the sets and seeds that were run with and without, and as a share of \
             what they \
              cost `uniform`.\n\n\
              | variant | pairs | image AUROC | share | pixel AUROC | share |\n|---|---|---|---|---|---|\n";
    for variant in variants {
        let [image, pixel] = ["image_auroc", "pixel_auroc"].map(|figure| cost(variant, figure));
        if !image.is_empty() {
            let shares = [mean(&image) / uniform[0], mean(&pixel) / uniform[1]];
            let (n, image, pixel) = (image.len(), interval_text(&image), interval_text(&pixel));
            writeln!(text, "| {variant} | {n} | {image} | {:.2} | {pixel} | {:.2} |", shares[0], shares[1])?;
        }
    }
    Ok(())
}

fn weights(text: &mut String, lines: &[Value], variants: &[&str]) -> Result<()> {
    *text += "\nMean weight in the last round by severity, lowest quarter to highest, and of corrupted samples; \
             correlation of \
              weight and area; effective share; upper steps that were clipped for it.\n\n\
              | variant | corrupted | lowest | low | high | highest | corrupted samples | area | effective | clipped \
              |\n\
              |---|---|---|---|---|---|---|---|---|---|\n";
    for (corrupted, said) in CORRUPTED {
        for variant in variants {
            let own: Vec<&Value> =
                lines.iter().filter(|l| l["arm"] == logged(variant) && l["spoilt"] == corrupted).collect();
            if own.is_empty() {
                continue;
            }
            write!(text, "| {variant} | {said} |")?;
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
