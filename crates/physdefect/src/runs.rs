//! Pixels of a mask as runs: little memory for a set that is kept for every photo.

use ndarray::Array2;

/// True pixels of a mask in row order, as runs of neighbors; a run may go on in the next row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Runs {
    /// First pixel of each run, and the number of pixels before it.
    runs: Vec<(u32, u32)>,
    len: u32,
}

impl Runs {
    pub(crate) fn of(mask: &Array2<bool>) -> Self {
        let (mut found, mut inside) = (Self::default(), false);
        for (&set, pixel) in mask.iter().zip(0u32..) {
            if set && !inside {
                found.runs.push((pixel, found.len));
            }
            found.len += u32::from(set);
            inside = set;
        }
        found
    }

    /// Number of pixels.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number in the frame of the pixel at `index`, which is below [`Self::len`].
    pub(crate) fn pixel(&self, index: usize) -> usize {
        let next = self.runs.partition_point(|&(_, before)| before as usize <= index);
        let (first, before) = self.runs[next - 1];
        first as usize + (index - before as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_number_the_pixels_as_a_list_does() {
        let masks = [
            Array2::from_shape_fn((9, 7), |(y, x)| (y * 5 + x * 3) % 4 < 2),
            Array2::from_elem((4, 6), true),
            Array2::from_shape_fn((5, 5), |(y, x)| (y, x) == (4, 4)),
            Array2::from_elem((3, 3), false),
        ];
        for mask in masks {
            let list: Vec<usize> = mask.iter().enumerate().filter(|(_, m)| **m).map(|(i, _)| i).collect();
            let runs = Runs::of(&mask);
            assert_eq!((runs.len(), runs.is_empty()), (list.len(), list.is_empty()));
            assert_eq!((0..runs.len()).map(|i| runs.pixel(i)).collect::<Vec<_>>(), list);
        }
    }
}
