//! Sizes and rectangles of pixels.

use std::fmt;

use ndarray::{Array, ArrayView, ArrayView2, ArrayViewMut, Axis, Dimension, RemoveAxis, Slice};

/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Size {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
}

impl Size {
    /// Number of pixels; `usize::MAX` where that overflows.
    #[must_use]
    pub fn area(self) -> usize {
        self.height.saturating_mul(self.width)
    }
}

impl From<(usize, usize)> for Size {
    /// From height and width, as [`ndarray::ArrayBase::dim`] of a mask gives them.
    fn from((height, width): (usize, usize)) -> Self {
        Self { height, width }
    }
}

impl From<Size> for (usize, usize) {
    fn from(size: Size) -> Self {
        (size.height, size.width)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

/// Rectangle of pixels, half open: rows `top..bottom`, columns `left..right`.
///
/// A rectangle whose end does not exceed its start is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rect {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// One past the last row.
    pub bottom: usize,
    /// One past the last column.
    pub right: usize,
}

impl Rect {
    /// Rectangle of a whole image.
    #[must_use]
    pub fn whole(size: impl Into<Size>) -> Self {
        let Size { height, width } = size.into();
        Self { top: 0, left: 0, bottom: height, right: width }
    }

    /// Rectangle of one pixel.
    #[must_use]
    pub fn pixel((row, column): (usize, usize)) -> Self {
        Self { top: row, left: column, bottom: row.saturating_add(1), right: column.saturating_add(1) }
    }

    /// Smallest rectangle around pixels (row, column); `None` for none.
    ///
    /// ```
    /// use imgkit::Rect;
    /// assert_eq!(Rect::around([(3, 9), (5, 2)]), Some(Rect { top: 3, left: 2, bottom: 6, right: 10 }));
    /// ```
    #[must_use]
    pub fn around(pixels: impl IntoIterator<Item = (usize, usize)>) -> Option<Self> {
        pixels.into_iter().map(Self::pixel).reduce(Self::union)
    }

    /// Number of rows; 0 if the last comes before the first.
    #[must_use]
    pub fn height(self) -> usize {
        self.bottom.saturating_sub(self.top)
    }

    /// Number of columns; 0 if the last comes before the first.
    #[must_use]
    pub fn width(self) -> usize {
        self.right.saturating_sub(self.left)
    }

    /// Height and width.
    #[must_use]
    pub fn size(self) -> Size {
        Size { height: self.height(), width: self.width() }
    }

    /// Number of pixels; `usize::MAX` where that overflows.
    #[must_use]
    pub fn area(self) -> usize {
        self.size().area()
    }

    /// Whether the rectangle holds no pixel.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.height() == 0 || self.width() == 0
    }

    /// Whether the pixel (row, column) lies inside.
    #[must_use]
    pub fn contains(self, (row, column): (usize, usize)) -> bool {
        (self.top..self.bottom).contains(&row) && (self.left..self.right).contains(&column)
    }

