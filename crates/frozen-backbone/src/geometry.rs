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
    /// Columns that the windows span, or the image and its near padding if that is more (strides beyond the kernel).
    pub(crate) fn padded_width(&self) -> usize {
        (self.out_width().saturating_sub(1) * self.stride + self.kernel).max(self.pad_left() + self.width)
    }
    /// Rows likewise.
    pub(crate) fn padded_height(&self) -> usize {
        (self.out_height().saturating_sub(1) * self.stride + self.kernel).max(self.pad_top() + self.height)
    }
}
