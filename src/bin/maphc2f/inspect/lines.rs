//! Where the lines of an inspection go.

use std::io::{self, ErrorKind};
use std::path::Path;

use maphc2f::{Error, InspectionLine, LineFile};

use crate::console::print_json_line;

/// What `--json-lines` names.
#[derive(Debug)]
pub enum Lines {
    Nowhere,
    /// Standard output; whether anybody reads on.
    Output {
        is_read: bool,
    },
    File(LineFile),
}

impl Lines {
    /// Starts lines; a file that holds some is gone on with, or written anew.
    pub fn start(path: Option<&Path>, goes_on: bool) -> Result<Self, Error> {
        Ok(match path {
            None => Self::Nowhere,
            Some(path) if path == Path::new("-") => Self::Output { is_read: true },
            Some(path) if goes_on => Self::File(LineFile::resume(path)?),
            Some(path) => Self::File(LineFile::create(path)?),
        })
    }

    /// Whether results on standard output would stand among the lines.
    pub fn are_printed(&self) -> bool {
        matches!(self, Self::Output { .. })
    }

    /// Whether lines reach anybody.
    pub fn are_read(&self) -> bool {
        !matches!(self, Self::Output { is_read: false })
    }

    pub fn holds(&self, photo: &str, sha256: &str) -> bool {
        matches!(self, Self::File(file) if file.holds(photo, sha256))
    }

    pub fn push(&mut self, line: &InspectionLine) -> Result<(), Error> {
        let refuse = |e: io::Error| Error::Output { path: "standard output".into(), source: e.into() };
        match self {
            Self::Nowhere | Self::Output { is_read: false } => Ok(()),
            Self::File(file) => file.push(line),
            Self::Output { is_read } => match print_json_line(&line.to_json()) {
                Err(e) if e.kind() == ErrorKind::BrokenPipe => {
                    *is_read = false;
                    Ok(())
                }
                printed => printed.map_err(refuse),
            },
        }
    }
}
