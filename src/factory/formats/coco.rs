//! COCO instance annotations. Every block writes its fragments, one sample a line; one file is merged from them when
//! all are there.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use imgkit::image_io::MAX_PIXELS;
use ndarray::{Array2, ArrayView2, ShapeBuilder};
use serde::{Deserialize, Serialize};

use crate::factory::files::open_regular;
use crate::factory::layout::stem;
use crate::factory::manifest::SampleRecord;

#[derive(Serialize)]
struct Image {
    id: u64,
    file_name: String,
    width: usize,
    height: usize,
}

#[derive(Serialize)]
struct Annotation {
    id: u64,
    image_id: u64,
    category_id: usize,
    iscrowd: u8,
    area: usize,
    bbox: [usize; 4],
    segmentation: Runs,
}

/// Lengths of runs of 0 and 1 in turn, down the columns, 0 first.
#[derive(Serialize, Deserialize)]
pub(super) struct Runs {
    size: (usize, usize),
    counts: Vec<usize>,
}

impl Runs {
    /// The mask; `None` if the runs do not fill it exactly.
    pub(super) fn mask(&self) -> Option<Array2<bool>> {
        let area = self.size.0.checked_mul(self.size.1).filter(|area| *area <= MAX_PIXELS)?;
        let total = self.counts.iter().try_fold(0usize, |sum, count| sum.checked_add(*count))?;
        if total != area {
            return None;
        }
        let runs = self.counts.iter().enumerate().flat_map(|(i, &count)| std::iter::repeat_n(i % 2 == 1, count));
        Array2::from_shape_vec(self.size.f(), runs.collect()).ok()
    }
}

pub(super) fn image_path(name: &str) -> String {
    format!("coco/images/{name}.png")
}

/// One sample's image and annotation, both as JSON, with a tab between. Ids are the index + 1: COCO's start at 1.
pub(in crate::factory) fn fragment(
    entry: &SampleRecord,
    mask: ArrayView2<'_, bool>,
    class: usize,
) -> serde_json::Result<String> {
    let (height, width) = entry.size;
    let id = entry.index + 1;
    let image = Image { id, file_name: format!("{}.png", stem(entry.index)), width, height };
    let annotation = Annotation {
        id,
        image_id: id,
        category_id: class + 1,
        iscrowd: 0,
        area: entry.mask.area,
        bbox: entry.mask.r#box,
        segmentation: Runs { size: (height, width), counts: runs(mask) },
    };
    Ok(format!("{}\t{}", serde_json::to_string(&image)?, serde_json::to_string(&annotation)?))
}

fn runs(mask: ArrayView2<'_, bool>) -> Vec<usize> {
    let (mut counts, mut value, mut length) = (Vec::new(), false, 0);
    for &marked in mask.t() {
        if marked != value {
            counts.push(length);
            (value, length) = (marked, 0);
        }
        length += 1;
    }
    counts.push(length);
    counts
}

#[derive(Serialize)]
struct Category<'a> {
    id: usize,
    name: &'a str,
    supercategory: &'static str,
}

/// Writes one annotation file from the blocks' fragments, line by line: memory does not grow with the run.
pub(in crate::factory) fn merge(classes: &[&str], fragments: &[PathBuf], mut to: impl Write) -> io::Result<()> {
    let categories: Vec<_> =
        classes.iter().enumerate().map(|(i, name)| Category { id: i + 1, name, supercategory: "defect" }).collect();
    // readers copy both keys without asking whether they are there
    let version = env!("CARGO_PKG_VERSION");
    let info = serde_json::json!({ "description": "synthetic defects with exact masks", "version": version });
    write!(to, "{{\"info\":{info},\"licenses\":[],\"categories\":{}", serde_json::to_string(&categories)?)?;
    copy(fragments, "images", &mut to, |(image, _)| image)?;
    copy(fragments, "annotations", &mut to, |(_, annotation)| annotation)?;
    to.write_all(b"}\n")?;
    to.flush()
}

fn copy(
    fragments: &[impl AsRef<Path>],
    name: &str,
    to: &mut impl Write,
    pick: impl for<'a> Fn((&'a str, &'a str)) -> &'a str,
) -> io::Result<()> {
    write!(to, ",\"{name}\":[")?;
    let mut first = true;
    for fragment in fragments {
        for line in BufReader::new(open_regular(fragment.as_ref())?).lines() {
            let line = line?;
            let halves = line
                .split_once('\t')
                .ok_or_else(|| io::Error::other(format!("{}: not a COCO fragment", fragment.as_ref().display())))?;
            to.write_all(if first { b"\n" } else { b",\n" })?;
            to.write_all(pick(halves).as_bytes())?;
            first = false;
        }
    }
    to.write_all(b"]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn runs_go_down_the_columns_and_start_with_background() {
        // columns 0: 0 1; 1: 1 1; 2: 0 0
        let mask = arr2(&[[0, 1, 0], [1, 1, 0]]).mapv(|v| v == 1);
        assert_eq!(runs(mask.view()), [1, 3, 2]);
        assert_eq!(runs(mask.mapv(|m| !m).view()), [0, 1, 3, 2]);
        let back = |size, counts: &[usize]| Runs { size, counts: counts.to_vec() }.mask();
        assert_eq!(back((2, 3), &[1, 3, 2]), Some(mask));
        for (size, counts) in [((2, 3), &[1, 3][..]), ((2, 3), &[usize::MAX, 7]), ((usize::MAX, 2), &[4])] {
            assert_eq!(back(size, counts), None, "{size:?}");
        }
    }
}
