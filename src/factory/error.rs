//! Failures of the factory: what, where, what to do.
//!
//! Stable: the variants and their fields' names. The messages' wording and the sources' types may change.

use std::io;
use std::path::{Path, PathBuf};

use imgkit::file::escaped;

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Failures of the dataset factory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is out of range.
    #[error(transparent)]
    Parameter(#[from] imgkit::ParameterError),
    /// A folder of photos or masks does not exist.
    #[error("{}: no such folder of {what}: check the path", escaped(path))]
    NoFolder {
        /// What it should hold.
        what: &'static str,
        /// The folder.
        path: PathBuf,
    },
    /// A folder holds several categories and none was named.
    #[error("{}: holds several categories: name one with `category`{}", escaped(path), list(known))]
    CategoryNeeded {
        /// The folder.
        path: PathBuf,
        /// Names to choose from.
        known: Vec<String>,
    },
    /// A folder has no category of this name.
    #[error("{}: no category `{category}`{}", escaped(path), list(known))]
    NoCategory {
        /// The folder.
        path: PathBuf,
        /// The name given.
        category: String,
        /// Names to choose from.
        known: Vec<String>,
    },
    /// There is no photo of this number.
    #[error("photo {index} of {total}: give a number from 0")]
    NoPhoto {
        /// The number given.
        index: usize,
        /// Number of photos.
        total: usize,
    },
    /// A good photo or its foreground mask cannot be used.
    #[error("{source}")]
    Photo {
        /// The photo, relative to the folder of the good photos.
        photo: String,
        /// The file, what is wrong, what to do.
        source: BoxError,
    },
    /// Some good photos cannot be used, and that was to be an error.
    #[error("{} of {total} photos cannot be used: {}; mend or remove them", reasons.len(), reasons.join("; "))]
    UnusablePhotos {
        /// One reason a photo.
        reasons: Vec<String>,
        /// Photos looked at.
        total: usize,
    },
    /// A folder was not written by `synth`.
    #[error("{}: cannot be read ({source}): name a folder of `synth`", escaped(path))]
    NoRun {
        /// The file that is missing.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A run's description cannot be understood.
    #[error("{}: is not what `synth` writes ({source})", escaped(path))]
    RunHeader {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The output folder holds another run.
    #[error(
        "{}: holds a run with other settings, photos or another version ({}): repeat those or choose another folder",
        escaped(path), changed.join("; ")
    )]
    OtherRun {
        /// The run's description.
        path: PathBuf,
        /// What is not as it was.
        changed: Vec<String>,
    },
    /// The output folder and an input folder lie in each other.
    #[error("{}: outputs would mix with the inputs in {}: choose another output folder", escaped(out), escaped(input))]
    OutputInInput {
        /// The output folder.
        out: PathBuf,
        /// The input folder.
        input: PathBuf,
    },
    /// A block is finished, and finished blocks were not to be kept.
    #[error("{}: is finished already: `resume` keeps it, another folder starts afresh", escaped(path))]
    FinishedBlock {
        /// The block's manifest.
        path: PathBuf,
    },
    /// A manifest cannot be read or does not list its block's samples.
    #[error("{}: {source}", escaped(path))]
    Manifest {
        /// The block's manifest.
        path: PathBuf,
        /// What is wrong and what to do.
        source: BoxError,
    },
    /// A run has no sample of this number.
    #[error("{}: has no sample {index}{}", escaped(path), reason_of(reason))]
    NoSample {
        /// The block's manifest.
        path: PathBuf,
        /// The number asked for.
        index: u64,
        /// Why it was not made, if the manifest says so.
        reason: Option<String>,
    },
    /// A kind of real defects, or one of its photos, cannot be measured.
    #[error("kind `{kind}`{}: {source}", photo.as_deref().map_or_else(String::new, |p| format!(", {}", escaped(p))))]
    Calibration {
        /// Name of the kind.
        kind: String,
        /// The photo, if it is one of them.
        photo: Option<PathBuf>,
        /// What is wrong and what to do.
        source: Box<physdefect::Error>,
    },
    /// No photo of a folder has a mask.
    #[error(
        "{}: no photo has a mask: put STEM_mask.png beside STEM.png or into `masks`, or name a folder in MVTec AD's \
         layout",
        escaped(path)
    )]
    Unmarked {
        /// The folder.
        path: PathBuf,
    },
    /// A photo or a mask of real defects is given twice.
    #[error(
        "{}: the same {what} as {}, so that the two tell no more than one: remove one, or mark another defect",
        escaped(second),
        escaped(first)
    )]
    SameDefect {
        /// photo or mask.
        what: &'static str,
        /// The first photo.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
    /// A file does not hold priors of real defects.
    #[error("{}: is no file of `maphc2f calibrate`: {source}", escaped(path))]
    Plant {
        /// The file.
        path: PathBuf,
        /// What is wrong, where, and what to do.
        source: BoxError,
    },
    /// A quality estimator is of a kind that no longer rates data sets.
    #[error(
        "{}: is a quality estimator on a network's features, which `train` wrote before and which rates no data set any \
         more: train again, or give none for the pretrained one",
        escaped(path)
    )]
    OldEstimator {
        /// The file.
        path: PathBuf,
    },
    /// A run is not finished, and a finished one is needed.
    #[error("{}: {missing} of {blocks} blocks are not finished: make the rest with `synth --resume`", escaped(path))]
    Unfinished {
        /// The run's description.
        path: PathBuf,
        /// Blocks that are missing.
        missing: u64,
        /// Blocks of the run.
        blocks: u64,
    },
    /// A data set holds no sample.
    #[error(
        "{}: no sample could be made, so that there is none to rate: see its manifest for the reasons",
        escaped(path)
    )]
    NoSamples {
        /// The run's description.
        path: PathBuf,
    },
    /// A data set holds no exact masks.
    #[error("{}: has the format {formats}, without exact masks: make it with mvtec, coco or webdataset", escaped(path))]
    NoMasks {
        /// The run's description.
        path: PathBuf,
        /// Its formats.
        formats: String,
    },
    /// A sample's file is missing or not as it was made.
    #[error("{}: {source}; `verify` lists all that differs: copy it again, or make the block again", escaped(path))]
    SampleFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: BoxError,
    },
    /// An input file cannot be read.
    #[error("{}: cannot be read ({source}): check the path", escaped(path))]
    Input {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A sample's image cannot be encoded as PNG.
    #[error("sample {index}: cannot be encoded as PNG ({source})")]
    Encode {
        /// Number of the sample.
        index: u64,
        /// Why.
        source: image::ImageError,
    },
    /// An output cannot be written.
    #[error("{}: cannot be written ({source}): make room or choose another folder, then resume", escaped(path))]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: BoxError,
    },
    /// A defect or its refinement failed, or a dataset is not in order.
    #[error(transparent)]
    Pipeline(#[from] crate::Error),
}

/// A reason as the end of a message.
fn reason_of(reason: &Option<String>) -> String {
    reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default()
}

/// Names as the end of a message.
fn list(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) }
}

impl From<imgkit::file::WriteError> for Error {
    fn from(e: imgkit::file::WriteError) -> Self {
        Self::Output { path: e.path, source: e.source.into() }
    }
}

impl Error {
    /// For `map_err` of anything written to `path`.
    pub(super) fn output<E: Into<BoxError>>(path: &Path) -> impl FnOnce(E) -> Self + '_ {
        move |e| Self::Output { path: path.to_owned(), source: e.into() }
    }

    /// Anything wrong with a sample's file at `path`.
    pub(super) fn sample_file(path: &Path, source: impl Into<BoxError>) -> Self {
        Self::SampleFile { path: path.to_owned(), source: source.into() }
    }

    /// For `map_err` of anything wrong with the manifest at `path`.
    pub(super) fn manifest(path: &Path, source: impl Into<BoxError>) -> Self {
        Self::Manifest { path: path.to_owned(), source: source.into() }
    }
}
