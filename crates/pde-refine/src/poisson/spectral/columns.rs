//! Tridiagonal systems down the columns, one for each mode of the rows, solved for all modes of a row at a time.

use super::rectangle::Side;
use crate::simd::widely;

/// Modes in a group: one AVX-512 register of f64.
const LANES: usize = 8;

/// Factors of the elimination for every mode.
///
/// The equation of a mode is `(2 + shift) u_y - u_(y-1) - u_(y+1) = b_y`, `shift` being its eigenvalue plus lambda.
/// With pivot `p_y`, elimination is `z_y = (b_y + z_(y-1)) / p_y`, back-substitution `u_y = z_y + u_(y+1) / p_y`. What
/// is kept is `1 / p_y`, until it stops changing with `y`: a few rows for all but the smoothest modes, so that the
/// factors of an image stay in a near cache.
#[derive(Debug)]
pub(super) struct Columns {
    height: usize,
    /// Start of each group's factors, and the number of rows over which they change.
    spans: Vec<(usize, usize)>,
    factors: Vec<[f64; LANES]>,
    /// Factors of the last row, which meets the bottom side.
    last: Vec<[f64; LANES]>,
}

impl Columns {
    /// Computes the factors; `None` if the system of a mode is singular to working precision.
    pub(super) fn new(height: usize, top: Side, bottom: Side, shifts: &[f64]) -> Option<Self> {
        let mut columns = Columns { height, spans: Vec::new(), factors: Vec::new(), last: Vec::new() };
        let boundary = |side: Side| if side == Side::Dirichlet { 1.0 } else { 0.0 };
        for chunk in shifts.chunks(LANES) {
            let mut shift = [1.0; LANES];
            shift[..chunk.len()].copy_from_slice(chunk);
            // With pivot p, e = p - 1 follows a recurrence of positive terms: nothing cancels for smooth modes.
            let mut before = [boundary(top); LANES];
            let start = columns.factors.len();
            for _ in 0..height - 1 {
                let e: [f64; LANES] = std::array::from_fn(|k| shift[k] + before[k]);
                let factor = e.map(|e| 1.0 / (1.0 + e));
                let steady = columns.factors[start..]
                    .last()
                    .is_some_and(|previous| (0..LANES).all(|k| (factor[k] - previous[k]).abs() <= 1e-13 * shift[k]));
                before = e.map(|e| e / (1.0 + e));
                if steady {
                    break;
                }
                columns.factors.push(factor);
            }
            let pivot: [f64; LANES] = std::array::from_fn(|k| shift[k] + before[k] + boundary(bottom));
            if pivot.iter().any(|p| !(p.is_finite() && *p > f64::EPSILON)) {
                return None;
            }
            columns.last.push(pivot.map(f64::recip));
            columns.spans.push((start, columns.factors.len() - start));
        }
        Some(columns)
    }

    /// Length of the buffers of a row of modes: whole groups.
    pub(super) fn len(&self) -> usize {
        self.spans.len() * LANES
    }

    /// Factors of group `g` in row `y`.
    #[inline(always)]
    fn factor(&self, y: usize, g: usize) -> [f64; LANES] {
        if y + 1 == self.height {
            self.last[g]
        } else {
            let (start, rows) = self.spans[g];
            self.factors[start + y.min(rows - 1)]
        }
    }

    /// Row `y` of the elimination, downwards: `row` becomes `z_y`; `carry` holds `z_(y-1)`, zero before the first row,
    /// and then `z_y`.
    pub(super) fn eliminate(&self, y: usize, row: &mut [f64], carry: &mut [f64]) {
        widely(
            #[inline(always)]
            || {
                let (row, carry) = (row.as_chunks_mut().0, carry.as_chunks_mut().0);
                for (g, (row, carry)) in row.iter_mut().zip(carry).enumerate() {
                    let f = self.factor(y, g);
                    let z: [f64; LANES] = std::array::from_fn(|k| (row[k] + carry[k]) * f[k]);
                    (*row, *carry) = (z, z);
                }
            },
        );
    }

    /// Row `y` of the back-substitution, upwards: `row` becomes `u_y`; `carry` holds `u_(y+1)`, zero before the last
    /// row, and then `u_y`.
    pub(super) fn substitute(&self, y: usize, row: &mut [f64], carry: &mut [f64]) {
        widely(
            #[inline(always)]
            || {
                let (row, carry) = (row.as_chunks_mut().0, carry.as_chunks_mut().0);
                for (g, (row, carry)) in row.iter_mut().zip(carry).enumerate() {
                    let f = self.factor(y, g);
                    let u: [f64; LANES] = std::array::from_fn(|k| row[k] + carry[k] * f[k]);
                    (*row, *carry) = (u, u);
                }
            },
        );
    }
}
