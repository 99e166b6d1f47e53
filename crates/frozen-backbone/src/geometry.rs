//! Convolution geometry: TensorFlow's `SAME` padding, which EfficientNet was trained with.

/// One square window sliding over one image plane.
///
/// `SAME` padding gives `ceil(size / stride)` outputs; an odd pixel of padding goes to the bottom and right.
///
/// ```
/// use frozen_backbone::Window;
/// let w = Window::same(224, 100, 3, 2);
/// assert_eq!((w.out_height(), w.out_width()), (112, 50));
/// assert_eq!((w.pad_top(), w.pad_left()), (0, 0)); // the one pixel goes to the far side
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
}

impl Window {
    /// A `kernel` x `kernel` window with `stride` over `height` x `width` pixels, `SAME`-padded.
    pub fn same(height: usize, width: usize, kernel: usize, stride: usize) -> Self {
        Self { height, width, kernel, stride: stride.max(1) }
    }
    /// Output rows.
    pub fn out_height(&self) -> usize {
        self.height.div_ceil(self.stride)
    }
    /// Output columns.
    pub fn out_width(&self) -> usize {
        self.width.div_ceil(self.stride)
    }
    /// Zero rows above the image.
    pub fn pad_top(&self) -> usize {
        self.total_padding(self.height) / 2
    }
    /// Zero columns left of the image.
    pub fn pad_left(&self) -> usize {
        self.total_padding(self.width) / 2
    }
    fn total_padding(&self, size: usize) -> usize {
        (size.div_ceil(self.stride).saturating_sub(1) * self.stride + self.kernel).saturating_sub(size)
    }
    /// Rows of the padded plane.
    pub(crate) fn padded_height(&self) -> usize {
        self.out_height().saturating_sub(1) * self.stride + self.kernel
    }
    /// Columns of the padded plane, a multiple of the stride.
    pub(crate) fn padded_width(&self) -> usize {
        (self.out_width().saturating_sub(1) * self.stride + self.kernel).next_multiple_of(self.stride)
    }

    /// Writes `plane` into `padded` so that column `x` of the padded row lies at
    /// `(x % stride) * (padded_width / stride) + x / stride`: every tap then reads a contiguous run, whatever the stride.
    pub(crate) fn pad_split(&self, plane: &[f32], padded: &mut Vec<f32>) {
        let (ph, pw, s) = (self.padded_height(), self.padded_width(), self.stride);
        padded.clear();
        padded.resize(ph * pw, 0.0);
        let (top, left, part) = (self.pad_top(), self.pad_left(), pw / s);
        for (y, row) in plane.chunks_exact(self.width).enumerate() {
            let Some(out) = padded.get_mut((y + top) * pw..(y + top + 1) * pw) else { break };
            if s == 1 {
                out[left..left + self.width].copy_from_slice(row);
            } else {
                for phase in 0..s {
                    // first image column whose padded position has this phase
                    let first = (phase + s - left % s) % s;
                    let start = phase * part + (first + left) / s;
                    let end = ((phase + 1) * part).min(out.len());
                    for (o, v) in out[start..end].iter_mut().zip(row.iter().skip(first).step_by(s)) {
                        *o = *v;
                    }
                }
            }
        }
    }
    /// Offset in the split padded plane of the first input that tap `(ky, kx)` reads for output row `oy`.
    #[inline(always)]
    pub(crate) fn tap(&self, oy: usize, ky: usize, kx: usize) -> usize {
        let (pw, s) = (self.padded_width(), self.stride);
        (oy * s + ky) * pw + (kx % s) * (pw / s) + kx / s
    }
}
