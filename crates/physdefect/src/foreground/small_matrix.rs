//! Linear algebra on the tiny matrices of the background's fit.

/// Solves `a x = b` for a symmetric positive definite `a`; zeros where `a` is not.
pub(super) fn solve<const N: usize>(a: &[[f64; N]; N], b: &[f64; N]) -> [f64; N] {
    let mut root = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| root[i][k] * root[j][k]).sum();
            let rest = a[i][j] - dot;
            if i == j {
                if rest.is_nan() || rest <= 0.0 {
                    return [0.0; N];
                }
                root[i][i] = rest.sqrt();
            } else {
                root[i][j] = rest / root[j][j];
            }
        }
    }
    let mut x = *b;
    for i in 0..N {
        let dot: f64 = (0..i).map(|k| root[i][k] * x[k]).sum();
        x[i] = (x[i] - dot) / root[i][i];
    }
    for i in (0..N).rev() {
        let dot: f64 = (i + 1..N).map(|k| root[k][i] * x[k]).sum();
        x[i] = (x[i] - dot) / root[i][i];
    }
    x
}

/// Inverse of a symmetric positive definite matrix.
pub(super) fn inverse<const N: usize>(a: &[[f64; N]; N]) -> [[f64; N]; N] {
    let columns: [[f64; N]; N] = std::array::from_fn(|i| {
        let mut unit = [0.0; N];
        unit[i] = 1.0;
        solve(a, &unit)
    });
    // Rounding leaves the halves a little apart.
    std::array::from_fn(|i| std::array::from_fn(|j| 0.5 * (columns[i][j] + columns[j][i])))
}

/// Median; 0 of nothing.
pub(super) fn median(values: &mut [f64]) -> f64 {
    let mid = values.len() / 2;
    if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(mid, f64::total_cmp).1 }
}

#[cfg(test)]
mod tests {
    use super::{inverse, solve};

    #[test]
    fn the_solution_and_the_inverse_satisfy_their_equations() {
        let a = [[4.0, 1.0, 0.5], [1.0, 3.0, -0.25], [0.5, -0.25, 2.0]];
        let x = solve(&a, &[1.0, -2.0, 0.5]);
        let inverse = inverse(&a);
        for i in 0..3 {
            let product: f64 = (0..3).map(|k| a[i][k] * x[k]).sum();
            assert!((product - [1.0, -2.0, 0.5][i]).abs() < 1e-12);
        }
        for (i, j) in (0..9).map(|n| (n / 3, n % 3)) {
            let product: f64 = (0..3).map(|k| a[i][k] * inverse[k][j]).sum();
            assert!((product - if i == j { 1.0 } else { 0.0 }).abs() < 1e-12);
        }
        assert_eq!(solve(&[[0.0; 3]; 3], &[1.0; 3]), [0.0; 3]);
    }
}
