//! Resizes a photo and a score map with the kernel named, as PIL does.
//!
//! `cargo run -p imgkit --example resize`
#![allow(clippy::print_stdout)] // the program prints its result

use image::{Rgb, RgbImage};
use imgkit::convert::{from_rgb_image, to_rgb_image};
use imgkit::resize::{Kernel, resize, resize_map, resize_u8};
use ndarray::{Array2, Array3};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let photo = RgbImage::from_fn(300, 200, |x, y| Rgb([(x * 255 / 299) as u8, (y * 255 / 199) as u8, 90]));
    let pixels = from_rgb_image(&photo); // (200, 300, 3), f32 in [0, 1]

    for kernel in [Kernel::Area, Kernel::Bilinear] {
        let small = resize(pixels.view(), (64, 96), kernel)?; // height, width
        let corner = to_rgb_image(small.view()).get_pixel(95, 63).0;
        println!("{}: {:?}, last pixel {corner:?}", kernel.name(), small.dim());
    }

    // 8 bits in, 8 bits out: several times as fast
    let bytes = Array3::from_shape_fn((200, 300, 3), |(y, x, c)| photo.get_pixel(x as u32, y as u32).0[c]);
    println!("8 bits: {:?}", resize_u8(bytes.view(), (64, 96), Kernel::Bilinear)?.dim());

    // a coarse score map back to the size of its photo
    let map = Array2::from_shape_fn((8, 12), |(y, x)| if (y, x) == (3, 5) { 1.0 } else { 0.0 });
    let large = resize_map(map.view(), (200, 300), Kernel::Bilinear)?;
    let peak = large.indexed_iter().max_by(|a, b| a.1.total_cmp(b.1)).map_or((0, 0), |(at, _)| at);
    println!("map: {:?}, peak at row {}, column {}", large.dim(), peak.0, peak.1);

    if let Err(error) = resize(pixels.view(), (0, 96), Kernel::Area) {
        println!("{error}");
    }
    Ok(())
}
