//! Sets the parameters of a crack by `with_*`, and draws it at rising severity.
//!
//! `cargo run -p physdefect --example parameters`
#![allow(clippy::print_stdout)] // an example talks to its reader

use image::{Rgb, RgbImage};
use imgkit::convert::from_rgb_image;
use physdefect::appearance::{Appearance, Material, Rendered};
use physdefect::fracture::{FractureLine, FractureParams};
use physdefect::{Domain, SampleKey, Synthesizer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let photo = RgbImage::from_fn(192, 192, |x, y| Rgb([150 + ((x * 31 + y * 17 + x * y) % 9) as u8; 3]));
    let pixels = from_rgb_image(&photo);
    let domain = Domain::full(192, 192)?;

    // tension along the rows, so that cracks run up and down; no branches; lengths as shares of sqrt(area)
    let params = FractureParams::default()
        .with_stress_angle(Some(0.0))
        .with_branching(0.0)
        .with_edge_start(0.0)
        .with_length((0.1, 0.5));
    for severity in [0.0, 0.5, 1.0] {
        let crack = FractureLine::new(params)?; // every parameter is checked here
        let crack = Rendered::new(crack, Appearance::new(Material::MATTE))?.with_severity(severity, severity)?;
        let sample = crack.synthesize(pixels.view(), &domain, SampleKey { seed: 3, index: 0 })?;
        let (height, width) = (sample.bbox.height(), sample.bbox.width());
        println!(
            "severity {severity:.1}: {:.1} px long, box {height} x {width} px, contrast to noise {:.1}",
            sample.record.measures["length_px"], sample.record.contrast_to_noise
        );
    }
    if let Err(error) = FractureLine::new(params.with_stress_ratio(2.0)) {
        println!("{error}");
    }
    Ok(())
}
