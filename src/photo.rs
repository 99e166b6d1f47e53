//! Reading, resizing and writing of photos.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use imgkit::Size;
use imgkit::convert::to_rgb_image;
use imgkit::file::escaped;
use imgkit::image_io::{ImageList, NotRead, Note, decode_photo_file, decode_size, list_images, read_bytes, write_png};
use imgkit::level::Window;
use imgkit::resize::{Kernel, resize, resize_map};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, concatenate};
use rayon::prelude::*;

use crate::error::Error;

/// Smallest accepted side of a photo, px.
pub(crate) const MINIMUM: usize = 32;

/// Chooses the kernel that resizes a photo of `(height, width)` to a square: area averaging when both sides shrink,
/// bilinear otherwise.
pub(crate) fn square_kernel((height, width): (usize, usize), side: usize) -> Kernel {
    if height >= side && width >= side { Kernel::Area } else { Kernel::Bilinear }
}

/// Most pixels of a photo that is decoded: what a camera of 64 megapixels makes.
const MAX_DECODED: usize = 1 << 26;

/// Most pixels that a network is given at once, unless it was trained on more.
const MAX_SHRUNK: usize = 1 << 22;

/// Reader of photos: the one that every command reads with. It applies a window, refuses what is too small or too
/// large, and remembers what was odd.
#[derive(Debug, Default)]
pub struct PhotoReader {
    window: Option<Window>,
    /// By kind of note: the files and what is said of them.
    notes: Mutex<BTreeMap<&'static str, BTreeMap<PathBuf, String>>>,
}

impl PhotoReader {
    /// Creates a reader that maps the stored values of a window to `[0, 1]` in files of more than 8 bits (default: full
    /// scale).
    #[must_use]
    pub fn new(window: Option<Window>) -> Self {
        Self { window, notes: Mutex::default() }
    }

    /// The window, if one is set.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        self.window
    }

    /// Reads a photo (PNG, JPEG, BMP, TIFF; gray or RGB; 8 or 16 bits or floats) as f32 `(H, W, C)`, upright, full
    /// scale or the window at \[0, 1\].
    ///
    /// # Errors
    /// [`Error::Read`] naming the file, [`Error::TooSmall`] under 32 px a side, [`Error::TooLarge`] over 2^26 pixels.
    pub fn load(&self, path: &Path) -> Result<Array3<f32>, Error> {
        let pixels = self.decode(&read_bytes(path)?, path)?.0;
        check_minimum(path, pixels.dim())?;
        Ok(pixels)
    }

    /// Reads a photo as [`PhotoReader::load`] does and shrinks it to a shorter side of `side` px for a network.
    ///
    /// # Errors
    /// As [`PhotoReader::load`] and [`shrink_to_side`]; [`Error::TooLarge`] for a shrunk photo of more than 2^22 pixels
    /// and more than four squares of `side`.
    pub fn load_shrunk(&self, path: &Path, side: usize) -> Result<Array3<f32>, Error> {
        shrink_to_side(self.load_for(path, side)?.view(), side)
    }

    /// Reads a photo that a network can be given when its shorter side is shrunk to `side`.
    pub(crate) fn load_for(&self, path: &Path, side: usize) -> Result<Array3<f32>, Error> {
        self.decode_for(&read_bytes(path)?, path, side)
    }

    /// Decodes such a photo.
    pub(crate) fn decode_for(&self, bytes: &[u8], path: &Path, side: usize) -> Result<Array3<f32>, Error> {
        check_shrunk(path, decode_size(bytes, path)?, side)?;
        let pixels = self.decode(bytes, path)?.0;
        check_minimum(path, pixels.dim())?;
        Ok(pixels)
    }

    /// Decodes a photo of any size up to the limit; the number is that of its bits.
    pub(crate) fn decode(&self, bytes: &[u8], path: &Path) -> Result<(Array3<f32>, u32), Error> {
        check_area(path, decode_size(bytes, path)?, MAX_DECODED)?;
        let file = decode_photo_file(bytes, path)?;
        for note in file.notes {
            let is_of_range = matches!(note, Note::NarrowRange { .. } | Note::BeyondOne { .. });
            if self.window.is_none() || !is_of_range {
                self.note(note.kind(), path, note.to_string());
            }
        }
        let pixels = self.window.map_or_else(|| file.photo.to_f32(), |window| file.photo.to_f32_in(window));
        Ok((pixels, file.photo.bits()))
    }

    /// Remembers a note of a kind on a file.
    pub(crate) fn note(&self, kind: &'static str, path: &Path, text: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.entry(kind).or_default().insert(path.to_owned(), text);
    }

    /// Notes on the files read so far, one line a kind of note, with the number of files.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |files: &BTreeMap<PathBuf, String>| {
            let (path, text) = files.first_key_value()?;
            Some(match files.len() - 1 {
                0 => format!("{}: {text}", escaped(path)),
                others => format!("{}: {text} (and {others} more such files)", escaped(path)),
            })
        };
        notes.values().filter_map(line).collect()
    }
}

