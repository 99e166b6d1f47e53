//! V-cycle and full-multigrid start, in f32.

use super::level::{Level, SmoothBuffers};
use super::transfer::Transfer;

/// The finest level, and below it each coarser one with the transfer that leads to it.
#[derive(Debug, Clone)]
pub(crate) struct Hierarchy {
    pub(crate) finest: Level,
    coarser: Vec<(Transfer, Level)>,
    pub(crate) sweeps: usize,
}

/// Vectors of one level.
#[derive(Debug)]
struct Vectors {
    u: Vec<f32>,
    b: Vec<f32>,
    r: Vec<f32>,
    scratch: SmoothBuffers,
}

/// Vectors of a whole hierarchy; one set per channel being solved.
#[derive(Debug)]
pub(crate) struct Workspace(Vec<Vectors>);

/// Sweeps on the coarsest level, which is one cell or a few cells tied to the boundary.
const COARSEST_SWEEPS: usize = 4;

impl Hierarchy {
    pub(crate) fn new(finest: Level, sweeps: usize) -> Self {
        let mut coarser: Vec<(Transfer, Level)> = Vec::new();
        while let Some(next) = Transfer::coarsen(coarser.last().map_or(&finest, |(_, level)| level)) {
            coarser.push(next);
        }
        Hierarchy { finest, coarser, sweeps }
    }

    fn level(&self, l: usize) -> &Level {
        if l == 0 { &self.finest } else { &self.coarser[l - 1].1 }
    }

    pub(crate) fn workspace(&self) -> Workspace {
        let levels = 0..self.coarser.len() + 1;
        Workspace(
            levels
                .map(|l| {
                    let n = self.level(l).len();
                    let scratch = SmoothBuffers::new(self.level(l).width);
                    Vectors { u: vec![0.0; n], b: vec![0.0; n], r: vec![0.0; n], scratch }
                })
                .collect(),
        )
    }

    /// The residual to correct, to be filled before [`Self::cycle`] or [`Self::full_multigrid`].
    pub(crate) fn residual_mut<'a>(&self, work: &'a mut Workspace) -> &'a mut [f32] {
        &mut work.0[0].b
    }

    /// One V-cycle from a zero guess; the correction it returns approximates `A^-1 r`. With `symmetric`, the cycle is a
    /// symmetric positive definite operator, as conjugate gradients need.
    pub(crate) fn cycle<'a>(&self, work: &'a mut Workspace, symmetric: bool) -> &'a [f32] {
        work.0[0].u.fill(0.0);
        self.descend(0, &mut work.0, symmetric);
        &work.0[0].u
    }

    /// Nested iteration: solves the coarsest problem first and hands each level its start.
    pub(crate) fn full_multigrid<'a>(&self, work: &'a mut Workspace) -> &'a [f32] {
        for l in 0..self.coarser.len() {
            let (upper, lower) = work.0.split_at_mut(l + 1);
            let (transfer, coarse) = &self.coarser[l];
            transfer.restrict(self.level(l), &upper[l].b, coarse, &mut lower[0].b);
        }
        let last = self.coarser.len();
        work.0[last].u.fill(0.0);
        self.descend(last, &mut work.0[last..], false);
        for l in (0..last).rev() {
            let (upper, lower) = work.0.split_at_mut(l + 1);
            let (transfer, coarse) = &self.coarser[l];
            upper[l].u.fill(0.0);
            transfer.prolong_add(coarse, &lower[0].u, self.level(l), &mut upper[l].u);
            self.descend(l, &mut work.0[l..], false);
        }
        &work.0[0].u
    }

    /// V-cycle on level `l`, whose vectors are the first of `vectors`, from the guess that stands there.
    fn descend(&self, l: usize, vectors: &mut [Vectors], symmetric: bool) {
        let level = self.level(l);
        let Some((own, lower)) = vectors.split_first_mut() else { return };
        let Some((next, _)) = lower.split_first_mut() else {
            for _ in 0..COARSEST_SWEEPS {
                level.smooth(&mut own.u, &own.b, &mut own.scratch, false);
            }
            for _ in 0..if symmetric { COARSEST_SWEEPS } else { 0 } {
                level.smooth(&mut own.u, &own.b, &mut own.scratch, true);
            }
            return;
        };
        for _ in 0..self.sweeps {
            level.smooth(&mut own.u, &own.b, &mut own.scratch, false);
        }
        level.residual(&own.u, &own.b, &mut own.r);
        let (transfer, coarse) = &self.coarser[l];
        transfer.restrict(level, &own.r, coarse, &mut next.b);
        next.u.fill(0.0);
        self.descend(l + 1, lower, symmetric);
        transfer.prolong_add(coarse, &lower[0].u, level, &mut own.u);
        for _ in 0..self.sweeps {
            level.smooth(&mut own.u, &own.b, &mut own.scratch, symmetric);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poisson::system::System;
    use ndarray::Array2;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_symmetric_cycle_is_symmetric_and_the_plain_one_is_not() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mask = Array2::from_shape_fn((37, 45), |_| rng.random::<f32>() < 0.9);
        let d = Array2::from_shape_fn((37, 45), |_| rng.random_range(0.1..1.0f32));
        let lambda = Array2::from_elem((37, 45), 0.01f32);
        let h = Hierarchy::new(System::new(mask.view(), d.view(), lambda.view()).unwrap().level, 1);
        let mut vector = || {
            let mut v = vec![0.0f32; h.finest.len()];
            for ((y, x), _) in mask.indexed_iter().filter(|(_, m)| **m) {
                v[h.finest.at(y, x)] = rng.random::<f32>() - 0.5;
            }
            v
        };
        let (a, b) = (vector(), vector());
        let asymmetry = |symmetric: bool| {
            let dot = |u: &[f32], v: &[f32]| u.iter().zip(v).map(|(u, v)| f64::from(*u) * f64::from(*v)).sum::<f64>();
            let apply = |r: &[f32]| {
                let mut work = h.workspace();
                h.residual_mut(&mut work).copy_from_slice(r);
                h.cycle(&mut work, symmetric).to_vec()
            };
            let (ma, mb) = (apply(&a), apply(&b));
            (dot(&ma, &b) - dot(&a, &mb)).abs() / (dot(&ma, &a) * dot(&mb, &b)).sqrt()
        };
        assert!(asymmetry(true) < 1e-6, "{}", asymmetry(true));
        assert!(asymmetry(false) > 1e-4, "{}", asymmetry(false));
    }
}
