//! Ways to multiply a vector by the inverse of a Hessian that is known only by its products.

use super::positive;
use crate::Error;
use nalgebra::{DMatrix, DVector};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// `H v` for a symmetric matrix `H`.
pub type Product<'a> = dyn FnMut(&[f64]) -> Result<Vec<f64>, Error> + 'a;

/// An approximate solution of `H q = g`, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// `q`.
    pub q: Vec<f64>,
    /// Products with `H` that were asked for, without the one for `residual`.
    pub products: usize,
    /// `|H q - g| / |g|`, 0 if `g` is 0.
    pub residual: f64,
}

/// Solves `H q = g`. Stateless and object-safe.
pub trait InverseHessian: std::fmt::Debug + Send + Sync {
    /// Stable name.
    fn name(&self) -> &'static str;

    /// An approximation of `H^-1 g` without its residual; see [`Self::solve`].
    ///
    /// # Errors
    /// [`Error::Parameter`] for parameters out of range, [`Error::Unsolved`] if the method diverges, and what `product` raises.
    fn approximate(&self, product: &mut Product<'_>, g: &[f64]) -> Result<(Vec<f64>, usize), Error>;

    /// An approximation of `H^-1 g`, with its true residual.
    ///
    /// # Errors
    /// As [`Self::approximate`].
    fn solve(&self, product: &mut Product<'_>, g: &[f64]) -> Result<Solution, Error> {
        let norm = dot(g, g).sqrt();
        if !norm.is_finite() {
            return Err(Error::Unsolved {
                method: self.name(),
                iteration: 0,
                hint: "the upper gradient is not finite",
            });
        }
        if norm == 0.0 {
            return Ok(Solution { q: vec![0.0; g.len()], products: 0, residual: 0.0 });
        }
        let (q, products) = self.approximate(product, g)?;
        let image = product(&q)?;
        let squares: f64 = image.iter().zip(g).map(|(a, b)| (a - b).powi(2)).sum();
        Ok(Solution { q, products, residual: squares.sqrt() / norm })
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// `q = step g`: the Hessian taken for the identity, as after one step of the lower level from its optimum.
///
/// J. Luketina et al., "Scalable Gradient-Based Tuning of Continuous Regularization Hyperparameters" (T1-T2), ICML 2016.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct T1T2 {
    /// Length of the lower level's step.
    pub step: f64,
}

impl InverseHessian for T1T2 {
    fn name(&self) -> &'static str {
        "t1-t2"
    }

    fn approximate(&self, _: &mut Product<'_>, g: &[f64]) -> Result<(Vec<f64>, usize), Error> {
        positive("step", self.step)?;
        Ok((g.iter().map(|v| self.step * v).collect(), 0))
    }
}

/// The first terms of `H^-1 = alpha sum_k (I - alpha H)^k`, which needs `alpha < 2 / (largest eigenvalue)`. The error that is left is
/// `(I - alpha H)^terms H^-1 g`.
///
/// J. Lorraine, P. Vicol, D. Duvenaud, "Optimizing Millions of Hyperparameters by Implicit Differentiation", AISTATS 2020.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neumann {
    /// Terms of the series, at least 1.
    pub terms: usize,
    /// Factor of the series; best near 1 / (largest eigenvalue).
    pub alpha: f64,
}

impl InverseHessian for Neumann {
    fn name(&self) -> &'static str {
        "neumann"
    }

    /// # Errors
    /// [`Error::Unsolved`] as soon as a term is longer than the one before: for a symmetric `H` that cannot happen below
    /// `2 / (largest eigenvalue)`.
    fn approximate(&self, product: &mut Product<'_>, g: &[f64]) -> Result<(Vec<f64>, usize), Error> {
        positive("alpha", self.alpha)?;
        positive("terms", self.terms as f64)?;
        let (mut term, mut sum) = (g.to_vec(), g.to_vec());
        for k in 1..self.terms {
            let image = product(&term)?;
            let before = dot(&term, &term);
            term.iter_mut().zip(&image).for_each(|(t, h)| *t -= self.alpha * h);
            let after = dot(&term, &term);
            // a term at rounding level may wobble
            if !(after <= before * (1.0 + 1e-6) || after <= 1e-24 * dot(g, g)) {
                let hint = "lower alpha below 2 / (largest eigenvalue); the Hessian must have no negative one";
                return Err(Error::Unsolved { method: self.name(), iteration: k, hint });
            }
            sum.iter_mut().zip(&term).for_each(|(s, t)| *s += t);
        }
        sum.iter_mut().for_each(|s| *s *= self.alpha);
        Ok((sum, self.terms - 1))
    }
}

/// Conjugate gradients until the residual is `tolerance` times `|g|` or `iterations` are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConjugateGradient {
    /// Most iterations (default 32).
    pub iterations: usize,
    /// Relative residual to stop at (default 1e-6).
    pub tolerance: f64,
}

impl Default for ConjugateGradient {
    fn default() -> Self {
        Self { iterations: 32, tolerance: 1e-6 }
    }
}

