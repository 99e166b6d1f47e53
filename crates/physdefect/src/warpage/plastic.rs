//! Elastic-plastic bending and the permanent shape after unloading.

use imgkit::simd::widely;

use super::plate::{Plate, Tensor};

/// Bending moment of a rectangular section of perfectly plastic material, over the moment of first yield, at a
/// curvature over that of first yield.
///
/// M / M_y = k / k_y up to first yield, then 3/2 - (k_y / k)^2 / 2, which tends to the fully plastic 3/2.
///
/// ```
/// use physdefect::warpage::section_moment;
/// assert_eq!(section_moment(0.5), 0.5);
/// assert_eq!(section_moment(2.0), 1.375);
/// ```
#[must_use]
pub fn section_moment(curvature: f64) -> f64 {
    let k = curvature.abs();
    if k <= 1.0 { curvature } else { (1.5 - 0.5 / (k * k)).copysign(curvature) }
}

/// Result of loading a plate past yield and taking the load away.
#[derive(Debug, Clone)]
pub struct Residual {
    /// Deflection under load, at the nodes.
    pub loaded: Vec<f64>,
    /// Deflection after unloading, at the nodes.
    pub residual: Vec<f64>,
    /// Largest equivalent curvature over that of first yield.
    pub peak_curvature_ratio: f64,
    /// Fraction of the nodes that yielded.
    pub yielded_fraction: f64,
    /// Fixed-point steps used.
    pub iterations: usize,
    /// Last change of the deflection over its size.
    pub change: f64,
}

/// Tolerance of the iteration: when to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Stop when the deflection changes by less than this fraction of its size.
    pub change: f64,
    /// Stop after this many steps.
    pub iterations: usize,
}

impl Default for Tolerance {
    /// 1e-4 in at most 60 steps.
    fn default() -> Self {
        Self { change: 1e-4, iterations: 60 }
    }
}

impl Plate {
    /// Loads the plate by the pressure `q` and an initial (thermal) isotropic curvature `thermal` (both at the nodes),
    /// lets it yield where the equivalent moment sqrt(Mxx^2 - Mxx Myy + Myy^2 + 3 Mxy^2) exceeds `yield_moment`, and
    /// unloads elastically.
    ///
    /// Total-strain (Hencky) plasticity: the moment keeps the direction of its elastic value and its size follows
    /// [`section_moment`]. The plastic part of the curvature enters the elastic plate as a pressure (initial-strain
    /// method), found by fixed-point steps with Aitken's relaxation. Below yield no plastic curvature arises, and the
    /// residual is exactly zero.
    ///
    /// Source: Prager and Hodge, "Theory of Perfectly Plastic Solids" (1951) for the section;
    /// Zienkiewicz, Valliappan and King, Int. J. Numer. Meth. Engng 1 (1969) 75 for the initial-strain iteration.
    #[must_use]
    pub fn load_and_unload(&self, q: &[f64], thermal: &[f64], yield_moment: f64, tolerance: Tolerance) -> Residual {
        widely(
            #[inline(always)]
            || self.iterate(q, thermal, yield_moment, tolerance),
        )
    }

    #[inline(always)]
    fn iterate(&self, q: &[f64], thermal: &[f64], yield_moment: f64, tolerance: Tolerance) -> Residual {
        let (ny, nx) = self.dim();
        let n = ny * nx;
        let corners = (ny + 1) * (nx + 1);
        let mut heat = thermal.to_vec();
        heat.resize(n, 0.0);
        let mut scratch = vec![0.0; n];
        let mut state = Tensor { xy: vec![0.0; corners], ..Tensor::zeros(n) };
        let mut plastic = Tensor { xy: vec![0.0; corners], ..Tensor::zeros(n) };

        // Elastic answer to the loads alone.
        let mut elastic = vec![0.0; n];
        let thermal_moment = self.rigidity() * (1.0 + self.poisson());
        for (m, k) in state.xx.iter_mut().zip(&heat) {
            *m = thermal_moment * k;
        }
        state.yy.copy_from_slice(&state.xx);
        self.pressure_of(&state, &mut elastic);
        for (e, p) in elastic.iter_mut().zip(q) {
            *e += p;
        }
        self.solve(&mut elastic, &mut scratch);

        let mut residual = vec![0.0; n];
        let mut loaded = elastic.clone();
        let mut previous: Vec<f64> = Vec::new();
        let mut next = vec![0.0; n];
        let mut step = 1.0;
        let (mut peak, mut yielded, mut iterations, mut change) = (0.0f64, 0usize, 0usize, 0.0f64);
        for round in 0..tolerance.iterations.max(1) {
            iterations = round + 1;
            self.curvature(&loaded, &mut state);
            (peak, yielded) = self.plastic_moment(&state, &heat, yield_moment, &mut plastic);
            if yielded == 0 && residual.iter().all(|&r| r == 0.0) {
                change = 0.0;
                break;
            }
            self.pressure_of(&plastic, &mut next);
            self.solve(&mut next, &mut scratch);
            // Fixed point of residual -> deflection caused by the plastic curvature under load.
            let (mut size, mut moved) = (0.0, 0.0);
            for (f, r) in next.iter_mut().zip(&residual) {
                size += *f * *f;
                *f -= r;
                moved += *f * *f;
            }
            change = if size > 0.0 { (moved / size).sqrt() } else { 0.0 };
            if change <= tolerance.change {
                for (r, f) in residual.iter_mut().zip(&next) {
                    *r += f;
                }
                break;
            }
            if !previous.is_empty() {
                let (mut top, mut bottom) = (0.0, 0.0);
                for (f, g) in next.iter().zip(&previous) {
                    let d = f - g;
                    top += g * d;
                    bottom += d * d;
                }
                if bottom > 0.0 {
                    step = (-step * top / bottom).clamp(0.5, 8.0);
                }
            }
            for ((r, l), (f, e)) in residual.iter_mut().zip(&mut loaded).zip(next.iter().zip(&elastic)) {
                *r += step * f;
                *l = e + *r;
            }
            previous.clear();
            previous.extend_from_slice(&next);
        }
        for ((l, e), r) in loaded.iter_mut().zip(&elastic).zip(&residual) {
            *l = e + r;
        }
        let yielded_fraction = yielded as f64 / n as f64;
        Residual { loaded, residual, peak_curvature_ratio: peak, yielded_fraction, iterations, change }
    }

