//! The command line.

// Found from the fuzz targets, too, which take this file alone.
#[path = "args/backbone.rs"]
mod backbone;
#[path = "args/evaluate.rs"]
mod evaluate;
#[path = "args/inspect.rs"]
mod inspect;
#[path = "args/quality.rs"]
mod quality;
#[path = "args/train.rs"]
pub mod train;

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, Subcommand};
use maphc2f::PHYSICAL;
use maphc2f::factory::{DatasetParams, Formats, Materials, MechanismMix, PhotoSet, Plant, Shard};
use maphc2f::imgkit::level::Window;
use maphc2f::physdefect::Place;
use maphc2f::physdefect::appearance::Material;
use maphc2f::physdefect::registry::Registry;
use maphc2f::physdefect::visibility::Visibility;

use crate::Result;
pub use backbone::BackboneArgs;
pub use evaluate::EvaluateArgs;
pub use inspect::InspectArgs;
pub use quality::QualityArgs;
pub use train::TrainArgs;

const EXIT_CODES: &str = "Exit codes:
  0  all was done, all is well
  1  verify found a fault, verify or replay a difference; inspect found a photo above the threshold
  2  refused or broken off; the reason is on standard error
  3  done, but some samples could not be made, photos not be read, or files that look like images are not read

Every flag can stand in a file: --config FILE, in TOML, with the flags' names as keys. Flags win.";

/// Heading of the flags of all commands.
const GENERAL: &str = "General options";

/// Data sets of physically guided defects, made from good photos.
#[derive(Debug, Parser)]
#[command(name = "maphc2f", version, after_help = EXIT_CODES)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    /// Print the result as one JSON object, the last line of standard output
    #[arg(long, global = true, help_heading = GENERAL)]
    pub json: bool,
    /// No progress bars and no notes on standard error; errors stay
    #[arg(short, long, global = true, help_heading = GENERAL)]
    pub quiet: bool,
    /// Threads to use, at most 1024 [default: one a core]
    #[arg(long, global = true, help_heading = GENERAL, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Read flags from a TOML file, with their names as keys; flags given here win
    #[arg(long, global = true, help_heading = GENERAL, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Synth(SynthArgs),
    Verify(VerifyArgs),
    Replay(ReplayArgs),
    Preview(PreviewArgs),
    Quality(QualityArgs),
    Foreground(ForegroundArgs),
    Train(TrainArgs),
    Evaluate(EvaluateArgs),
    Inspect(InspectArgs),
    Calibrate(CalibrateArgs),
}

/// Where the good photos are.
#[derive(Debug, clap::Args)]
pub struct Photos {
    /// Good photos: a folder, a category in a layout that `evaluate` names, or a dataset's root with --category
    #[arg(long, value_name = "FOLDER", required_unless_present = "recipe")]
    pub normals: Option<PathBuf>,
    /// Category below a dataset's root
    #[arg(long, value_name = "NAME")]
    pub category: Option<String>,
    /// Foreground masks named as the photos, white where the product is [default: estimated]
    #[arg(long, value_name = "FOLDER")]
    pub masks: Option<PathBuf>,
    /// Painted masks named as the photos, white where defects may start on the product; all.png, or one file, serves
    /// all photos [default: anywhere on it]
    #[arg(long, value_name = "PATH")]
    pub regions: Option<PathBuf>,
    /// Stored values that are black and white in files of more than 8 bits, such as 0..4095 for 12 bits [default: full
    /// scale]
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    pub window: Option<Window>,
}

impl Photos {
    pub fn find(&self) -> Result<PhotoSet> {
        let root = self.normals.as_deref().ok_or("--normals is missing: name a folder of good photos")?;
        let photos = PhotoSet::find(root, self.category.as_deref(), self.masks.as_deref())?;
        Ok(photos.with_regions(self.regions.as_deref())?.with_window(self.window))
    }
}

