//! Draws every mechanism in every material on the photographs that ship with the repository, to look at.
//!
//! ```text
//! cargo run --release -p experiments --bin gallery [-- --out FOLDER] [--photos FOLDER] [--each N] [--seed N]
//! ```
//!
//! Writes `index.html`, which holds all samples, and as contact sheets one `MECHANISM.png` each, `severity.png` (the
//! same defect from small to large) and `baselines.png` to target/gallery. Ends with
//! `result samples=<n> missing=<n> folder=<path>`. Photographs are those of the folders below `--photos` (default
//! `assets/photos`), one folder a product. A material is drawn on the folder of its name if there is one, others take
//! turns; where a mechanism is refused, the next folder is tried, and then plates: rounded pieces of the photographs on
//! a plain ground (`plates`), for those that need an object's outline. `--each` asks for more than one sample of a
//! mechanism in a material, on one folder after another.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use experiments::args::number;
use experiments::program::{Result, finish, say};
use image::{Rgb, RgbImage};
use maphc2f::factory::{DatasetParams, Materials, MechanismMix, MixEntry, PhotoSet, RenderedSample, preview};
use maphc2f::imgkit::convert::to_rgb_image;
use maphc2f::imgkit::image_io::write_png;
use maphc2f::imgkit::level::from_u8;
use maphc2f::imgkit::{Rect, bounding_box};
use maphc2f::physdefect::appearance::Material;
use maphc2f::physdefect::registry::{Entry, Registry};
use maphc2f::{Cell, Preview, PreviewSample, Sheet, prepare_folder, resize_square};
use ndarray::Array3;

/// Severities of the columns of `severity.png`.
const SEVERITIES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// Side of a picture of `severity.png`, px.
const SHOWN: usize = 256;
/// Ground below plates.
const GROUND: Rgb<u8> = Rgb([226, 228, 230]);

/// Photographs of one product.
struct Product {
    name: String,
    /// Flags of `maphc2f` that name them.
    flags: String,
    photos: PhotoSet,
}

/// One sample that is asked for.
struct Wanted<'a> {
    mechanism: MixEntry,
    material: &'a str,
    product: &'a Product,
    /// Number of the photograph.
    photo: usize,
    seed: u64,
}

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String> {
    let mut out = PathBuf::from("target/gallery");
    let mut folder = experiments::workspace().join("assets/photos");
    let (mut each, mut seed) = (1usize, 1u64);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("out") => out = args.value()?.into(),
            lexopt::Arg::Long("photos") => folder = args.value()?.into(),
            lexopt::Arg::Long("each") => each = number(&mut args, "each")?,
            lexopt::Arg::Long("seed") => seed = number(&mut args, "seed")?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    prepare_folder(&out)?;
    let products = products(&folder)?;
    let plates = plates(&products, &out.join("plates"))?;
    let registry = Registry::standard();
    let materials: Vec<&str> = Material::names().collect();
    let is_mechanism = |entry: &&Entry| entry.default_mechanism().is_some();
    let mut gallery = Preview::new("Every mechanism in every material");
    let mut missing = 0;

    for (m, entry) in registry.entries().iter().filter(is_mechanism).enumerate() {
        let mut sheet = Preview::new(entry.name());
        for (k, &material) in materials.iter().enumerate() {
            for turn in 0..each {
                let seed = seed + (k * each + turn) as u64;
                let tries = in_turn(&products, material, m + k + turn).chain(in_turn(&plates, material, m + k + turn));
                let found = tries.into_iter().find_map(|product| {
                    let photo = (m + k + turn) % product.photos.len();
                    let wanted = Wanted { mechanism: MixEntry::new(entry.name()), material, product, photo, seed };
                    match wanted.draw(&registry) {
                        Ok(sample) => Some(wanted.shown(&sample)),
                        Err(why) => {
                            say(&format!("{material} on {}: {why}", product.name));
                            None
                        }
                    }
                });
                if let Some(shown) = found {
                    let shown = shown?.with_index(gallery.samples().len() as u64);
                    sheet.push(shown.clone());
                    gallery.push(shown);
                } else {
                    missing += 1;
                    gallery =
                        gallery.with_note(format!("{} is refused in {material} on all photographs", entry.name()));
                }
            }
        }
        save(&sheet.sheet(), &out, entry.name())?;
    }
    gallery.write_page(&out.join("index.html"))?;
    say(&format!("wrote {}", out.join("index.html").display()));

    let all: Vec<&Product> = products.iter().chain(&plates).collect();
    save(&severities(&registry, &all, seed)?, &out, "severity")?;
    let mut baselines = Preview::new("Baselines");
    for entry in registry.entries().iter().filter(|entry| !is_mechanism(entry)) {
        for product in &products {
            let wanted = Wanted { mechanism: MixEntry::new(entry.name()), material: "matte", product, photo: 0, seed };
            match wanted.draw(&registry) {
                Ok(sample) => baselines.push(wanted.shown(&sample)?.with_material("")),
                Err(why) => say(&format!("{} on {}: {why}", entry.name(), product.name)),
            }
        }
    }
    save(&baselines.sheet(), &out, "baselines")?;
    let samples = gallery.samples().len();
    Ok(format!("result samples={samples} missing={missing} folder={}", out.display()))
}