    /// Largest equivalent elastic moment at the nodes of a deflection.
    #[must_use]
    pub fn peak_equivalent_moment(&self, deflection: &[f64], thermal: &[f64]) -> f64 {
        let (ny, nx) = self.dim();
        let n = ny * nx;
        let mut w = deflection.to_vec();
        w.resize(n, 0.0);
        let mut heat = thermal.to_vec();
        heat.resize(n, 0.0);
        let corners = vec![0.0; (ny + 1) * (nx + 1)];
        let mut state = Tensor { xy: corners.clone(), ..Tensor::zeros(n) };
        let mut plastic = Tensor { xy: corners, ..Tensor::zeros(n) };
        self.curvature(&w, &mut state);
        self.plastic_moment(&state, &heat, 1.0, &mut plastic).0
    }

    /// The part of the elastic moment that the section cannot carry. Returns the largest moment ratio and the yielded
    /// nodes.
    #[inline(always)]
    fn plastic_moment(&self, k: &Tensor, heat: &[f64], yield_moment: f64, plastic: &mut Tensor) -> (f64, usize) {
        let (ny, nx) = self.dim();
        let (d, nu) = (self.rigidity(), self.poisson());
        let (mut peak, mut yielded) = (0.0f64, 0usize);
        plastic.xy.fill(0.0);
        let (mut ratios, mut twists) = (vec![0.0; nx], vec![0.0; nx]);
        for j in 0..ny {
            let row = j * nx..(j + 1) * nx;
            let (kxx, kyy, heat) = (&k.xx[row.clone()], &k.yy[row.clone()], &heat[row.clone()]);
            let (xx, yy) = (&mut plastic.xx[row.clone()], &mut plastic.yy[row]);
            let corners = |j: usize| j * (nx + 1)..(j + 1) * (nx + 1);
            let (above, below) = (&k.xy[corners(j)], &k.xy[corners(j + 1)]);
            let (ratios, twists) = (&mut ratios[..nx], &mut twists[..nx]);
            for i in 0..nx {
                let (kx, ky) = (kxx[i] - heat[i], kyy[i] - heat[i]);
                let twist = 0.25 * (above[i] + above[i + 1] + below[i] + below[i + 1]);
                let (mx, my, mxy) = (d * (kx + nu * ky), d * (ky + nu * kx), d * (1.0 - nu) * twist);
                let ratio = (mx * mx - mx * my + my * my + 3.0 * mxy * mxy).sqrt() / yield_moment;
                let lost = if ratio <= 1.0 { 0.0 } else { 1.0 - section_moment(ratio) / ratio };
                ratios[i] = ratio;
                xx[i] = lost * mx;
                yy[i] = lost * my;
                twists[i] = 0.25 * lost * mxy;
            }
            for &ratio in &*ratios {
                peak = peak.max(ratio);
                yielded += usize::from(ratio > 1.0 || ratio.is_nan());
            }
            // Each corner takes a quarter of the twist of the four nodes around it.
            for j in [j, j + 1] {
                let line = &mut plastic.xy[corners(j)];
                line[1..].iter_mut().zip(&*twists).for_each(|(xy, t)| *xy += t);
                line.iter_mut().zip(&*twists).for_each(|(xy, t)| *xy += t);
            }
        }
        (peak, yielded)
    }
}
