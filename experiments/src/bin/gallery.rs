//! Draws every mechanism in every material on the photographs that ship with the repository, to look at.
//!
//! ```text
//! cargo run --release -p experiments --bin gallery [-- --out FOLDER] [--photos FOLDER] [--each N] [--seed N]
//! ```
//!
//! Writes `index.html`, which holds all samples, and as contact sheets one `MECHANISM.png` each, `severity.png` (the
//! same defect from small to large) and `baselines.png` to target/gallery. Ends with
//! `result samples=<n> refused=<n> folder=<path>`. Photographs are those of the folders below `--photos` (default
//! `assets/photos`), one folder a product. A material is drawn on the folder of its name if there is one, others take
//! turns; `--each` asks for more than one sample of a mechanism in a material, on one folder after another.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use experiments::args::number;
use experiments::program::{Result, finish, say};
use maphc2f::factory::{DatasetParams, Materials, MechanismMix, MixEntry, PhotoSet, RenderedSample, preview};
use maphc2f::imgkit::convert::to_rgb_image;
use maphc2f::imgkit::level::from_u8;
use maphc2f::physdefect::appearance::Material;
use maphc2f::physdefect::registry::{Entry, Registry};
use maphc2f::{Cell, Preview, PreviewSample, Sheet, prepare_folder};

/// Severities of the columns of `severity.png`.
const SEVERITIES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// Photographs of one product.
struct Product {
    name: String,
    folder: PathBuf,
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
    let registry = Registry::standard();
    let materials: Vec<&str> = Material::names().collect();
    let is_mechanism = |entry: &&Entry| entry.default_mechanism().is_some();
    let mut gallery = Preview::new("Every mechanism in every material");
    let mut refused = 0;

    for (m, entry) in registry.entries().iter().filter(is_mechanism).enumerate() {
        let mut sheet = Preview::new(entry.name());
        for (k, &material) in materials.iter().enumerate() {
            for turn in 0..each {
                let product = product_for(&products, material, m + k, turn);
                let photo = (m + k + turn) % product.photos.len();
                let mechanism = MixEntry::new(entry.name());
                let wanted = Wanted { mechanism, material, product, photo, seed: seed + (k * each + turn) as u64 };
                match wanted.draw(&registry) {
                    Ok(sample) => {
                        let shown = wanted.shown(&sample)?.with_index(gallery.samples().len() as u64);
                        sheet.push(shown.clone());
                        gallery.push(shown);
                    }
                    Err(why) => {
                        refused += 1;
                        let note = format!("{} in {material} on {}: {why}", entry.name(), product.name);
                        say(&note);
                        gallery = gallery.with_note(note);
                    }
                }
            }
        }
        save(&sheet.sheet(), &out, entry.name())?;
    }
    gallery.write_page(&out.join("index.html"))?;
    say(&format!("wrote {}", out.join("index.html").display()));

    save(&severities(&registry, &products, seed)?, &out, "severity")?;
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
    Ok(format!("result samples={samples} refused={refused} folder={}", out.display()))
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
        let (name, folder) = (self.product.photos.name(self.photo).unwrap_or_default(), self.product.folder.display());
        let command = format!(
            "maphc2f preview --normals {folder} --count {} --seed {} --mechanisms {} --materials {} --index {} --out sample.png",
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
        Ok(Product { name, photos: PhotoSet::find(&folder, None, None)?, folder })
    });
    let found = found.collect::<Result<Vec<Product>>>()?;
    if found.is_empty() { Err(format!("{}: no folder of photographs", root.display()).into()) } else { Ok(found) }
}

/// The product that a material is drawn on: first that of its name, then one after another.
fn product_for<'a>(products: &'a [Product], material: &str, number: usize, turn: usize) -> &'a Product {
    let own = products.iter().position(|product| product.name.replace('_', "-") == material);
    &products[(own.unwrap_or(number) + turn) % products.len()]
}

/// A row for each mechanism: the same defect of rising severity on one photograph.
fn severities(registry: &Registry, products: &[Product], seed: u64) -> Result<Sheet> {
    let labels = SEVERITIES.map(|s| format!("severity {s:.2}"));
    let mut sheet = Sheet::new(std::iter::once("photograph".to_owned()).chain(labels));
    for (m, entry) in registry.entries().iter().filter(|entry| entry.default_mechanism().is_some()).enumerate() {
        let (product, photo) = (&products[m % products.len()], 0);
        let cell = |pixels: &ndarray::Array3<u8>| Cell::image(to_rgb_image(pixels.mapv(from_u8).view()));
        let pixels = product.photos.load(photo, None)?.pixels;
        let mut cells = vec![cell(&pixels).with_caption([entry.name(), product.name.as_str()])];
        let material = Material::names().find(|name| *name == product.name.replace('_', "-")).unwrap_or("matte");
        for severity in SEVERITIES {
            let mechanism = MixEntry::new(entry.name()).with_severity((severity, severity));
            cells.push(match (Wanted { mechanism, material, product, photo, seed }).draw(registry) {
                Ok(sample) => {
                    let seen = format!("visibility {:.1}", sample.record.visibility);
                    let area = format!("area {:.2} %", 100.0 * sample.record.area_fraction);
                    cell(&sample.image).with_caption([seen, area])
                }
                Err(why) => {
                    say(&format!("{} of severity {severity} on {}: {why}", entry.name(), product.name));
                    Cell::blank(0)
                }
            });
        }
        sheet.push(cells)?;
    }
    Ok(sheet)
}

fn save(sheet: &Sheet, out: &Path, name: &str) -> Result<()> {
    let path = out.join(format!("{name}.png"));
    sheet.save(&path)?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}
