//! A made-up run with pictures, for the tests of documents.

use adbench::metrics::BootstrapParams;
use adbench::protocol::Protocol;
use adbench::report::{Document, Provenance};
use adbench::report::{Outcome, ReportBuilder};
use ndarray::{Array2, Array3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A name that breaks out of markup, attributes, tables and scripts that do not escape it.
pub(crate) const HOSTILE: &str = "a|b & <img src=x onerror=\"throw 1\"> 'c' </script>_%,\\\n.png";

/// Two categories; the first has pictures, three kinds of defect, and an image and a kind with hostile names.
pub(crate) fn document() -> Document {
    let kinds = [None, None, Some("crack"), Some("stain"), Some(HOSTILE)];
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let side = 64;
    let mut reports = Vec::new();
    for category in ["widget", "gear_2, left"] {
        let settings = BootstrapParams::default().with_resamples(200);
        let mut builder = ReportBuilder::new(category).with_bootstrap(settings).with_training_images(40);
        for (i, kind) in kinds.iter().cycle().take(30).enumerate() {
            let (cy, cx) = (rng.random_range(12.0..52.0_f32), rng.random_range(12.0..52.0_f32));
            let radius = rng.random_range(3.0..9.0_f32);
            let distance = |y: usize, x: usize| ((y as f32 - cy).powi(2) + (x as f32 - cx).powi(2)).sqrt();
            let mask = Array2::from_shape_fn((side, side), |(y, x)| kind.is_some() && distance(y, x) < radius);
            let strength = if kind.is_some() { rng.random_range(0.3..1.0_f32) } else { rng.random_range(0.0..0.45) };
            let map = Array2::from_shape_fn((side, side), |(y, x)| {
                strength * (-(distance(y, x) / radius).powi(2) / 2.0).exp() + rng.random_range(0.0..0.1_f32)
            });
            let photo = Array3::from_shape_fn((side, side, 3), |(y, x, c)| {
                let disc = ((y as f32 - 32.0).powi(2) + (x as f32 - 32.0).powi(2)).sqrt() < 28.0;
                let ground = if disc { [0.75, 0.72, 0.66][c] } else { 0.2 };
                if mask[(y, x)] { ground * 0.6 } else { ground }
            });
            let score = map.iter().copied().fold(f32::MIN, f32::max);
            let id =
                if i == 4 { HOSTILE.to_owned() } else { format!("test/{}/{i:03}.png", kind.unwrap_or("good").len()) };
            let outcome = Outcome::new(&id, *kind, score).with_map(map.view(), mask.view());
            builder.push(&if category == "widget" { outcome.with_photo(photo.view()) } else { outcome }).unwrap();
        }
        reports.push(builder.finish().unwrap());
    }
    let protocol = Protocol::named("native").unwrap();
    let mut provenance = Provenance::new("made up", "a blob finder", protocol, "blobs --seed 1 <in >out");
    provenance.seeds = vec![1];
    Document::new("Blobs & <b>bold</b>", provenance, reports).unwrap()
}
