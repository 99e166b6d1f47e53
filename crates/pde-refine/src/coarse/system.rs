//! The discrete screened Poisson problem on an arbitrary region.

use super::level::Level;
use crate::error::{Error, check_shape};
use ndarray::{Array2, ArrayView2};
use std::cell::Cell;

/// The five-point finite-volume operator `A u = -div(D grad u) + lambda u` on the `true` pixels of a mask.
///
/// Grid spacing is one pixel. A face between two pixels carries the harmonic mean of their `D`; a face between a mask
/// pixel and a pixel outside it imposes the Dirichlet value at that pixel's centre; the edge of the array is a
/// zero-flux boundary. The matrix is symmetric, an M-matrix, and positive definite unless the mask covers the whole
/// array and `lambda` is 0, which is refused.
///
/// ```
/// use ndarray::Array2;
/// use pde_refine::poisson::System;
///
/// let mask = Array2::from_shape_fn((5, 5), |(y, x)| (1..4).contains(&y) && (1..4).contains(&x));
/// let one = Array2::from_elem((5, 5), 1.0f32);
/// let zero = Array2::zeros((5, 5));
/// let system = System::new(mask.view(), one.view(), zero.view())?;
/// assert_eq!(system.unknowns(), 9);
/// // A constant boundary value alone gives the right-hand side of a constant solution.
/// let rhs = system.rhs(one.view(), Array2::zeros((5, 5)).view())?;
/// assert_eq!(rhs, system.apply(mask.mapv(|m| f64::from(u8::from(m))).view())?);
/// # Ok::<(), pde_refine::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct System {
    pub(crate) level: Level,
    mask: Array2<bool>,
    /// Face coefficients towards the pixel on the right and the one below, for faces that touch the mask.
    right: Array2<f32>,
    below: Array2<f32>,
    unknowns: usize,
    /// The screening, if every diffusivity in use is 1; some multigrid is faster then.
    unit: Option<Array2<f32>>,
}

/// Harmonic mean of two face-adjacent diffusivities.
#[inline(always)]
fn harmonic(a: f32, b: f32) -> f32 {
    2.0 * a * b / (a + b)
}

impl System {
    /// Assembles the operator.
    ///
    /// `mask` (H, W) is the region, `diffusivity` (H, W) is `D > 0` at every pixel in or beside the mask, `lambda`
    /// (H, W) is the screening `>= 0`, in 1 / pixel^2, at every pixel in the mask.
    ///
    /// # Errors
    /// [`Error::Shape`] if the arrays differ in shape, [`Error::NonFinite`] if `D` is not finite and positive or
    /// `lambda` is not finite and non-negative where it is used, [`Error::NoBoundary`] if the mask is all `true` and
    /// `lambda` is 0 everywhere.
    pub fn new(
        mask: ArrayView2<'_, bool>,
        diffusivity: ArrayView2<'_, f32>,
        lambda: ArrayView2<'_, f32>,
    ) -> Result<Self, Error> {
        check_shape("diffusivity", mask.shape(), diffusivity.shape())?;
        check_shape("lambda", mask.shape(), lambda.shape())?;
        let (h, w) = mask.dim();
        let level = Level::zeros(h, w, false);
        let (mut right, mut below) = (Array2::zeros((h, w)), Array2::zeros((h, w)));
        let mut unknowns = 0;
        let mut bounded = false;
        let unit = Cell::new(true);
        let d = |y: usize, x: usize| {
            let v = diffusivity[(y, x)];
            if v.is_finite() && v > 0.0 {
                unit.set(unit.get() && v == 1.0);
                Ok(v)
            } else {
                Err(Error::NonFinite { what: "diffusivity (must be positive)", row: y, column: x })
            }
        };
        for ((y, x), _) in mask.indexed_iter().filter(|(_, m)| **m) {
            unknowns += 1;
            let screening = lambda[(y, x)];
            if !(screening.is_finite() && screening >= 0.0) {
                return Err(Error::NonFinite { what: "lambda (must not be negative)", row: y, column: x });
            }
            bounded |= screening > 0.0;
            let here = d(y, x)?;
            if y > 0 {
                below[(y - 1, x)] = harmonic(here, d(y - 1, x)?);
            }
            if x > 0 {
                right[(y, x - 1)] = harmonic(here, d(y, x - 1)?);
            }
            if y + 1 < h {
                below[(y, x)] = harmonic(here, d(y + 1, x)?);
            }
            if x + 1 < w {
                right[(y, x)] = harmonic(here, d(y, x + 1)?);
            }
        }
        let unit = unit.get().then(|| lambda.to_owned());
        let mut system = System { level, mask: mask.to_owned(), right, below, unknowns, unit };
        let mut level = std::mem::replace(&mut system.level, Level::zeros(0, 0, false));
        for ((y, x), _) in mask.indexed_iter().filter(|(_, m)| **m) {
            let i = level.at(y, x);
            let (mut sum, mut excess) = (lambda[(y, x)], lambda[(y, x)]);
            system.for_faces(y, x, |ny, nx, k| {
                sum += k;
                if !mask[(ny, nx)] {
                    excess += k;
                    bounded = true;
                } else if ny > y {
                    level.south[i] = k;
                } else if nx > x {
                    level.east[i] = k;
                }
            });
            level.diag[i] = sum;
            level.excess[i] = excess;
        }
        if unknowns > 0 && !bounded {
            return Err(Error::NoBoundary);
        }
        level.invert_diagonal();
        level.frame_right = w > 0 && mask.column(w - 1).iter().any(|&m| m);
        level.frame_bottom = h > 0 && mask.row(h - 1).iter().any(|&m| m);
        system.level = level;
        Ok(system)
    }

