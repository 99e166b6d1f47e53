//! WebDataset: the files of a sample stand together in a tar, under one stem.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read};
use std::path::Path;

use super::stored::LARGEST;
use crate::factory::files::{Hash, open_regular};
use crate::factory::layout::stem;

/// A tar in the making, hashed on its way. Its bytes depend on the content alone: no times, no owners.
pub(in crate::factory) struct Tar(tar::Builder<Hash<BufWriter<File>>>);

impl Tar {
    pub(in crate::factory) fn new(file: File) -> Self {
        Self(tar::Builder::new(Hash::new(BufWriter::new(file))))
    }

    /// Adds a sample: image and mask as PNG, and its line of the manifest.
    pub(in crate::factory) fn push(&mut self, index: u64, line: &str, image: &[u8], mask: &[u8]) -> io::Result<()> {
        let [image_name, mask_name, line_name] = names(index);
        self.file(&image_name, image)?;
        self.file(&mask_name, mask)?;
        self.file(&line_name, line.as_bytes())
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

/// Names of the files of a sample, in their order.
fn names(index: u64) -> [String; 3] {
    ["png", "mask.png", "json"].map(|ending| format!("{}.{ending}", stem(index)))
}

/// A tar that is read from its beginning on.
pub(in crate::factory) struct TarReader(tar::Archive<BufReader<File>>);

impl TarReader {
    pub(in crate::factory) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(tar::Archive::new(BufReader::new(open_regular(path)?))))
    }

    pub(in crate::factory) fn entries(&mut self) -> io::Result<TarEntries<'_>> {
        Ok(TarEntries(self.0.entries()?))
    }
}

/// What is left of a tar.
pub(in crate::factory) struct TarEntries<'a>(tar::Entries<'a, BufReader<File>>);

impl TarEntries<'_> {
    /// Image and mask of the next sample, which must be this one.
    pub(in crate::factory) fn sample(&mut self, index: u64) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let [image, mask, line] = names(index);
        let found = (self.next(&image)?, self.next(&mask)?);
        self.next(&line)?;
        Ok(found)
    }

    fn next(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let other = || io::Error::other(format!("has no {name} where it should be"));
        let entry = self.0.next().ok_or_else(other)??;
        if entry.path()? != Path::new(name) {
            return Err(other());
        }
        let mut bytes = Vec::new();
        entry.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
