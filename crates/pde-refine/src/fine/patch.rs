//! Images around one box of a mask as planes, and the mask's pixels in order.

use imgkit::Rect;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Zip};

/// One box with the margin that the fine stage reads.
#[derive(Debug)]
pub(crate) struct Patch {
    h: usize,
    w: usize,
    mask: Array2<bool>,
    /// The box itself, without the margin.
    pub(crate) window: Rect,
    /// The normal image, one channel after another.
    pub(crate) normal: Vec<f32>,
    /// The same with the coarse stage's result, between 0 and 1, in the mask.
    pub(crate) before: Vec<f32>,
    /// Runs of the mask's pixels: index of the first, counted row by row, and length.
    pub(crate) runs: Vec<(usize, usize)>,
    /// Number of pixels in the mask.
    pub(crate) inside: usize,
}

impl Patch {
    /// The pixels of `rect`; of the mask only those in `tight`, for another box's pixels may reach into the margin:
    /// they are the normal image to this one.
    pub(crate) fn new(
        normal: ArrayView3<'_, f32>,
        composite: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
        rect: Rect,
        tight: Rect,
    ) -> Self {
        let window = tight.relative_to(rect);
        let (h, w) = (rect.bottom - rect.top, rect.right - rect.left);
        let mut own = Array2::from_elem((h, w), false);
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for y in window.top..window.bottom {
            for x in window.left..window.right {
                if !mask[(rect.top + y, rect.left + x)] {
                    continue;
                }
                own[(y, x)] = true;
                match runs.last_mut() {
                    // a run ends with its row: the margin or the next row's first pixel comes between
                    Some((start, length)) if *start + *length == y * w + x && x > window.left => *length += 1,
                    _ => runs.push((y * w + x, 1)),
                }
            }
        }
        let planes = |image: ArrayView3<'_, f32>| {
            let channels = image.dim().2;
            let mut planes = Array3::zeros((channels, h, w));
            for (k, mut plane) in planes.outer_iter_mut().enumerate() {
                Zip::from(&mut plane).and(rect.crop(image).index_axis(Axis(2), k)).for_each(|p, &v| *p = v);
            }
            planes.into_raw_vec_and_offset().0
        };
        let normal = planes(normal);
        let mut before = normal.clone();
        for (k, plane) in before.chunks_exact_mut(h * w).enumerate() {
            let composite = composite.index_axis(Axis(2), k);
            for &(start, length) in &runs {
                let (y, x) = (rect.top + start / w, rect.left + start % w);
                for (i, v) in plane[start..][..length].iter_mut().enumerate() {
                    *v = composite[(y, x + i)].clamp(0.0, 1.0);
                }
            }
        }
        let inside = runs.iter().map(|r| r.1).sum();
        Patch { h, w, mask: own, window, normal, before, runs, inside }
    }

    /// Height and width.
    pub(crate) fn dim(&self) -> (usize, usize) {
        (self.h, self.w)
    }

    pub(crate) fn mask(&self) -> ArrayView2<'_, bool> {
        self.mask.view()
    }

    /// Indices of the pixels outside the mask.
    pub(crate) fn outside(&self) -> Vec<usize> {
        self.mask.iter().enumerate().filter(|(_, m)| !**m).map(|(i, _)| i).collect()
    }

    /// The pixels of the mask, in order.
    pub(crate) fn gather(&self, plane: &[f32], inside: &mut [f32]) {
        let mut from = 0;
        for &(start, length) in &self.runs {
            inside[from..from + length].copy_from_slice(&plane[start..][..length]);
            from += length;
        }
    }

    /// Sets the pixels of the mask.
    pub(crate) fn scatter(&self, inside: &[f32], plane: &mut [f32]) {
        let mut from = 0;
        for &(start, length) in &self.runs {
            plane[start..][..length].copy_from_slice(&inside[from..from + length]);
            from += length;
        }
    }

    /// Writes the mask's pixels of planes into the image that `rect` is a box of.
    pub(crate) fn write(&self, planes: &[f32], image: &mut Array3<f32>, rect: Rect) {
        for (k, plane) in planes.chunks_exact(self.h * self.w).enumerate() {
            let mut image = image.index_axis_mut(Axis(2), k);
            for &(start, length) in &self.runs {
                let (y, x) = (rect.top + start / self.w, rect.left + start % self.w);
                let run = image.row_mut(y).into_iter().skip(x).take(length);
                run.zip(&plane[start..]).for_each(|(v, &new)| *v = new);
            }
        }
    }
}
