//! Clones a disc of one photo into another of the same size: `seamless_clone TARGET SOURCE OUTPUT.png`. Without
//! arguments both are synthetic and nothing is written.
#![allow(clippy::print_stdout)] // an example reports on the terminal

use image::{Rgb, RgbImage};
use imgkit::convert::{from_rgb_image, to_rgb_image};
use ndarray::Array2;
use pde_refine::{Guidance, seamless_clone};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let read = |path: &String| image::open(path).map(|photo| photo.to_rgb8());
    let (target, source) = match &arguments[..] {
        [target, source, ..] => (read(target)?, read(source)?),
        _ => (
            RgbImage::from_fn(160, 120, |x, _| Rgb([60 + x as u8, 90, 120])),
            RgbImage::from_fn(160, 120, |x, y| if (x / 8 + y / 8) % 2 == 0 { Rgb([230; 3]) } else { Rgb([200; 3]) }),
        ),
    };
    let (target, source) = (from_rgb_image(&target), from_rgb_image(&source));
    let (h, w, _) = target.dim();
    let mask = Array2::from_shape_fn((h, w), |(y, x)| {
        (y as f32 - h as f32 / 2.0).hypot(x as f32 - w as f32 / 2.0) < 0.4 * h.min(w) as f32
    });
    let cloned = seamless_clone(target.view(), source.view(), mask.view(), Guidance::Import)?;
    println!("{} pixels, residual {:.1e}", cloned.stats.solve.unknowns, cloned.stats.solve.residual);
    if let Some(output) = arguments.get(2) {
        to_rgb_image(cloned.image.view()).save(output)?;
    }
    Ok(())
}
