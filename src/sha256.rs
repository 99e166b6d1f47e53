//! SHA-256 of bytes, files and what is written.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::Error;

/// SHA-256 of a file in hexadecimal, as `sha256sum` prints it.
///
/// # Errors
/// [`Error::Read`] if it is no regular file or cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<String, Error> {
    Ok(Hash::of(&imgkit::image_io::read_bytes(path)?))
}

/// SHA-256 of what is written through it.
#[derive(Debug)]
pub(crate) struct Hash<W> {
    sha: Sha256,
    inner: W,
}

impl Hash<io::Sink> {
    /// SHA-256 in hexadecimal.
    pub(crate) fn of(bytes: &[u8]) -> String {
        hex(Sha256::new_with_prefix(bytes))
    }

    /// SHA-256 of a file in hexadecimal, read in pieces.
    pub(crate) fn of_file(path: &Path) -> io::Result<String> {
        Self::of_reader(File::open(path)?)
    }

    /// SHA-256 in hexadecimal of what a reader yields.
    pub(crate) fn of_reader(mut file: impl Read) -> io::Result<String> {
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
    pub(crate) fn new(inner: W) -> Self {
        Self { sha: Sha256::new(), inner }
    }

    /// The hash in hexadecimal, and the writer.
    pub(crate) fn finish(self) -> (String, W) {
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
