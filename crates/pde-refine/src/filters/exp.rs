//! An exponential that compilers vectorise.

/// `exp(-q)` for `q >= 0`, infinity included: relative error below 3e-7 for `q` up to 4, absolute error below 1e-7
/// beyond; never zero.
///
/// `2^t` split into its integer and fractional part, the latter by the polynomial of Cephes' `exp2f`.
#[inline(always)]
pub(super) fn exp_neg(q: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to the nearest integer
    let t = (-q * std::f32::consts::LOG2_E).max(-126.0);
    let shifted = t + MAGIC;
    let f = t - (shifted - MAGIC);
    let mut p = 1.535_336_2e-4;
    p = p * f + 1.339_887_4e-3;
    p = p * f + 9.618_437e-3;
    p = p * f + 5.550_332_6e-2;
    p = p * f + 2.402_264_8e-1;
    p = p * f + 6.931_472e-1;
    p = p * f + 1.0;
    // the integer sits in the low bits of `shifted`; moved into an exponent, it is the factor 2^integer
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

#[cfg(test)]
mod tests {
    use super::exp_neg;

    #[test]
    fn agrees_with_the_standard_library() {
        for i in 0..100_000 {
            let q = i as f32 * 1e-3;
            let exact = f64::from(-q).exp();
            let error = (f64::from(exp_neg(q)) - exact).abs();
            assert!(error <= 1e-7 && (q > 4.0 || error <= 3e-7 * exact), "exp(-{q}) off by {error:e}");
        }
        assert_eq!(exp_neg(0.0), 1.0);
        assert!(exp_neg(f32::INFINITY) < 2e-38);
    }
}