/// Where the good photos are, for commands that cannot do without; as `synth` was given them.
#[derive(Debug, clap::Args)]
pub struct Normals {
    /// Good photos: a folder, a category, or a dataset's root with --category
    #[arg(long, value_name = "FOLDER")]
    pub normals: PathBuf,
    /// Category below a dataset's root
    #[arg(long, value_name = "NAME")]
    pub category: Option<String>,
    /// Foreground masks named as the photos
    #[arg(long, value_name = "FOLDER")]
    pub masks: Option<PathBuf>,
    /// Painted masks named as the photos, white where defects may start on the product; all.png, or one file, serves
    /// all photos
    #[arg(long, value_name = "PATH")]
    pub regions: Option<PathBuf>,
    /// Stored values that are black and white in files of more than 8 bits, such as 0..4095 for 12 bits [default: full
    /// scale]
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    pub window: Option<Window>,
}

impl Normals {
    pub fn find(&self) -> Result<PhotoSet> {
        let photos = PhotoSet::find(&self.normals, self.category.as_deref(), self.masks.as_deref())?;
        Ok(photos.with_regions(self.regions.as_deref())?.with_window(self.window))
    }
}

/// Parameters of the samples. What is left out comes from the recipe, or is the default.
#[derive(Debug, Clone, clap::Args)]
pub struct SampleArgs {
    /// Seed: equal seeds and photos give equal bytes [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Resize photos to this many px a side [default: as they are]
    #[arg(long, value_name = "PX")]
    pub side: Option<usize>,
    /// Mix of mechanisms, name[=weight][@low..high] with the range of severities [default:
    /// fracture-line,pitting-loss,plastic-warpage]
    #[arg(long, value_name = "LIST", long_help = mechanisms_help())]
    pub mechanisms: Option<MechanismMix>,
    /// Materials of the surface [default: matte,glossy-plastic,metal]
    #[arg(long, value_name = "LIST", long_help = materials_help())]
    pub materials: Option<MaterialChoice>,
    /// How visible defects are in the final image, in just noticeable contrasts: 1 is found by who knows where to look,
    /// 8 is obvious [default: 2..8]
    #[arg(long, value_name = "LOW..HIGH")]
    pub visibility: Option<Visibility>,
    /// Where defects start on the product: anywhere, inside (and touch no outline), or edge [default: anywhere]
    #[arg(long, value_name = "NAME")]
    pub place: Option<Place>,
    /// Follow real defects: the file that `calibrate` wrote; its kinds take the place of the mechanisms
    #[arg(long, value_name = "FILE", conflicts_with_all = ["mechanisms", "visibility"])]
    pub calibration: Option<PathBuf>,
}

/// Help of `--mechanisms`, with every name of the registry.
fn mechanisms_help() -> String {
    let registry = Registry::standard().to_string();
    let defaults = PHYSICAL.join(",");
    format!(
        "Mix of mechanisms, name[=weight][@low..high] with the range of severities [default: {defaults}]:\n  {}",
        registry.replace('\n', "\n  ")
    )
}

/// Help of `--materials`, with every name.
fn materials_help() -> String {
    let names: Vec<&str> = Material::names().collect();
    format!(
        "Materials of the surface, any of {}, or auto: three that look like the photos' surface [default: {}]",
        names.join(", "),
        Materials::default()
    )
}

/// Materials by name, or by what the photos look like.
#[derive(Debug, Clone)]
pub enum MaterialChoice {
    Auto,
    Named(Materials),
}

impl FromStr for MaterialChoice {
    type Err = maphc2f::factory::Error;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        if text == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Named) }
    }
}

impl MaterialChoice {
    /// The materials for a set of photos; what `auto` chose is said.
    fn of(self, photos: &PhotoSet, side: Option<usize>, say: &dyn Fn(&str)) -> Result<Materials> {
        let surface = match self {
            Self::Named(materials) => return Ok(materials),
            Self::Auto => photos.surface(side)?,
        };
        let materials = Materials::new(surface.materials())?;
        say(&format!("note: materials: auto chose {materials} ({surface})"));
        Ok(materials)
    }
}

