//! Bending of a simply supported rectangular plate by sine transforms.

use std::f64::consts::PI;

use imgkit::simd::widely;

use crate::Error;
use crate::params::require;

const MODEL: &str = "plate";

/// Thin plate, simply supported on all four edges, on a grid of `ny` x `nx` interior nodes.
///
/// Kirchhoff's equation with an optional elastic foundation, D laplacian^2 w + K w = q, in second-order central
/// differences. The edge condition (w = 0 and no edge moment) makes sines the eigenvectors of the discrete Laplacian,
/// so the two Poisson solves of the biharmonic operator become one division between two sine transforms, done as matrix
/// products. Fields are row-major slices of length `ny * nx`; node (j, i) lies at ((j + 1) hy, (i + 1) hx).
///
/// Source: Timoshenko and Woinowsky-Krieger, "Theory of Plates and Shells", 2nd ed. (1959), sections 21, 28-34 and 57.
///
/// ```
/// use physdefect::warpage::Plate;
/// let plate = Plate::new(31, 31, 1.0, 1.0, 1.0, 0.3, 0.0)?; // unit square, D = 1
/// let w = plate.deflection(&vec![1.0; 31 * 31]);
/// assert!((w[15 * 31 + 15] - 0.00406).abs() < 2e-5); // 0.00406 q a^4 / D
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Plate {
    ny: usize,
    nx: usize,
    hy: f64,
    hx: f64,
    rigidity: f64,
    poisson: f64,
    /// Sine matrices, sin(pi (k + 1) (i + 1) / (n + 1)).
    sine_y: Vec<f64>,
    sine_x: Vec<f64>,
    /// Response of each mode, transform normalization included.
    response: Vec<f64>,
}

/// Second derivatives of a deflection at the nodes: curvatures -w_xx, -w_yy and twist -w_xy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tensor {
    pub(crate) xx: Vec<f64>,
    pub(crate) yy: Vec<f64>,
    pub(crate) xy: Vec<f64>,
}

impl Tensor {
    pub(crate) fn zeros(n: usize) -> Self {
        Self { xx: vec![0.0; n], yy: vec![0.0; n], xy: vec![0.0; n] }
    }
}

impl Plate {
    /// Creates a plate of `length_y` x `length_x` with `ny` x `nx` interior nodes (1..=512 each), flexural rigidity D
    /// (> 0), Poisson's ratio in (-1, 0.5\] and foundation modulus K (>= 0; 0 for none).
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the ranges.
    pub fn new(
        ny: usize,
        nx: usize,
        length_y: f64,
        length_x: f64,
        rigidity: f64,
        poisson: f64,
        foundation: f64,
    ) -> Result<Self, Error> {
        require((1..=512).contains(&ny), MODEL, "ny", ny as f64, "in 1..=512")?;
        require((1..=512).contains(&nx), MODEL, "nx", nx as f64, "in 1..=512")?;
        require(length_y > 0.0, MODEL, "length_y", length_y, "greater than 0")?;
        require(length_x > 0.0, MODEL, "length_x", length_x, "greater than 0")?;
        require(rigidity > 0.0, MODEL, "rigidity", rigidity, "greater than 0")?;
        require(poisson > -1.0 && poisson <= 0.5, MODEL, "poisson", poisson, "in (-1, 0.5]")?;
        require(foundation >= 0.0, MODEL, "foundation", foundation, "at least 0")?;
        let (hy, hx) = (length_y / (ny + 1) as f64, length_x / (nx + 1) as f64);
        let eigen = |k: usize, n: usize, h: f64| {
            let s = (0.5 * PI * (k + 1) as f64 / (n + 1) as f64).sin();
            4.0 * s * s / (h * h)
        };
        let mut response = Vec::with_capacity(ny * nx);
        let norm = 4.0 / ((ny + 1) * (nx + 1)) as f64;
        for j in 0..ny {
            for i in 0..nx {
                let laplacian = eigen(j, ny, hy) + eigen(i, nx, hx);
                response.push(norm / (rigidity * laplacian * laplacian + foundation));
            }
        }
        Ok(Self { ny, nx, hy, hx, rigidity, poisson, sine_y: sine_matrix(ny), sine_x: sine_matrix(nx), response })
    }

    /// Number of interior nodes, `(ny, nx)`.
    #[must_use]
    pub fn dim(&self) -> (usize, usize) {
        (self.ny, self.nx)
    }

    /// Grid spacing, `(hy, hx)`.
    #[must_use]
    pub fn spacing(&self) -> (f64, f64) {
        (self.hy, self.hx)
    }

    /// Flexural rigidity D.
    #[must_use]
    pub fn rigidity(&self) -> f64 {
        self.rigidity
    }

    /// Poisson's ratio.
    #[must_use]
    pub fn poisson(&self) -> f64 {
        self.poisson
    }

    /// Elastic deflection under the pressure `q` at the nodes (a missing or surplus node counts as zero).
    #[must_use]
    pub fn deflection(&self, q: &[f64]) -> Vec<f64> {
        let mut w = q.to_vec();
        w.resize(self.ny * self.nx, 0.0);
        let mut scratch = vec![0.0; w.len()];
        self.solve(&mut w, &mut scratch);
        w
    }

