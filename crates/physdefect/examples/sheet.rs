//! Renders a contact sheet: `sheet PHOTO OUT.png [SEED]` puts each synthesizer's samples on one photo.
// An example talks to its reader.
#![allow(clippy::print_stdout)]

use image::{Rgb, RgbImage};
use ndarray::Array3;
use physdefect::appearance::{Appearance, Material, Rendered};
use physdefect::baselines::{CutPaste, CutPasteScar, PatchClone, PerlinBlend};
use physdefect::fracture::{FractureLine, PaperFrontier};
use physdefect::pitting::PittingLoss;
use physdefect::warpage::PlasticWarpage;
use physdefect::{Domain, SampleKey, Synthesizer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, path, out, rest @ ..] = args.as_slice() else { return Err("usage: sheet PHOTO OUT.png [SEED]".into()) };
    let seed = rest.first().map_or(Ok(1), |s| s.parse())?;
    let rgb = image::open(path)?.to_rgb8();
    let rgb = image::imageops::crop_imm(&rgb, 0, 0, rgb.width().min(256), rgb.height().min(256)).to_image();
    let (w, h) = (rgb.width() as usize, rgb.height() as usize);
    let photo = Array3::from_shape_fn((h, w, 3), |(y, x, k)| f32::from(rgb.get_pixel(x as u32, y as u32)[k]) / 255.0);
    let domain = Domain::full(h, w)?;
    let metal = Appearance::new(Material::METAL);
    let rows: Vec<Box<dyn Synthesizer>> = vec![
        Box::new(Rendered::new(FractureLine::default(), metal)?.with_severity(0.1, 0.4)?),
        Box::new(Rendered::new(FractureLine::default(), metal)?.with_severity(0.5, 1.0)?),
        Box::new(Rendered::new(PaperFrontier::default(), metal)?),
        Box::new(Rendered::new(PittingLoss::default(), metal)?),
        Box::new(Rendered::new(PlasticWarpage::default(), metal)?),
        Box::new(CutPaste::default()),
        Box::new(CutPasteScar::default()),
        Box::new(PerlinBlend::default()),
        Box::new(PatchClone::default()),
    ];
    let columns = 5;
    let mut sheet = RgbImage::new((columns * (w + 4)) as u32, (rows.len() * (2 * h + 8)) as u32);
    for (r, synth) in rows.iter().enumerate() {
        for c in 0..columns {
            let key = SampleKey { seed, index: (r * columns + c) as u64 };
            let sample = match synth.synthesize(photo.view(), &domain, key) {
                Ok(sample) => sample,
                Err(error) => {
                    println!("{} {key:?}: {error}", synth.name());
                    continue;
                }
            };
            let (image, mask) = (sample.paste(photo.view())?, sample.full_mask(h, w)?);
            let record = &sample.record;
            println!(
                "{:16} severity {:.2} CNR {:.2} area {:.4} {:?}",
                record.model, record.severity, record.contrast_to_noise, record.area_fraction, record.measures
            );
            let (ox, oy) = (c * (w + 4), r * (2 * h + 8));
            for y in 0..h {
                for x in 0..w {
                    let v = |k| (image[[y, x, k]] * 255.0).round() as u8;
                    sheet.put_pixel((ox + x) as u32, (oy + y) as u32, Rgb([v(0), v(1), v(2)]));
                    let m = if mask[[y, x]] { 255 } else { 0 };
                    sheet.put_pixel((ox + x) as u32, (oy + h + 4 + y) as u32, Rgb([m, m, m]));
                }
            }
        }
    }
    sheet.save(out)?;
    Ok(())
}
