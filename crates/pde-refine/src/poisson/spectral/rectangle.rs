//! Direct solver on a rectangle, for planes of pixels.

use super::columns::Columns;
use super::rows::{RowScratch, Rows};
use crate::error::{Error, check_shape};
use imgkit::{Size, ensure};
use ndarray::ArrayViewMut2;

/// Boundary condition at a side of a rectangle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Side {
    /// Given values at the pixels one beyond the side, which the caller adds to the right-hand side (the default).
    #[default]
    Dirichlet,
    /// Zero flux across the side, as at the edge of a photo.
    Neumann,
}

/// Boundary conditions of the four sides of a rectangle. The default is Dirichlet all around.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sides {
    /// Above row 0.
    pub top: Side,
    /// Below the last row.
    pub bottom: Side,
    /// Left of column 0.
    pub left: Side,
    /// Right of the last column.
    pub right: Side,
}

impl Sides {
    /// The same condition on all four sides.
    #[must_use]
    pub fn all(side: Side) -> Self {
        Sides { top: side, bottom: side, left: side, right: side }
    }
}

/// Longest side of a plane, in pixels; far beyond any image, and small enough that no size overflows.
const MAX_SIDE: usize = 1 << 16;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// Number type of a pixel: `f32` or `f64`.
pub trait Scalar: sealed::Sealed + Copy + Default + Send + Sync {
    /// Converts to `f64`.
    fn to_f64(self) -> f64;
    /// Converts from `f64`, rounding.
    fn from_f64(v: f64) -> Self;
}

impl Scalar for f32 {
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self.into()
    }

    #[inline(always)]
    fn from_f64(v: f64) -> Self {
        v as f32
    }
}

impl Scalar for f64 {
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn from_f64(v: f64) -> Self {
        v
    }
}

/// Direct solver of `-laplacian u + lambda u = b` on a rectangle of pixels: plan once, then
/// [`process`](Rectangle::process) any number of planes, from any number of threads.
///
/// The Laplacian is the five-point one at a grid spacing of one pixel; `lambda` is in 1 / pixel^2. Beyond a
/// [`Side::Dirichlet`] side the pixel's value is taken as 0: to impose another value `g`, add `g` to `b` at the pixel
/// beside it (at a corner, both). The rows are taken apart into sines (Dirichlet at both ends), cosines (zero flux at
/// both) or quarter-wave sines, two rows an FFT; a tridiagonal system is solved for each mode down the columns; the
/// rows are put together again. This is the method of Hockney (1965, J. ACM 12) with a transform along one axis. Memory
/// is traversed twice; work is `O(H W log W)`, the exact count depending on the factors of `W + 1`, `W` or
/// `2 W + 1`: large primes are slowest. The arithmetic is in f64 and the storage the caller's, so an `f32` plane holds
/// the solution to the rounding of `f32`.
///
/// ```
/// use pde_refine::poisson::{Rectangle, Side, Sides};
///
/// // u = 1 beyond the left and right sides, no flux through the others, and no source: u is 1 everywhere
/// let sides = Sides { top: Side::Neumann, bottom: Side::Neumann, ..Sides::default() };
/// let plan = Rectangle::new((20, 30), sides, 0.0)?;
/// let mut plane = vec![0.0f32; 20 * 30];
/// for row in plane.chunks_mut(30) {
///     (row[0], row[29]) = (1.0, 1.0);
/// }
/// plan.process(&mut plane, &mut plan.scratch())?;
/// assert!(plane.iter().all(|u| (u - 1.0).abs() < 1e-6));
/// # Ok::<(), pde_refine::Error>(())
/// ```
pub struct Rectangle {
    height: usize,
    width: usize,
    sides: Sides,
    lambda: f64,
    rows: Rows,
    columns: Columns,
}

/// Buffers of [`Rectangle::process`], a few rows long; each thread needs its own.
#[derive(Debug, Clone)]
pub struct RectangleScratch {
    rows: RowScratch,
    /// The modes of two rows.
    modes: [Vec<f64>; 2],
    carry: Vec<f64>,
}

impl std::fmt::Debug for Rectangle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut s = f.debug_struct("Rectangle");
        s.field("height", &self.height).field("width", &self.width);
        s.field("sides", &self.sides).field("lambda", &self.lambda).finish_non_exhaustive()
    }
}