impl Wanted<'_> {
    /// One sample a photograph, of which this is the photograph's.
    fn params(&self) -> Result<DatasetParams> {
        Ok(DatasetParams::default()
            .with_count(self.product.photos.len() as u64)
            .with_seed(self.seed)
            .with_mechanisms(MechanismMix::new([self.mechanism.clone()])?)
            .with_materials(Materials::new([self.material])?))
    }

    fn draw(&self, registry: &Registry) -> Result<RenderedSample> {
        Ok(preview(&self.params()?, &self.product.photos, registry, self.photo as u64)?)
    }

    fn shown(&self, sample: &RenderedSample) -> Result<PreviewSample> {
        let name = self.product.photos.name(self.photo).unwrap_or_default();
        let command = format!(
            "maphc2f preview {} --count {} --seed {} --mechanisms {} --materials {} --index {} --out sample.png",
            self.product.flags,
            self.product.photos.len(),
            self.seed,
            self.mechanism.name(),
            self.material,
            self.photo
        );
        Ok(PreviewSample::new(sample)?
            .with_photo(format!("{}/{name}", self.product.name))
            .with_material(self.material)
            .with_command(command))
    }
}

/// Every folder with photographs, by name.
fn products(root: &Path) -> Result<Vec<Product>> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root)?.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    folders.sort();
    let found = folders.into_iter().map(|folder| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let flags = format!("--normals {}", folder.display());
        Ok(Product { name, flags, photos: PhotoSet::find(&folder, None, None)? })
    });
    let found = found.collect::<Result<Vec<Product>>>()?;
    if found.is_empty() { Err(format!("{}: no folder of photographs", root.display()).into()) } else { Ok(found) }
}

/// A rounded plate of the first photograph of each product on a plain ground, as photographs with masks in `folder`.
fn plates(products: &[Product], folder: &Path) -> Result<Vec<Product>> {
    let plate = |product: &Product| {
        let (photos, masks) = (folder.join(&product.name), folder.join(format!("{}-masks", product.name)));
        prepare_folder(&photos)?;
        prepare_folder(&masks)?;
        let photo = to_rgb_image(product.photos.load(0, None)?.pixels.mapv(from_u8).view());
        let (width, height) = photo.dimensions();
        // a superellipse of three quarters of the frame
        let inside = |x: u32, y: u32| {
            let across = |at: u32, all: u32| (2.0 * (f64::from(at) + 0.5) / f64::from(all) - 1.0) / 0.75;
            across(x, width).powi(6) + across(y, height).powi(6) < 1.0
        };
        let drawn = RgbImage::from_fn(width, height, |x, y| if inside(x, y) { *photo.get_pixel(x, y) } else { GROUND });
        let white = RgbImage::from_fn(width, height, |x, y| Rgb([if inside(x, y) { 255 } else { 0 }; 3]));
        write_png(photos.join("plate.png"), &drawn)?;
        write_png(masks.join("plate_mask.png"), &white)?;
        let flags = format!("--normals {} --masks {}", photos.display(), masks.display());
        let photos = PhotoSet::find(&photos, None, Some(&masks))?;
        Ok(Product { name: format!("{} plate", product.name), flags, photos })
    };
    products.iter().map(plate).collect()
}