    /// Smallest rectangle that holds both rectangles.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            top: self.top.min(other.top),
            left: self.left.min(other.left),
            bottom: self.bottom.max(other.bottom),
            right: self.right.max(other.right),
        }
    }

    /// Grows the rectangle by `margin` on every side, clipped to an image of `size`.
    ///
    /// ```
    /// use imgkit::Rect;
    /// let corner = Rect { top: 1, left: 8, bottom: 3, right: 10 };
    /// assert_eq!(corner.grow(2, (20, 10)), Rect { top: 0, left: 6, bottom: 5, right: 10 });
    /// ```
    #[must_use]
    pub fn grow(self, margin: usize, size: impl Into<Size>) -> Self {
        let Size { height, width } = size.into();
        Self {
            top: self.top.saturating_sub(margin),
            left: self.left.saturating_sub(margin),
            bottom: self.bottom.saturating_add(margin).min(height),
            right: self.right.saturating_add(margin).min(width),
        }
    }

    /// Converts to coordinates relative to the corner of `outer`, in which the pixels lie. What lies before the corner
    /// is clipped.
    #[must_use]
    pub fn relative_to(self, outer: Self) -> Self {
        Self {
            top: self.top.saturating_sub(outer.top),
            left: self.left.saturating_sub(outer.left),
            bottom: self.bottom.saturating_sub(outer.top),
            right: self.right.saturating_sub(outer.left),
        }
    }

    /// Converts from coordinates relative to `outer` to those of the image that `outer` was cut from: undoes
    /// [`Self::relative_to`].
    #[must_use]
    pub fn offset_by(self, outer: Self) -> Self {
        Self {
            top: self.top.saturating_add(outer.top),
            left: self.left.saturating_add(outer.left),
            bottom: self.bottom.saturating_add(outer.top),
            right: self.right.saturating_add(outer.left),
        }
    }

    /// Slice of one axis, for `slice_each_axis`: rows, columns, then everything. Not clipped.
    #[must_use]
    pub fn slice_of(self, axis: Axis) -> Slice {
        match axis.index() {
            0 => Slice::from(self.top..self.bottom),
            1 => Slice::from(self.left..self.right),
            _ => Slice::from(..),
        }
    }

    /// Crops the first two axes of an array; what lies beyond the array is left out.
    #[must_use]
    pub fn crop<'a, A, D: Dimension>(self, mut array: ArrayView<'a, A, D>) -> ArrayView<'a, A, D> {
        for axis in (0..array.ndim().min(2)).map(Axis) {
            let slice = self.clipped_slice(axis, array.len_of(axis));
            array.slice_axis_inplace(axis, slice);
        }
        array
    }

    /// [`Self::crop`], to write to.
    #[must_use]
    pub fn crop_mut<'a, A, D: Dimension>(self, mut array: ArrayViewMut<'a, A, D>) -> ArrayViewMut<'a, A, D> {
        for axis in (0..array.ndim().min(2)).map(Axis) {
            let slice = self.clipped_slice(axis, array.len_of(axis));
            array.slice_axis_inplace(axis, slice);
        }
        array
    }
    /// Copies the part of an array's first two axes that lies inside, row by row: [`Self::crop`] as an array of its
    /// own, faster than element by element.
    ///
    /// ```
    /// use imgkit::Rect;
    /// let image = ndarray::array![[1, 2, 3], [4, 5, 6], [7, 8, 9]];
    /// let part = Rect { top: 1, left: 1, bottom: 3, right: 9 }.cut(image.view());
    /// assert_eq!(part, ndarray::array![[5, 6], [8, 9]]);
    /// ```
    #[must_use]
    pub fn cut<A: Clone, D: RemoveAxis>(self, array: ArrayView<'_, A, D>) -> Array<A, D> {
        let part = self.crop(array);
        let mut values = Vec::with_capacity(part.len());
        for row in part.outer_iter() {
            match row.as_slice() {
                Some(row) => values.extend_from_slice(row),
                None => values.extend(row.iter().cloned()),
            }
        }
        Array::from_shape_vec(part.raw_dim(), values).unwrap_or_else(|_| part.to_owned())
    }

    /// Overwrites the part of an array's first two axes that lies inside, row by row; of `part` that much is taken as
    /// fits, from its first row and column on.
    ///
    /// ```
    /// use imgkit::Rect;
    /// let mut image = ndarray::Array2::zeros((2, 3));
    /// Rect { top: 0, left: 1, bottom: 2, right: 3 }.put(ndarray::array![[1, 2], [3, 4]].view(), image.view_mut());
    /// assert_eq!(image, ndarray::array![[0, 1, 2], [0, 3, 4]]);
    /// ```
    pub fn put<A: Clone, D: RemoveAxis>(self, part: ArrayView<'_, A, D>, array: ArrayViewMut<'_, A, D>) {
        let (height, width) = (self.height(), self.width());
        let part = Self::whole((height, width)).crop(part);
        for (mut to, from) in self.crop_mut(array).outer_iter_mut().zip(part.outer_iter()) {
            if to.shape() != from.shape() {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = from.clone());
                continue;
            }
            match (to.as_slice_mut(), from.as_slice()) {
                (Some(to), Some(from)) => to.clone_from_slice(from),
                _ => to.assign(&from),
            }
        }
    }

    fn clipped_slice(self, axis: Axis, length: usize) -> Slice {
        let (start, end) = if axis.index() == 0 { (self.top, self.bottom) } else { (self.left, self.right) };
        let start = start.min(length);
        Slice::from(start..end.clamp(start, length))
    }
}

