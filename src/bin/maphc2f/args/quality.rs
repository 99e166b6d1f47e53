//! The command line of `quality`.

use std::path::PathBuf;

/// Rate the samples of a finished data set, and name their faults
///
/// Writes into the manifest of each sample `quality`, from 0 to 1, and `faults`, the probability of each: a seam,
/// colors, sharpness, grain, light or scale that the photo does not have, a place beside the product, a mask that does
/// not fit; in the format webdataset into its tar files, too. All other text stays, `verify` passes as before, and
/// rating twice gives the same bytes; a run that was broken off is repeated. Draws the 20 worst samples on a sheet,
/// worst.png.
///
/// The estimator that is built in has never seen a defect beside the product, for its photos show no background;
/// `train` writes one of your photos.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  maphc2f quality --data data/bottle
  maphc2f quality --data data/bottle --quality-model model/quality.safetensors --out rated")]
pub struct QualityArgs {
    /// Folder that `synth` wrote, finished
    #[arg(long, value_name = "FOLDER")]
    pub data: PathBuf,
    /// Quality estimator that `train` wrote [default: the one that is built in]
    #[arg(long, value_name = "FILE")]
    pub quality_model: Option<PathBuf>,
    /// Folder for worst.png [default: that of the data set]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}
