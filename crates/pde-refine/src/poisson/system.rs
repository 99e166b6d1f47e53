//! Discrete screened Poisson operator on an arbitrary region.

use super::links::Links;
use super::multigrid::level::Level;
use crate::error::{Error, check_shape};
use imgkit::Size;
use ndarray::{Array2, ArrayView2};
use std::cmp::Ordering;

/// Finite-volume operator `A u = -div(D grad u) + lambda u` on the `true` pixels of a mask.
///
/// Grid spacing is one pixel. Two neighbors are coupled by the harmonic mean of what each conducts: five points for a
/// scalar `D` ([`System::new`]), nine for a tensor ([`System::with_tensor`]). A coupling between a mask pixel and a
/// pixel outside it imposes the Dirichlet value at that pixel's center; the edge of the array is a
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
    links: Links,
    unknowns: usize,
    /// First pixel at which a diffusivity other than 1 is used.
    varied: Option<(usize, usize)>,
    lambda: Array2<f32>,
}

impl System {
    /// Assembles the operator of a scalar diffusivity.
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
        let (links, varied) = Links::scalar(mask, diffusivity)?;
        Self::assemble(mask, links, varied, lambda)
    }

    /// Assembles the operator of a diffusion tensor `D = [[xx, xy], [xy, yy]]`, x to the right and y down.
    ///
    /// `tensor` is `[xx, xy, yy]`, each (H, W), at every pixel in or beside the mask (diagonals count as beside);
    /// `mask` and `lambda` are as in [`System::new`]. With `xy = 0` and `xx = yy` the operator equals that of
    /// [`System::new`] bit for bit.
    ///
    /// The stencil is Weickert's non-negative one (1998, sec. 3.4.2), with harmonic means where two pixels differ in
    /// size. It is an M-matrix, so it keeps the maximum principle, as long as `|xy|` is less than `xx` and `yy`; that
    /// holds in every direction if the ratio of the eigenvalues is less than `3 + 2 sqrt 2 = 5.83`. At the edge of the
    /// array the couplings that would leave it are dropped, which is of first order there if `xy` is not 0.
    ///
    /// # Errors
    /// As [`System::new`]; [`Error::NonFinite`] also if `|xy|` is not less than `xx` and `yy`.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use pde_refine::poisson::System;
    ///
    /// let mask = Array2::from_shape_fn((5, 5), |(y, x)| (1..4).contains(&y) && (1..4).contains(&x));
    /// let constant = |v: f32| Array2::from_elem((5, 5), v);
    /// let (xx, xy, yy) = (constant(0.9), constant(0.3), constant(0.5));
    /// let system = System::with_tensor(mask.view(), [xx.view(), xy.view(), yy.view()], constant(0.0).view())?;
    /// // -div(D grad u) of u = x y is -2 xy
    /// let product = Array2::from_shape_fn((5, 5), |(y, x)| (x * y) as f64);
    /// assert!((system.apply(product.view())?[(2, 2)] + 2.0 * 0.3).abs() < 1e-6);
    /// # Ok::<(), pde_refine::Error>(())
    /// ```
    pub fn with_tensor(
        mask: ArrayView2<'_, bool>,
        tensor: [ArrayView2<'_, f32>; 3],
        lambda: ArrayView2<'_, f32>,
    ) -> Result<Self, Error> {
        let (links, varied) = Links::tensor(mask, tensor)?;
        Self::assemble(mask, links, varied, lambda)
    }

    fn assemble(
        mask: ArrayView2<'_, bool>,
        links: Links,
        varied: Option<(usize, usize)>,
        lambda: ArrayView2<'_, f32>,
    ) -> Result<Self, Error> {
        check_shape("lambda", mask.shape(), lambda.shape())?;
        let (h, w) = mask.dim();
        let mut level = Level::zeros(h, w, links.nine_point());
        level.excess = vec![0.0; level.len()];
        let (mut unknowns, mut bounded) = (0, false);
        for ((y, x), _) in mask.indexed_iter().filter(|(_, m)| **m) {
            unknowns += 1;
            let screening = lambda[(y, x)];
            if !(screening.is_finite() && screening >= 0.0) {
                return Err(Error::NonFinite { what: "lambda (must not be negative)", row: y, column: x });
            }
            bounded |= screening > 0.0;
            let i = level.at(y, x);
            let (mut sum, mut excess) = (screening, screening);
            links.of(y, x, |ny, nx, k| {
                sum += k;
                if !mask[(ny, nx)] {
                    excess += k;
                    bounded |= k > 0.0;
                } else if ny > y {
                    match nx.cmp(&x) {
                        Ordering::Less => level.south_west[i] = k,
                        Ordering::Equal => level.south[i] = k,
                        Ordering::Greater => level.south_east[i] = k,
                    }
                } else if ny == y && nx > x {
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
        Ok(System { level, mask: mask.to_owned(), links, unknowns, varied, lambda: lambda.to_owned() })
    }

    /// Number of unknowns, the `true` pixels of the mask.
    #[must_use]
    pub fn unknowns(&self) -> usize {
        self.unknowns
    }

    /// Size of the arrays the system works on.
    #[must_use]
    pub fn size(&self) -> Size {
        self.mask.dim().into()
    }

    /// Region that is solved in.
    #[must_use]
    pub fn mask(&self) -> ArrayView2<'_, bool> {
        self.mask.view()
    }

    /// Screening `lambda` (H, W); its values outside the mask are not used.
    #[must_use]
    pub fn screening(&self) -> ArrayView2<'_, f32> {
        self.lambda.view()
    }

    /// First pixel in or beside the mask whose diffusivity is not 1; `None` if `D = 1` wherever it is used.
    #[must_use]
    pub fn first_varied_diffusivity(&self) -> Option<(usize, usize)> {
        self.varied
    }

    /// Whether this is the five-point operator of `D = 1`, for which there is a faster multigrid.
    pub(crate) fn is_unit_five_point(&self) -> bool {
        self.varied.is_none() && !self.links.nine_point()
    }

    /// Right-hand side: adds the Dirichlet terms `coupling * boundary(j)` to `source`, for every coupling to a pixel
    /// `j` outside the mask. Zero outside the mask.
    ///
    /// # Errors
    /// [`Error::Shape`] if an array differs in shape from the mask.
    pub fn rhs(&self, boundary: ArrayView2<'_, f32>, source: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        check_shape("boundary", self.mask.shape(), boundary.shape())?;
        check_shape("source", self.mask.shape(), source.shape())?;
        let mut b = Array2::zeros(self.mask.dim());
        for ((y, x), _) in self.mask.indexed_iter().filter(|(_, m)| **m) {
            let mut sum = source[(y, x)];
            self.links.of(y, x, |ny, nx, k| {
                if !self.mask[(ny, nx)] {
                    sum += f64::from(k) * f64::from(boundary[(ny, nx)]);
                }
            });
            b[(y, x)] = sum;
        }
        Ok(b)
    }

    /// Negative divergence `-div(D v)` of a field `v` given between neighbors: `flux(i, j)` is `v` from pixel `i` (row,
    /// column) to its neighbor `j` (for a tensor also a diagonal one), that is, the value the difference `u(j) - u(i)`
    /// should take. Zero outside the mask.
    #[must_use]
    pub fn minus_divergence(&self, flux: impl Fn((usize, usize), (usize, usize)) -> f64) -> Array2<f64> {
        let mut b = Array2::zeros(self.mask.dim());
        for ((y, x), _) in self.mask.indexed_iter().filter(|(_, m)| **m) {
            let mut sum = 0.0;
            self.links.of(y, x, |ny, nx, k| sum -= f64::from(k) * flux((y, x), (ny, nx)));
            b[(y, x)] = sum;
        }
        b
    }

    /// Applies the operator: `A u`, reading `u` in the mask only (Dirichlet values belong to the right-hand side). Zero
    /// outside the mask.
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

    /// Energy `1/2 u.A u - b.u` over the mask, which the solution minimizes. It differs from the energy
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