    /// Replaces a pressure by its deflection.
    pub(crate) fn solve(&self, field: &mut [f64], scratch: &mut [f64]) {
        widely(
            #[inline(always)]
            || {
                self.transform(field, scratch);
                for (f, r) in field.iter_mut().zip(&self.response) {
                    *f *= r;
                }
                self.transform(field, scratch);
            },
        );
    }

    /// S_y F S_x: the unnormalized sine transform, its own inverse up to (n + 1) / 2 an axis.
    #[inline(always)]
    fn transform(&self, field: &mut [f64], scratch: &mut [f64]) {
        matmul(field, &self.sine_x, scratch, self.ny, self.nx, self.nx);
        matmul(&self.sine_y, scratch, field, self.ny, self.ny, self.nx);
    }

    /// Sine coefficients c of a deflection, w(y, x) = sum c\[j, i\] sin(pi (j+1) y / Ly) sin(pi (i+1) x / Lx), with
    /// Lanczos' sigma factors against ringing at plastic kinks, and the deflection they give at the nodes.
    pub(crate) fn smoothed(&self, w: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let sigma = |k: usize, n: usize| {
            let t = PI * (k + 1) as f64 / (n + 1) as f64;
            t.sin() / t
        };
        let mut c = w.to_vec();
        let mut scratch = vec![0.0; c.len()];
        self.transform(&mut c, &mut scratch);
        let norm = 4.0 / ((self.ny + 1) * (self.nx + 1)) as f64;
        for (j, row) in c.chunks_exact_mut(self.nx).enumerate() {
            for (i, v) in row.iter_mut().enumerate() {
                *v *= norm * sigma(j, self.ny) * sigma(i, self.nx);
            }
        }
        let mut nodes = c.clone();
        self.transform(&mut nodes, &mut scratch);
        (c, nodes)
    }

    /// Curvatures at the nodes (central differences; odd continuation past the edges) and twist at the cell corners, of
    /// which `xy` holds `(ny + 1) x (nx + 1)` values.
    #[inline(always)]
    pub(crate) fn curvature(&self, w: &[f64], k: &mut Tensor) {
        let (ny, nx) = (self.ny, self.nx);
        let (ax, ay, axy) = (-1.0 / (self.hx * self.hx), -1.0 / (self.hy * self.hy), -1.0 / (self.hx * self.hy));
        let zero = vec![0.0; nx];
        for j in 0..ny {
            let row = &w[j * nx..(j + 1) * nx];
            let up = if j > 0 { &w[(j - 1) * nx..j * nx] } else { &zero[..] };
            let down = if j + 1 < ny { &w[(j + 1) * nx..(j + 2) * nx] } else { &zero[..] };
            let out = &mut k.yy[j * nx..(j + 1) * nx];
            for i in 0..nx {
                out[i] = ay * (up[i] - 2.0 * row[i] + down[i]);
            }
            let out = &mut k.xx[j * nx..(j + 1) * nx];
            for i in 0..nx {
                let left = if i > 0 { row[i - 1] } else { 0.0 };
                let right = if i + 1 < nx { row[i + 1] } else { 0.0 };
                out[i] = ax * (left - 2.0 * row[i] + right);
            }
        }
        for j in 0..=ny {
            let up = if j > 0 { &w[(j - 1) * nx..j * nx] } else { &zero[..] };
            let down = if j < ny { &w[j * nx..(j + 1) * nx] } else { &zero[..] };
            let out = &mut k.xy[j * (nx + 1)..(j + 1) * (nx + 1)];
            let (mut u0, mut d0) = (0.0, 0.0);
            for i in 0..nx {
                out[i] = axy * (down[i] - d0 - up[i] + u0);
                u0 = up[i];
                d0 = down[i];
            }
            out[nx] = axy * (u0 - d0);
        }
    }

    /// Pressure that moments of the same layout as [`Self::curvature`] exert, -(M_xx,xx + 2 M_xy,xy + M_yy,yy): the
    /// adjoint of the curvature operator, so that the work of moments on curvatures is the work of pressure on
    /// deflection.
    #[inline(always)]
    pub(crate) fn pressure_of(&self, m: &Tensor, q: &mut [f64]) {
        let (ny, nx) = (self.ny, self.nx);
        let (ax, ay) = (-1.0 / (self.hx * self.hx), -1.0 / (self.hy * self.hy));
        let axy = -2.0 / (self.hx * self.hy);
        let zero = vec![0.0; nx];
        for j in 0..ny {
            let row = &m.xx[j * nx..(j + 1) * nx];
            let mid = &m.yy[j * nx..(j + 1) * nx];
            let up = if j > 0 { &m.yy[(j - 1) * nx..j * nx] } else { &zero[..] };
            let down = if j + 1 < ny { &m.yy[(j + 1) * nx..(j + 2) * nx] } else { &zero[..] };
            let above = &m.xy[j * (nx + 1)..(j + 1) * (nx + 1)];
            let below = &m.xy[(j + 1) * (nx + 1)..(j + 2) * (nx + 1)];
            let out = &mut q[j * nx..(j + 1) * nx];
            for i in 0..nx {
                let left = if i > 0 { row[i - 1] } else { 0.0 };
                let right = if i + 1 < nx { row[i + 1] } else { 0.0 };
                out[i] = ax * (left - 2.0 * row[i] + right)
                    + ay * (up[i] - 2.0 * mid[i] + down[i])
                    + axy * (above[i] - above[i + 1] - below[i] + below[i + 1]);
            }
        }
    }
}

