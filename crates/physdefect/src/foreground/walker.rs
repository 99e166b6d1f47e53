//! Random walker with priors on a grid of cells (Grady, "Multilabel random walker image segmentation using prior
//! models", CVPR 2005), for two labels: the probabilities solve a screened Poisson equation whose conductances fall at
//! color edges.

use super::cells::{Feature, Plane};

/// Conductance that the strongest edge keeps.
const LEAK: f32 = 1e-4;
/// Over-relaxation of the red-black sweeps.
const OMEGA: f32 = 1.7;
/// Sweeps on each level of the pyramid.
const SWEEPS: usize = 14;
/// Shorter side below which no coarser level is made, cells.
const COARSEST: usize = 8;

/// Solves for the probability of the foreground: `prior` in (0, 1), `trust` the weight that ties a cell to its prior
/// (conductances are at most 1), `edge` the color difference at which a conductance has fallen to e^-1/2.
pub(super) fn walk(features: &Plane<Feature>, prior: &Plane<f32>, trust: &Plane<f32>, edge: f32) -> Plane<f32> {
    let bonds = Bonds::new(features, edge);
    let source = prior.with(prior.data.iter().zip(&trust.data).map(|(p, t)| p * t).collect());
    solve(&bonds, &source, trust)
}

/// Conductances from each cell to the next one on its right and below; 0 at the border.
struct Bonds {
    right: Plane<f32>,
    down: Plane<f32>,
}

impl Bonds {
    fn new(features: &Plane<Feature>, edge: f32) -> Self {
        let (h, w) = (features.h, features.w);
        let beta = 0.5 / (edge * edge);
        let difference = |i: usize, j: usize| -> f32 {
            let (a, b) = (&features.data[i], &features.data[j]);
            (0..3).map(|k| (a[k] - b[k]) * (a[k] - b[k])).sum()
        };
        // A hard edge changes within three cells; a shading or a penumbra goes on over nine and hinders nothing.
        let across = |i: usize, at: usize, length: usize, step: usize| {
            let near = difference(i - step * at.min(1), i + step * (length - 1 - at).min(2));
            let far = difference(i - step * at.min(4), i + step * (length - 1 - at).min(5));
            let hard = ((near / far.max(near).max(1e-12)).sqrt() - 0.45).clamp(0.0, 0.3) / 0.3;
            (-beta * near * hard).exp() + LEAK
        };
        let (mut right, mut down) = (Plane::new(h, w, 0f32), Plane::new(h, w, 0f32));
        for y in 0..h {
            for x in 0..w {
                let i = y * w + x;
                if x + 1 < w {
                    right.data[i] = across(i, x, w, 1);
                }
                if y + 1 < h {
                    down.data[i] = across(i, y, h, w);
                }
            }
        }
        Self { right, down }
    }

    /// The same conductor on blocks of 2 x 2 cells: two paths in parallel, each of a bond and two halves in series.
    fn halved(&self) -> Self {
        let (h, w) = (self.right.h, self.right.w);
        let (hh, ww) = (h.div_ceil(2), w.div_ceil(2));
        let series = |a: f32, b: f32, c: f32| 1.0 / (0.5 / a.max(LEAK) + 1.0 / b.max(LEAK) + 0.5 / c.max(LEAK));
        let (mut right, mut down) = (Plane::new(hh, ww, 0f32), Plane::new(hh, ww, 0f32));
        for y in 0..hh {
            for x in 0..ww {
                for k in 0..2 {
                    let (row, column) = (2 * y + k, 2 * x + k);
                    if row < h && 2 * x + 2 < w {
                        let i = row * w + 2 * x + 1;
                        let last = if 2 * x + 3 < w { self.right.data[i + 1] } else { 1.0 };
                        right.data[y * ww + x] += series(self.right.data[i - 1], self.right.data[i], last);
                    }
                    if column < w && 2 * y + 2 < h {
                        let i = (2 * y + 1) * w + column;
                        let last = if 2 * y + 3 < h { self.down.data[i + w] } else { 1.0 };
                        down.data[y * ww + x] += series(self.down.data[i - w], self.down.data[i], last);
                    }
                }
            }
        }
        Self { right, down }
    }
}

/// Solves on half as many cells first and starts from that.
fn solve(bonds: &Bonds, source: &Plane<f32>, trust: &Plane<f32>) -> Plane<f32> {
    let (h, w) = (trust.h, trust.w);
    let (start, sweeps) = if h.min(w) < 2 * COARSEST {
        (trust.with(source.data.iter().zip(&trust.data).map(|(s, t)| s / t.max(1e-12)).collect()), 6 * SWEEPS)
    } else {
        let coarse = solve(&bonds.halved(), &summed(source), &summed(trust));
        let data = (0..h * w).map(|i| coarse.data[i / w / 2 * coarse.w + i % w / 2]).collect();
        (Plane { h, w, data }, SWEEPS)
    };
    relax(bonds, source, trust, start, sweeps)
}