impl SampleArgs {
    /// Replaces those of `params`, for these photos, that were given on the command line.
    pub fn over(&self, params: DatasetParams, photos: &PhotoSet, say: &dyn Fn(&str)) -> Result<DatasetParams> {
        let Self { seed, side, mechanisms, materials, visibility, place, calibration } = self.clone();
        let (mechanisms, plant) = match calibration.as_deref().map(Plant::read).transpose()? {
            Some(plant) => (Some(plant.mix()?), Some(plant)),
            None => (mechanisms, params.calibration().cloned()),
        };
        let (own_seed, own_side) = (params.seed(), params.side());
        let (own_mechanisms, own_materials) = (params.mechanisms().clone(), params.materials().clone());
        let (own_visibility, own_place) = (params.visibility(), params.place());
        let side = side.or(own_side);
        let materials = materials.map(|choice| choice.of(photos, side, say)).transpose()?;
        Ok(params
            .with_seed(seed.unwrap_or(own_seed))
            .with_side(side)
            .with_mechanisms(mechanisms.unwrap_or(own_mechanisms))
            .with_materials(materials.unwrap_or(own_materials))
            .with_visibility(visibility.unwrap_or(own_visibility))
            .with_place(place.unwrap_or(own_place))
            .with_calibration(plant))
    }
}

