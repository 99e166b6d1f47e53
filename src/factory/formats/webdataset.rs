//! WebDataset: the files of a sample stand together in a tar, under one stem.

use std::fs::File;
use std::io::{self, BufWriter};

use crate::factory::encoded::EncodedSample;
use crate::factory::files::Hash;
use crate::factory::layout::stem;

/// A tar in the making, hashed on its way. Its bytes depend on the content alone: no times, no owners.
pub(in crate::factory) struct Tar(tar::Builder<Hash<BufWriter<File>>>);

impl Tar {
    pub(in crate::factory) fn new(file: File) -> Self {
        Self(tar::Builder::new(Hash::new(BufWriter::new(file))))
    }

    pub(in crate::factory) fn push(&mut self, index: u64, line: &str, encoded: &EncodedSample) -> io::Result<()> {
        let name = stem(index);
        self.file(&format!("{name}.png"), &encoded.image)?;
        self.file(&format!("{name}.mask.png"), &encoded.mask)?;
        self.file(&format!("{name}.json"), line.as_bytes())
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        self.0.append_data(&mut header, name, bytes)
    }

    /// Ends the file; returns its hash.
    pub(in crate::factory) fn finish(self) -> io::Result<String> {
        let (hash, file) = self.0.into_inner()?.finish();
        file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(hash)
    }
}