/// Sums over blocks of 2 x 2 cells.
fn summed(plane: &Plane<f32>) -> Plane<f32> {
    let (h, w) = (plane.h.div_ceil(2), plane.w.div_ceil(2));
    let mut out = Plane::new(h, w, 0f32);
    for (y, row) in plane.data.chunks_exact(plane.w).enumerate() {
        for (x, v) in row.iter().enumerate() {
            out.data[y / 2 * w + x / 2] += v;
        }
    }
    out
}

/// Red-black successive over-relaxation.
fn relax(bonds: &Bonds, source: &Plane<f32>, trust: &Plane<f32>, start: Plane<f32>, sweeps: usize) -> Plane<f32> {
    let (h, w) = (start.h, start.w);
    let (right, down) = (&bonds.right.data, &bonds.down.data);
    // Past the last row and column, and before the first, the conductance is 0; the value read there is any.
    let mut scale = vec![0f32; h * w];
    for (i, scale) in scale.iter_mut().enumerate() {
        let left = if i % w > 0 { right[i - 1] } else { 0.0 };
        let up = if i >= w { down[i - w] } else { 0.0 };
        *scale = OMEGA / (trust.data[i] + left + right[i] + up + down[i]).max(1e-9);
    }
    let none = vec![0f32; w];
    let mut p = start.data;
    for _ in 0..sweeps {
        for parity in 0..2 {
            for y in 0..h {
                let at = y * w;
                let (before, rest) = p.split_at_mut(at);
                let (this, after) = rest.split_at_mut(w);
                let (above, up) = if y > 0 { (&before[at - w..], &down[at - w..at]) } else { (&none[..], &none[..]) };
                let below = if y + 1 < h { &after[..w] } else { &none[..] };
                let (right, down) = (&right[at..at + w], &down[at..at + w]);
                let (source, scale) = (&source.data[at..at + w], &scale[at..at + w]);
                let mut x = (y + parity) % 2;
                while x < w {
                    let mut flow = source[x] + down[x] * below[x] + up[x] * above[x];
                    if x > 0 {
                        flow += right[x - 1] * this[x - 1];
                    }
                    if x + 1 < w {
                        flow += right[x] * this[x + 1];
                    }
                    this[x] += scale[x] * flow - OMEGA * this[x];
                    x += 2;
                }
            }
        }
    }
    Plane { h, w, data: p }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same equations by elimination on the dense matrix, in double precision.
    fn eliminated(bonds: &Bonds, source: &Plane<f32>, trust: &Plane<f32>) -> Vec<f64> {
        let (h, w) = (trust.h, trust.w);
        let n = h * w;
        let mut a = vec![vec![0f64; n + 1]; n];
        for i in 0..n {
            a[i][i] += f64::from(trust.data[i]);
            a[i][n] = f64::from(source.data[i]);
            let mut couple = |j: usize, g: f32| {
                let g = f64::from(g);
                a[i][i] += g;
                a[j][j] += g;
                a[i][j] -= g;
                a[j][i] -= g;
            };
            if i % w + 1 < w {
                couple(i + 1, bonds.right.data[i]);
            }
            if i + w < n {
                couple(i + w, bonds.down.data[i]);
            }
        }
        for k in 0..n {
            let (above, below) = a.split_at_mut(k + 1);
            let pivot = &above[k];
            for row in below {
                let factor = row[k] / pivot[k];
                row[k..].iter_mut().zip(&pivot[k..]).for_each(|(v, p)| *v -= factor * p);
            }
        }
        let mut x = vec![0f64; n];
        for i in (0..n).rev() {
            let rest: f64 = (i + 1..n).map(|j| a[i][j] * x[j]).sum();
            x[i] = (a[i][n] - rest) / a[i][i];
        }
        x
    }

    #[test]
    fn the_walk_solves_its_equations() {
        // Two plateaus with a hard edge between them; every third cell hardly trusts its noisy prior.
        let (h, w) = (19, 22);
        let noise = |i: usize| ((i * 7919) % 101) as f32 / 101.0;
        let features =
            Plane { h, w, data: (0..h * w).map(|i| [f32::from(u8::from(i % w > 9)), 0.0, 0.0, 0.0]).collect() };
        let prior = |i: usize| (if i % w > 9 { 0.7 } else { 0.1 }) + 0.25 * noise(i);
        let prior = Plane { h, w, data: (0..h * w).map(prior).collect() };
        let trust = Plane { h, w, data: (0..h * w).map(|i| if i % 3 == 0 { 0.004 } else { 0.08 }).collect() };
        let found = walk(&features, &prior, &trust, 0.1);
        let bonds = Bonds::new(&features, 0.1);
        let source = prior.with(prior.data.iter().zip(&trust.data).map(|(p, t)| p * t).collect());
        let right = eliminated(&bonds, &source, &trust);
        let worst = found.data.iter().zip(&right).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(worst < 0.01, "{worst}");
        // The edge keeps the sides apart: neighbors across it differ by most of the plateaus' difference.
        assert!(right[9 * w + 10] - right[9 * w + 9] > 0.4, "{}", right[9 * w + 10] - right[9 * w + 9]);
    }
}
