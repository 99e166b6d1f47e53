//! Draws one defect of each physical mechanism on a photo and writes the image and its exact mask.
//!
//! `cargo run --example draw_one_defect [-- PHOTO [FOLDER]]`
#![allow(clippy::print_stdout)] // a program may print

use std::path::PathBuf;

use maphc2f::physdefect::{SampleKey, estimate_foreground};
use maphc2f::{MATERIALS, Pipeline, Stage, load_photo, prepare_folder, resize_square, save_photo};
use ndarray::Axis;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/photos/cardboard/01.jpg");
    let photo = load_photo(&args.next().unwrap_or_else(|| shipped.into()))?;
    let folder = args.next().unwrap_or_else(|| "target/one-defect".into());
    prepare_folder(&folder)?;

    // any size will do; a square of 256 px is quick
    let photo = resize_square(photo.view(), 256)?;
    // defects lie on the product only, where the photo shows one in front of a plain ground
    let domain = estimate_foreground(photo.view())?.into_domain()?;
    let pipeline = Pipeline::physical(&MATERIALS)?.up_to(Stage::Fine);
    for mechanism in 0..pipeline.groups() {
        let name = pipeline.name(mechanism).unwrap_or("mechanism");
        // the same key gives the same defect, on any machine and thread
        let key = SampleKey { seed: 1, index: mechanism as u64 };
        let defect = pipeline.synthesize(photo.view(), &domain, mechanism, key)?;
        save_photo(&folder.join(format!("{name}.png")), defect.image.view())?;
        let mask = defect.mask.mapv(|inside| if inside { 1.0 } else { 0.0 }).insert_axis(Axis(2));
        save_photo(&folder.join(format!("{name}_mask.png")), mask.view())?;
        println!("{name}: severity {:.2}, {} px", defect.record.severity, defect.mask.iter().filter(|m| **m).count());
    }
    println!("wrote images and masks to {}", folder.display());
    Ok(())
}
