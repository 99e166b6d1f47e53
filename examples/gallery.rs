//! A page per mechanism: severity from left to right, material from top to bottom, on the photographs that ship with the
//! repository.
//!
//! `cargo run --release --example gallery [-- --out FOLDER] [--real FOLDER] [--seed N]`
//!
//! Writes `fracture.png`, `pitting.png`, `warpage.png` and `controls.png` to target/gallery. The last columns show crops of
//! real defects if a folder of them in MVTec AD layout (`test/<kind>`, `ground_truth/<kind>`) is given or found at
//! ../shared/data; such pages are for looking at, not for passing on.
// An example talks to its reader.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};

use maphc2f::physdefect::appearance::{Appearance, Light, Material, Rendered};
use maphc2f::physdefect::control::{CutPaste, CutPasteScar, PatchClone, PerlinBlend};
use maphc2f::physdefect::fracture::{FractureLine, PaperFrontier};
use maphc2f::physdefect::pitting::{PitShape, PittingLoss, Product};
use maphc2f::physdefect::warpage::{Load, PlasticWarpage};
use maphc2f::physdefect::{DefectModel, Domain, Error as Refused, SampleKey, Synthesize};
use maphc2f::{Cell, Sheet, load_photo, load_photos, prepare_folder, square};
use ndarray::{Array3, Axis, Slice};

/// Side of a crop, px; shown 1:1.
const SIDE: usize = 160;
/// Severities of the columns.
const SEVERITIES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
/// Columns of real defects.
const REAL: usize = 2;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One row: a crop of a photograph and what its surface is taken for.
struct Row {
    name: String,
    crop: Array3<f32>,
    material: Material,
}

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut out, mut real, mut seed) =
        (PathBuf::from("target/gallery"), root.join("../shared/data/magnetic_tile/tile"), 1u64);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("out") => out = args.value()?.into(),
            lexopt::Arg::Long("real") => real = args.value()?.into(),
            lexopt::Arg::Long("seed") => seed = args.value()?.to_string_lossy().parse()?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    prepare_folder(&out)?;
    let rows = rows(&root.join("assets/photos"))?;
    let pages: [(&str, &str, Make); 3] = [
        ("fracture", "crack", &|_| Ok(Box::new(FractureLine::default()))),
        ("pitting", "blowhole", &|row| {
            // Corrosion products where there is metal; elsewhere bare holes.
            let product = if row.material == Material::METAL { Product::IronOxides } else { Product::None };
            let pits = PittingLoss::default().with_product(product, 0.8, 0.003)?.with_shape(PitShape::Hemispherical);
            Ok(Box::new(pits))
        }),
        ("warpage", "uneven", &|_| Ok(Box::new(PlasticWarpage::default().with_loads(&[Load::Indenter, Load::Line])?))),
    ];
    for (page, kind, make) in pages {
        let found = real_crops(&real, kind, rows.len() * REAL);
        let mut labels: Vec<String> = std::iter::once("photograph".to_owned())
            .chain(SEVERITIES.iter().map(|s| format!("severity {s:.2}")))
            .collect();
        if !found.is_empty() {
            labels.extend((0..REAL).map(|_| format!("real ({kind})")));
        }
        let mut sheet = Sheet::new(labels);
        for (r, row) in rows.iter().enumerate() {
            let domain = Domain::full(SIDE, SIDE)?;
            let mut cells = vec![cell(&row.crop)];
            for severity in SEVERITIES {
                let look = Appearance::new(row.material).lit(Light::default());
                let synth = Rendered::new(make(row)?, look)?.with_severity(severity, severity)?;
                cells.push(drawn(&synth, row, &domain, SampleKey { seed, index: r as u64 })?);
            }
            if !found.is_empty() {
                cells.extend((0..REAL).map(|k| found[(r * REAL + k) % found.len()].clone()));
            }
            sheet.push(cells)?;
            eprintln!("{page}: {} done", row.name);
        }
        save(&sheet, &out, page)?;
    }

    let arms: Vec<Box<dyn Synthesize>> = vec![
        Box::new(CutPaste::default()),
        Box::new(CutPasteScar::default()),
        Box::new(PerlinBlend::default()),
        Box::new(PatchClone::default()),
        Box::new(Rendered::new(PaperFrontier::default(), Appearance::default())?),
    ];
    let mut sheet = Sheet::new(std::iter::once("photograph").chain(arms.iter().map(|a| a.name())));
    for (r, row) in rows.iter().enumerate() {
        let domain = Domain::full(SIDE, SIDE)?;
        let mut cells = vec![cell(&row.crop)];
        for arm in &arms {
            cells.push(drawn(arm.as_ref(), row, &domain, SampleKey { seed, index: r as u64 })?);
        }
        sheet.push(cells)?;
        eprintln!("controls: {} done", row.name);
    }
    save(&sheet, &out, "controls")
}

