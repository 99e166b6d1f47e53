//! Writes a report of a test set as HTML, CSV, JSON, Markdown and LaTeX: `report [FOLDER]`.
//!
//! `cargo run -p adbench --example report`; without a folder the files are written to a temporary one and removed.
#![allow(clippy::print_stdout)] // the program prints its result

use std::path::PathBuf;

use adbench::imgkit::convert::from_rgb_image;
use adbench::metrics::Reducer;
use adbench::ndarray::Array2;
use adbench::protocol::Protocol;
use adbench::report::{Document, Format, Outcome, Provenance, ReportBuilder};
use image::{Rgb, RgbImage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args().nth(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let mut builder = ReportBuilder::new("plate");
    for i in 0..12_u32 {
        // good, scratched and stained plates; a detector would give the map
        let kind = [None, Some("scratch"), Some("stain")][i as usize % 3];
        let mask = Array2::from_shape_fn((48, 64), |(y, x)| match kind {
            Some("scratch") => y == 20 + i as usize && (10..50).contains(&x),
            Some(_) => y.abs_diff(24).pow(2) + x.abs_diff(20 + i as usize).pow(2) < 40,
            None => false,
        });
        let photo = RgbImage::from_fn(64, 48, |x, y| {
            let marked = mask[(y as usize, x as usize)];
            Rgb([if marked { 60 } else { 140 } + ((x * 7 + y * 13 + i * 29) % 11) as u8; 3])
        });
        let image = from_rgb_image(&photo);
        let map = Array2::from_shape_fn((48, 64), |(y, x)| (image[(y, x, 0)] - 0.57).abs());
        let score = Reducer::Max.reduce(map.view())?;
        let id = format!("{}/{i:03}.png", kind.unwrap_or("good"));
        builder.push(&Outcome::new(&id, kind, score).with_map(map.view(), mask.view()).with_photo(image.view()))?;
    }
    let report = builder.finish()?;
    println!("{report}");

    let protocol = Protocol::named("native").ok_or("there is no such protocol")?;
    let provenance = Provenance::new("made-up plates", "distance to gray", protocol, "report");
    let document = Document::new("Plates", provenance, vec![report])?;
    for path in document.write_all(folder.join("plates"))? {
        println!("{}: {} bytes", path.file_name().unwrap_or_default().display(), std::fs::metadata(&path)?.len());
    }
    println!("{}", document.render(Format::Markdown).lines().find(|l| l.contains("scratch")).unwrap_or_default());
    Ok(())
}
