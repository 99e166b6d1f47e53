//! Exponential function that compilers vectorize.

use crate::simd::{fused, larger};

/// `2^t` for `t <= 0`, minus infinity included: relative error below 3e-7 down to -126, constant beyond and so never
/// zero; 1 at 0.
///
/// The integer part goes into the exponent, the fractional part through a minimax polynomial.
#[inline(always)]
pub(super) fn exp2(t: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to the nearest integer
    let t = larger(t, -126.0);
    let shifted = t + MAGIC;
    let f = t - (shifted - MAGIC);
    let mut p = 1.330_060_5e-3;
    p = fused(p, f, 9.669_691e-3);
    p = fused(p, f, 5.550_558_5e-2);
    p = fused(p, f, 2.402_228_3e-1);
    p = fused(p, f, std::f32::consts::LN_2);
    p = fused(p, f, 1.0);
    // the integer sits in the low bits of `shifted`; moved into an exponent, it is the factor 2^integer
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

#[cfg(test)]
mod tests {
    use super::exp2;

    #[test]
    fn agrees_with_the_standard_library() {
        for i in 0..126_000 {
            let t = -i as f32 * 1e-3;
            let exact = f64::from(t).exp2();
            let error = (f64::from(exp2(t)) - exact).abs();
            assert!(error <= 3e-7 * exact, "2^{t} off by {:e}", error / exact);
        }
        assert_eq!(exp2(0.0), 1.0);
        assert!(exp2(f32::NEG_INFINITY) < 2e-38);
    }
}
