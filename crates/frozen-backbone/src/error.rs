//! The error types of the crate.
//!
//! Stable: the variants, their fields, and that `source()` gives the cause. The words of the messages may change.

use std::path::PathBuf;

use imgkit::file::escaped;
use imgkit::{ParameterError, Size};

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The image is smaller than the network can read.
    #[error("the image is {found}, but {backbone} needs at least {minimum} px a side: enlarge it")]
    TooSmall {
        /// Size of the image.
        found: Size,
        /// Smallest accepted side, px.
        minimum: usize,
        /// Id of the backbone.
        backbone: String,
    },
    /// The image has neither one nor three channels.
    #[error("the image has {found} channels, but the backbone reads 1 (gray) or 3 (RGB): convert it first")]
    Channels {
        /// Channels found.
        found: usize,
    },
    /// A pixel is NaN or infinite.
    #[error("the image holds a value that is not finite at row {row}, column {column}: clean it first")]
    NotFinite {
        /// Row of the pixel.
        row: usize,
        /// Column of the pixel.
        column: usize,
    },
    /// A file of weights cannot be used.
    #[error("weights {}: {source}", escaped(path))]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: WeightsError,
    },
    /// A feature map has another length than its shape; a fault of this crate.
    #[error("a feature map does not have the length of its shape: report this fault")]
    Internal(#[source] ndarray::ShapeError),
}

/// Reasons why a file of weights cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The file is not a whole safetensors file.
    #[error("not a whole safetensors file ({0}): download it again")]
    Damaged(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file stands for another one that Git LFS keeps.
    #[error("a Git LFS pointer, not the file itself: fetch it with `git lfs pull`")]
    LfsPointer,
    /// A tensor that the network needs is not in the file.
    #[error("no tensor `{tensor}`, which {network} needs: use the file of that network")]
    Missing {
        /// Name of the tensor.
        tensor: String,
        /// Name of the network.
        network: &'static str,
    },
    /// A tensor has another shape than the network needs.
    #[error("tensor `{tensor}` is {found:?}, but {network} needs {expected:?}: use the file of that network")]
    Shape {
        /// Name of the tensor.
        tensor: String,
        /// Name of the network.
        network: &'static str,
        /// Shape needed.
        expected: Box<[usize]>,
        /// Shape found.
        found: Box<[usize]>,
    },
    /// A tensor does not hold floating-point numbers of a known kind.
    #[error("tensor `{tensor}` holds {found}: convert it to f32, f16 or bf16")]
    Type {
        /// Name of the tensor.
        tensor: String,
        /// Its type, as safetensors names it.
        found: String,
    },
    /// A tensor holds NaN, infinity, or a negative variance.
    #[error("tensor `{tensor}` holds an impossible number at index {index}: download the file again")]
    Value {
        /// Name of the tensor.
        tensor: String,
        /// Position in the flattened tensor.
        index: usize,
    },
    /// The hash of the tensors is not the expected one.
    #[error("the tensors hash to {found:016x}, not {expected:016x}: another or an altered file")]
    Hash {
        /// Hash expected.
        expected: u64,
        /// Hash of the file.
        found: u64,
    },
}
