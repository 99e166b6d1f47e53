//! Exact Euclidean distance transform (Felzenszwalb and Huttenlocher 2012: lower envelope of parabolas, once per axis).

use ndarray::{Array2, ArrayView2};

/// Distance in px from each pixel to the nearest true pixel of `mask` (infinite if there is none).
pub(super) fn to_mask(mask: ArrayView2<'_, bool>) -> Array2<f32> {
    let (h, w) = mask.dim();
    let mut squared = mask.mapv(|m| if m { 0.0f64 } else { f64::INFINITY });
    let mut line = vec![0.0; h.max(w)];
    for mut column in squared.columns_mut() {
        envelope(column.iter().copied(), &mut line[..h]);
        column.iter_mut().zip(&line).for_each(|(v, &d)| *v = d);
    }
    for mut row in squared.rows_mut() {
        envelope(row.iter().copied(), &mut line[..w]);
        row.iter_mut().zip(&line).for_each(|(v, &d)| *v = d);
    }
    squared.mapv(|d| d.sqrt() as f32)
}

/// `out[q] = min_p (q - p)^2 + f[p]`.
fn envelope(f: impl Iterator<Item = f64>, out: &mut [f64]) {
    // Parabolas (apex, height) and where each begins to be the lowest.
    let mut hull: Vec<(f64, f64, f64)> = Vec::new();
    for (p, height) in f.enumerate() {
        if height.is_infinite() {
            continue;
        }
        let p = p as f64;
        let mut from = f64::NEG_INFINITY;
        while let Some(&(apex, low, begin)) = hull.last() {
            let cross = ((height + p * p) - (low + apex * apex)) / (2.0 * (p - apex));
            if cross > begin {
                from = cross;
                break;
            }
            hull.pop();
        }
        hull.push((p, height, from));
    }
    let mut k = 0;
    for (q, v) in out.iter_mut().enumerate() {
        let q = q as f64;
        while k + 1 < hull.len() && hull[k + 1].2 <= q {
            k += 1;
        }
        *v = hull.get(k).map_or(f64::INFINITY, |&(apex, height, _)| (q - apex).powi(2) + height);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    #[test]
    fn equals_the_search_over_all_pixels() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        for share in [0.005, 0.03, 0.3] {
            let mask = Array2::from_shape_fn((23, 31), |_| rng.random::<f64>() < share);
            let distance = to_mask(mask.view());
            for ((y, x), &d) in distance.indexed_iter() {
                let brute = mask
                    .indexed_iter()
                    .filter(|&(_, &m)| m)
                    .map(|((v, u), _)| (v as f32 - y as f32).hypot(u as f32 - x as f32))
                    .fold(f32::INFINITY, f32::min);
                assert!(d == brute || (d - brute).abs() < 1e-4, "{y},{x}: {d} against {brute}");
            }
        }
    }
}