fn sine_matrix(n: usize) -> Vec<f64> {
    let period = 2 * (n + 1);
    let table: Vec<f64> = (0..period).map(|k| (PI * k as f64 / (n + 1) as f64).sin()).collect();
    let mut s = Vec::with_capacity(n * n);
    for k in 1..=n {
        s.extend((1..=n).map(|i| table[k * i % period]));
    }
    s
}

/// c (m x n) = a (m x k) b (k x n), all row-major, vectorized over n.
#[inline(always)]
pub(crate) fn matmul(a: &[f64], b: &[f64], c: &mut [f64], m: usize, k: usize, n: usize) {
    for (row, out) in a.chunks_exact(k).zip(c.chunks_exact_mut(n)).take(m) {
        // As many columns at a time as keep their sums in registers.
        let (wide, rest) = out.as_chunks_mut::<32>();
        for (i, out) in wide.iter_mut().enumerate() {
            *out = columns(row, b, n, 32 * i);
        }
        let done = n - rest.len();
        let (narrow, rest) = rest.as_chunks_mut::<4>();
        for (i, out) in narrow.iter_mut().enumerate() {
            *out = columns(row, b, n, done + 4 * i);
        }
        let done = n - rest.len();
        for (i, out) in rest.iter_mut().enumerate() {
            [*out] = columns(row, b, n, done + i);
        }
    }
}

/// `W` columns, from `from` on, of a row times the matrix b of `n` columns.
#[inline(always)]
fn columns<const W: usize>(row: &[f64], b: &[f64], n: usize, from: usize) -> [f64; W] {
    let mut sums = [0.0; W];
    for (&f, line) in row.iter().zip(b.chunks_exact(n)) {
        if let Some(line) = line[from..].first_chunk::<W>() {
            for i in 0..W {
                sums[i] += f * line[i];
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_an_elastic_deflection_exert_the_load_that_made_it() {
        let (ny, nx, nu) = (13, 18, 0.3);
        let plate = Plate::new(ny, nx, 1.3, 1.0, 2.0, nu, 0.0).unwrap();
        let load: Vec<f64> = (0..ny * nx).map(|p| ((p * 7919) % 101) as f64 / 50.0 - 1.0).collect();
        let w = plate.deflection(&load);
        let corners = vec![0.0; (ny + 1) * (nx + 1)];
        let mut k = Tensor { xy: corners.clone(), ..Tensor::zeros(ny * nx) };
        plate.curvature(&w, &mut k);
        let side = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| 2.0 * (a + nu * b)).collect();
        let twist = k.xy.iter().map(|t| 2.0 * (1.0 - nu) * t).collect();
        let moments = Tensor { xx: side(&k.xx, &k.yy), yy: side(&k.yy, &k.xx), xy: twist };
        let mut back = vec![0.0; ny * nx];
        plate.pressure_of(&moments, &mut back);
        for (found, given) in back.iter().zip(&load) {
            assert!((found - given).abs() < 1e-9, "{found} for {given}");
        }
    }

    #[test]
    fn smoothing_fades_each_sine_by_lanczos_factors() {
        use std::f64::consts::FRAC_2_PI;
        // Lanczos' sigma of mode k of n: sinc(k / (n + 1)), so 2/pi at half the highest frequency.
        let (ny, nx) = (15, 31);
        let plate = Plate::new(ny, nx, 1.0, 2.0, 1.0, 0.3, 0.0).unwrap();
        for (k, l, exact) in
            [(1.0, 1.0, 0.993_587 * 0.998_394), (8.0, 1.0, FRAC_2_PI * 0.998_394), (1.0, 16.0, 0.993_587 * FRAC_2_PI)]
        {
            let mode =
                |j: usize, i: usize| (PI * k * (j + 1) as f64 / 16.0).sin() * (PI * l * (i + 1) as f64 / 32.0).sin();
            let w: Vec<f64> = (0..ny * nx).map(|p| mode(p / nx, p % nx)).collect();
            let (c, nodes) = plate.smoothed(&w);
            let at = (k as usize - 1) * nx + l as usize - 1;
            assert!((c[at] - exact).abs() < 1e-5, "mode {k} {l}: {} for {exact}", c[at]);
            assert!(nodes.iter().zip(&w).all(|(v, w)| (v - exact * w).abs() < 1e-5), "mode {k} {l}");
        }
    }
}
