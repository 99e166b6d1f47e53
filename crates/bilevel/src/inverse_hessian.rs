//! Products of a vector with the inverse of a Hessian that is known only by its own products.

use nalgebra::{DMatrix, DVector};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::error::Error;
use crate::vector::{at_least_one, dot, positive, same_length};

/// Matrix-vector product `v -> H v` of a symmetric matrix `H`.
pub type Product<'a> = dyn FnMut(&[f64]) -> Result<Vec<f64>, Error> + 'a;

/// Approximate solution of `H q = g`, as [`InverseHessian::approximate`] returns it.
#[derive(Debug, Clone, PartialEq)]
pub struct Approximation {
    /// `q`.
    pub q: Vec<f64>,
    /// Number of products with `H` that were evaluated.
    pub products: usize,
}

/// Approximate solution of `H q = g` with its cost and its true residual, as [`InverseHessian::solve`] returns it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Solution {
    /// `q`.
    pub q: Vec<f64>,
    /// Number of products with `H` that were evaluated, without the one for `residual`.
    pub products: usize,
    /// `|H q - g| / |g|`, 0 if `g` is 0.
    pub residual: f64,
}

/// A method that solves `H q = g` by products with `H`. Stateless and object-safe.
///
/// | method | products | suits |
/// |---|---|---|
/// | [`IdentityHessian`] | 0 | a lower level near its optimum after one step; cheapest, coarsest |
/// | [`Neumann`] | terms - 1 | a well-conditioned Hessian whose largest eigenvalue is known |
/// | [`ConjugateGradient`] | up to its iterations | a strict minimum; the usual choice |
/// | [`Nystrom`] | rank | a Hessian of few curved directions |
/// | [`DenseSolve`] | one per parameter | up to some thousand parameters; the reference |
pub trait InverseHessian: std::fmt::Debug + Send + Sync {
    /// Stable name, for tables.
    fn name(&self) -> &'static str;

    /// Approximates `H^-1 g` without computing the residual; see [`Self::solve`].
    ///
    /// # Errors
    /// [`Error::Unsolved`] if the method diverges, [`Error::Length`] if `product` changes the length, and what
    /// `product` raises.
    fn approximate(&self, product: &mut Product<'_>, g: &[f64]) -> Result<Approximation, Error>;

    /// Approximates `H^-1 g` and computes the true residual, with one more product.
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
        let Approximation { q, products } = self.approximate(product, g)?;
        let image = product(&q)?;
        same_length("product", image.len(), g.len())?;
        let squares: f64 = image.iter().zip(g).map(|(a, b)| (a - b).powi(2)).sum();
        Ok(Solution { q, products, residual: squares.sqrt() / norm })
    }
}

/// Approximates the Hessian by the identity, `q = step g`, which looks one step of the lower level ahead from its
/// optimum (T1-T2).
///
/// J. Luketina et al., "Scalable Gradient-Based Tuning of Continuous Regularization Hyperparameters" (T1-T2), ICML
/// 2016.
#[doc(alias = "T1-T2")]
#[doc(alias = "T1T2")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IdentityHessian {
    step: f64,
}

impl IdentityHessian {
    /// Creates the method for a lower level whose steps have this length.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the step is positive and finite.
    pub fn new(step: f64) -> Result<Self, Error> {
        positive("identity Hessian", "step", step)?;
        Ok(Self { step })
    }

    /// Length of the lower level's step.
    #[must_use]
    pub fn step(&self) -> f64 {
        self.step
    }
}

impl InverseHessian for IdentityHessian {
    fn name(&self) -> &'static str {
        "t1-t2"
    }

    fn approximate(&self, _: &mut Product<'_>, g: &[f64]) -> Result<Approximation, Error> {
        Ok(Approximation { q: g.iter().map(|v| self.step * v).collect(), products: 0 })
    }
}

/// Sums the first terms of the Neumann series `H^-1 = alpha sum_k (I - alpha H)^k`, which converges for
/// `alpha < 2 / (largest eigenvalue)`. The remaining error is `(I - alpha H)^terms H^-1 g`.
///
/// J. Lorraine, P. Vicol, D. Duvenaud, "Optimizing Millions of Hyperparameters by Implicit Differentiation", AISTATS
/// 2020.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neumann {
    terms: usize,
    alpha: f64,
}

impl Neumann {
    /// Creates the method with this many terms and this factor, best near 1 / (largest eigenvalue).
    ///
    /// # Errors
    /// [`Error::Parameter`] for no terms or a factor that is not positive and finite.
    pub fn new(terms: usize, alpha: f64) -> Result<Self, Error> {
        at_least_one("Neumann series", "terms", terms)?;
        positive("Neumann series", "alpha", alpha)?;
        Ok(Self { terms, alpha })
    }

    /// Number of terms of the series.
    #[must_use]
    pub fn terms(&self) -> usize {
        self.terms
    }

    /// Factor of the series.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }
}

impl InverseHessian for Neumann {
    fn name(&self) -> &'static str {
        "neumann"
    }

    /// # Errors
    /// [`Error::Unsolved`] as soon as a term is longer than the one before: for a symmetric `H` that cannot happen
    /// below `2 / (largest eigenvalue)`.
    fn approximate(&self, product: &mut Product<'_>, g: &[f64]) -> Result<Approximation, Error> {
        let (mut term, mut sum) = (g.to_vec(), g.to_vec());
        for k in 1..self.terms {
            let image = product(&term)?;
            same_length("product", image.len(), g.len())?;
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
        Ok(Approximation { q: sum, products: self.terms - 1 })
    }
}

