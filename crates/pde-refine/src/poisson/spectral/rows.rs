//! Transforms of rows into the eigenvectors of the second difference, two rows at a time as one complex FFT.
//!
//! Everything is in f64: a pair of rows lies in a near cache, and the sine transform of half the usual length loses a
//! factor of up to `n / 6` in precision at the row's ends.

use super::rectangle::{Scalar, Side};
use crate::simd::widely;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::f64::consts::PI;
use std::sync::Arc;

/// Kind of transform, set by the boundary conditions at the two ends of a row of `w` pixels; `n` is the length of the
/// FFT.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Dirichlet at both ends: `sin(pi m j / n)`, `j = x + 1`, `n = w + 1`. Modes of even `m` come first, then odd
    /// ones.
    Sine,
    /// Zero flux at both ends: `cos(pi m (x + 1/2) / n)`, `n = w`.
    Cosine,
    /// Dirichlet at one end, zero flux at the other: `(-1)^j sin(2 pi k j / n)`, `j = x + 1` counted from the Dirichlet
    /// end, `n = 2 w + 1`. These are the odd modes of the row continued by its mirror image.
    Mixed {
        /// The Dirichlet end is the right one.
        flipped: bool,
    },
}

/// Transform of rows of one width.
pub(super) struct Rows {
    kind: Kind,
    fft: Arc<dyn Fft<f64>>,
    /// Sine: `1 / (4 sin(pi j / n))`. Cosine: `cos(pi k / 2n)`, then `sin(pi k / 2n)`. Mixed: `(-1)^j`.
    table: Vec<f64>,
    /// Eigenvalues of the second difference, in the order of the modes.
    eigenvalues: Vec<f64>,
}

/// Buffers of the transform.
#[derive(Debug, Clone)]
pub(super) struct RowScratch {
    /// The row pair; one longer than the FFT, so that `z[n - k]` exists for every `k`.
    z: Vec<Complex<f64>>,
    fft: Vec<Complex<f64>>,
}

/// Half the difference of two mirror samples plus `t` times their sum.
#[inline(always)]
fn fold(v: f64, mirror: f64, t: f64) -> f64 {
    0.5 * (v - mirror) + t * (v + mirror)
}

impl Rows {
    pub(super) fn new(width: usize, left: Side, right: Side) -> Self {
        let (kind, n) = match (left, right) {
            (Side::Dirichlet, Side::Dirichlet) => (Kind::Sine, width + 1),
            (Side::Neumann, Side::Neumann) => (Kind::Cosine, width),
            (Side::Dirichlet, Side::Neumann) => (Kind::Mixed { flipped: false }, 2 * width + 1),
            (Side::Neumann, Side::Dirichlet) => (Kind::Mixed { flipped: true }, 2 * width + 1),
        };
        // k / of half turns
        let angle = |k: usize, of: usize| PI * k as f64 / of as f64;
        let table = match kind {
            Kind::Sine => (0..n).map(|j| if j == 0 { 0.0 } else { 0.25 / angle(j.min(n - j), n).sin() }).collect(),
            Kind::Cosine => {
                let cosines = (0..n).map(|k| angle(k, 2 * n).cos());
                cosines.chain((0..n).map(|k| angle(k, 2 * n).sin())).collect()
            }
            Kind::Mixed { .. } => (1..=width).map(|j| if j % 2 == 0 { 1.0 } else { -1.0 }).collect(),
        };
        let even = (n - 1) / 2;
        let half_angle = |i: usize| match kind {
            Kind::Sine if i < even => angle(i + 1, n),
            Kind::Sine => angle(2 * (i - even) + 1, 2 * n),
            Kind::Cosine => angle(i, 2 * n),
            Kind::Mixed { .. } => angle(n - 2 * (i + 1), 2 * n),
        };
        let eigenvalues = (0..width).map(|i| 4.0 * half_angle(i).sin().powi(2)).collect();
        Rows { kind, fft: FftPlanner::new().plan_fft_forward(n), table, eigenvalues }
    }

    pub(super) fn scratch(&self) -> RowScratch {
        let zero = Complex::new(0.0, 0.0);
        RowScratch { z: vec![zero; self.fft.len() + 1], fft: vec![zero; self.fft.get_inplace_scratch_len()] }
    }

    /// The eigenvalues of minus the second difference, in the order of the modes.
    pub(super) fn eigenvalues(&self) -> &[f64] {
        &self.eigenvalues
    }

