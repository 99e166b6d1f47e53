//! What can go wrong.

use std::path::PathBuf;

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image is smaller than the network's largest stride allows.
    #[error("the image is {height}x{width}, but {backbone} needs at least {minimum} px a side: enlarge it")]
    TooSmall {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Smallest accepted side, px.
        minimum: usize,
        /// Backbone id.
        backbone: String,
    },
    /// The image has neither one nor three channels.
    #[error("the image has {found} channels, but the backbone reads 1 (grey) or 3 (RGB): convert it first")]
    Channels {
        /// Channels found.
        found: usize,
    },
    /// A pixel is NaN or infinite.
    #[error("the image holds a value that is not finite at row {row}, column {column}: clean it first")]
    NotFinite {
        /// Row.
        row: usize,
        /// Column.
        column: usize,
    },
    /// A choice of taps that the network does not have, or none at all.
    #[error("cannot tap {backbone} at {asked:?}: name some of {offered:?}, each once, in rising order")]
    Taps {
        /// Name of the network.
        backbone: &'static str,
        /// The choice.
        asked: Vec<usize>,
        /// What there is.
        offered: Vec<usize>,
    },
    /// A file of weights cannot be used.
    #[error("weights {}: {reason}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: WeightsError,
    },
    /// An operation failed in candle.
    #[error("network: {0}")]
    Network(#[from] candle_core::Error),
}

/// Why a file of weights cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The file is no whole safetensors file.
    #[error("no whole safetensors file ({0}): download it again")]
    Damaged(String),
    /// A tensor that the network needs is not in the file.
    #[error("no tensor `{tensor}`, which {network} needs: take the file of that network")]
    Missing {
        /// Its name.
        tensor: String,
        /// The network.
        network: &'static str,
    },
    /// A tensor has another shape than the network needs.
    #[error("tensor `{tensor}` is {found:?}, but {network} needs {expected:?}: take the file of that network")]
    Shape {
        /// Its name.
        tensor: String,
        /// The network.
        network: &'static str,
        /// Shape needed.
        expected: Box<[usize]>,
        /// Shape found.
        found: Box<[usize]>,
    },
    /// A tensor does not hold floating-point numbers of a known kind.
    #[error("tensor `{tensor}` holds {found}: convert it to f32, f16 or bf16")]
    Type {
        /// Its name.
        tensor: String,
        /// Its type.
        found: String,
    },
    /// A tensor holds NaN or infinity, or a variance below zero.
    #[error("tensor `{tensor}` holds a number that no trained network has at index {index}: download the file again")]
    Value {
        /// Its name.
        tensor: String,
        /// Position in the flattened tensor.
        index: usize,
    },
    /// The tensors hash to something else than was asked for.
    #[error("tensors hash to {found:016x}, not {expected:016x}: another or an altered file")]
    Hash {
        /// Hash asked for.
        expected: u64,
        /// Hash of the file.
        found: u64,
    },
}
