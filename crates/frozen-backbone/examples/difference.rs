//! Finds where two photos of the same scene differ, by the distance of their features.
#![allow(clippy::print_stdout)] // the program prints its result

use frozen_backbone::{Backbone, EfficientNetLite0, Error};
use image::{Rgb, RgbImage};
use imgkit::convert::from_rgb_image;
use ndarray::{Array2, Axis};

/// Euclidean distance of the features at `tap`, for each of their rows and columns.
fn distances(net: &dyn Backbone, a: &RgbImage, b: &RgbImage, tap: usize) -> Result<Array2<f32>, Error> {
    let (a, b) = (net.extract(from_rgb_image(a).view())?, net.extract(from_rgb_image(b).view())?);
    Ok((&a[tap] - &b[tap]).mapv(|d| d * d).sum_axis(Axis(0)).mapv(f32::sqrt))
}

fn main() -> Result<(), Error> {
    let texture = |x: u32, y: u32| 90 + ((x * 7919 + y * 104_729) % 61) as u8;
    let before = RgbImage::from_fn(256, 192, |x, y| Rgb([texture(x, y); 3]));
    let mut after = before.clone();
    for (x, y) in (150..170).flat_map(|x| (60..66).map(move |y| (x, y))) {
        after.put_pixel(x, y, Rgb([30, 30, 30])); // a scratch
    }
    let net = EfficientNetLite0::pretrained()?;
    for (tap, level) in net.levels().iter().enumerate() {
        let map = distances(&net, &before, &after, tap)?;
        let mut places: Vec<_> = map.indexed_iter().collect();
        places.sort_by(|a, b| b.1.total_cmp(a.1));
        if let Some(((row, column), distance)) = places.first() {
            let (y, x) = (row * level.stride, column * level.stride);
            println!("stride {:>2}: largest distance {distance:.1}, near row {y}, column {x}", level.stride);
        }
    }
    Ok(())
}
