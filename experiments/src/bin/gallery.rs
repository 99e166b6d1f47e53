//! Draws a page for each mechanism: severity from left to right, material from top to bottom, on the photographs that
//! ship with the repository.
//!
//! ```text
//! cargo run --release -p experiments --bin gallery [-- --out FOLDER] [--real FOLDER] [--seed N]
//! ```
//!
//! Writes `fracture.png`, `pitting.png`, `warpage.png` and `baselines.png` to target/gallery and ends with
//! `result pages=<n> folder=<path>`. The last columns show crops of real defects if a folder of them in MVTec AD layout
//! (`test/<kind>`, `ground_truth/<kind>`) is given or found at `../shared/data`; such pages are for looking at, not for
//! passing on.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use experiments::args::number;
use experiments::program::{Result, finish, say};

use maphc2f::physdefect::appearance::{Appearance, Light, Material, Rendered};
use maphc2f::physdefect::baselines::{CutPaste, CutPasteScar, PatchClone, PerlinBlend};
use maphc2f::physdefect::fracture::{FractureLine, PaperFrontier};
use maphc2f::physdefect::pitting::{PitShape, PittingLoss, PittingParams, Product};
use maphc2f::physdefect::warpage::PlasticWarpage;
use maphc2f::physdefect::{Domain, Error as Refused, Mechanism, SampleKey, Synthesizer};
use maphc2f::{Cell, Sheet, load_photo, load_photos, prepare_folder, resize_square};
use ndarray::{Array2, Array3, Axis, Slice};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Side of a crop, px; shown 1:1.
const SIDE: usize = 160;
/// Severities of the columns.
const SEVERITIES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
/// Columns of real defects.
const REAL: usize = 2;

/// A row: a crop of a photograph and the material of its surface.
struct Row {
    name: String,
    crop: Array3<f32>,
    material: Material,
    /// Pixels in which defects may lie.
    domain: Domain,
}

impl Row {
    /// Makes a row whose defects lie on pixels brighter than `dark`: neither in shadows nor on the ground.
    fn new(name: &str, crop: Array3<f32>, material: Material, dark: f32) -> Result<Self> {
        let mask =
            Array2::from_shape_fn((SIDE, SIDE), |(y, x)| (0..3).map(|k| crop[[y, x, k]]).sum::<f32>() > 3.0 * dark);
        Ok(Self { name: name.to_owned(), crop, material, domain: Domain::from_mask(mask)? })
    }
}

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String> {
    let root = experiments::workspace();
    let (mut out, mut real, mut seed) =
        (PathBuf::from("target/gallery"), root.join("../shared/data/magnetic_tile/tile"), 1u64);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("out") => out = args.value()?.into(),
            lexopt::Arg::Long("real") => real = args.value()?.into(),
            lexopt::Arg::Long("seed") => seed = number(&mut args, "seed")?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    prepare_folder(&out)?;
    let rows = rows(&root.join("assets/photos"))?;
    let pages: [(&str, &str, Make); 3] = [
        ("fracture", "crack", &|_| Ok(Box::new(FractureLine::default()))),
        ("pitting", "blowhole", &|row| {
            // corrosion products where there is metal, bare holes elsewhere
            let product = if row.material == Material::METAL { Product::IronOxides } else { Product::None };
            let pits =
                PittingLoss::new(PittingParams::default().with_product(product).with_shape(PitShape::Hemispherical))?;
            Ok(Box::new(pits))
        }),
        ("warpage", "uneven", &|_| Ok(Box::new(PlasticWarpage::default()))),
    ];
    // bends are inspected under raking light
    let raking = Light::default().with_elevation(25f64.to_radians()).with_ambient(0.2);
    for (page, kind, make) in &pages {
        let light = if *page == "warpage" { raking } else { Light::default() };
        let found = real_crops(&real, kind, rows.len() * REAL);
        let mut labels: Vec<String> = std::iter::once("photograph".to_owned())
            .chain(SEVERITIES.iter().map(|s| format!("severity {s:.2}")))
            .collect();
        if !found.is_empty() {
            labels.extend((0..REAL).map(|_| format!("real ({kind})")));
        }
        let mut sheet = Sheet::new(labels);
        for (r, row) in rows.iter().enumerate() {
            let mut cells = vec![cell(&row.crop)];
            for severity in SEVERITIES {
                let look = Appearance::new(row.material).lit(light);
                let synthesizer = Rendered::new(make(row)?, look)?.with_severity(severity, severity)?;
                cells.push(render(&synthesizer, row, SampleKey { seed, index: r as u64 })?);
            }
            if !found.is_empty() {
                cells.extend((0..REAL).map(|k| found[(r * REAL + k) % found.len()].clone()));
            }
            sheet.push(cells)?;
            say(&format!("{page}: {} done", row.name));
        }
        save(&sheet, &out, page)?;
    }

    let baselines: Vec<Box<dyn Synthesizer>> = vec![
        Box::new(CutPaste::default()),
        Box::new(CutPasteScar::default()),
        Box::new(PerlinBlend::default()),
        Box::new(PatchClone::default()),
        Box::new(Rendered::new(PaperFrontier::default(), Appearance::default())?),
    ];
    let mut sheet = Sheet::new(std::iter::once("photograph").chain(baselines.iter().map(|a| a.name())));
    for (r, row) in rows.iter().enumerate() {
        let mut cells = vec![cell(&row.crop)];
        for baseline in &baselines {
            cells.push(render(baseline.as_ref(), row, SampleKey { seed, index: r as u64 })?);
        }
        sheet.push(cells)?;
        say(&format!("baselines: {} done", row.name));
    }
    save(&sheet, &out, "baselines")?;
    Ok(format!("result pages={} folder={}", pages.len() + 1, out.display()))
}

