//! Estimates foregrounds: `foreground OUT.png PHOTO...` writes photos above their masks.
// An example talks to its reader.
#![allow(clippy::print_stdout)]

use image::{Rgb, RgbImage, imageops};
use ndarray::Array3;
use physdefect::estimate_foreground;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [out, paths @ ..] = args.as_slice() else { return Err("usage: foreground OUT.png PHOTO...".into()) };
    let side = 192;
    let mut sheet = RgbImage::new(paths.len() as u32 * side, 2 * side);
    for (i, path) in paths.iter().enumerate() {
        let rgb = image::open(path)?.to_rgb8();
        let size = (rgb.height() as usize, rgb.width() as usize, 3);
        let photo = Array3::from_shape_fn(size, |(y, x, k)| f32::from(rgb.get_pixel(x as u32, y as u32)[k]) / 255.0);
        let start = std::time::Instant::now();
        let found = estimate_foreground(photo.view())?;
        let area = found.mask.iter().filter(|&&m| m).count() as f64 / found.mask.len() as f64;
        println!(
            "{path}: confidence {:.2}, fills the frame: {}, area {area:.3}, {:?}",
            found.confidence,
            found.fills_frame,
            start.elapsed()
        );
        let mask = RgbImage::from_fn(rgb.width(), rgb.height(), |x, y| {
            if found.mask[[y as usize, x as usize]] { Rgb([255; 3]) } else { Rgb([0; 3]) }
        });
        for (part, row) in [(&rgb, 0), (&mask, 1)] {
            let small = imageops::thumbnail(part, side - 4, side - 4);
            imageops::replace(&mut sheet, &small, i64::from(i as u32 * side), i64::from(row * side));
        }
    }
    sheet.save(out)?;
    Ok(())
}