pub(crate) fn check_minimum(path: &Path, (height, width, _): (usize, usize, usize)) -> Result<(), Error> {
    if height < MINIMUM || width < MINIMUM {
        return Err(Error::TooSmall { path: path.to_owned(), found: Size { height, width }, minimum: MINIMUM });
    }
    Ok(())
}

/// Refuses more pixels than `maximum`.
pub(crate) fn check_area(path: &Path, found: Size, maximum: usize) -> Result<(), Error> {
    if found.area() > maximum {
        return Err(Error::TooLarge { path: path.to_owned(), found, maximum });
    }
    Ok(())
}

/// Refuses a photo that a network cannot be given even when its shorter side is shrunk to `side`.
pub(crate) fn check_shrunk(path: &Path, Size { height, width }: Size, side: usize) -> Result<(), Error> {
    let shorter = height.min(width).max(1);
    let scale = if shorter > side { side as f64 / shorter as f64 } else { 1.0 };
    let scaled = |n: usize| (n as f64 * scale).round() as usize;
    let found = Size { height: scaled(height), width: scaled(width) };
    // A detector without a side of its own takes images apart.
    check_area(path, found, if side < 1 << 12 { MAX_SHRUNK.max(4 * side * side) } else { MAX_DECODED })
}

/// Reads a photo as [`PhotoReader::load`] does, at full scale.
///
/// # Errors
/// As [`PhotoReader::load`].
pub fn load_photo(path: &Path) -> Result<Array3<f32>, Error> {
    PhotoReader::default().load(path)
}

/// Reads every photo of a folder, in the byte order of their names. What [`list_photos`] does not read is left out.
///
/// # Errors
/// [`Error::Folder`], [`Error::NoPhotos`]; for the first bad one as [`load_photo`].
pub fn load_photos(folder: &Path) -> Result<Vec<(PathBuf, Array3<f32>)>, Error> {
    list_photos(folder)?.photos.into_par_iter().map(|p| Ok((p.clone(), load_photo(&p)?))).collect()
}

/// Lists the photos of a folder, in the byte order of their names, its masks, and what looks like an image and is not
/// read: the one rule of [`file_kind`](imgkit::image_io::file_kind).
///
/// # Errors
/// [`Error::Folder`] if the folder cannot be listed, [`Error::NoPhotos`].
pub fn list_photos(folder: &Path) -> Result<ImageList, Error> {
    let list = list_images(folder).map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
    if list.photos.is_empty() {
        return Err(Error::NoPhotos { path: folder.to_owned(), not_read: list.not_read.len() });
    }
    Ok(list)
}

/// Refuses a folder with files that look like images and are not read, for runs that must not pass over any.
///
/// # Errors
/// [`Error::NotRead`] with the first and their number.
pub fn refuse_not_read(files: &[NotRead]) -> Result<(), Error> {
    match files.first() {
        None => Ok(()),
        Some(first) => Err(Error::NotRead { first: first.to_string(), count: files.len() }),
    }
}

/// Writes a photo `(H, W, 1 or 3)` in \[0, 1\] as 8-bit PNG, under a temporary name first.
///
/// # Errors
/// [`Error::Output`].
pub fn save_photo(path: &Path, photo: ArrayView3<'_, f32>) -> Result<(), Error> {
    write_png(path, &to_rgb_image(photo)).map_err(|e| Error::output(path, e.source))
}

/// Resizes `photo` to `side` x `side` with three channels. The aspect is not kept, as is usual for anomaly detection.
///
/// # Errors
/// [`Error::Resize`] for a side of zero, [`Error::Parameter`] for a photo without channels.
pub fn resize_square(photo: ArrayView3<'_, f32>, side: usize) -> Result<Array3<f32>, Error> {
    let (h, w, c) = photo.dim();
    check_channels(c)?;
    let resized = if (h, w) == (side, side) {
        photo.to_owned()
    } else {
        resize(photo, (side, side), square_kernel((h, w), side))?
    };
    Ok(three_channels(resized))
}

fn check_channels(channels: usize) -> Result<(), Error> {
    Ok(imgkit::ensure(channels > 0, "photo", "channels", channels, "at least 1")?)
}

