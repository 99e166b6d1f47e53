//! The command line of `inspect`.

use std::path::PathBuf;

use maphc2f::imgkit::level::Window;

use super::BackboneArgs;

/// Score photos with a detector: scores.csv, heat maps, defects as JSON Lines
///
/// Every pixel gets a score; that of the photo is the mean of its highest pixels, a hundredth of them unless training
/// chose another share. A photo is anomalous if its score exceeds the threshold, which follows from good photos that
/// training held out and --false-positive-rate. Its defects are peaks of the heat map above the same threshold, each
/// with the pixels around it that stand higher than halfway from the threshold to the peak. A good photo may have
/// defects, too: spots too small or too faint to lift its score.
///
/// Exit code: 0 if no photo is anomalous, 1 if one is, 2 if nothing could be done, 3 if a file was not looked at.
///
/// With --watch the program waits for photos until SIGINT or SIGTERM, which let it finish the photo in hand; a second
/// one ends it at once. Photos that the file of --json-lines holds, by path and content, are not inspected again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  maphc2f inspect --model model/detector.safetensors --images photos --out inspected
  maphc2f inspect --model model/detector.safetensors --watch camera --json-lines results.jsonl --ignore clamp.png")]
pub struct InspectArgs {
    /// Detector that `train` wrote
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    #[command(flatten)]
    pub backbone: BackboneArgs,
    /// Folder of photos: PNG, JPEG, BMP, TIFF
    #[arg(long, value_name = "FOLDER", required_unless_present = "watch")]
    pub images: Option<PathBuf>,
    /// Folder for scores.csv and heat/; with --watch for heat/ alone, and may be left out
    #[arg(long, value_name = "FOLDER", required_unless_present = "watch")]
    pub out: Option<PathBuf>,
    /// Masks of the photos' size, white where they are inspected: one file for all, or a folder of files named as the
    /// photos [default: everywhere]
    #[arg(long, value_name = "PATH")]
    pub region: Option<PathBuf>,
    /// The opposite, white where photos are not inspected; wins over --region
    #[arg(long, value_name = "PATH")]
    pub ignore: Option<PathBuf>,
    /// Write a line of JSON for each photo as soon as it is done, with its defects; - is standard output
    #[arg(long, value_name = "FILE")]
    pub json_lines: Option<PathBuf>,
    /// Area below which a defect is not listed, px of the photo [default: that of 5 px at the size to which the
    /// detector resizes]
    #[arg(long, value_name = "PX")]
    pub least_area: Option<usize>,
    /// Inspect the photos that a camera writes into a folder, each as soon as it is complete, until SIGINT or SIGTERM
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["images", "strict"], requires = "json_lines")]
    pub watch: Option<PathBuf>,
    /// Time between two looks at the watched folder, ms: a file that stays the same is complete [default: 500]
    #[arg(long, value_name = "MS", requires = "watch", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub poll: Option<u64>,
    /// Stop before the first output if a photo cannot be read, or a file that looks like an image is not
    #[arg(long)]
    pub strict: bool,
    /// Stored values that are black and white in files of more than 8 bits, such as 0..4095 for 12 bits [default: the
    /// detector's]
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    pub window: Option<Window>,
    /// Share of good photos that may be called anomalous (false alarms): chooses the threshold
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = finite)]
    pub false_positive_rate: f64,
    /// Score above which a photo is anomalous [default: by --false-positive-rate]
    #[arg(long, value_name = "SCORE", conflicts_with = "false_positive_rate", value_parser = finite)]
    pub threshold: Option<f64>,
}

/// A number that is neither infinite nor NaN.
fn finite(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err("not a number".to_owned()),
    }
}
