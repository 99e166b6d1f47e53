//! Makes a small data set of defects with masks and a manifest, in the layout of MVTec AD, and verifies it.
//!
//! `cargo run --example make_dataset [-- PHOTOS [FOLDER]]`
//!
//! The program does the same with more options: `maphc2f synth --help`.
#![allow(clippy::print_stdout)] // a program may print

use std::path::PathBuf;

use maphc2f::factory::{DatasetParams, Job, MechanismMix, MixEntry, PhotoSet, synthesize, verify};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/photos/cardboard");
    let photos = PhotoSet::find(&args.next().unwrap_or_else(|| shipped.into()), None, None)?;
    let folder = args.next().unwrap_or_else(|| "target/small-dataset".into());

    // three cracks for each dent
    let mix = MechanismMix::new([
        MixEntry::new("fracture-line").with_weight(3.0),
        MixEntry::new("plastic-warpage").with_severity((0.5, 1.0)),
    ])?;
    let params = DatasetParams::default().with_count(12).with_seed(1).with_side(Some(128)).with_mechanisms(mix);
    // an interrupted job goes on where it was; another job in the same folder is refused
    let job = Job::new(&params, &photos, &folder).with_resume(true);
    let summary = synthesize(&job, &|_| ())?;
    println!("{} images, {} could not be made", summary.images, summary.failed);

    let findings = verify(&folder, &|_| ())?;
    println!("{}: {}", folder.display(), if findings.is_whole() { "whole" } else { "damaged" });
    Ok(())
}
