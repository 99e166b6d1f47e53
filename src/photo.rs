//! Reading, resizing and writing of photos.

use std::path::{Path, PathBuf};

use imgkit::Size;
use imgkit::convert::to_rgb_image;
use imgkit::image_io::write_png;
use imgkit::resize::{Kernel, resize};
use ndarray::{Array3, ArrayView3, Axis, concatenate};
use rayon::prelude::*;

use crate::error::Error;

/// Smallest accepted side of a photo, px.
pub(crate) const MINIMUM: usize = 32;

/// Chooses the kernel that resizes a photo of `(height, width)` to a square: area averaging when both sides shrink,
/// bilinear otherwise.
pub(crate) fn square_kernel((height, width): (usize, usize), side: usize) -> Kernel {
    if height >= side && width >= side { Kernel::Area } else { Kernel::Bilinear }
}

/// Reads a photo (PNG, JPEG, BMP; gray or RGB; 8 or 16 bits) as f32 `(H, W, C)` in \[0, 1\].
///
/// # Errors
/// [`Error::Read`] naming the file, [`Error::TooSmall`] under 32 px a side.
pub fn load_photo(path: &Path) -> Result<Array3<f32>, Error> {
    let photo = imgkit::image_io::read_photo(path)?.to_f32();
    let (height, width, _) = photo.dim();
    if height < MINIMUM || width < MINIMUM {
        return Err(Error::TooSmall { path: path.to_owned(), found: Size { height, width }, minimum: MINIMUM });
    }
    Ok(photo)
}

/// Reads every PNG, JPEG and BMP of a folder, in the byte order of their names.
///
/// # Errors
/// [`Error::Folder`], [`Error::NoPhotos`]; [`Error::Read`] or [`Error::TooSmall`] for the first bad one.
pub fn load_photos(folder: &Path) -> Result<Vec<(PathBuf, Array3<f32>)>, Error> {
    list_photos(folder)?.into_par_iter().map(|p| Ok((p.clone(), load_photo(&p)?))).collect()
}

/// Lists every PNG, JPEG and BMP of a folder, in the byte order of their names.
///
/// # Errors
/// [`Error::Folder`] if the folder cannot be listed, [`Error::NoPhotos`].
pub fn list_photos(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |source| Error::Folder { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(fail)?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
        if ["png", "jpg", "jpeg", "bmp"].contains(&extension.as_str()) {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(Error::NoPhotos { path: folder.to_owned() });
    }
    paths.sort();
    Ok(paths)
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
    let shorter = h.min(w);
    if shorter <= side {
        return Ok(kept.to_owned());
    }
    let scaled = |n: usize| (n * side + shorter / 2) / shorter;
    Ok(resize(kept, (scaled(h), scaled(w)), Kernel::Area)?)
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
}
