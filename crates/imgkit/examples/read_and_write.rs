//! Reads any photo (PNG, JPEG, BMP, TIFF; gray or RGB; 8 or 16 bits) and writes it back as 8-bit PNG:
//! `read_and_write [PHOTO OUT.png]`.
//!
//! `cargo run -p imgkit --example read_and_write`; without arguments a photo is made in a temporary folder.
#![allow(clippy::print_stdout)] // the program prints its result

use std::path::PathBuf;

use image::{Rgb, RgbImage};
use imgkit::convert::to_rgb_image;
use imgkit::image_io::{read_photo, read_size, write_png};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let (path, out) = match (arguments.next(), arguments.next()) {
        (Some(path), Some(out)) => (path, out),
        _ => {
            let path = temporary.path().join("photo.png");
            write_png(&path, &RgbImage::from_fn(96, 64, |x, y| Rgb([x as u8, y as u8, 128])))?;
            (path, temporary.path().join("out.png"))
        }
    };
    println!("size from the header alone: {}", read_size(&path)?);
    let photo = read_photo(&path)?;
    println!("{:?} (height, width, channels), {} bits a channel", photo.dim(), photo.bits());

    let pixels = photo.to_f32(); // (H, W, C), f32 in [0, 1]
    println!("mean {:.4}", pixels.mean().unwrap_or_default());

    write_png(&out, &to_rgb_image(pixels.view()))?; // complete or not at all
    println!("equal when read again: {}", read_photo(&out)?.to_f32() == pixels);

    // errors say which file, why, and what to do
    if let Err(error) = read_photo(temporary.path().join("missing.png")) {
        println!("{}", error.to_string().replace(&temporary.path().display().to_string(), "FOLDER"));
    }
    Ok(())
}
