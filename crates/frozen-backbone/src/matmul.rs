//! The one place that calls an unsafe routine: a safe face for `gemm`.
//!
//! Kept because candle's own product of a `[m, k]` by a `[1, k, n]` tensor copies its operands and cannot add into a buffer that
//! already holds bias and skip; fused, the frozen network is several times faster (`cargo bench -p frozen-backbone`).
#![allow(unsafe_code)]

/// `dst += a * b` for row-major `a` (m x k), `b` (k x n) and `dst` (m x n), on one thread.
///
/// # Panics
/// If a slice is not exactly as long as its shape says.
pub(crate) fn accumulate(dst: &mut [f32], a: &[f32], b: &[f32], m: usize, k: usize, n: usize) {
    assert_eq!(dst.len(), m * n, "dst must be {m} x {n}");
    assert_eq!(a.len(), m * k, "a must be {m} x {k}");
    assert_eq!(b.len(), k * n, "b must be {k} x {n}");
    if dst.is_empty() || k == 0 {
        return;
    }
    // SAFETY: the three slices are valid for the index ranges that the strides (n, 1), (k, 1), (n, 1) span, which the
    // assertions above pin to their lengths; `dst` is exclusively borrowed, so it overlaps neither `a` nor `b`; lengths of
    // slices never exceed isize::MAX, so the casts are lossless.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            dst.as_mut_ptr(),
            1,
            n as isize,
            true,
            a.as_ptr(),
            1,
            k as isize,
            b.as_ptr(),
            1,
            n as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::accumulate;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_triple_loop(m in 1usize..20, k in 0usize..20, n in 1usize..40, seed in 0u32..1000) {
            let value = |i: usize| (((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 16) % 200) as f32 / 100.0 - 1.0;
            let a: Vec<f32> = (0..m * k).map(value).collect();
            let b: Vec<f32> = (0..k * n).map(|i| value(i + 7777)).collect();
            let mut dst: Vec<f32> = (0..m * n).map(|i| value(i + 99)).collect();
            let mut want: Vec<f64> = dst.iter().map(|&v| f64::from(v)).collect();
            for i in 0..m { for j in 0..n { for l in 0..k {
                want[i * n + j] += f64::from(a[i * k + l]) * f64::from(b[l * n + j]);
            } } }
            accumulate(&mut dst, &a, &b, m, k, n);
            for (got, want) in dst.iter().zip(&want) {
                prop_assert!((f64::from(*got) - want).abs() < 1e-4, "{got} {want}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "b must be")]
    fn refuses_a_short_slice() {
        accumulate(&mut [0.0; 4], &[0.0; 4], &[0.0; 3], 2, 2, 2);
    }
}
