//! Patch features: one row of numbers per patch, from a feature pyramid.

use frozen_backbone::{Backbone, Pyramid};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Slice};
use rayon::prelude::*;

use crate::error::Error;

/// Image pixels per patch, each way.
pub(crate) const STRIDE: usize = 8;

/// Patch features of one image.
#[derive(Debug, Clone)]
pub(crate) struct Patches {
    /// Patch rows and columns.
    pub(crate) grid: (usize, usize),
    /// `(rows * columns, features)`, row-major over the grid.
    pub(crate) features: Array2<f32>,
}

/// Least width of the frame around an image, px: the zero padding of the network would otherwise make patches at the
/// border look unusual.
const FRAME: usize = 16;

/// How the frame around an image continues it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// Mirrored at the border pixel.
    Mirrored,
    /// By the border pixel: no structure appears twice or bent, and no edge where the background is not that of the
    /// padding.
    Replicated,
}

impl Frame {
    /// Row or column of an image of `n`, of row or column `i` of the image in a frame of `width`.
    fn source(self, i: usize, n: usize, width: usize) -> usize {
        match self {
            Self::Mirrored => {
                let i = i.abs_diff(width) % (2 * n.max(2) - 2).max(1);
                i.min(2 * (n.max(2) - 1) - i).min(n.saturating_sub(1))
            }
            Self::Replicated => i.saturating_sub(width).min(n.saturating_sub(1)),
        }
    }
}

/// Width of the frame: the least multiple of all strides from [`FRAME`] on, so that patches keep their places.
fn frame_width(strides: impl Iterator<Item = usize>) -> usize {
    fn greatest_common_divisor(a: usize, b: usize) -> usize {
        if b == 0 { a } else { greatest_common_divisor(b, a % b) }
    }
    let multiple = strides.map(|s| s.max(1)).fold(1, |m, s| m / greatest_common_divisor(m, s) * s);
    FRAME.div_ceil(multiple) * multiple
}

/// Extracts the patch features of `image` `(H, W, C)` in a mirrored frame, and the pyramid of the image itself (the
/// features of the frame are cut off).
pub(crate) fn read(backbone: &dyn Backbone, image: ArrayView3<'_, f32>) -> Result<(Pyramid, Patches), Error> {
    let (h, w, _) = image.dim();
    let pyramid = pyramid(backbone, image, Frame::Mirrored)?;
    let patches = concatenate(&levels(&pyramid, h, w));
    Ok((pyramid, patches))
}

/// Extracts the features of `image` `(H, W, C)` in a frame of its border pixels level by level, each averaged locally
/// and on its own grid; levels finer than stride 8 are averaged down to it.
pub(crate) fn read_levels(backbone: &dyn Backbone, image: ArrayView3<'_, f32>) -> Result<Vec<Patches>, Error> {
    let (h, w, _) = image.dim();
    Ok(levels(&pyramid(backbone, image, Frame::Replicated)?, h, w))
}

/// Rows and columns of the grid of stride 8 of an image.
pub(crate) fn base_grid(height: usize, width: usize) -> (usize, usize) {
    (height.div_ceil(STRIDE), width.div_ceil(STRIDE))
}

/// Pyramid of an image in a frame, without the features of the frame.
fn pyramid(backbone: &dyn Backbone, image: ArrayView3<'_, f32>, frame: Frame) -> Result<Pyramid, Error> {
    let (h, w, c) = image.dim();
    if h == 0 || w == 0 {
        return Err(Error::Length { what: "pixels of the image", found: 0, expected: 1 });
    }
    let width = frame_width(backbone.levels().iter().map(|level| level.stride));
    let mut framed = Array3::zeros((h + 2 * width, w + 2 * width, c));
    for (y, mut line) in framed.outer_iter_mut().enumerate() {
        let source = image.index_axis(Axis(0), frame.source(y, h, width));
        line.slice_axis_mut(Axis(0), Slice::from(width..width + w)).assign(&source);
        for x in (0..width).chain(width + w..w + 2 * width) {
            line.row_mut(x).assign(&source.row(frame.source(x, w, width)));
        }
    }
    let mut pyramid = backbone.extract(framed.view())?;
    for (features, level) in pyramid.iter_mut().zip(backbone.levels()) {
        let (skip, rows, columns) = (width / level.stride, h.div_ceil(level.stride), w.div_ceil(level.stride));
        let whole = pixels(features);
        let inside = whole.slice_each_axis(|a| match a.axis.index() {
            0 => Slice::from(skip..skip + rows),
            1 => Slice::from(skip..skip + columns),
            _ => Slice::from(..),
        });
        *features = inside.as_standard_layout().into_owned().permuted_axes([2, 0, 1]);
    }
    Ok(pyramid)
}

