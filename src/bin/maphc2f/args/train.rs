//! The command line of `train`.

use std::path::PathBuf;

use maphc2f::bisqad::Weighting;
use maphc2f::imgkit::level::Window;

use super::BackboneArgs;

/// Heading of the flags of the earlier training.
const BILEVEL: &str = "Options of --preset bilevel-2026-11";

/// Train a defect detector on good photos alone
///
/// The detector compares each place of a photo with the good photos. How it does that best for this product is found by
/// defects that are drawn on good photos which are held out in turn: no photo of a real defect is needed. The threshold
/// above which `inspect` calls a photo anomalous rests on the scores of the held-out good photos.
///
/// Warnings name good photos that look unlike the others: they may show a defect. selection.csv lists what was tried.
///
/// quality.safetensors rates drawn defects and names their faults, for `synth --quality-model` and `quality`. It is the
/// built-in estimator, trained on with defects that are spoiled on purpose on these photos, whatever the preset; it
/// knows defects beside the product if the photos show a background. Where too few defects can be drawn it is left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  maphc2f train --normals bottle/train/good --out model --seed 1
  maphc2f train --normals mvtec/bottle --out model --report
  maphc2f train --normals new_good_photos --add-to model/detector.safetensors --out model")]
pub struct TrainArgs {
    /// Good photos: a folder, a category, or a dataset's root with --category
    #[arg(long, value_name = "FOLDER")]
    pub normals: PathBuf,
    /// Category below a dataset's root
    #[arg(long, value_name = "NAME")]
    pub category: Option<String>,
    /// Folder for detector.safetensors, quality.safetensors and selection.csv, and with --report
    /// results.{html,csv,json,md,tex} and hardest.png
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Seed of all that is random: equal seeds and photos give equal detectors
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Kind of detector
    #[arg(long, value_enum, value_name = "NAME", default_value = "evidence")]
    pub preset: Preset,
    #[command(flatten)]
    pub backbone: BackboneArgs,
    /// Rounds of training [default: the detector's]
    #[arg(long, value_name = "N", help_heading = BILEVEL)]
    pub epochs: Option<usize>,
    /// Shorter side to which larger photos are shrunk, px: small defects need a large one, speed a small one [default:
    /// 448, and the detector chooses from 288 up; 288 with --preset bilevel-2026-11]
    #[arg(long, value_name = "PX")]
    pub side: Option<usize>,
    /// Align the photos by a rotation and a shift where that finds defects better: for products that lie freely before
    /// a still background
    #[arg(long, conflicts_with_all = ["add_to", "remove_from"])]
    pub align: bool,
    /// Learn the photos in other light, too, where that finds defects better: for light that is not the same in every
    /// photo. Exposure and contrast vary by up to a fifth
    #[arg(long, conflicts_with_all = ["add_to", "remove_from"])]
    pub lighting: bool,
    /// Largest time of a prediction on this machine, ms: larger sides are not tried [default: no limit]
    #[arg(long, value_name = "MS")]
    pub max_ms: Option<f64>,
    /// Largest memory of the features in training, MiB: larger sides are not tried [default: no limit]
    #[arg(long, value_name = "MIB")]
    pub max_memory: Option<usize>,
    /// Add the photos of --normals to this detector instead of training one, such as of a new variant of the product:
    /// takes seconds
    #[arg(long, value_name = "FILE", conflicts_with_all = ["report", "resume", "calibration", "side", "remove_from"])]
    pub add_to: Option<PathBuf>,
    /// Remove the photos of --normals from this detector, which was trained on them or was given them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["report", "resume", "calibration", "side"])]
    pub remove_from: Option<PathBuf>,
    /// Stored values that are black and white in files of more than 8 bits, such as 0..4095 for 12 bits [default: full
    /// scale]
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    pub window: Option<Window>,
    /// Stop before anything is written if a file that looks like an image is not read, or with --add-to if a photo
    /// scores far beyond the known good ones, as another product does
    #[arg(long)]
    pub strict: bool,
    /// Measure on test images, too: --normals is then a category with train/good, test and ground_truth
    #[arg(long)]
    pub report: bool,
    /// With --report, measure each half of the detector alone, too
    #[arg(long, requires = "report", help_heading = BILEVEL)]
    pub ablations: bool,
    /// With --report, leave faulty files out of the data and list them, instead of stopping
    #[arg(long, requires = "report")]
    pub skip_faulty: bool,
    /// Go on after the last whole round of a run that was broken off
    #[arg(long, help_heading = BILEVEL)]
    pub resume: bool,
    /// Weights of the drawn defects [default: learned]
    #[arg(long, value_enum, value_name = "NAME", help_heading = BILEVEL)]
    pub weighting: Option<WeightingName>,
    /// Learn from marked real defects, too: photos with masks as `calibrate` takes them, a folder for each kind. Five
    /// of a kind help; they choose and set the threshold, too, and are refused in tests
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["add_to", "remove_from", "calibration"])]
    pub defects: Option<PathBuf>,
    /// Draw defects that follow real ones of yours, by the file that `calibrate` wrote [default: scratches, cracks,
    /// dents and all other mechanisms]
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
}

/// Detectors that can be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// Distances to the good photos, chosen for the product by drawn defects, and a classifier for each kind of defect
    /// where it helps
    Evidence,
    /// The default until 2026-11-26: distances at each place and a classifier, trained in rounds on weighted defects
    #[value(name = "bilevel-2026-11")]
    Bilevel,
}

/// Weights that can be named.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum WeightingName {
    /// By estimated quality, which goes on learning
    Learned,
    /// The learned weights in random order, for comparison
    Shuffled,
    /// All alike, for comparison
    Uniform,
}

impl From<WeightingName> for Weighting {
    fn from(name: WeightingName) -> Self {
        match name {
            WeightingName::Learned => Self::Learned,
            WeightingName::Shuffled => Self::Shuffled,
            WeightingName::Uniform => Self::Uniform,
        }
    }
}