/// The products in the order in which a material is tried on them: first that of its name, else that of a number.
fn in_turn<'a>(products: &'a [Product], material: &str, number: usize) -> impl Iterator<Item = &'a Product> {
    let own = products.iter().position(|product| product.name.replace('_', "-") == material);
    let first = own.unwrap_or(number % products.len().max(1));
    products.iter().cycle().skip(first).take(products.len())
}

/// A row for each mechanism: the same defect of rising severity on one photograph.
fn severities(registry: &Registry, products: &[&Product], seed: u64) -> Result<Sheet> {
    let labels = SEVERITIES.map(|s| format!("severity {s:.2}"));
    let mut sheet = Sheet::new(std::iter::once("photograph".to_owned()).chain(labels));
    for (m, entry) in registry.entries().iter().filter(|entry| entry.default_mechanism().is_some()).enumerate() {
        let draw = |product: &Product, severity: f64| {
            let mechanism = MixEntry::new(entry.name()).with_severity((severity, severity));
            let material = Material::names().find(|name| product.name.replace('_', "-").starts_with(name));
            Wanted { mechanism, material: material.unwrap_or("matte"), product, photo: 0, seed }.draw(registry)
        };
        // the product on which most severities can be drawn, from the one that is due on
        let rows = (0..products.len()).map(|k| products[(m + k) % products.len()]).map(|product| {
            let row = SEVERITIES.map(|severity| draw(product, severity).ok());
            (product, row)
        });
        let is_full = |row: &[Option<RenderedSample>]| row.iter().filter(|sample| sample.is_some()).count();
        let mut best: Option<(&Product, [Option<RenderedSample>; 5])> = None;
        for (product, row) in rows {
            let found = is_full(&row);
            if best.as_ref().is_none_or(|(_, other)| found > is_full(other)) {
                best = Some((product, row));
            }
            if found == SEVERITIES.len() {
                break;
            }
        }
        let Some((product, row)) = best else { continue };
        // one part of the photograph, around all of the row's defects
        let pixels = product.photos.load(0, None)?.pixels;
        let boxes = row.iter().flatten().filter_map(|sample| bounding_box(sample.mask.view()));
        let at = square(boxes.reduce(Rect::union).unwrap_or_default(), pixels.dim());
        let cell = |pixels: &Array3<u8>| -> Result<Cell> {
            let part = pixels.slice_each_axis(|axis| at.slice_of(axis.axis)).mapv(from_u8);
            Ok(Cell::image(to_rgb_image(resize_square(part.view(), SHOWN)?.view())))
        };
        let mut cells = vec![cell(&pixels)?.with_caption([entry.name(), product.name.as_str()])];
        for sample in &row {
            cells.push(match sample {
                Some(sample) => {
                    let seen = format!("visibility {:.1}", sample.record.visibility);
                    let area = format!("area {:.2} %", 100.0 * sample.record.area_fraction);
                    cell(&sample.image)?.with_caption([seen, area])
                }
                None => Cell::blank(0).with_caption(["cannot be seen"]),
            });
        }
        sheet.push(cells)?;
    }
    Ok(sheet)
}

/// The square around a box with a fifth of its side to spare, of at least 96 px, moved into a photo of this size.
fn square(found: Rect, (height, width, _): (usize, usize, usize)) -> Rect {
    let side = ((found.bottom - found.top).max(found.right - found.left) * 7 / 5).max(96).min(height).min(width);
    let start = |from: usize, to: usize, all: usize| ((from + to).saturating_sub(side) / 2).min(all - side);
    let (top, left) = (start(found.top, found.bottom, height), start(found.left, found.right, width));
    Rect { top, left, bottom: top + side, right: left + side }
}

fn save(sheet: &Sheet, out: &Path, name: &str) -> Result<()> {
    let path = out.join(format!("{name}.png"));
    sheet.save(&path)?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}