/// A level `(C, rows, columns)` as `(rows, columns, C)`, the order in which networks of this workspace keep it.
fn pixels(level: &Array3<f32>) -> ArrayView3<'_, f32> {
    level.view().permuted_axes([1, 2, 0])
}

/// Averages each level locally (3x3 at its own stride) and averages finer ones than stride 8 down to it.
fn levels(pyramid: &Pyramid, height: usize, width: usize) -> Vec<Patches> {
    let (rows, columns) = base_grid(height, width);
    let level = |level: &Array3<f32>| {
        let (h, w, c) = pixels(level).dim();
        let averaged = average3(pixels(level));
        let (values, grid) = if h >= rows && w >= columns && (h, w) != (rows, columns) {
            (average_down(&averaged, (h, w, c), (rows, columns)), (rows, columns))
        } else {
            (averaged, (h, w))
        };
        Patches { grid, features: Array2::from_shape_vec((grid.0 * grid.1, c), values).unwrap_or_default() }
    };
    pyramid.par_iter().map(level).collect()
}

/// Means over the pixels of each cell of a coarser grid.
fn average_down(values: &[f32], (h, w, c): (usize, usize, usize), (rows, columns): (usize, usize)) -> Vec<f32> {
    let (fy, fx) = (h.div_ceil(rows), w.div_ceil(columns));
    let mut out = vec![0.0f32; rows * columns * c];
    out.par_chunks_mut(c.max(1)).with_min_len(64).enumerate().for_each(|(patch, target)| {
        let (y0, x0) = ((patch / columns * fy).min(h - 1), (patch % columns * fx).min(w - 1));
        let (y1, x1) = ((y0 + fy).min(h), (x0 + fx).min(w));
        let weight = 1.0 / ((y1 - y0) * (x1 - x0)) as f32;
        for (y, x) in (y0..y1).flat_map(|y| (x0..x1).map(move |x| (y, x))) {
            target.iter_mut().zip(&values[(y * w + x) * c..][..c]).for_each(|(t, v)| *t += weight * v);
        }
    });
    out
}

/// Concatenates levels at the grid of the finest; coarser ones are interpolated bilinearly (half-pixel centers).
pub(crate) fn concatenate(levels: &[Patches]) -> Patches {
    let (rows, columns) = levels.iter().map(|level| level.grid).max().unwrap_or_default();
    let channels: usize = levels.iter().map(|level| level.features.ncols()).sum();
    let mut features = vec![0.0f32; rows * columns * channels];
    let mut channel = 0;
    for level in levels {
        let ((h, w), c) = (level.grid, level.features.ncols());
        let Some(values) = level.features.as_slice() else { continue };
        let (ty, tx) = (taps(rows, h), taps(columns, w));
        features.par_chunks_mut(channels.max(1)).with_min_len(64).enumerate().for_each(|(patch, row)| {
            let target = &mut row[channel..channel + c];
            if (h, w) == (rows, columns) {
                target.copy_from_slice(&values[patch * c..][..c]);
                return;
            }
            let mut add = |y: usize, x: usize, weight: f32| {
                target.iter_mut().zip(&values[(y * w + x) * c..][..c]).for_each(|(t, v)| *t += weight * v);
            };
            let ((y0, y1, v), (x0, x1, u)) = (ty[patch / columns], tx[patch % columns]);
            add(y0, x0, (1.0 - v) * (1.0 - u));
            add(y0, x1, (1.0 - v) * u);
            add(y1, x0, v * (1.0 - u));
            add(y1, x1, v * u);
        });
        channel += c;
    }
    let features = Array2::from_shape_vec((rows * columns, channels), features).unwrap_or_default();
    Patches { grid: (rows, columns), features }
}

