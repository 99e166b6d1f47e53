//! Renders a contact sheet: `sheet PHOTO OUT.png [SEED]` puts five samples of each mechanism and baseline on one photo,
//! above their masks.
//!
//! `cargo run -p physdefect --example sheet -- PHOTO OUT.png`
#![allow(clippy::print_stdout)] // an example talks to its reader

use image::{GrayImage, Luma, RgbImage, imageops};
use imgkit::convert::{from_rgb_image, to_rgb_image};
use physdefect::appearance::{Appearance, Material};
use physdefect::registry::Registry;
use physdefect::{Domain, SampleKey};

const COLUMNS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, path, out, rest @ ..] = args.as_slice() else { return Err("usage: sheet PHOTO OUT.png [SEED]".into()) };
    let seed = rest.first().map_or(Ok(1), |s| s.parse())?;
    let rgb = image::open(path)?.to_rgb8();
    let rgb = imageops::crop_imm(&rgb, 0, 0, rgb.width().min(256), rgb.height().min(256)).to_image();
    let photo = from_rgb_image(&rgb);
    let (h, w, _) = photo.dim();
    let domain = Domain::full(h, w)?;
    let registry = Registry::standard();
    let mut sheet = RgbImage::new((COLUMNS * (w + 4)) as u32, (registry.entries().len() * (2 * h + 8)) as u32);
    for (r, entry) in registry.entries().iter().enumerate() {
        let synthesizer = entry.synthesizer(Appearance::new(Material::METAL), (0.2, 1.0))?;
        for c in 0..COLUMNS {
            let key = SampleKey { seed, index: (r * COLUMNS + c) as u64 };
            let sample = match synthesizer.synthesize(photo.view(), &domain, key) {
                Ok(sample) => sample,
                Err(error) => {
                    println!("{} {key:?}: {error}", entry.name());
                    continue;
                }
            };
            let record = &sample.record;
            println!(
                "{:16} severity {:.2} contrast to noise {:.2} area {:.4}",
                record.model, record.severity, record.contrast_to_noise, record.area_fraction
            );
            let image = to_rgb_image(sample.paste(photo.view())?.view());
            let mask = sample.full_mask(h, w)?;
            let mask =
                GrayImage::from_fn(w as u32, h as u32, |x, y| Luma([u8::from(mask[[y as usize, x as usize]]) * 255]));
            let mask = image::DynamicImage::from(mask).to_rgb8();
            let (left, top) = ((c * (w + 4)) as i64, (r * (2 * h + 8)) as i64);
            imageops::replace(&mut sheet, &image, left, top);
            imageops::replace(&mut sheet, &mask, left, top + h as i64 + 4);
        }
    }
    sheet.save(out)?;
    Ok(())
}
