//! The contact sheet of a preview.

use super::crop::{draw_frame, scaled};
use super::measure::number;
use super::sample::PreviewSample;
use crate::sheet::{Cell, Sheet};

/// Above each picture of a sample.
const LABELS: [&str; 4] = ["whole photo", "enlarged: photo", "with defect", "outline of its mask"];
/// Width between samples beside each other, px.
const GAP: u32 = 18;
/// Numbers of samples up to which pictures are large: sheets of more would not be read, nor fit in memory.
const FEW: usize = 96;

pub(super) fn sheet(samples: &[PreviewSample]) -> Sheet {
    let (side, most) = if samples.len() <= FEW { (224, 2) } else { (128, 4) };
    let across = samples.len().clamp(1, most);
    let labels = vec![LABELS.as_slice(); across];
    let rows = samples.chunks(across).map(|row| {
        let mut cells: Vec<Cell> = Vec::with_capacity(5 * across);
        for sample in row {
            if !cells.is_empty() {
                cells.push(Cell::blank(GAP));
            }
            cells.extend(pictures(sample, side));
        }
        cells.resize(5 * across - 1, Cell::blank(0));
        cells
    });
    Sheet::of_rows(labels.join(&""), rows)
}

fn pictures(sample: &PreviewSample, side: u32) -> [Cell; 4] {
    let mut whole = scaled(&sample.whole, side);
    draw_frame(&mut whole, sample.at, sample.size);
    let (good, bad) = (scaled(&sample.good, side), scaled(&sample.bad, side));
    let outlined = Cell::image(bad.clone()).with_outline(sample.mask.view());
    [Cell::image(whole).with_caption(caption(sample)), Cell::image(good), Cell::image(bad), outlined]
}

/// What is said below a sample, in two lines.
fn caption(sample: &PreviewSample) -> [String; 2] {
    let record = &sample.record;
    let material = if sample.material.is_empty() { String::new() } else { format!(" on {}", sample.material) };
    let photo = if sample.photo.is_empty() { String::new() } else { format!("  ·  {}", sample.photo) };
    [
        format!("{}  {}{material}{photo}", sample.index, record.model),
        format!(
            "severity {:.2}  ·  visibility {} just noticeable contrasts  ·  area {} px",
            record.severity,
            number(record.visibility),
            sample.area
        ),
    ]
}
