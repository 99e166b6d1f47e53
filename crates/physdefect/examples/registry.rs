//! Lists every mechanism and baseline by name and draws each on a photo: `registry [PHOTO]`.
//!
//! `cargo run -p physdefect --example registry`; without a photo one is made. Nothing is written.
#![allow(clippy::print_stdout)] // an example talks to its reader

use image::{Rgb, RgbImage};
use imgkit::convert::{from_rgb_image, to_rgb_image};
use physdefect::appearance::{Appearance, Material};
use physdefect::registry::Registry;
use physdefect::{Domain, SampleKey};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let photo = match std::env::args().nth(1) {
        Some(path) => image::open(path)?.to_rgb8(),
        None => RgbImage::from_fn(160, 160, |x, y| Rgb([120 + ((x * 31 + y * 17 + x * y) % 13) as u8, 118, 110])),
    };
    let pixels = from_rgb_image(&photo); // (H, W, 3), f32 in [0, 1]
    let domain = Domain::full(pixels.dim().0, pixels.dim().1)?;
    println!("materials: {}", Material::names().collect::<Vec<_>>().join(", "));
    let appearance = Appearance::new(Material::by_name("metal")?);

    let registry = Registry::standard();
    for entry in registry.entries() {
        println!("{} ({}): {}", entry.name(), entry.abbreviation(), entry.description());
        let synthesizer = entry.synthesizer(appearance, (0.6, 0.9))?;
        match synthesizer.synthesize(pixels.view(), &domain, SampleKey { seed: 1, index: 0 }) {
            Ok(sample) => {
                let defective = to_rgb_image(sample.paste(pixels.view())?.view());
                let changed = defective.pixels().zip(photo.pixels()).filter(|(a, b)| a != b).count();
                let size = entry.size_measure().map(|name| format!(", {name} {:.2}", sample.record.measures[name]));
                println!("    {changed} pixels changed{}", size.unwrap_or_default());
            }
            Err(error) => println!("    not here: {error}"),
        }
    }
    if let Err(error) = registry.by_name("pitting") {
        println!("{error}");
    }
    Ok(())
}
