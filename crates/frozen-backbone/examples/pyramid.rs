//! Extracts the feature pyramid of a photo: `cargo run -p frozen-backbone --example pyramid [photo.png]`.
//!
//! Without a file it takes a photo that it makes itself.
#![allow(clippy::print_stdout)] // the program prints its result

use frozen_backbone::{Backbone, EfficientNetLite0};
use image::{Rgb, RgbImage};
use imgkit::convert::from_rgb_image;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let photo = match std::env::args().nth(1) {
        Some(path) => image::open(path)?.to_rgb8(),
        None => RgbImage::from_fn(320, 240, |x, y| Rgb([(x % 256) as u8, y as u8, ((x ^ y) % 256) as u8])),
    };
    let net = EfficientNetLite0::pretrained()?;
    let pyramid = net.extract(from_rgb_image(&photo).view())?;
    println!("{} ({:016x}), photo of {} x {} px", net.id(), net.hash(), photo.width(), photo.height());
    for (features, level) in pyramid.iter().zip(net.levels()) {
        let (channels, rows, columns) = features.dim();
        let mean = features.mean().unwrap_or_default();
        println!("stride {:>2}: {channels:>3} channels of {rows} x {columns}, mean {mean:+.3}", level.stride);
    }
    Ok(())
}
