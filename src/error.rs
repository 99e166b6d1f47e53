//! Failures of the composed pipeline: what, where, what to do.
//!
//! Stable: the variants and their fields' names. The messages' wording and the sources' types may change.

use std::io;
use std::path::{Path, PathBuf};

use imgkit::Size;
use imgkit::file::escaped;

/// Failures of the composed pipeline.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is out of range.
    #[error(transparent)]
    Parameter(#[from] imgkit::ParameterError),
    /// A folder cannot be listed.
    #[error("{}: cannot be listed ({source}): check the path", escaped(path))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder holds no photo.
    #[error("{}: holds no photo{}: put PNG, JPEG, BMP or TIFF files there", escaped(path), and_others(*not_read))]
    NoPhotos {
        /// The folder.
        path: PathBuf,
        /// Number of files in it that look like images and are not read.
        not_read: usize,
    },
    /// Files look like images and are not read, where nothing may be passed over.
    #[error("{first}; {count} such files in all")]
    NotRead {
        /// The first, with the reason.
        first: String,
        /// Number of such files.
        count: usize,
    },
    /// A folder holds no category of a dataset in the layout asked for.
    #[error("{}: no category of this layout below; check root and layout", escaped(path))]
    NoCategory {
        /// The folder.
        path: PathBuf,
    },
    /// A photo is too small for the network.
    #[error("{}: the image is {found}, but at least {minimum} px a side are needed: use larger photos", escaped(path))]
    TooSmall {
        /// The photo.
        path: PathBuf,
        /// Its size.
        found: Size,
        /// Smallest side, px.
        minimum: usize,
    },
    /// Photos are too small to learn a detector from.
    #[error("the photos have {found} px a side, too few to train on: use photos of at least {minimum} px a side")]
    TooSmallToTrain {
        /// The smallest side among them, px.
        found: usize,
        /// Side that suffices, px.
        minimum: usize,
    },
    /// Photos to add to a detector score far beyond the good photos that it knows.
    #[error(
        "{}: scores {score:.2}, far beyond the known good photos, which score {largest:.2} at most ({count} such \
         photos in all): leave out what shows another product or a defect, or add it without --strict",
        escaped(photo)
    )]
    Unlike {
        /// The first of them.
        photo: PathBuf,
        /// Its image score.
        score: f64,
        /// Largest score of the known good photos.
        largest: f64,
        /// Number of such photos.
        count: usize,
    },
    /// A file of weights belongs to no network that is known.
    #[error(
        "{}: {found}; DINOv2 (without registers) or DINOv3, small or base, or WideResNet-50-2 is needed, as safetensors",
        escaped(path)
    )]
    UnknownBackbone {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// A detector was trained on features of another backbone than the one given.
    #[error("{}: was trained on features of {id} with hash {hash}, not of {given}: {remedy}", escaped(model))]
    OtherBackbone {
        /// File of the detector.
        model: PathBuf,
        /// Id of the backbone that it needs: network, version and taps.
        id: String,
        /// Hash of that backbone's weights, in hexadecimal.
        hash: String,
        /// Id and hash of the backbone given.
        given: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A photo has too many pixels to be worked on.
    #[error(
        "{}: the image is {found} as it is worked on, but at most {maximum} pixels are: cut it, or shrink it",
        escaped(path)
    )]
    TooLarge {
        /// The photo.
        path: PathBuf,
        /// Its size, shrunk as it would be worked on.
        found: Size,
        /// Most pixels.
        maximum: usize,
    },
    /// Nothing of a photo is left to inspect in its region.
    #[error(
        "{}: {} leaves nothing of it to inspect: inspected is what a region shows lighter than middle gray, or a mask of \
         what is ignored darker",
        escaped(photo),
        escaped(region)
    )]
    NothingToInspect {
        /// The photo.
        photo: PathBuf,
        /// The file of the region, or of what is ignored.
        region: PathBuf,
    },
    /// A region to inspect, or to ignore, is not of its photo's size.
    #[error(
        "{}: the photo is {expected}, but {} is {found}: save it at the photo's size",
        escaped(photo),
        escaped(region)
    )]
    RegionSize {
        /// The photo.
        photo: PathBuf,
        /// The file of the region.
        region: PathBuf,
        /// Size of the photo.
        expected: Size,
        /// Size of the region.
        found: Size,
    },
    /// A photo has no region to inspect, or to ignore, among those given.
    #[error(
        "{}: has no region of its name in {}: add one, or give one file for all photos",
        escaped(photo),
        escaped(folder)
    )]
    NoRegion {
        /// The photo.
        photo: PathBuf,
        /// Where the regions are.
        folder: PathBuf,
    },
    /// A file holds a line that is not of an inspection.
    #[error("{}: line {line} is none of an inspection ({source}): choose another file, or remove it", escaped(path))]
    NotALine {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// The object cannot be separated from its background.
    #[error("{name}: {source}; check that the photo shows the product")]
    Foreground {
        /// Which photo.
        name: String,
        /// Why.
        source: physdefect::Error,
    },
    /// A pipeline has no group of this number.
    #[error("there is no mechanism number {group}: the pipeline has {groups}, counted from 0")]
    NoSuchGroup {
        /// The number given.
        group: usize,
        /// Number of groups.
        groups: usize,
    },
    /// An output cannot be written.
    #[error("{}: cannot be written ({source}): choose another output folder", escaped(path))]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A row of a sheet has another number of cells than there are labels.
    #[error("a row of the sheet has {found} cells, the others have {expected}")]
    Sheet {
        /// Cells in the row.
        found: usize,
        /// Cells in the first row.
        expected: usize,
    },
    /// A photo cannot be read.
    #[error(transparent)]
    Read(#[from] imgkit::image_io::ReadError),
    /// A dataset is not in order.
    #[error(transparent)]
    Dataset(#[from] adbench::dataset::DatasetError),
    /// A metric cannot be computed.
    #[error(transparent)]
    Metric(#[from] adbench::metrics::MetricError),
    /// A report cannot be made.
    #[error(transparent)]
    Report(#[from] adbench::report::ReportError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] imgkit::file::WriteError),
    /// An image cannot be resized.
    #[error(transparent)]
    Resize(#[from] imgkit::resize::ResizeError),
    /// A defect cannot be made.
    #[error(transparent)]
    Defect(#[from] physdefect::Error),
    /// A refinement failed.
    #[error(transparent)]
    Refine(#[from] pde_refine::Error),
    /// The backbone refused an image.
    #[error(transparent)]
    Backbone(#[from] frozen_backbone::Error),
    /// The quality estimator failed.
    #[error(transparent)]
    Quality(#[from] sqe::Error),
    /// Training or detection failed.
    #[error(transparent)]
    Detector(#[from] bisqad::Error),
    /// Weights of drawn defects could not be learned.
    #[error(transparent)]
    Weights(#[from] bilevel::Error),
}

fn and_others(not_read: usize) -> String {
    if not_read == 0 { String::new() } else { format!(" but {not_read} files of kinds that are not read") }
}

impl Error {
    pub(crate) fn output(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Output { path: path.to_owned(), source: error.into() }
    }
}