/// Share of each patch's pixels that `mask` marks, in the order of [`Patches::features`].
pub(crate) fn coverage(mask: ArrayView2<'_, bool>) -> Vec<f32> {
    let (h, w) = mask.dim();
    let (rows, columns) = (h.div_ceil(STRIDE), w.div_ceil(STRIDE));
    let mut out = vec![0.0; rows * columns];
    for ((y, x), &marked) in mask.indexed_iter() {
        if marked {
            out[y / STRIDE * columns + x / STRIDE] += 1.0 / (STRIDE * STRIDE) as f32;
        }
    }
    out
}

/// 3x3 mean of each channel of `(rows, columns, C)`, in that order; at the border over the pixels that exist.
fn average3(level: ArrayView3<'_, f32>) -> Vec<f32> {
    let (h, w, c) = level.dim();
    let level = level.as_standard_layout();
    let mut out = vec![0.0f32; h * w * c];
    let add = |to: &mut [f32], from: &[f32]| to.iter_mut().zip(from).for_each(|(t, f)| *t += f);
    let lines = out.par_chunks_mut((w * c).max(1)).with_min_len(4).enumerate();
    lines.for_each_init(
        || vec![0.0f32; w * c],
        |sums, (y, target)| {
            let (y0, y1) = (y.saturating_sub(1), (y + 2).min(h));
            sums.fill(0.0);
            for line in level.outer_iter().skip(y0).take(y1 - y0) {
                line.as_slice().into_iter().for_each(|line| add(sums, line));
            }
            target.copy_from_slice(sums);
            add(&mut target[c..], sums);
            add(target, &sums[c..]);
            for (x, pixel) in target.chunks_exact_mut(c).enumerate() {
                let scale = 1.0 / ((y1 - y0) * ((x + 2).min(w) - x.saturating_sub(1))) as f32;
                pixel.iter_mut().for_each(|v| *v *= scale);
            }
        },
    );
    out
}

/// For each of `out` positions over `n` pixels: the two nearest pixels and the weight of the second (half-pixel
/// centers).
fn taps(out: usize, n: usize) -> Vec<(usize, usize, f32)> {
    taps_over(out, n, n as f32)
}

/// The same over the first `length` pixels of `n`.
fn taps_over(out: usize, n: usize, length: f32) -> Vec<(usize, usize, f32)> {
    (0..out)
        .map(|i| {
            let position = ((i as f32 + 0.5) * length / out as f32 - 0.5).clamp(0.0, (n - 1) as f32);
            let low = position as usize;
            (low, (low + 1).min(n - 1), position - low as f32)
        })
        .collect()
}

/// Resamples bilinearly with half-pixel centers and clamped borders.
pub(crate) fn bilinear(plane: ArrayView2<'_, f32>, rows: usize, columns: usize) -> Array2<f32> {
    let (h, w) = plane.dim();
    interpolate(plane, (rows, columns), &taps(rows, h), &taps(columns, w))
}

/// Resamples the grid of stride 8 of an image of size `seen` to an image of size `size` of the same frame, bilinearly.
pub(crate) fn to_image(grid: ArrayView2<'_, f32>, seen: (usize, usize), size: (usize, usize)) -> Array2<f32> {
    let (h, w) = grid.dim();
    let length = |pixels: usize| pixels as f32 / STRIDE as f32;
    let (ty, tx) = (taps_over(size.0, h, length(seen.0)), taps_over(size.1, w, length(seen.1)));
    interpolate(grid, size, &ty, &tx)
}

