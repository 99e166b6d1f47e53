//! Measures a mask: its box, exact distances, and the width of what it marks.
//!
//! `cargo run -p imgkit --example distances`
#![allow(clippy::print_stdout)] // the program prints its result

use imgkit::boxes::separate;
use imgkit::distance::{half_width, to_background, to_foreground};
use imgkit::{Rect, bounding_box};
use ndarray::Array2;

fn main() {
    // a crack of 5 pixels width and, far from it, a disc of radius 12
    let mask = Array2::from_shape_fn((120, 200), |(y, x)| {
        let crack = (20..25).contains(&y) && (10..90).contains(&x);
        crack || y.abs_diff(80).pow(2) + x.abs_diff(150).pow(2) <= 144
    });
    let Some(all) = bounding_box(mask.view()) else { return };
    println!("all: rows {} to {}, columns {} to {}, half open", all.top, all.bottom, all.left, all.right);

    let inside = to_background(mask.view()); // px, 0 outside the mask
    let outside = to_foreground(mask.view()); // px, 0 inside
    let deepest = inside.iter().copied().fold(0.0, f32::max);
    println!("deepest pixel: {deepest:.2} px from the background; corner: {:.2} px from the mask", outside[(0, 0)]);

    let widths = half_width(inside.view(), 50.0);
    println!("half-width in the crack {:.2} px, in the disc {:.2} px", widths[(22, 50)], widths[(80, 150)]);

    for part in separate(mask.view()) {
        let Rect { top, left, .. } = part;
        let marked = part.crop(mask.view()).iter().filter(|&&m| m).count();
        println!("box at row {top}, column {left}, {}: {marked} pixels marked", part.size());
    }
}
