//! A detector of your own beside those of the crate: `cargo run -p bisqad --example own_detector`.
#![allow(clippy::print_stdout)] // a program for a terminal

use bisqad::{Detector, Error, Prediction, Threshold};
use ndarray::{Array2, Array3, ArrayView3, Zip};

/// Scores every pixel by its distance from the mean image.
#[derive(Debug)]
struct MeanImage {
    mean: Array3<f32>,
}

impl Detector for MeanImage {
    fn name(&self) -> &'static str {
        "mean-image"
    }
    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
        let expected = self.mean.len();
        if image.dim() != self.mean.dim() {
            return Err(Error::Length { what: "pixels of the image", found: image.len(), expected });
        }
        let mut map = Array2::zeros((image.dim().0, image.dim().1));
        Zip::from(&mut map)
            .and(image.rows())
            .and(self.mean.rows())
            .for_each(|to, pixel, mean| *to = pixel.iter().zip(mean).map(|(p, m)| (p - m).abs()).sum::<f32>());
        // the score is the mean of the highest hundredth of the map, as of the other detectors
        Ok(Prediction::of_map(map))
    }
}

fn photo(i: usize) -> Array3<f32> {
    Array3::from_shape_fn((48, 48, 3), |(y, x, _)| 0.4 + 0.1 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
}

fn main() -> Result<(), Error> {
    let mean = (0..20).map(photo).fold(Array3::zeros((48, 48, 3)), |sum, p| sum + p) / 20.0;
    let detector = MeanImage { mean };
    let held_out: Vec<_> = (20..40).map(photo).collect();
    let threshold = Threshold::calibrate(&detector, &held_out, 0.05)?;
    let mut bad = photo(50);
    bad.slice_each_axis_mut(|a| if a.axis.index() < 2 { (10..20).into() } else { (..).into() }).fill(0.9);
    let (good, bad) = (detector.predict(photo(51).view())?.score, detector.predict(bad.view())?.score);
    println!("{}: normal {good:.2}, defect {bad:.2}, threshold {:.2}", detector.name(), threshold.value);
    Ok(())
}