/// Solves by conjugate gradients until the residual is `tolerance` times `|g|` or `iterations` have been made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConjugateGradient {
    iterations: usize,
    tolerance: f64,
}

impl ConjugateGradient {
    /// Creates the method with a maximum number of iterations (default 32) and a relative residual to stop at (default
    /// 1e-6).
    ///
    /// # Errors
    /// [`Error::Parameter`] for no iterations or a tolerance that is not positive and finite.
    pub fn new(iterations: usize, tolerance: f64) -> Result<Self, Error> {
        at_least_one("conjugate gradient", "iterations", iterations)?;
        positive("conjugate gradient", "tolerance", tolerance)?;
        Ok(Self { iterations, tolerance })
    }

    /// Maximum number of iterations.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Relative residual to stop at.
    #[must_use]
    pub fn tolerance(&self) -> f64 {
        self.tolerance
    }
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
    /// [`Error::Unsolved`] on a direction of no or negative curvature: the lower problem is then not at a strict
    /// minimum.
    fn approximate(&self, product: &mut Product<'_>, g: &[f64]) -> Result<Approximation, Error> {
        let (mut q, mut r, mut p) = (vec![0.0; g.len()], g.to_vec(), g.to_vec());
        let (first, mut squares) = (dot(g, g), dot(g, g));
        for k in 0..self.iterations {
            if squares <= self.tolerance * self.tolerance * first {
                return Ok(Approximation { q, products: k });
            }
            let image = product(&p)?;
            same_length("product", image.len(), g.len())?;
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
        Ok(Approximation { q, products: self.iterations })
    }
}

/// Solves with a Nystrom approximation, `(C K^-1 C^T + damping I)^-1 g`, `C` being random columns of `H` and `K` their
/// own rows: cheap where few directions are curved.
///
/// R. Hataya, M. Yamada, "Nystrom Method for Accurate and Scalable Implicit Differentiation", AISTATS 2023.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nystrom {
    rank: usize,
    damping: f64,
    seed: u64,
}

impl Nystrom {
    /// Creates the method with this number of columns (as many as parameters give `(H + damping I)^-1`), this addition
    /// to the diagonal, and the seed that chooses the columns.
    ///
    /// # Errors
    /// [`Error::Parameter`] for rank 0 or a damping that is not positive and finite.
    pub fn new(rank: usize, damping: f64, seed: u64) -> Result<Self, Error> {
        at_least_one("Nystrom", "rank", rank)?;
        positive("Nystrom", "damping", damping)?;
        Ok(Self { rank, damping, seed })
    }

    /// Number of columns.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Addition to the diagonal.
    #[must_use]
    pub fn damping(&self) -> f64 {
        self.damping
    }

    /// Seed of the choice of columns.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

impl InverseHessian for Nystrom {
    fn name(&self) -> &'static str {
        "nystrom"
    }

    fn approximate(&self, product: &mut Product<'_>, g: &[f64]) -> Result<Approximation, Error> {
        let (n, rank) = (g.len(), self.rank.min(g.len()));
        if n == 0 {
            return Ok(Approximation { q: Vec::new(), products: 0 });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let chosen = rand::seq::index::sample(&mut rng, n, rank).into_vec();
        let columns = columns(product, n, &chosen)?;
        let own = DMatrix::from_fn(rank, rank, |i, j| columns[(chosen[i], j)]);
        // Woodbury: (C K^-1 C^T + d I)^-1 = (I - C (d K + C^T C)^-1 C^T) / d
        let inner = self.damping * own + columns.transpose() * &columns;
        let g = DVector::from_column_slice(g);
        let hint = "the chosen columns are dependent: lower the rank";
        let unsolved = Error::Unsolved { method: self.name(), iteration: rank, hint };
        let inside = inner.lu().solve(&(columns.transpose() * &g)).ok_or(unsolved)?;
        let q = (g - columns * inside) / self.damping;
        Ok(Approximation { q: q.as_slice().to_vec(), products: rank })
    }
}

/// Solves with the dense Hessian (one product per parameter) by Cholesky factors: the reference, for up to some
/// thousand parameters.
#[doc(alias = "Exact")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DenseSolve;

impl InverseHessian for DenseSolve {
    fn name(&self) -> &'static str {
        "exact"
    }

    /// # Errors
    /// [`Error::Unsolved`] if `H` is not positive definite.
    fn approximate(&self, product: &mut Product<'_>, g: &[f64]) -> Result<Approximation, Error> {
        let n = g.len();
        if n == 0 {
            return Ok(Approximation { q: Vec::new(), products: 0 });
        }
        let hessian = columns(product, n, &(0..n).collect::<Vec<_>>())?;
        // differences leave an asymmetry of their rounding
        let hessian = 0.5 * (&hessian + hessian.transpose());
        let hint = "the Hessian is not positive definite: train the lower level further, or add weight decay";
        let unsolved = Error::Unsolved { method: self.name(), iteration: n, hint };
        let q = hessian.cholesky().ok_or(unsolved)?.solve(&DVector::from_column_slice(g));
        Ok(Approximation { q: q.as_slice().to_vec(), products: n })
    }
}

/// The columns of `H` whose numbers are `chosen`.
fn columns(product: &mut Product<'_>, n: usize, chosen: &[usize]) -> Result<DMatrix<f64>, Error> {
    let mut out = DMatrix::zeros(n, chosen.len());
    for (k, &i) in chosen.iter().enumerate() {
        let mut unit = vec![0.0; n];
        unit[i] = 1.0;
        let image = product(&unit)?;
        same_length("product", image.len(), n)?;
        out.column_mut(k).copy_from_slice(&image);
    }
    Ok(out)
}