type Make<'a> = &'a dyn Fn(&Row) -> Result<Box<dyn DefectModel>>;

/// A sample as a cell; the bare photograph where the defect would not show.
fn drawn(synth: &dyn Synthesize, row: &Row, domain: &Domain, key: SampleKey) -> Result<Cell> {
    match synth.synthesize(row.crop.view(), domain, key) {
        Ok(sample) => Ok(cell(&sample.paste(row.crop.view())?)),
        Err(error @ Refused::Invisible { .. }) => {
            eprintln!("{} on {}: {error}", synth.name(), row.name);
            Ok(cell(&row.crop))
        }
        Err(other) => Err(other.into()),
    }
}

fn cell(image: &Array3<f32>) -> Cell {
    Cell::photo(image.view(), SIDE as u32)
}

fn save(sheet: &Sheet, out: &Path, page: &str) -> Result<()> {
    let path = out.join(format!("{page}.png"));
    sheet.save(&path)?;
    println!("{}", path.display());
    Ok(())
}

/// Crops of every shipped photograph with the material that comes nearest to its surface.
fn rows(photos: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for folder in ["surfaces", "objects"] {
        for (path, photo) in load_photos(&photos.join(folder))? {
            let name = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
            // Top left of each crop, chosen for an undisturbed piece of the material.
            let crops: &[(&str, usize, usize, Material)] = match name.as_str() {
                "brick" => &[("brick, matte", 330, 200, Material::MATTE)],
                "coins" => &[("coins, metal", 60, 60, Material::METAL)],
                "grass" => &[("grass, fabric", 40, 40, Material::FABRIC)],
                "gravel" => &[("gravel, matte", 100, 100, Material::MATTE)],
                _ => {
                    &[("coffee, plastic", 100, 220, Material::GLOSSY_PLASTIC), ("table, wood", 230, 20, Material::WOOD)]
                }
            };
            for &(label, y, x, material) in crops {
                rows.push(Row { name: label.to_owned(), crop: crop(&photo, y, x)?, material });
            }
        }
    }
    Ok(rows)
}

/// `SIDE` x `SIDE` px from (y, x), moved inwards where the photo ends; RGB.
fn crop(photo: &Array3<f32>, y: usize, x: usize) -> Result<Array3<f32>> {
    let (h, w, _) = photo.dim();
    let (y0, x0) = (y.min(h.saturating_sub(SIDE)), x.min(w.saturating_sub(SIDE)));
    let piece = photo
        .slice_axis(Axis(0), Slice::from(y0..(y0 + SIDE).min(h)))
        .slice_axis(Axis(1), Slice::from(x0..(x0 + SIDE).min(w)))
        .to_owned();
    Ok(square(piece.view(), SIDE)?)
}

/// Crops around the masks of up to `most` real defects; none where the folder is missing.
fn real_crops(root: &Path, kind: &str, most: usize) -> Vec<Cell> {
    let Ok(entries) = std::fs::read_dir(root.join("ground_truth").join(kind)) else { return Vec::new() };
    let mut masks: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    masks.sort();
    let every = (masks.len() / most.max(1)).max(1);
    masks.into_iter().step_by(every).filter_map(|path| real_crop(root, kind, &path)).take(most).collect()
}

fn real_crop(root: &Path, kind: &str, mask: &Path) -> Option<Cell> {
    let stem = mask.file_stem()?.to_str()?.strip_suffix("_mask")?;
    let photo = load_photo(&root.join("test").join(kind).join(format!("{stem}.png"))).ok()?;
    let mask = load_photo(mask).ok()?;
    let marked = mask.indexed_iter().filter(|(_, v)| **v > 0.5);
    let (n, y, x) = marked.fold((0, 0, 0), |(n, sy, sx), ((y, x, _), _)| (n + 1, sy + y, sx + x));
    let centre = |sum: usize| (sum.checked_div(n)).map(|c| c.saturating_sub(SIDE / 2));
    Some(cell(&crop(&photo, centre(y)?, centre(x)?).ok()?))
}
