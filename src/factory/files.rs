//! Files on disk: their hashes, and reading that follows no link and ends.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

/// SHA-256 of what is written through it.
#[derive(Debug)]
pub(super) struct Hash<W> {
    sha: Sha256,
    inner: W,
}

impl Hash<io::Sink> {
    /// SHA-256 in hexadecimal.
    pub(super) fn of(bytes: &[u8]) -> String {
        hex(Sha256::new_with_prefix(bytes))
    }

    /// SHA-256 of a file in hexadecimal, read in pieces.
    pub(super) fn of_file(path: &Path) -> io::Result<String> {
        Self::of_reader(File::open(path)?)
    }

    /// SHA-256 in hexadecimal of what a reader yields.
    pub(super) fn of_reader(mut file: impl Read) -> io::Result<String> {
        let mut hash = Hash::new(io::sink());
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                return Ok(hash.finish().0);
            }
            hash.write_all(&buffer[..n])?;
        }
    }
}

impl<W: Write> Hash<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { sha: Sha256::new(), inner }
    }

    /// The hash in hexadecimal, and the writer.
    pub(super) fn finish(self) -> (String, W) {
        (hex(self.sha), self.inner)
    }
}

impl<W: Write> Write for Hash<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.sha.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Opens a regular file to read it. What a link, a pipe or a device says is not waited for.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

/// Reads the text of a regular file of at most `limit` bytes.
pub(super) fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    open_regular(path)?.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {limit} bytes")));
    }
    Ok(text)
}

fn hex(sha: Sha256) -> String {
    sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_standard() {
        // FIPS 180-2, example B.1
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Hash::of(b"abc"), abc);
        let mut streamed = Hash::new(Vec::new());
        streamed.write_all(b"a").unwrap();
        streamed.write_all(b"bc").unwrap();
        assert_eq!(streamed.finish(), (abc.to_owned(), b"abc".to_vec()));
    }
}
