//! The command line of `evaluate`.

use std::path::PathBuf;

use maphc2f::imgkit::level::Window;

use super::BackboneArgs;

/// Measure a detector on a category's test images
///
/// Figures that are defined are given: those of images without masks, those of pixels without good images. Warnings say
/// which are not, and name images that are in both splits or under both labels.
///
/// Layouts: mvtec (MVTec AD and most custom data), mpdd, mvtec-loco, mvtec-ad2 (its public test set), mvtec-ad2-private
/// and mvtec-ad2-private-mixed (images without labels: maps as TIFF, and no figures), btad, visa, visa-2cls-highshot,
/// visa-2cls-fewshot, real-iad and table (a CSV file). What the layout knows is measured, too: AU-sPRO where defects
/// have a saturation (mvtec-loco), SegF1 where good validation images choose a pixel threshold (mvtec-loco, mvtec-ad2),
/// the AUROC of objects that several images show (real-iad).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  maphc2f evaluate --model model/detector.safetensors --data mvtec/bottle
  maphc2f evaluate --model model/detector.safetensors --data loco --category pushpins")]
pub struct EvaluateArgs {
    /// Detector that `train` wrote
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    #[command(flatten)]
    pub backbone: BackboneArgs,
    /// A category, such as a folder with train/good, test and ground_truth; or a dataset's root with --category
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,
    /// Category below a dataset's root
    #[arg(long, value_name = "NAME")]
    pub category: Option<String>,
    /// Layout of the dataset's files; auto finds one, says which and why, or what it lacks of each
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub layout: String,
    /// Pixel score above which a pixel is called anomalous, for SegF1 [default: from the validation images of the
    /// layout, of whose pixels a share of 0.00135 exceed it]
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true)]
    pub pixel_threshold: Option<f64>,
    /// Stored values that are black and white in files of more than 8 bits, such as 0..4095 for 12 bits [default: the
    /// detector's]
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    pub window: Option<Window>,
    /// Folder for results.{html,csv,json,md,tex} and hardest.png; for images without labels scores.csv and maps/
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Leave faulty files out of the data and list them, instead of stopping
    #[arg(long)]
    pub skip_faulty: bool,
}
