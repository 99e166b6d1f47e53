//! The sheet of the samples of lowest quality.

use super::crop::{picture, scaled, window};
use crate::factory::RatedImage;
use crate::sheet::{Cell, Sheet};

/// Above the two pictures of a sample.
const LABELS: [&str; 2] = ["defect", "outline of its mask"];
/// Samples beside each other, the width between them and the side of a picture, px.
const ACROSS: usize = 4;
const GAP: u32 = 18;
const SIDE: u32 = 224;
/// Longer side of the largest crop that is shown pixel by pixel.
const CROP: usize = 512;

/// Draws the sheet of rated samples: of each a crop around the defect, plain and with the outline of its mask, with
/// quality, the fault that is likelier than not, number, mechanism and photo.
///
/// ```
/// use maphc2f::factory::{DatasetParams, Job, PhotoSet, QualityScorer, rate, synthesize};
/// use maphc2f::worst_sheet;
///
/// let out = tempfile::tempdir()?;
/// let photos = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos/cardboard");
/// let params = DatasetParams::default().with_count(3).with_side(Some(96));
/// synthesize(&Job::new(&params, &PhotoSet::find(&photos, None, None)?, out.path()), &|_| ())?;
/// let ratings = rate(out.path(), &QualityScorer::pretrained()?, 2, &|_, _| ())?;
/// worst_sheet(&ratings.worst).save(&out.path().join("worst.png"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn worst_sheet(rated: &[RatedImage]) -> Sheet {
    let across = rated.len().clamp(1, ACROSS);
    let rows = rated.chunks(across).map(|row| {
        let mut cells: Vec<Cell> = Vec::with_capacity(3 * across);
        for sample in row {
            if !cells.is_empty() {
                cells.push(Cell::blank(GAP));
            }
            cells.extend(pictures(sample));
        }
        cells.resize(3 * across - 1, Cell::blank(0));
        cells
    });
    Sheet::of_rows(vec![LABELS.as_slice(); across].join(&""), rows)
}

fn pictures(sample: &RatedImage) -> [Cell; 2] {
    let at = window(sample.mask.view());
    let crop = scaled(&picture(&sample.image, at, CROP), SIDE);
    let found = &sample.rating.diagnosis;
    let fault = found
        .fault()
        .map_or("no fault named".to_owned(), |fault| format!("{} {:.2}", fault.name(), found.likeliest().1));
    let first = format!("quality {:.2}  ·  {fault}", found.quality);
    let second = format!("{}  {}  ·  {}", sample.rating.index, sample.mechanism, sample.photo);
    let plain = Cell::image(crop.clone()).with_caption([first, second]);
    [plain, Cell::image(crop).with_outline(at.crop(sample.mask.view()))]
}
