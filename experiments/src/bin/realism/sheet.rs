//! Sheets of crops, real beside each arm, for people; kept out of the repository.

use std::path::Path;

use experiments::program::Result;
use maphc2f::imgkit::rng::keyed_stream;
use maphc2f::{Cell, Sheet, prepare_folder};
use ndarray::Array3;

use crate::data::{Marked, Real};
use crate::rows::Row;
use crate::two_sample::{center, crop};

/// Side of a crop and of its picture, px.
const CROP: usize = 112;
const SHOWN: u32 = 224;
const ROWS: usize = 8;

/// Writes `target/realism/SET-KIND.png`.
pub(crate) fn save(row: &Row, real: &[&Real], arms: &[(&str, Vec<Marked>)]) -> Result<()> {
    let mut columns: Vec<(&str, Vec<&Marked>)> = vec![("real", real.iter().map(|r| &r.shown).collect())];
    columns.extend(arms.iter().map(|(name, drawn)| (*name, drawn.iter().collect())));
    let mut sheet = Sheet::new(columns.iter().map(|c| c.0));
    for i in 0..ROWS {
        let cell = |(_, marked): &(&str, Vec<&Marked>)| {
            let found = marked.get(i).and_then(|m| {
                let at = center(m.mask.view(), &mut keyed_stream(i as u64, 500))?;
                Some(crop(m.image.view(), at, CROP))
            });
            Cell::photo(found.unwrap_or_else(|| Array3::ones((1, 1, 1))).view(), SHOWN)
        };
        sheet.push(columns.iter().map(cell).collect())?;
    }
    let folder = Path::new("target/realism");
    prepare_folder(folder)?;
    Ok(sheet.save(&folder.join(format!("{}-{}.png", row.set, row.kind)))?)
}
