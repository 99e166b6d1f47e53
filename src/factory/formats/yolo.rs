//! YOLO segmentation labels: `class x1 y1 x2 y2 ...`, one line an instance, as fractions of width and height.

use std::fmt::Write;

use ndarray::ArrayView2;

use super::contour::{joined, outlines};

/// The label of a mask: a line for each part, or one for all of them.
pub(super) fn label(mask: ArrayView2<'_, bool>, class: usize, as_one: bool) -> String {
    let (h, w) = mask.dim();
    let mut out = String::new();
    let mut polygons = outlines(mask);
    if as_one {
        polygons = joined(polygons).into_iter().collect();
    }
    for polygon in polygons {
        let _ = write!(out, "{class}"); // writing to a string cannot fail
        for (x, y) in polygon {
            let _ = write!(out, " {:.6} {:.6}", x / w as f64, y / h as f64);
        }
        out.push('\n');
    }
    out
}

/// The file that names the classes. Without a `path`, readers take the file's own folder.
pub(super) fn data(classes: &[&str]) -> String {
    let mut out =
        "# There is no held-out split: `val` is `train`. Samples on one photo are alike, so split by the photo\n\
                   # (`source` in manifest/*.jsonl) before you trust a figure.\n\
                   train: images\nval: images\nnames:\n"
            .to_owned();
    for (class, name) in classes.iter().enumerate() {
        let _ = writeln!(out, "  {class}: {}", quoted(name));
    }
    out
}

/// A name as YAML: quoted unless it is plain.
fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_plain { name.to_owned() } else { format!("'{}'", name.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_plain_are_quoted() {
        let text = data(&["fracture-line", "it's: #1"]);
        assert!(text.contains("  0: fracture-line\n") && text.contains("  1: 'it''s: #1'\n"), "{text}");
        assert!(!text.contains("path:"));
    }
}