impl InverseHessian for ConjugateGradient {
    fn name(&self) -> &'static str {
        "conjugate-gradient"
    }

    /// # Errors
    /// [`Error::Unsolved`] on a direction of no or negative curvature: the lower problem is then not at a strict minimum.
    fn approximate(&self, product: &mut Product<'_>, g: &[f64]) -> Result<(Vec<f64>, usize), Error> {
        positive("iterations", self.iterations as f64)?;
        positive("tolerance", self.tolerance)?;
        let (mut q, mut r, mut p) = (vec![0.0; g.len()], g.to_vec(), g.to_vec());
        let (first, mut squares) = (dot(g, g), dot(g, g));
        for k in 0..self.iterations {
            if squares <= self.tolerance * self.tolerance * first {
                return Ok((q, k));
            }
            let image = product(&p)?;
            let curvature = dot(&p, &image);
            if curvature <= 0.0 || !curvature.is_finite() {
                let hint = "no positive curvature: train the lower level further, or add weight decay";
                return Err(Error::Unsolved { method: self.name(), iteration: k, hint });
            }
            let length = squares / curvature;
            q.iter_mut().zip(&p).for_each(|(q, p)| *q += length * p);
            r.iter_mut().zip(&image).for_each(|(r, h)| *r -= length * h);
            let next = dot(&r, &r);
            let turn = next / squares;
            p.iter_mut().zip(&r).for_each(|(p, r)| *p = r + turn * *p);
            squares = next;
        }
        Ok((q, self.iterations))
    }
}

/// `(C K^-1 C^T + damping I)^-1 g` with `C` some columns of `H`, drawn by `seed`, and `K` their own rows: cheap where few directions are
/// curved.
///
/// R. Hataya, M. Yamada, "Nystrom Method for Accurate and Scalable Implicit Differentiation", AISTATS 2023.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nystrom {
    /// Columns, at least 1; as many as parameters make it `(H + damping I)^-1`.
    pub rank: usize,
    /// What is added to the diagonal, > 0.
    pub damping: f64,
    /// Seed of the choice of columns.
    pub seed: u64,
}

impl InverseHessian for Nystrom {
    fn name(&self) -> &'static str {
        "nystrom"
    }

    fn approximate(&self, product: &mut Product<'_>, g: &[f64]) -> Result<(Vec<f64>, usize), Error> {
        positive("damping", self.damping)?;
        positive("rank", self.rank as f64)?;
        let (n, rank) = (g.len(), self.rank.min(g.len()));
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let chosen = rand::seq::index::sample(&mut rng, n, rank).into_vec();
        let columns = columns(product, n, &chosen)?;
        let own = DMatrix::from_fn(rank, rank, |i, j| columns[(chosen[i], j)]);
        // Woodbury: (C K^-1 C^T + d I)^-1 = (I - C (d K + C^T C)^-1 C^T) / d
        let inner = self.damping * own + columns.transpose() * &columns;
        let g = DVector::from_column_slice(g);
        let hint = "the columns drawn are dependent: lower the rank";
        let unsolved = Error::Unsolved { method: self.name(), iteration: rank, hint };
        let inside = inner.lu().solve(&(columns.transpose() * &g)).ok_or(unsolved)?;
        let q = (g - columns * inside) / self.damping;
        Ok((q.as_slice().to_vec(), rank))
    }
}

/// The dense Hessian, one product a parameter, and its Cholesky factors: the reference, for up to some thousand parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exact;

impl InverseHessian for Exact {
    fn name(&self) -> &'static str {
        "exact"
    }

    /// # Errors
    /// [`Error::Unsolved`] if `H` is not positive definite.
    fn approximate(&self, product: &mut Product<'_>, g: &[f64]) -> Result<(Vec<f64>, usize), Error> {
        let n = g.len();
        let hessian = columns(product, n, &(0..n).collect::<Vec<_>>())?;
        // differences leave an asymmetry of their rounding
        let hessian = 0.5 * (&hessian + hessian.transpose());
        let hint = "the Hessian is not positive definite: train the lower level further, or add weight decay";
        let unsolved = Error::Unsolved { method: self.name(), iteration: n, hint };
        let q = hessian.cholesky().ok_or(unsolved)?.solve(&DVector::from_column_slice(g));
        Ok((q.as_slice().to_vec(), n))
    }
}

/// Some columns of `H`.
fn columns(product: &mut Product<'_>, n: usize, chosen: &[usize]) -> Result<DMatrix<f64>, Error> {
    let mut out = DMatrix::zeros(n, chosen.len());
    for (k, &i) in chosen.iter().enumerate() {
        let mut unit = vec![0.0; n];
        unit[i] = 1.0;
        let image = product(&unit)?;
        if image.len() != n {
            return Err(Error::Length { what: "gradient", found: image.len(), expected: n });
        }
        out.column_mut(k).copy_from_slice(&image);
    }
    Ok(out)
}