    /// Number of unknowns, the `true` pixels of the mask.
    pub fn unknowns(&self) -> usize {
        self.unknowns
    }

    /// Height and width of the arrays the system works on.
    pub fn dim(&self) -> (usize, usize) {
        self.mask.dim()
    }

    /// The region.
    pub fn mask(&self) -> ArrayView2<'_, bool> {
        self.mask.view()
    }

    /// The screening, if every diffusivity in use is 1.
    pub(crate) fn unit(&self) -> Option<ArrayView2<'_, f32>> {
        self.unit.as_ref().map(|lambda| lambda.view())
    }

    /// Right-hand side `source + (Dirichlet terms)`: adds `D_face * boundary(j)` for every face towards a pixel `j`
    /// outside the mask. Zero outside the mask.
    ///
    /// # Errors
    /// [`Error::Shape`] if an array differs in shape from the mask.
    pub fn rhs(&self, boundary: ArrayView2<'_, f32>, source: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        check_shape("boundary", self.mask.shape(), boundary.shape())?;
        check_shape("source", self.mask.shape(), source.shape())?;
        let mut b = Array2::zeros(self.mask.dim());
        for ((y, x), _) in self.mask.indexed_iter().filter(|(_, m)| **m) {
            let mut sum = source[(y, x)];
            self.for_faces(y, x, |ny, nx, k| {
                if !self.mask[(ny, nx)] {
                    sum += f64::from(k) * f64::from(boundary[(ny, nx)]);
                }
            });
            b[(y, x)] = sum;
        }
        Ok(b)
    }

    /// `-div(D v)` for a field `v` given on the faces: `flux(y, x, ny, nx)` is `v` along the direction from pixel
    /// `(y, x)` to its neighbour `(ny, nx)`, that is, the value the difference `u(ny, nx) - u(y, x)` should take.
    /// Zero outside the mask.
    pub fn minus_divergence(&self, flux: impl Fn(usize, usize, usize, usize) -> f64) -> Array2<f64> {
        let mut b = Array2::zeros(self.mask.dim());
        for ((y, x), _) in self.mask.indexed_iter().filter(|(_, m)| **m) {
            let mut sum = 0.0;
            self.for_faces(y, x, |ny, nx, k| sum -= f64::from(k) * flux(y, x, ny, nx));
            b[(y, x)] = sum;
        }
        b
    }

    /// `A u`, reading `u` in the mask only (Dirichlet values belong to the right-hand side). Zero outside the mask.
    ///
    /// # Errors
    /// [`Error::Shape`] if `u` differs in shape from the mask.
    pub fn apply(&self, u: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        check_shape("u", self.mask.shape(), u.shape())?;
        let x = self.pad(u);
        let zero = vec![0.0; x.len()];
        let mut out = vec![0.0; x.len()];
        self.level.apply_f64(&x, &zero, &mut out);
        Ok(self.unpad(&out))
    }

    /// The quadratic `1/2 u.A u - b.u` over the mask, which the solution minimises. It differs from the energy
    /// `1/2 Int D |grad u - v|^2 + 1/2 Int lambda (u - c)^2` by a constant.
    ///
    /// # Errors
    /// [`Error::Shape`] if an array differs in shape from the mask.
    pub fn energy(&self, u: ArrayView2<'_, f64>, rhs: ArrayView2<'_, f64>) -> Result<f64, Error> {
        check_shape("rhs", self.mask.shape(), rhs.shape())?;
        let au = self.apply(u)?;
        let inside = self.mask.indexed_iter().filter(|(_, m)| **m);
        Ok(inside.map(|(i, _)| u[i] * (0.5 * au[i] - rhs[i])).sum())
    }

    /// Calls `f(ny, nx, D_face)` for every neighbour of a pixel that lies in the frame.
    #[inline(always)]
    fn for_faces(&self, y: usize, x: usize, mut f: impl FnMut(usize, usize, f32)) {
        let (h, w) = self.mask.dim();
        if y > 0 {
            f(y - 1, x, self.below[(y - 1, x)]);
        }
        if x > 0 {
            f(y, x - 1, self.right[(y, x - 1)]);
        }
        if x + 1 < w {
            f(y, x + 1, self.right[(y, x)]);
        }
        if y + 1 < h {
            f(y + 1, x, self.below[(y, x)]);
        }
    }

    /// Copies into the padded layout, zero outside the mask.
    pub(crate) fn pad(&self, a: ArrayView2<'_, f64>) -> Vec<f64> {
        let mut out = vec![0.0; self.level.len()];
        for (y, (row, mask)) in a.outer_iter().zip(self.mask.outer_iter()).enumerate() {
            let i = self.level.at(y, 0);
            for ((o, &v), &m) in out[i..].iter_mut().zip(row).zip(mask) {
                *o = if m { v } else { 0.0 };
            }
        }
        out
    }

    /// Copies out of the padded layout.
    pub(crate) fn unpad(&self, a: &[f64]) -> Array2<f64> {
        Array2::from_shape_fn(self.mask.dim(), |(y, x)| a[self.level.at(y, x)])
    }
}
