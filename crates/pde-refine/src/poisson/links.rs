//! Couplings between neighboring pixels, of the five-point and the nine-point operator.

use crate::error::{Error, check_shape};
use ndarray::{Array2, ArrayView2};
use std::cell::Cell;

/// Couplings between neighboring pixels, for every pair that touches the mask; each is kept at the upper pixel of the
/// pair, or the left one.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    east: Array2<f32>,
    south: Array2<f32>,
    /// Couplings to the pixels below and right, and below and left; `None` for five points.
    diagonals: Option<[Array2<f32>; 2]>,
}

/// Harmonic mean of what two neighbors conduct; 0 if one of them does not.
#[inline(always)]
fn harmonic(a: f32, b: f32) -> f32 {
    if a > 0.0 && b > 0.0 { 2.0 * a * b / (a + b) } else { 0.0 }
}

impl Links {
    /// Computes the five-point couplings of a scalar diffusivity; also returns the first pixel at which a diffusivity
    /// other than 1 is used.
    pub(super) fn scalar(
        mask: ArrayView2<'_, bool>,
        diffusivity: ArrayView2<'_, f32>,
    ) -> Result<(Self, Option<(usize, usize)>), Error> {
        check_shape("diffusivity", mask.shape(), diffusivity.shape())?;
        let mut links = Links { east: Array2::zeros(mask.dim()), south: Array2::zeros(mask.dim()), diagonals: None };
        let varied = Cell::new(None);
        let d = |row: usize, column: usize| {
            let v = diffusivity[(row, column)];
            if v.is_finite() && v > 0.0 {
                if v != 1.0 {
                    varied.set(varied.get().or(Some((row, column))));
                }
                Ok(v)
            } else {
                Err(Error::NonFinite { what: "diffusivity (must be positive)", row, column })
            }
        };
        let (h, w) = mask.dim();
        for ((y, x), _) in mask.indexed_iter().filter(|(_, m)| **m) {
            let here = d(y, x)?;
            if y > 0 {
                links.south[(y - 1, x)] = harmonic(here, d(y - 1, x)?);
            }
            if x > 0 {
                links.east[(y, x - 1)] = harmonic(here, d(y, x - 1)?);
            }
            if y + 1 < h {
                links.south[(y, x)] = harmonic(here, d(y + 1, x)?);
            }
            if x + 1 < w {
                links.east[(y, x)] = harmonic(here, d(y, x + 1)?);
            }
        }
        Ok((links, varied.get()))
    }

    /// Computes the nine-point couplings of a tensor `[[xx, xy], [xy, yy]]`; also returns the first pixel at which a
    /// tensor other than the identity is used.
    ///
    /// `grad u . D grad u = (xx - |xy|) u_x^2 + (yy - |xy|) u_y^2 + |xy| (u_x +- u_y)^2`, the sign being that of `xy`:
    /// the first two weights go to the neighbors along the axes, the third to those along the diagonal of that sign.
    /// Along diagonals the harmonic mean would lose an order where `xy` passes through 0; there it is the arithmetic
    /// mean, times the ratio of both means of the traces, so that a jump in size acts as it does along the axes.
    pub(super) fn tensor(
        mask: ArrayView2<'_, bool>,
        tensor: [ArrayView2<'_, f32>; 3],
    ) -> Result<(Self, Option<(usize, usize)>), Error> {
        for (what, part) in ["tensor xx", "tensor xy", "tensor yy"].into_iter().zip(&tensor) {
            check_shape(what, mask.shape(), part.shape())?;
        }
        let [xx, xy, yy] = tensor;
        let varied = Cell::new(None);
        // along x, along y, along the falling diagonal, along the rising one, the trace
        let weights = |row: usize, column: usize| {
            let (a, b, c) = (xx[(row, column)], xy[(row, column)], yy[(row, column)]);
            if a.is_finite() && c.is_finite() && b.abs() < a && b.abs() < c {
                if (a, b, c) != (1.0, 0.0, 1.0) {
                    varied.set(varied.get().or(Some((row, column))));
                }
                Ok([a - b.abs(), c - b.abs(), b.max(0.0), (-b).max(0.0), a + c])
            } else {
                Err(Error::NonFinite { what: "tensor (|xy| must be less than xx and yy)", row, column })
            }
        };
        let oblique = |one: [f32; 5], other: [f32; 5], k: usize| {
            0.5 * (one[k] + other[k]) * harmonic(one[4], other[4]) / (0.5 * (one[4] + other[4]))
        };
        let zeros = || Array2::zeros(mask.dim());
        let (mut east, mut south, mut south_east, mut south_west) = (zeros(), zeros(), zeros(), zeros());
        let (h, w) = mask.dim();
        for y in 0..h {
            for x in 0..w {
                let here = mask[(y, x)];
                if x + 1 < w && (here || mask[(y, x + 1)]) {
                    east[(y, x)] = harmonic(weights(y, x)?[0], weights(y, x + 1)?[0]);
                }
                if y + 1 < h && (here || mask[(y + 1, x)]) {
                    south[(y, x)] = harmonic(weights(y, x)?[1], weights(y + 1, x)?[1]);
                }
                if y + 1 < h && x + 1 < w && (here || mask[(y + 1, x + 1)]) {
                    south_east[(y, x)] = oblique(weights(y, x)?, weights(y + 1, x + 1)?, 2);
                }
                if y + 1 < h && x > 0 && (here || mask[(y + 1, x - 1)]) {
                    south_west[(y, x)] = oblique(weights(y, x)?, weights(y + 1, x - 1)?, 3);
                }
            }
        }
        Ok((Links { east, south, diagonals: Some([south_east, south_west]) }, varied.get()))
    }

    pub(super) fn nine_point(&self) -> bool {
        self.diagonals.is_some()
    }

    /// Calls `f(ny, nx, coupling)` for every neighbor of a pixel that lies in the frame.
    #[inline(always)]
    pub(super) fn of(&self, y: usize, x: usize, mut f: impl FnMut(usize, usize, f32)) {
        let (h, w) = self.east.dim();
        if y > 0 {
            f(y - 1, x, self.south[(y - 1, x)]);
        }
        if x > 0 {
            f(y, x - 1, self.east[(y, x - 1)]);
        }
        if x + 1 < w {
            f(y, x + 1, self.east[(y, x)]);
        }
        if y + 1 < h {
            f(y + 1, x, self.south[(y, x)]);
        }
        let Some([south_east, south_west]) = &self.diagonals else { return };
        if y > 0 && x > 0 {
            f(y - 1, x - 1, south_east[(y - 1, x - 1)]);
        }
        if y > 0 && x + 1 < w {
            f(y - 1, x + 1, south_west[(y - 1, x + 1)]);
        }
        if y + 1 < h && x > 0 {
            f(y + 1, x - 1, south_west[(y, x)]);
        }
        if y + 1 < h && x + 1 < w {
            f(y + 1, x + 1, south_east[(y, x)]);
        }
    }
}