type Make<'a> = &'a dyn Fn(&Row) -> Result<Box<dyn Mechanism>>;

/// Renders a sample as a cell; the bare photograph where the defect would not show.
fn render(synthesizer: &dyn Synthesizer, row: &Row, key: SampleKey) -> Result<Cell> {
    match synthesizer.synthesize(row.crop.view(), &row.domain, key) {
        Ok(sample) => Ok(cell(&sample.paste(row.crop.view())?)),
        Err(error @ Refused::Invisible { .. }) => {
            say(&format!("{} on {}: {error}", synthesizer.name(), row.name));
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
    say(&format!("wrote {}", path.display()));
    Ok(())
}

/// Crops of every shipped photograph with the material that comes nearest to its surface.
fn rows(photos: &Path) -> Result<Vec<Row>> {
    // first a made-up plate with a lamp at the upper left and sensor noise, on which shading can be judged
    let mut rows = vec![Row::new("drawn plate, metal", plate(), Material::METAL, 0.0)?];
    for folder in ["surfaces", "objects"] {
        for (path, photo) in load_photos(&photos.join(folder))? {
            let name = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
            // top, left and side of each crop, px of the photograph (smaller ones are enlarged); brightness of the
            // ground
            let crops: &[(&str, usize, usize, usize, Material, f32)] = match name.as_str() {
                "brick" => &[("brick, matte", 310, 250, 64, Material::MATTE, 0.0)],
                "coins" => &[("coin, metal", 90, 72, 56, Material::METAL, 0.6)],
                "grass" => &[("grass, fabric", 40, 40, SIDE, Material::FABRIC, 0.0)],
                "gravel" => &[("gravel, matte", 100, 100, SIDE, Material::MATTE, 0.0)],
                _ => &[
                    ("saucer, plastic", 250, 105, 80, Material::GLOSSY_PLASTIC, 0.19),
                    ("table, wood", 270, 480, 110, Material::WOOD, 0.0),
                ],
            };
            for &(label, y, x, side, material, dark) in crops {
                rows.push(Row::new(label, crop(&photo, y, x, side)?, material, dark)?);
            }
        }
    }
    Ok(rows)
}

/// A gray plate: brighter towards the lamp, with noise of one hundredth.
fn plate() -> Array3<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let shade = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| {
        0.58 - 0.12 * (y + x) as f32 / (2 * SIDE) as f32 + 0.02 * (rng.random::<f32>() - 0.5)
    });
    Array3::from_shape_fn((SIDE, SIDE, 3), |(y, x, _)| shade[[y, x]])
}

/// `side` x `side` px from (y, x), moved inwards where the photo ends, as `SIDE` x `SIDE` RGB.
fn crop(photo: &Array3<f32>, y: usize, x: usize, side: usize) -> Result<Array3<f32>> {
    let (h, w, _) = photo.dim();
    let (y0, x0) = (y.min(h.saturating_sub(side)), x.min(w.saturating_sub(side)));
    let piece = photo
        .slice_axis(Axis(0), Slice::from(y0..(y0 + side).min(h)))
        .slice_axis(Axis(1), Slice::from(x0..(x0 + side).min(w)))
        .to_owned();
    Ok(resize_square(piece.view(), SIDE)?)
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
    let corner = |sum: usize| (sum.checked_div(n)).map(|c| c.saturating_sub(SIDE / 2));
    Some(cell(&crop(&photo, corner(y)?, corner(x)?, SIDE).ok()?))
}