/// Smallest rectangle around the true pixels of a mask `(H, W)`; `None` if there is none.
///
/// ```
/// use imgkit::{Rect, bounding_box};
/// let mask = ndarray::array![[false, false, false], [false, true, false], [true, false, false]];
/// assert_eq!(bounding_box(mask.view()), Some(Rect { top: 1, left: 0, bottom: 3, right: 2 }));
/// ```
#[must_use]
pub fn bounding_box(mask: ArrayView2<'_, bool>) -> Option<Rect> {
    let mut found: Option<Rect> = None;
    for (row, pixels) in mask.outer_iter().enumerate() {
        // Most rows are empty, and finding that out is fast.
        if !pixels.fold(false, |any, &m| any | m) {
            continue;
        }
        let Some(left) = pixels.iter().position(|&m| m) else { continue };
        let last = pixels.iter().rposition(|&m| m).unwrap_or(left);
        let here = Rect { top: row, left, bottom: row + 1, right: last + 1 };
        found = Some(found.map_or(here, |b| b.union(here)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    fn rect() -> impl Strategy<Value = Rect> {
        let side = || prop_oneof![0..40usize, Just(usize::MAX)];
        (side(), side(), side(), side()).prop_map(|(top, left, bottom, right)| Rect { top, left, bottom, right })
    }

    proptest! {
        #[test]
        fn the_bounding_box_is_the_smallest(pixels in prop::collection::vec((0..30usize, 0..20usize), 0..9)) {
            let mut mask = Array2::from_elem((30, 20), false);
            for &at in &pixels {
                mask[at] = true;
            }
            let found = bounding_box(mask.view());
            prop_assert_eq!(found, Rect::around(pixels.iter().copied()));
            prop_assert_eq!(found.is_none(), pixels.is_empty());
            if let Some(b) = found {
                prop_assert!(pixels.iter().all(|&p| b.contains(p)));
                prop_assert!(pixels.iter().any(|p| p.0 == b.top) && pixels.iter().any(|p| p.0 + 1 == b.bottom));
                prop_assert!(pixels.iter().any(|p| p.1 == b.left) && pixels.iter().any(|p| p.1 + 1 == b.right));
            }
        }

        #[test]
        fn a_crop_is_the_part_inside(b in rect(), height in 0..30usize, width in 0..30usize) {
            let image = Array2::from_shape_fn((height, width), |at| at);
            let inside: Vec<_> = image.iter().copied().filter(|&at| b.contains(at)).collect();
            prop_assert_eq!(b.crop(image.view()).iter().copied().collect::<Vec<_>>(), inside);
            let part = b.cut(image.view());
            prop_assert_eq!(part.view(), b.crop(image.view()));
            // Put back marked, they are the ones that are marked; backward rows are rows too.
            for step in [1, -1] {
                let mut marked = image.slice_axis(Axis(1), Slice::new(0, None, step)).to_owned();
                let turned = part.mapv(|(y, x)| (y + 100, x));
                b.put(turned.view(), marked.view_mut());
                for (at, &value) in marked.indexed_iter() {
                    let own = (at.0, if step > 0 { at.1 } else { width - 1 - at.1 });
                    let put = (at.0 + 100, at.1);
                    prop_assert_eq!(value, if b.contains(at) { put } else { own });
                }
            }
        }

        #[test]
        fn growing_holds_the_part_inside_and_moving_comes_back(
            b in rect(), margin in prop_oneof![0..9usize, Just(usize::MAX)],
        ) {
            let image = Array2::from_elem((30, 30), ());
            let grown = b.grow(margin, (30, 30));
            prop_assert!(image.indexed_iter().all(|(at, ())| !b.contains(at) || grown.contains(at)));
            let outer = Rect { top: 3, left: 5, bottom: 90, right: 90 };
            if b.top >= 3 && b.left >= 5 && !b.is_empty() {
                prop_assert_eq!(b.relative_to(outer).offset_by(outer), b);
            }
        }
    }
}
