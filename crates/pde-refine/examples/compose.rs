//! Refines a pasted patch, a dark pit and a crack in a given image and writes every stage as a PNG:
//! `compose IMAGE OUTPUT_DIRECTORY`. Without arguments it uses a synthetic image and writes nothing.
#![allow(clippy::print_stdout)] // an example reports on the terminal

use ndarray::{Array2, Array3};
use pde_refine::{CoarseToFine, band_energy_ratio, seam_index};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let normal = match arguments.first() {
        Some(path) => {
            let image = image::open(path)?.to_rgb8();
            let (w, h) = image.dimensions();
            let read = |(y, x, k): (usize, usize, usize)| f32::from(image.get_pixel(x as u32, y as u32)[k]) / 255.0;
            Array3::from_shape_fn((h as usize, w as usize, 3), read)
        }
        None => Array3::from_shape_fn((256, 256, 3), |(y, x, k)| {
            0.5 + 0.1 * ((x + 20 * k) as f32 / 40.0).sin() + 0.004 * ((y * y * 31 + x * x * 17 + y * x) % 13) as f32
        }),
    };
    let (h, w, _) = normal.dim();
    let (cy, cx) = (h as f32 / 2.0, w as f32 / 2.0);
    let radius = |y: usize, x: usize, dy: f32, dx: f32| (y as f32 - cy - dy).hypot(x as f32 - cx - dx);
    let patch = Array2::from_shape_fn((h, w), |(y, x)| radius(y, x, -40.0, -40.0) < 30.0);
    let pit = Array2::from_shape_fn((h, w), |(y, x)| radius(y, x, 40.0, 40.0) < 10.0);
    let crack = Array2::from_shape_fn((h, w), |(y, x)| {
        let middle = cy + 60.0 + 0.25 * (x as f32 - cx) + 4.0 * (x as f32 / 11.0).sin();
        (x as f32 - cx).abs() < 60.0 && (y as f32 - middle).abs() < 1.5
    });
    let mask = Array2::from_shape_fn((h, w), |i| patch[i] || pit[i] || crack[i]);
    let composite = Array3::from_shape_fn((h, w, 3), |(y, x, k)| {
        let v = normal[(y, x, k)];
        match (patch[(y, x)], pit[(y, x)] || crack[(y, x)]) {
            // a patch from elsewhere in the image, brighter
            (true, _) => (normal[((y + h / 3) % h, (x + w / 3) % w, k)] + 0.2).min(1.0),
            (_, true) => 0.4 * v,
            _ => v,
        }
    });
    let stages = CoarseToFine::default().stages(normal.view(), composite.view(), mask.view())?;
    let images = [("composite", &composite), ("npcf", &stages.coarse.image), ("npcf_plus", &stages.fine.image)];
    for (name, image) in images {
        let bands = band_energy_ratio(image.view(), mask.view(), 3)?.mean_axis(ndarray::Axis(1)).unwrap_or_default();
        println!("{name:>10}: seam index {:7.2}, band energies {bands:.2}", seam_index(image.view(), mask.view())?);
        if let Some(directory) = arguments.get(1) {
            let bytes = image.iter().map(|v| (v * 255.0).round() as u8).collect();
            let out = image::RgbImage::from_raw(w as u32, h as u32, bytes).ok_or("image size")?;
            out.save(format!("{directory}/{name}.png"))?;
        }
    }
    println!("{:?}", stages.coarse.stats.solve);
    Ok(())
}
