//! The error of reading image files.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::Size;
use crate::file::escaped;

/// Failure to read an image file. Every message is one line: the path, what is wrong, what to do.
///
/// Stable: the variants and [`ReadError::path`]. The type behind a boxed `source` is not: it belongs to a decoder.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no file at the path.
    #[error("{}: no such file; check the path", escaped(path))]
    Missing {
        /// The file asked for.
        path: PathBuf,
    },
    /// The operating system refused to read the path.
    #[error(
        "{}: cannot be read ({}); check that it is a file and that you may read it",
        escaped(path), one_line(.source)
    )]
    Io {
        /// The file asked for.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The content is not a whole PNG, JPEG, BMP or TIFF image.
    #[error(
        "{}: cannot be decoded ({}); restore the file or save it again as PNG, JPEG, BMP or TIFF",
        escaped(path), one_line(.source)
    )]
    Undecodable {
        /// The file asked for.
        path: PathBuf,
        /// The decoder's reason.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The image has more pixels than are read.
    #[error(
        "{}: {size} (height x width), but at most {maximum} pixels are read; cut or shrink the image",
        escaped(path)
    )]
    TooLarge {
        /// The file asked for.
        path: PathBuf,
        /// The size that its header claims.
        size: Size,
        /// Most pixels that are read.
        maximum: usize,
    },
    /// The file may be whole, but its kind is not read: another format, or pixels that are neither gray nor RGB of 8 or
    /// 16 bits or floats.
    #[error("{}: {source}", escaped(path))]
    UnsupportedPixel {
        /// The file asked for.
        path: PathBuf,
        /// The pixel type found.
        source: UnsupportedPixel,
    },
}

/// Format or pixel type that is not read: PNG, JPEG, BMP and TIFF are, with gray or RGB of 8 or 16 bits or floats.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not supported ({pixel}): save as gray or RGB of 8 or 16 bits in PNG or TIFF, or as floats in TIFF")]
#[non_exhaustive]
pub struct UnsupportedPixel {
    /// The format or pixel type found.
    pub pixel: String,
}

impl UnsupportedPixel {
    pub(super) fn new(pixel: impl Into<String>) -> Self {
        Self { pixel: pixel.into() }
    }

    pub(super) fn at(self, path: &Path) -> ReadError {
        ReadError::UnsupportedPixel { path: path.into(), source: self }
    }
}

impl ReadError {
    /// Path of the file that could not be read.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Missing { path }
            | Self::Io { path, .. }
            | Self::Undecodable { path, .. }
            | Self::TooLarge { path, .. }
            | Self::UnsupportedPixel { path, .. } => path,
        }
    }

    /// Message of the operating system or the decoder, on one line.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Missing { .. } => "no such file".to_owned(),
            Self::Io { source, .. } => one_line(source),
            Self::Undecodable { source, .. } => one_line(source),
            Self::TooLarge { size, maximum, .. } => format!("{size}, more than {maximum} pixels"),
            Self::UnsupportedPixel { source, .. } => source.pixel.clone(),
        }
    }

    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::NotFound {
            Self::Missing { path: path.into() }
        } else {
            Self::Io { path: path.into(), source }
        }
    }

    pub(super) fn undecodable(path: &Path, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Undecodable { path: path.into(), source: source.into() }
    }
}

pub(super) fn one_line(text: &impl std::fmt::Display) -> String {
    text.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