    fn transform(&self, s: &mut RowScratch) {
        let n = self.fft.len();
        self.fft.process_with_scratch(&mut s.z[..n], &mut s.fft);
        s.z[n] = s.z[0];
    }

    /// The modes of the rows `a` and `b`.
    pub(super) fn forward<T: Scalar>(&self, a: &[T], b: &[T], modes: [&mut [f64]; 2], s: &mut RowScratch) {
        widely(
            #[inline(always)]
            || self.pack(a, b, &mut s.z),
        );
        self.transform(s);
        let [ma, mb] = modes;
        widely(
            #[inline(always)]
            || self.separate(&s.z, ma, mb),
        );
    }

    /// The rows that have these modes; the inverse of [`Rows::forward`].
    pub(super) fn inverse<T: Scalar>(&self, modes: [&[f64]; 2], a: &mut [T], b: &mut [T], s: &mut RowScratch) {
        let [ma, mb] = modes;
        widely(
            #[inline(always)]
            || self.join(ma, mb, &mut s.z),
        );
        self.transform(s);
        widely(
            #[inline(always)]
            || self.unpack(&s.z, a, b),
        );
    }

    #[inline(always)]
    fn pack<T: Scalar>(&self, a: &[T], b: &[T], z: &mut [Complex<f64>]) {
        let (n, w) = (self.fft.len(), a.len());
        match self.kind {
            Kind::Sine => {
                z[0] = Complex::new(0.0, 0.0);
                let (z, t) = (&mut z[1..n], &self.table[1..n]);
                let (a, b) = (&a[..z.len()], &b[..z.len()]);
                for j in 0..z.len() {
                    let k = z.len() - 1 - j;
                    let re = fold(a[j].to_f64(), a[k].to_f64(), t[j]);
                    z[j] = Complex::new(re, fold(b[j].to_f64(), b[k].to_f64(), t[j]));
                }
            }
            Kind::Cosine => {
                // the even pixels forwards, then the odd ones backwards (Makhoul 1980)
                let (first, last) = z[..n].split_at_mut(n.div_ceil(2));
                for (x, z) in first.iter_mut().enumerate() {
                    *z = Complex::new(a[2 * x].to_f64(), b[2 * x].to_f64());
                }
                for (x, z) in last.iter_mut().rev().enumerate() {
                    *z = Complex::new(a[2 * x + 1].to_f64(), b[2 * x + 1].to_f64());
                }
            }
            Kind::Mixed { flipped } => {
                z[0] = Complex::new(0.0, 0.0);
                for (j, &sign) in self.table.iter().enumerate() {
                    let x = if flipped { w - 1 - j } else { j };
                    let v = Complex::new(sign * a[x].to_f64(), sign * b[x].to_f64());
                    (z[j + 1], z[n - 1 - j]) = (v, -v);
                }
            }
        }
    }

    /// Takes the transform of two packed rows apart.
    #[inline(always)]
    fn separate(&self, z: &[Complex<f64>], a: &mut [f64], b: &mut [f64]) {
        let n = self.fft.len();
        match self.kind {
            Kind::Sine => {
                // Y, the transform of one row: mode 2k is -Im Y_k, mode 2k + 1 is Re Y_k - Re Y_(k+1)
                let even = (n - 1) / 2;
                let (even_a, odd_a) = a.split_at_mut(even);
                let (even_b, odd_b) = b.split_at_mut(even);
                for (i, (a, b)) in even_a.iter_mut().zip(even_b).enumerate() {
                    let (p, q) = (z[i + 1], z[n - 1 - i]);
                    (*a, *b) = (0.5 * (q.im - p.im), 0.5 * (p.re - q.re));
                }
                for (k, (a, b)) in odd_a.iter_mut().zip(odd_b).enumerate() {
                    let difference = (z[k] + z[n - k]) - (z[k + 1] + z[n - 1 - k]);
                    (*a, *b) = (0.5 * difference.re, 0.5 * difference.im);
                }
            }
            Kind::Cosine => {
                let (cos, sin) = self.table.split_at(n);
                for (k, (a, b)) in a.iter_mut().zip(b).enumerate() {
                    let (p, q) = (z[k], z[n - k]);
                    let (c, s) = (0.5 * cos[k], 0.5 * sin[k]);
                    *a = c * (p.re + q.re) + s * (p.im - q.im);
                    *b = c * (p.im + q.im) + s * (q.re - p.re);
                }
            }
            Kind::Mixed { .. } => {
                for ((z, a), b) in z[1..].iter().zip(a).zip(b) {
                    (*a, *b) = (-z.im, z.re);
                }
            }
        }
    }