fn interpolate(
    plane: ArrayView2<'_, f32>,
    (rows, columns): (usize, usize),
    ty: &[(usize, usize, f32)],
    tx: &[(usize, usize, f32)],
) -> Array2<f32> {
    let mut out = vec![0.0f32; rows * columns];
    out.par_chunks_mut(columns.max(1)).with_min_len(16).zip(ty).for_each(|(line, &(y0, y1, v))| {
        let (top, bottom) = (plane.row(y0), plane.row(y1));
        for (out, &(x0, x1, u)) in line.iter_mut().zip(tx) {
            let top = top[x0] * (1.0 - u) + top[x1] * u;
            let bottom = bottom[x0] * (1.0 - u) + bottom[x1] * u;
            *out = top * (1.0 - v) + bottom * v;
        }
    });
    Array2::from_shape_vec((rows, columns), out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_is_a_multiple_of_every_stride() {
        let of = |strides: &[usize]| frame_width(strides.iter().copied());
        assert_eq!([of(&[4, 8, 16, 16]), of(&[14]), of(&[4, 8, 16, 32]), of(&[])], [16, 28, 32, 16]);
    }

    #[test]
    fn frames_continue_an_image_at_its_border() {
        let of = |frame: Frame, n: usize| (0..n + 6).map(|i| frame.source(i, n, 3)).collect::<Vec<_>>();
        assert_eq!(of(Frame::Mirrored, 4), [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]);
        assert_eq!(of(Frame::Replicated, 4), [0, 0, 0, 0, 1, 2, 3, 3, 3, 3]);
        assert_eq!([of(Frame::Mirrored, 1), of(Frame::Replicated, 1)], [vec![0; 7], vec![0; 7]]);
    }

    #[test]
    fn a_linear_ramp_survives_interpolation_away_from_the_border() {
        let ramp = Array2::from_shape_fn((4, 4), |(y, x)| (2 * y + x) as f32);
        let big = bilinear(ramp.view(), 8, 8);
        // half-pixel centers: output row 3 lies at input 1.25, column 4 at 1.75
        assert!((big[[3, 4]] - (2.0 * 1.25 + 1.75)).abs() < 1e-6);
    }

    #[test]
    fn constant_levels_give_constant_rows_at_every_size() {
        for (h, w) in [(64usize, 64usize), (50, 71), (33, 120)] {
            let level =
                |c: usize, stride: usize, v: f32| Array3::from_elem((c, h.div_ceil(stride), w.div_ceil(stride)), v);
            let p = concatenate(&levels(&vec![level(2, 4, 1.0), level(1, 8, 2.0), level(3, 16, 3.0)], h, w));
            assert_eq!(p.features.dim(), (h.div_ceil(8) * w.div_ceil(8), 6));
            for row in p.features.outer_iter() {
                for (got, want) in row.iter().zip([1.0, 1.0, 2.0, 3.0, 3.0, 3.0]) {
                    assert!((got - want).abs() < 1e-6);
                }
            }
        }
    }

    /// A mirrored frame continues a mirror-symmetric pattern, so patches at the frame of a stripe pattern look like
    /// those inside.
    #[test]
    fn the_frame_looks_like_the_inside() {
        let net = frozen_backbone::EfficientNetLite0::pretrained().unwrap();
        let image = Array3::from_shape_fn((96, 96, 3), |(_, x, _)| if (x / 16) % 2 == 0 { 0.3 } else { 0.7 });
        let (pyramid, p) = read(&net, image.view()).unwrap();
        assert_eq!(pyramid[0].dim(), (24, 24, 24));
        assert_eq!(p.grid, (12, 12));
        let row = |y: usize| p.features.row(y * 12 + 6).to_owned();
        let distance = |a: usize, b: usize| (row(a) - row(b)).mapv(|v| v * v).sum().sqrt();
        let plain = concatenate(&levels(&net.extract(image.view()).unwrap(), 96, 96));
        let plain_row = |y: usize| plain.features.row(y * 12 + 6).to_owned();
        let plain_distance = (plain_row(0) - plain_row(6)).mapv(|v| v * v).sum().sqrt();
        assert!(distance(0, 6) < 0.5 * plain_distance, "{} {plain_distance}", distance(0, 6));
    }

    #[test]
    fn coverage_counts_pixels() {
        let mask = Array2::from_shape_fn((16, 24), |(y, x)| y < 4 && x < 12);
        assert_eq!(coverage(mask.view()), vec![0.5, 0.25, 0.0, 0.0, 0.0, 0.0]);
    }
}
