//! Fits a patch memory to normal images, scores a defect, saves and loads: `cargo run -p bisqad --example memory`.
#![allow(clippy::print_stdout)] // a program for a terminal

use std::error::Error;
use std::sync::Arc;

use bisqad::{Detector, MemoryDetector, MemoryParams, NoObserver, Persist, Threshold, load};
use frozen_backbone::EfficientNetLite0;
use image::{Rgb, RgbImage};
use imgkit::convert::from_rgb_image;

/// A surface with a fine texture; in practice `image::open(path)?.to_rgb8()`.
fn photo(i: u32) -> RgbImage {
    RgbImage::from_fn(96, 96, |x, y| Rgb([110 + ((y * 7 + x * 13 + i * 29) % 23) as u8; 3]))
}

fn main() -> Result<(), Box<dyn Error>> {
    let normals: Vec<_> = (0..20).map(|i| from_rgb_image(&photo(i))).collect();
    let backbone = Arc::new(EfficientNetLite0::pretrained()?);
    let params = MemoryParams::default().with_memory(512);
    let detector = MemoryDetector::fit(backbone.clone(), &normals, &params, &mut NoObserver)?;
    let threshold = Threshold::of(&detector, 0.0)?.value;

    let mut stained = photo(50);
    for (x, y) in (30..50).flat_map(|x| (40..52).map(move |y| (x, y))) {
        stained.put_pixel(x, y, Rgb([60, 40, 30]));
    }
    for (name, image) in [("normal", photo(51)), ("stained", stained.clone())] {
        let prediction = detector.predict(from_rgb_image(&image).view())?;
        let verdict = if prediction.score > threshold { "anomalous" } else { "normal" };
        println!("{name}: score {:.2}, threshold {threshold:.2}: {verdict}", prediction.score);
    }

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("memory.safetensors");
    detector.save(&path)?;
    let again = load(&path, &[backbone])?;
    let image = from_rgb_image(&stained);
    println!(
        "loaded `{}`, same map: {}",
        again.name(),
        again.predict(image.view())? == detector.predict(image.view())?
    );
    Ok(())
}
