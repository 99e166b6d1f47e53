//! Bending of thin plates: series, sections that yield, springback.

use std::f64::consts::PI;

/// Sum over odd m and n below `most`.
fn navier(most: u32, term: impl Fn(f64, f64) -> f64) -> f64 {
    let odd = || (1..most).step_by(2).map(f64::from);
    odd().map(|m| odd().map(|n| term(m, n)).sum::<f64>()).sum()
}

/// Deflection of the center of a simply supported unit square plate (D = 1) under unit pressure, by Navier's series:
/// 0.00406 in the tables.
#[must_use]
pub fn navier_uniform_load() -> f64 {
    16.0 / PI.powi(6)
        * navier(400, |m, n| {
            let sign = if ((m + n) / 2.0 - 1.0) % 2.0 == 0.0 { 1.0 } else { -1.0 };
            sign / (m * n * (m * m + n * n).powi(2))
        })
}

/// Deflection of the center of the same plate under a unit point load there, by Navier's series: 0.01160 in the tables.
#[must_use]
pub fn navier_point_load() -> f64 {
    4.0 / PI.powi(4) * navier(2000, |m, n| 1.0 / (m * m + n * n).powi(2))
}

/// Moment over the first yield's of a rectangular section at a curvature in units of the first yield's: the sum over
/// 200 000 fibers whose stress is clipped at yield.
#[must_use]
pub fn fiber_moment(curvature: f64) -> f64 {
    let fibers = 200_000u32;
    let z = |i: u32| (f64::from(i) + 0.5) / f64::from(fibers);
    let sum: f64 = (0..fibers).map(|i| (curvature * z(i)).clamp(-1.0, 1.0) * z(i)).sum();
    3.0 * sum / f64::from(fibers)
}

/// Curvature, in units of the first yield's, at which a rectangular section carries a moment (first yield: 1, all of it
/// yielding: 3/2): M = 3/2 - (1/k)^2 / 2 inverted.
#[must_use]
pub fn curvature_of_moment(moment: f64) -> f64 {
    1.0 / (3.0 - 2.0 * moment).sqrt()
}

/// Fraction of a curvature (in units of the first yield's) that stays when the section is unloaded.
#[must_use]
pub fn kept_curvature(curvature: f64) -> f64 {
    1.0 - 1.5 / curvature + 0.5 / curvature.powi(3)
}

/// Load of a strip of `rows` x `columns` nodes, `spacing` apart along it, in four-point bending: the curvature between
/// the loads, at a quarter and three quarters of its length, is pure and its moment is `moment`.
#[must_use]
pub fn four_point_bending(rows: usize, columns: usize, spacing: f64, moment: f64) -> Vec<f64> {
    let quarter = (columns + 1) / 4 - 1;
    let mut load = vec![0.0; rows * columns];
    for row in load.chunks_mut(columns.max(1)) {
        for (column, value) in row.iter_mut().enumerate() {
            if column == quarter || column + quarter + 1 == columns {
                *value = moment / 0.25 / spacing;
            }
        }
    }
    load
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_those_of_the_tables() {
        // Timoshenko and Woinowsky-Krieger, tables 8 and 23
        assert!((navier_uniform_load() - 0.00406).abs() < 5e-6);
        assert!((navier_point_load() - 0.01160).abs() < 5e-6);
    }

    #[test]
    fn a_section_follows_its_closed_form() {
        assert!((fiber_moment(0.7) - 0.7).abs() < 1e-9);
        for moment in [1.1, 1.3, 1.45] {
            assert!((fiber_moment(curvature_of_moment(moment)) - moment).abs() < 1e-8);
        }
        // nothing stays of the first yield's curvature
        assert!(kept_curvature(1.0).abs() < 1e-12);
        assert!(kept_curvature(10.0) > 0.8);
    }

    #[test]
    fn loads_stand_at_the_quarters() {
        let load = four_point_bending(2, 63, 0.5, 1.0);
        let loaded: Vec<usize> = (0..126).filter(|&i| load[i] != 0.0).collect();
        assert_eq!(loaded, [15, 47, 78, 110]);
        assert_eq!(load[15], 8.0);
    }
}
