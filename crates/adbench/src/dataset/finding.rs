//! Findings: everything that is wrong with the files of a dataset, collected and listed at once.
//!
//! A finding is data, to be compared, cloned and counted; it keeps the words of a decoder's error and not the error.

use std::path::PathBuf;

use imgkit::file::escaped;
use thiserror::Error;

use imgkit::Size;
use imgkit::image_io::ReadError;

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Severity {
    /// The sample cannot be used as it is: refused under [`Policy::Strict`](super::Policy::Strict), skipped otherwise.
    Error,
    /// Worth knowing: nothing is refused or skipped.
    Warning,
}

/// Fault or oddity of the files of a dataset. `Display` gives one line: path, what is wrong, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Finding {
    /// An anomalous image has no mask.
    #[error("{}: no mask{}; add the mask or remove the image", escaped(image), looked_for(.expected))]
    MissingMask {
        /// The image.
        image: PathBuf,
        /// Where the mask was looked for, in this order; empty when a table names none.
        expected: Vec<PathBuf>,
    },
    /// Warning: a whole folder of masks is missing or empty. The images count without masks.
    #[error("{}: no masks there, for {images} anomalous images; they take no part in pixel figures", escaped(folder))]
    MissingMaskFolder {
        /// The folder looked for.
        folder: PathBuf,
        /// Anomalous images that are left without a mask.
        images: usize,
    },
    /// A mask has no image.
    #[error("{}: a mask without an image; add the image or remove the mask", escaped(mask))]
    OrphanMask {
        /// The mask.
        mask: PathBuf,
    },
    /// Two files claim the same stem, so that it is unclear which mask belongs to which image.
    #[error(
        "{} and {}: same stem, so that image and mask cannot be paired; rename or remove one",
        escaped(first),
        escaped(second)
    )]
    AmbiguousStem {
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A mask's size is not its image's.
    #[error(
        "{}: mask of {mask_size} for an image of {image_size} (height x width, {}); export the mask at the image's \
         size",
        escaped(mask),
        escaped(image)
    )]
    SizeMismatch {
        /// The image.
        image: PathBuf,
        /// The mask.
        mask: PathBuf,
        /// Size of the image.
        image_size: Size,
        /// Size of the mask.
        mask_size: Size,
    },
    /// An anomalous image's mask marks nothing.
    #[error("{}: mask of an anomalous image marks no pixel; correct the mask or move the image to good", escaped(mask))]
    EmptyMaskForAnomalous {
        /// The image.
        image: PathBuf,
        /// The mask.
        mask: PathBuf,
    },
    /// A good image's mask marks something.
    #[error(
        "{}: mask of a good image marks {pixels} pixels; empty the mask or move the image to its defect kind",
        escaped(mask)
    )]
    NonEmptyMaskForNormal {
        /// The image.
        image: PathBuf,
        /// The mask.
        mask: PathBuf,
        /// Pixels marked.
        pixels: usize,
    },
    /// A file cannot be decoded.
    #[error("{}: cannot be decoded ({reason}); restore the file", escaped(path))]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// The decoder's reason.
        reason: String,
    },
    /// A file's format or pixels are of an unsupported type.
    #[error(
        "{}: not supported ({pixel}): save as gray or RGB of 8 or 16 bits in PNG or TIFF, or as floats in TIFF",
        escaped(path)
    )]
    UnsupportedPixel {
        /// The file.
        path: PathBuf,
        /// The pixel type.
        pixel: String,
    },
    /// The training split of a one-class dataset holds anomalous images.
    #[error("{}: {images} anomalous images in the training split; move them to test", escaped(path))]
    AnomalyInTrain {
        /// The folder or the table.
        path: PathBuf,
        /// Anomalous images in it.
        images: usize,
    },
    /// A path leads out of the dataset's root: absolute, with `..`, or by a symbolic link.
    #[error("{}: leads out of the dataset ({}); copy the file into it", escaped(path), escaped(target))]
    PathEscapesRoot {
        /// The path as the dataset gives it.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A table names an image that is not there.
    #[error("{} line {line}: no image {}; add the image or remove the line", escaped(table), escaped(image))]
    MissingImage {
        /// The table.
        table: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// The image.
        image: PathBuf,
    },
    /// A line of a table cannot be understood.
    #[error("{} line {line}: {reason}", escaped(table))]
    BadRow {
        /// The table.
        table: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// An entry of a file that lists the dataset cannot be understood.
    #[error("{} {split} entry {entry}: {reason}", escaped(file))]
    BadEntry {
        /// The file.
        file: PathBuf,
        /// The list that the entry is in, such as `train`.
        split: &'static str,
        /// Its number in the list, from 1.
        entry: usize,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A file that describes the dataset cannot be understood, and is not heeded.
    #[error("{}: {reason}", escaped(file))]
    BadFile {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Warning: a gray value of a mask is no type of defect that the dataset names. All of it must be found.
    #[error("{}: gray value {value} is no defect type of the dataset; its saturation is its area", escaped(mask))]
    UnknownDefectType {
        /// The mask, or the first of the image's.
        mask: PathBuf,
        /// The gray value.
        value: u8,
    },
    /// A table names an image twice, perhaps in both splits.
    #[error("{} lines {first} and {second}: the same image {}; remove one line", escaped(table), escaped(image))]
    DuplicateImage {
        /// The table.
        table: PathBuf,
        /// The line that counts, from 1.
        first: u64,
        /// The line that repeats it.
        second: u64,
        /// The image.
        image: PathBuf,
    },
    /// Warning: a split has not as many images as were published.
    #[error(
        "{category}: {found} {what} images, {published} were published; restore the missing files or expect other \
         figures"
    )]
    CountMismatch {
        /// The category.
        category: String,
        /// `train`, `good test` or `anomalous test`.
        what: &'static str,
        /// Images found.
        found: usize,
        /// Images published.
        published: usize,
    },
    /// Warning: a folder among those of the images holds none, such as a file server's own.
    #[error("{}: no image in the folder; passed over", escaped(folder))]
    EmptyFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// Warning: two images with other splits or labels show the same, pixel by pixel.
    #[error(
        "{} ({first_role}) and {} ({second_role}): the same image; remove it from one of them",
        escaped(first),
        escaped(second)
    )]
    SharedImage {
        /// One image.
        first: PathBuf,
        /// Its split and label, such as `good training image`.
        first_role: &'static str,
        /// The other image.
        second: PathBuf,
        /// Its split and label.
        second_role: &'static str,
    },
    /// Warning: a mask holds gray levels, so that the threshold matters.
    #[error("{}: mask holds {pixels} pixels neither black nor white; check the threshold", escaped(mask))]
    GrayMask {
        /// The mask.
        mask: PathBuf,
        /// Pixels neither black nor white.
        pixels: usize,
    },
    /// A file looks like an image and is not read: of another format, a dangling link, a pipe.
    #[error("{}: not read ({reason})", escaped(path))]
    NotRead {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Warning: a file among the images is no image and was ignored.
    #[error("{}: no image by its ending; ignored", escaped(path))]
    IgnoredFile {
        /// The file.
        path: PathBuf,
    },
    /// Warning: a mask marks every pixel.
    #[error("{}: mask marks the whole image; check that it is no photo and not all of one color", escaped(mask))]
    FullMask {
        /// The mask.
        mask: PathBuf,
    },
    /// Warning: a mask marks every pixel of the image's border, and not the whole image.
    #[error(
        "{}: mask marks the whole border of the image; check that no frame was drawn, nor black and white exchanged",
        escaped(mask)
    )]
    FrameMask {
        /// The mask.
        mask: PathBuf,
    },
    /// Warning: an image was read, and is odd.
    #[error("{}: {note}", escaped(path))]
    Oddity {
        /// The image.
        path: PathBuf,
        /// What is odd.
        note: String,
    },
}

fn looked_for(expected: &[PathBuf]) -> String {
    let paths: Vec<String> = expected.iter().map(escaped).collect();
    if paths.is_empty() { String::new() } else { format!(" {}", paths.join(" or ")) }
}

impl Finding {
    /// Severity: whether the finding forbids the use of the sample.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::GrayMask { .. }
            | Self::IgnoredFile { .. }
            | Self::CountMismatch { .. }
            | Self::MissingMaskFolder { .. }
            | Self::EmptyFolder { .. }
            | Self::SharedImage { .. }
            | Self::UnknownDefectType { .. }
            | Self::FullMask { .. }
            | Self::FrameMask { .. }
            | Self::Oddity { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// Converts the error of reading a file.
    #[must_use]
    pub fn from_read_error(error: ReadError) -> Self {
        match error {
            ReadError::UnsupportedPixel { path, source } => Self::UnsupportedPixel { path, pixel: source.pixel },
            ReadError::Missing { path } => Self::Undecodable { path, reason: "the file is gone".to_owned() },
            other => Self::Undecodable { path: other.path().to_owned(), reason: other.reason() },
        }
    }
}
