//! Crops of pictures around defects, for sheets.

use ndarray::{ArrayView2, ArrayView3, Axis, Slice};

/// Square of `side` px of an image `(H, W, C)` around the centroid of a mask `(H, W)`, moved inside the image; smaller
/// images are shown whole.
#[must_use]
pub fn around<'a>(mut image: ArrayView3<'a, f32>, mask: ArrayView2<'_, bool>, side: usize) -> ArrayView3<'a, f32> {
    let (mut y, mut x, mut n) = (0, 0, 0);
    for ((r, c), _) in mask.indexed_iter().filter(|(_, m)| **m) {
        (y, x, n) = (y + r, x + c, n + 1);
    }
    for (axis, sum) in [(0, y), (1, x)] {
        let length = image.len_of(Axis(axis));
        let from = (sum / n.max(1)).saturating_sub(side / 2).min(length.saturating_sub(side));
        image.slice_axis_inplace(Axis(axis), Slice::from(from..length.min(from + side)));
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3};

    #[test]
    fn a_crop_lies_around_the_mask_and_inside_the_image() {
        let image = Array3::from_shape_fn((40, 60, 1), |(y, x, _)| (100 * y + x) as f32);
        let at = |y: usize, x: usize| Array2::from_shape_fn((40, 60), |at| at == (y, x));
        let corner = |mask: Array2<bool>| around(image.view(), mask.view(), 20)[[0, 0, 0]];
        assert_eq!([corner(at(20, 30)), corner(at(0, 0)), corner(at(39, 59))], [1020.0, 0.0, 2040.0]);
        assert_eq!(around(image.view(), at(9, 9).view(), 50).dim(), (40, 50, 1));
    }
}
