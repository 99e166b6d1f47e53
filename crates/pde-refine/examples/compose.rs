//! Refines a dark pit and a crack pasted into a photo: `compose PHOTO OUTPUT_DIRECTORY`. Without arguments the photo is
//! synthetic and nothing is written.
#![allow(clippy::print_stdout)] // an example reports on the terminal

use imgkit::convert::{from_rgb_image, to_rgb_image};
use ndarray::{Array2, Array3};
use pde_refine::CoarseToFine;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let normal = match arguments.first() {
        Some(path) => from_rgb_image(&image::open(path)?.to_rgb8()),
        None => Array3::from_shape_fn((256, 256, 3), |(y, x, k)| {
            0.5 + 0.1 * ((x + 20 * k) as f32 / 40.0).sin() + 0.004 * ((y * y * 31 + x * x * 17 + y * x) % 13) as f32
        }),
    };
    let (h, w, _) = normal.dim();
    let (cy, cx) = (h as f32 / 2.0, w as f32 / 2.0);
    let mask = Array2::from_shape_fn((h, w), |(y, x)| {
        let (y, x) = (y as f32 - cy, x as f32 - cx);
        let pit = (y - 40.0).hypot(x - 40.0) < 10.0;
        let crack = x.abs() < 60.0 && (y + 40.0 - 0.25 * x - 4.0 * (x / 11.0).sin()).abs() < 1.5;
        pit || crack
    });
    let composite =
        Array3::from_shape_fn(normal.dim(), |(y, x, k)| normal[(y, x, k)] * if mask[(y, x)] { 0.4 } else { 1.0 });
    let stages = CoarseToFine::default().stages(normal.view(), composite.view(), mask.view())?;
    let solve = &stages.coarse.stats.solve;
    println!("npcF: {} iterations, residual {:.1e}", solve.iterations, solve.residual);
    println!("npcF++: {:.0} % of the correction applied", 100.0 * stages.fine.stats.strength);
    if let Some(directory) = arguments.get(1) {
        for (name, image) in
            [("composite", &composite), ("npcf", &stages.coarse.image), ("npcf_plus", &stages.fine.image)]
        {
            to_rgb_image(image.view()).save(format!("{directory}/{name}.png"))?;
        }
    }
    Ok(())
}