/// Make a data set of defects from good photos
///
/// Equal settings, photos and seed give equal bytes, whatever the shards, threads and interruptions. Files get their
/// names when their block of 256 samples is whole; a run that was killed goes on with --resume. run.json holds the
/// SHA-256 of every photo and mask: with other settings or replaced photos the folder is refused. Any number of
/// processes and machines may write to one folder at once. What is lacking in finished blocks counts again: exit code 3
/// stays 3.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  maphc2f synth --normals bottle/train/good --out data/bottle --count 1000 --seed 1 --side 256 --format mvtec,coco")]
pub struct SynthArgs {
    #[command(flatten)]
    pub photos: Photos,
    /// Folder for the data set; with --recipe, for one of each category
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Samples to make
    #[arg(long, value_name = "N", required_unless_present = "recipe")]
    pub count: Option<u64>,
    #[command(flatten)]
    pub samples: SampleArgs,
    /// What to write: mvtec, yolo, yolo-joined (one polygon a sample), coco, webdataset, soft (visibility a pixel)
    /// [default: mvtec]
    #[arg(long, value_name = "LIST")]
    pub format: Option<Formats>,
    /// Make part i of n equal ones, counted from 0
    #[arg(long, value_name = "i/n")]
    pub shard: Option<Shard>,
    /// Keep what is finished and make the rest
    #[arg(long)]
    pub resume: bool,
    /// Stop before the first output if a photo cannot be used, or a file that looks like an image is not read
    #[arg(long)]
    pub strict: bool,
    /// Keep the best by estimated quality of this share of the tries, such as 0.5
    #[arg(long, value_name = "SHARE")]
    pub keep_best: Option<f64>,
    /// Quality estimator that `train` wrote; rates every sample [default: none, and the built-in one with --keep-best]
    #[arg(long, value_name = "FILE")]
    pub quality_model: Option<PathBuf>,
    /// Make every category of a recipe, such as recipes/maphc2f-115987.toml
    #[arg(long, value_name = "FILE", conflicts_with_all = ["normals", "category", "masks", "regions", "count"], requires = "data")]
    pub recipe: Option<PathBuf>,
    /// Folder that holds the recipe's datasets
    #[arg(long, value_name = "FOLDER", requires = "recipe")]
    pub data: Option<PathBuf>,
    /// Print the plan and what is missing; write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Prove a data set against its manifest, or a dataset against its layout
///
/// Without --layout: compares the SHA-256 of every file that `synth` wrote, and lists what is missing, differs or is
/// not in the manifest; links are not followed. `sha256sum -c manifest/*.sums` does the first without this program.
///
/// With --layout: lists every fault of a dataset of photos at once, and its numbers of images beside the published
/// ones. Nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  maphc2f verify --data data/bottle\n  maphc2f verify --data mvtec --layout mvtec")]
pub struct VerifyArgs {
    /// Folder that `synth` wrote; with --layout, a dataset's root or one category, or the CSV file of a table
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,
    /// A layout that `evaluate` names, such as mvtec or mvtec-loco; or folder with --train, --good and --defect
    #[arg(long, value_name = "NAME")]
    pub layout: Option<String>,
    /// Do not decode the files
    #[arg(long, requires = "layout")]
    pub index_only: bool,
    /// Folder of good photos to train on, below --data; may be repeated
    #[arg(long, value_name = "FOLDER", requires = "layout")]
    pub train: Vec<String>,
    /// Folder of good test images; may be repeated
    #[arg(long, value_name = "FOLDER", requires = "layout")]
    pub good: Vec<String>,
    /// Folders of a kind of defect and its masks; may be repeated
    #[arg(long, value_name = "KIND=IMAGES[:MASKS]", requires = "layout")]
    pub defect: Vec<String>,
}

/// Make one sample again from its line of the manifest, and compare
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  maphc2f replay --data data/bottle --index 777 --normals bottle/train/good --out sample"
)]
pub struct ReplayArgs {
    /// Folder that `synth` wrote
    #[arg(long, value_name = "FOLDER")]
    pub data: PathBuf,
    /// Number of the sample
    #[arg(long, value_name = "N")]
    pub index: u64,
    #[command(flatten)]
    pub photos: Normals,
    /// Write image.png and mask.png there
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

/// Show where defects may lie: the foreground that is found on the photos of a set
///
/// The foreground is learned from the whole set, which shares its background and light. Masks that are wrong can be
/// written with --masks-out, mended with any paint program, and given to `synth`, `preview` and `foreground` with
/// --masks.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  maphc2f foreground --normals screws/train/good --out foreground.png")]
pub struct ForegroundArgs {
    #[command(flatten)]
    pub photos: Normals,
    /// The sheet, a PNG file
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Photos on the sheet, spread over the set, at most 1024
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub count: usize,
    /// Write the mask of every photo into this folder, as <photo>_mask.png
    #[arg(long, value_name = "FOLDER")]
    pub masks_out: Option<PathBuf>,
    /// Write the model of the set as JSON
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
}

/// Draw samples to look at: a PNG sheet of photo, defect and mask, and a page for the browser
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  maphc2f preview --normals bottle/train/good --out sheet.png --count 100 --side 256"
)]
pub struct PreviewArgs {
    #[command(flatten)]
    pub photos: Normals,
    /// The sheet, a PNG file
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The page, an HTML file that holds all it shows [default: the sheet's name with .html]
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write no page
    #[arg(long, conflicts_with = "html")]
    pub no_html: bool,
    /// Number of samples, at most 1024
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub count: u64,
    /// Draw this one of the samples alone, counted from 0
    #[arg(long, value_name = "N")]
    pub index: Option<u64>,
    /// Stop before the first output if a file that looks like an image is not read
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub samples: SampleArgs,
}

/// Measure 3 to 20 marked real defects of a kind, for synthetic ones that follow them
///
/// Prints for each kind which mechanism its defects look like, their sizes, visibility and darkness with 95 %
/// intervals, and what is doubtful. Kinds that no mechanism draws are left out: exit code 3.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  maphc2f calibrate --defects marked --normals bottle/train/good --out plant.toml --sheet plant.png
  maphc2f synth --calibration plant.toml --normals bottle/train/good --out data/bottle --count 1000")]
pub struct CalibrateArgs {
    /// Photos with masks: STEM_mask.png beside STEM.png, or in `masks`; a folder for each kind; or MVTec AD's layout
    #[arg(long, value_name = "FOLDER")]
    pub defects: PathBuf,
    /// The file, TOML
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Good photos: tell the product from its background, and carry the sheet's defects [default: the marked photos]
    #[arg(long, value_name = "FOLDER")]
    pub normals: Option<PathBuf>,
    /// A sheet of real and drawn defects side by side, a PNG file
    #[arg(long, value_name = "FILE")]
    pub sheet: Option<PathBuf>,
    /// Also say from which mechanisms a detector learns to find these defects, as a mix for `synth --mechanisms`; needs
    /// two photos with masks, takes about half a minute
    #[arg(long, requires = "normals")]
    pub mix: bool,
    /// Mechanism of a kind [default: the one that its defects look like]; may be repeated
    #[arg(long, value_name = "KIND=NAME")]
    pub mechanism: Vec<String>,
    /// Stored values that are black and white in files of more than 8 bits, such as 0..4095 for 12 bits [default: full
    /// scale]
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    pub window: Option<Window>,
}