/// Repeats a gray channel to RGB; channels beyond the third are dropped.
fn three_channels(photo: Array3<f32>) -> Array3<f32> {
    if photo.dim().2 >= 3 {
        return photo.slice_each_axis(|a| if a.axis.index() == 2 { (0..3).into() } else { (..).into() }).to_owned();
    }
    let gray = photo.slice_each_axis(|a| if a.axis.index() == 2 { (0..1).into() } else { (..).into() });
    concatenate(Axis(2), &[gray, gray, gray]).unwrap_or(photo)
}

/// Shrinks `photo` so that its shorter side is `side`, keeping the aspect; smaller photos keep their size. Gray stays
/// one channel, so that defects on it are gray, too; more than three channels are cut to three.
///
/// # Errors
/// [`Error::Resize`] for a side of zero, [`Error::Parameter`] for a photo without channels.
pub fn shrink_to_side(photo: ArrayView3<'_, f32>, side: usize) -> Result<Array3<f32>, Error> {
    let (h, w, c) = photo.dim();
    check_channels(c)?;
    let kept = photo.slice_each_axis(|a| if a.axis.index() == 2 { (0..c.min(3)).into() } else { (..).into() });
    let gray = kept.slice_each_axis(|a| if a.axis.index() == 2 { (0..1).into() } else { (..).into() });
    let all_equal = kept.lanes(Axis(2)).into_iter().all(|pixel| pixel.iter().all(|v| *v == pixel[0]));
    let kept = if all_equal { gray } else { kept };
    match shrunk_size((h, w), side) {
        size if size == (h, w) => Ok(kept.to_owned()),
        size => Ok(resize(kept, size, Kernel::Area)?),
    }
}

/// Shrinks a mask: pixels that it covers by half, or if there is none those that it covers most.
pub(crate) fn shrink_mask(mask: ArrayView2<'_, bool>, size: (usize, usize)) -> Result<Array2<bool>, Error> {
    let share = resize_map(mask.mapv(f32::from).view(), size, Kernel::Area)?;
    // a thin scratch may cover no pixel by half
    let least = share.iter().copied().fold(0.0, f32::max).min(0.5);
    Ok(share.mapv(|s| s > 0.0 && s >= least))
}

/// Height and width of a photo that [`shrink_to_side`] has shrunk.
pub(crate) fn shrunk_size((h, w): (usize, usize), side: usize) -> (usize, usize) {
    let shorter = h.min(w);
    if shorter <= side {
        return (h, w);
    }
    let scaled = |n: usize| (n * side + shorter / 2) / shorter;
    (scaled(h), scaled(w))
}

/// Makes `folder` and checks that it can be written to, before any work is done.
///
/// # Errors
/// [`Error::Output`].
pub fn prepare_folder(folder: &Path) -> Result<(), Error> {
    imgkit::file::prepare_folder(folder).map_err(|e| Error::output(&e.path, e.source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gray_photo_becomes_three_equal_channels() {
        let gray = Array3::from_shape_fn((40, 60, 1), |(y, x, _)| (y + x) as f32 / 100.0);
        let rgb = resize_square(gray.view(), 40).unwrap();
        assert_eq!(rgb.dim(), (40, 40, 3));
        assert_eq!(rgb.index_axis(Axis(2), 0), rgb.index_axis(Axis(2), 2));
    }

    #[test]
    fn shrinking_keeps_the_aspect_and_never_enlarges() {
        let wide = Array3::from_shape_fn((100, 250, 3), |(y, x, c)| (y * 7 + x * 3 + c) as f32 / 1500.0);
        assert_eq!(shrink_to_side(wide.view(), 50).unwrap().dim(), (50, 125, 3));
        assert_eq!(shrink_to_side(wide.view(), 101).unwrap(), wide);
        // RGB whose channels are equal is gray
        let gray = Array3::from_shape_fn((40, 64, 3), |(y, x, _)| (y + x) as f32 / 110.0);
        assert_eq!(shrink_to_side(gray.view(), 64).unwrap().dim(), (40, 64, 1));
    }

    #[test]
    fn a_thin_scratch_stays_in_the_mask() {
        let line = Array2::from_shape_fn((80, 80), |(y, _)| y == 40);
        let small = shrink_mask(line.view(), (10, 10)).unwrap();
        assert_eq!(small, Array2::from_shape_fn((10, 10), |(y, _)| y == 5));
        let block = Array2::from_shape_fn((80, 80), |(y, x)| y < 12 && x < 8);
        // one and a half cells: the second is covered by half
        assert_eq!(shrink_mask(block.view(), (10, 10)).unwrap().iter().filter(|m| **m).count(), 2);
    }
}