impl Rectangle {
    /// Plans the solution on planes of a size.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a side is not 1 to 65 536 pixels long or `lambda` is negative or not finite,
    /// [`Error::NoBoundary`] if no side is Dirichlet and `lambda` is 0 or vanishes in rounding.
    pub fn new(size: impl Into<Size>, sides: Sides, lambda: f64) -> Result<Self, Error> {
        let Size { height, width } = size.into();
        let fits = |side: usize| (1..=MAX_SIDE).contains(&side);
        ensure(fits(height), "Rectangle", "height", height, "1 to 65536 pixels")?;
        ensure(fits(width), "Rectangle", "width", width, "1 to 65536 pixels")?;
        ensure(lambda >= 0.0 && lambda.is_finite(), "Rectangle", "lambda", lambda, "a finite number, at least 0")?;
        let rows = Rows::new(width, sides.left, sides.right);
        let shifts: Vec<f64> = rows.eigenvalues().iter().map(|mu| mu + lambda).collect();
        let columns = Columns::new(height, sides.top, sides.bottom, &shifts).ok_or(Error::NoBoundary)?;
        Ok(Rectangle { height, width, sides, lambda, rows, columns })
    }

    /// Size of the planes.
    #[must_use]
    pub fn size(&self) -> Size {
        Size { height: self.height, width: self.width }
    }

    /// Boundary conditions.
    #[must_use]
    pub fn sides(&self) -> Sides {
        self.sides
    }

    /// Screening `lambda`, in 1 / pixel^2.
    #[must_use]
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// Allocates buffers for [`process`](Rectangle::process).
    #[must_use]
    pub fn scratch(&self) -> RectangleScratch {
        let row = vec![0.0; self.columns.len()];
        RectangleScratch { rows: self.rows.scratch(), modes: [row.clone(), row.clone()], carry: row }
    }

    /// Solves in place: replaces `b` in `plane`, `height * width` pixels row by row, by the solution `u`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `plane` has another length or `scratch` was made for another width.
    pub fn process<T: Scalar>(&self, plane: &mut [T], scratch: &mut RectangleScratch) -> Result<(), Error> {
        check_shape("plane", &[self.height * self.width], &[plane.len()])?;
        check_shape("scratch", &[self.columns.len()], &[scratch.carry.len()])?;
        let RectangleScratch { rows, modes: [ma, mb], carry } = scratch;
        let w = self.width;
        let mut spare = vec![T::default(); w];
        carry.fill(0.0);
        for (pair, block) in plane.chunks_mut(2 * w).enumerate() {
            let (a, b) = block.split_at_mut(w);
            let second = !b.is_empty();
            let b = if second { b } else { &mut spare };
            self.rows.forward(a, b, [&mut ma[..w], &mut mb[..w]], rows);
            self.columns.eliminate(2 * pair, ma, carry);
            narrow(ma, a);
            if second {
                self.columns.eliminate(2 * pair + 1, mb, carry);
                narrow(mb, b);
            }
        }
        carry.fill(0.0);
        for (pair, block) in plane.chunks_mut(2 * w).enumerate().rev() {
            let (a, b) = block.split_at_mut(w);
            let second = !b.is_empty();
            let b = if second { b } else { &mut spare };
            if second {
                widen(b, mb);
                self.columns.substitute(2 * pair + 1, mb, carry);
            } else {
                mb.fill(0.0);
            }
            widen(a, ma);
            self.columns.substitute(2 * pair, ma, carry);
            self.rows.inverse([&ma[..w], &mb[..w]], a, b, rows);
        }
        Ok(())
    }

    /// Solves in place on an array (H, W) of any layout, with buffers of its own; see [`process`](Rectangle::process).
    ///
    /// # Errors
    /// [`Error::Shape`] if the array has another shape.
    pub fn solve<T: Scalar>(&self, mut plane: ArrayViewMut2<'_, T>) -> Result<(), Error> {
        check_shape("plane", &[self.height, self.width], plane.shape())?;
        let mut scratch = self.scratch();
        if let Some(plane) = plane.as_slice_mut() {
            return self.process(plane, &mut scratch);
        }
        let mut own: Vec<T> = plane.iter().copied().collect();
        self.process(&mut own, &mut scratch)?;
        plane.iter_mut().zip(own).for_each(|(o, v)| *o = v);
        Ok(())
    }
}

fn narrow<T: Scalar>(from: &[f64], to: &mut [T]) {
    to.iter_mut().zip(from).for_each(|(t, f)| *t = T::from_f64(*f));
}

fn widen<T: Scalar>(from: &[T], to: &mut [f64]) {
    to.iter_mut().zip(from).for_each(|(t, f)| *t = f.to_f64());
}
