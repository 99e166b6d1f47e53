//! Removes noise while edges stay sharp, by edge-enhancing diffusion: `denoise PHOTO OUTPUT.png`. Without arguments the
//! photo is a noisy disc and nothing is written.
#![allow(clippy::print_stdout)] // an example reports on the terminal

use imgkit::convert::{from_rgb_image, to_rgb_image};
use ndarray::Array3;
use pde_refine::filters::{Diffuse, EdgeEnhancing, EdgeEnhancingParams};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let photo = match arguments.first() {
        Some(path) => from_rgb_image(&image::open(path)?.to_rgb8()),
        None => Array3::from_shape_fn((96, 96, 3), |(y, x, k)| {
            let noise = 0.08 * ((y * y * 31 + x * x * 17 + y * x * 7 + k) % 13) as f32 / 13.0;
            noise + if (y as f32 - 48.0).hypot(x as f32 - 48.0) < 30.0 { 0.7 } else { 0.2 }
        }),
    };
    // gradients above 0.03 per pixel, after smoothing over one pixel, count as edges
    let params = EdgeEnhancingParams::default().with_kappa(0.03).with_noise_scale(1.0);
    let smooth = EdgeEnhancing::new(params)?.filter(photo.view(), 20)?;
    let (h, w, _) = photo.dim();
    let roughness = |image: &Array3<f32>| {
        (1..w).map(|x| (image[(h / 2, x, 0)] - image[(h / 2, x - 1, 0)]).abs()).sum::<f32>() / w as f32
    };
    println!("mean step along the middle row: {:.4} before, {:.4} after", roughness(&photo), roughness(&smooth));
    if let Some(output) = arguments.get(1) {
        to_rgb_image(smooth.view()).save(output)?;
    }
    Ok(())
}
