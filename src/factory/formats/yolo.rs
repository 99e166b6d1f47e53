//! YOLO segmentation labels: `class x1 y1 x2 y2 ...`, one line a part of the mask, as fractions of width and height.

use std::fmt::Write;

use ndarray::ArrayView2;

use super::contour::outlines;

pub(super) fn label(mask: ArrayView2<'_, bool>, class: usize) -> String {
    let (h, w) = mask.dim();
    let mut out = String::new();
    for outline in outlines(mask) {
        let _ = write!(out, "{class}"); // writing to a string cannot fail
        for (x, y) in outline {
            let _ = write!(out, " {:.6} {:.6}", x as f64 / w as f64, y as f64 / h as f64);
        }
        out.push('\n');
    }
    out
}

/// The file that names the classes.
pub(super) fn data(classes: &[&str]) -> String {
    let mut out = "path: .\ntrain: images\nval: images\nnames:\n".to_owned();
    for (class, name) in classes.iter().enumerate() {
        let _ = writeln!(out, "  {class}: {name}");
    }
    out
}
