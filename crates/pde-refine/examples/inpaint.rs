//! Removes a scratch from a photo, given its mask: the pixels inside are replaced by a membrane over those around it.
#![allow(clippy::print_stdout)] // an example reports on the terminal

use ndarray::{Array2, Array3, Axis};
use pde_refine::{Error, inpaint};

fn main() -> Result<(), Error> {
    // a smoothly shaded surface, in [0, 1], with a white scratch across it
    let clean = Array3::from_shape_fn((120, 160, 3), |(y, x, _)| 0.3 + 0.3 * (y as f32 / 120.0) + 0.002 * x as f32);
    let scratch = Array2::from_shape_fn((120, 160), |(y, x)| (y as f32 - 20.0 - 0.5 * x as f32).abs() < 2.0);
    let mut photo = clean.clone();
    for ((y, x), _) in scratch.indexed_iter().filter(|(_, inside)| **inside) {
        photo.index_axis_mut(Axis(0), y).index_axis_mut(Axis(0), x).fill(1.0);
    }
    let repaired = inpaint(photo.view(), scratch.view())?;
    let worst = |image: &Array3<f32>| (image - &clean).iter().fold(0.0f32, |worst, d| worst.max(d.abs()));
    println!("largest error with the scratch {:.3}, repaired {:.3}", worst(&photo), worst(&repaired.image));
    Ok(())
}
