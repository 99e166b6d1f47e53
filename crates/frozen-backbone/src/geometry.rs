//! Convolution geometry: TensorFlow's `SAME` padding, which EfficientNet was trained with.

/// Square window of a convolution that slides over one image plane.
///
/// `SAME` padding gives `ceil(size / stride)` outputs; an odd pixel of padding goes to the bottom and right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
}

impl Window {
    /// A `kernel` x `kernel` window with `stride` over `height` x `width` pixels, `SAME`-padded.
    pub(crate) fn same(height: usize, width: usize, kernel: usize, stride: usize) -> Self {
        Self { height, width, kernel, stride: stride.max(1) }
    }
    /// Output rows.
    pub(crate) fn out_height(&self) -> usize {
        self.height.div_ceil(self.stride)
    }
    /// Output columns.
    pub(crate) fn out_width(&self) -> usize {
        self.width.div_ceil(self.stride)
    }
    /// Zero rows above the image.
    pub(crate) fn pad_top(&self) -> usize {
        self.total_padding(self.height) / 2
    }
    /// Zero columns left of the image.
    pub(crate) fn pad_left(&self) -> usize {
        self.total_padding(self.width) / 2
    }
    fn total_padding(&self, size: usize) -> usize {
        (size.div_ceil(self.stride).saturating_sub(1) * self.stride + self.kernel).saturating_sub(size)
    }
    /// Columns that the windows span, or the image and its near padding if that is more (strides beyond the kernel).
    pub(crate) fn padded_width(&self) -> usize {
        (self.out_width().saturating_sub(1) * self.stride + self.kernel).max(self.pad_left() + self.width)
    }
    /// Rows that the windows span, or the image and its near padding if that is more.
    pub(crate) fn padded_height(&self) -> usize {
        (self.out_height().saturating_sub(1) * self.stride + self.kernel).max(self.pad_top() + self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures of TensorFlow's documentation of `SAME`: ceil(size / stride) outputs, an odd pixel at the far side.
    #[test]
    fn padding_is_tensorflows() {
        let window = Window::same(224, 100, 3, 2);
        assert_eq!((window.out_height(), window.out_width()), (112, 50));
        assert_eq!((window.pad_top(), window.pad_left()), (0, 0));
        assert_eq!((window.padded_height(), window.padded_width()), (225, 101));
        let window = Window::same(7, 7, 5, 1);
        assert_eq!((window.out_height(), window.pad_top(), window.padded_height()), (7, 2, 11));
    }
}