    /// Packs the modes of two rows for the way back.
    #[inline(always)]
    fn join(&self, a: &[f64], b: &[f64], z: &mut [Complex<f64>]) {
        let n = self.fft.len();
        let scale = 1.0 / n as f64;
        match self.kind {
            Kind::Sine => {
                let even = (n - 1) / 2;
                let ((even_a, odd_a), (even_b, odd_b)) = (a.split_at(even), b.split_at(even));
                let last = odd_a.len() - 1;
                // the pair of entries k and n - k for a step `g` of the odd modes and the even mode `e`, of both rows
                let pair = |g: (f64, f64), e: (f64, f64)| {
                    (
                        Complex::new(scale * (g.0 - e.1), scale * (g.1 + e.0)),
                        Complex::new(scale * (g.0 + e.1), scale * (g.1 - e.0)),
                    )
                };
                z[0] = Complex::new(2.0 * scale * odd_a[0], 2.0 * scale * odd_b[0]);
                for k in 1..=last {
                    let g = (odd_a[k] - odd_a[k - 1], odd_b[k] - odd_b[k - 1]);
                    (z[k], z[n - k]) = pair(g, (even_a[k - 1], even_b[k - 1]));
                }
                let (g, k) = ((-odd_a[last], -odd_b[last]), last + 1);
                if 2 * k == n {
                    z[k] = Complex::new(2.0 * scale * g.0, 2.0 * scale * g.1);
                } else {
                    (z[k], z[n - k]) = pair(g, (even_a[k - 1], even_b[k - 1]));
                }
            }
            Kind::Cosine => {
                // real and imaginary parts swapped: the forward FFT is then the inverse one
                let (cos, sin) = self.table.split_at(n);
                z[0] = Complex::new(scale * b[0], scale * a[0]);
                for k in 1..n {
                    let (c, s) = (scale * cos[k], scale * sin[k]);
                    let (va, vb) = (c * a[k] + s * a[n - k], c * b[k] + s * b[n - k]);
                    let (ia, ib) = (s * a[k] - c * a[n - k], s * b[k] - c * b[n - k]);
                    z[k] = Complex::new(ia + vb, va - ib);
                }
            }
            Kind::Mixed { .. } => {
                z[0] = Complex::new(0.0, 0.0);
                for (k, (a, b)) in a.iter().zip(b).enumerate() {
                    let v = Complex::new(scale * a, scale * b);
                    (z[k + 1], z[n - 1 - k]) = (v, -v);
                }
            }
        }
    }

    #[inline(always)]
    fn unpack<T: Scalar>(&self, z: &[Complex<f64>], a: &mut [T], b: &mut [T]) {
        let (n, w) = (self.fft.len(), a.len());
        match self.kind {
            Kind::Sine => {
                let (z, t) = (&z[1..n], &self.table[1..n]);
                let (a, b) = (&mut a[..z.len()], &mut b[..z.len()]);
                for j in 0..z.len() {
                    let mirror = z[z.len() - 1 - j];
                    a[j] = T::from_f64(fold(z[j].re, mirror.re, t[j]));
                    b[j] = T::from_f64(fold(z[j].im, mirror.im, t[j]));
                }
            }
            Kind::Cosine => {
                let (first, last) = z[..n].split_at(n.div_ceil(2));
                for (x, z) in first.iter().enumerate() {
                    (a[2 * x], b[2 * x]) = (T::from_f64(z.im), T::from_f64(z.re));
                }
                for (x, z) in last.iter().rev().enumerate() {
                    (a[2 * x + 1], b[2 * x + 1]) = (T::from_f64(z.im), T::from_f64(z.re));
                }
            }
            Kind::Mixed { flipped } => {
                for (j, (&sign, z)) in self.table.iter().zip(&z[1..]).enumerate() {
                    let x = if flipped { w - 1 - j } else { j };
                    (a[x], b[x]) = (T::from_f64(-sign * z.im), T::from_f64(sign * z.re));
                }
            }
        }
    }
}
