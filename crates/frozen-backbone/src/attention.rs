//! Layer norm, softmax attention and GELU of a transformer.

use pulp::Arch;
use rayon::prelude::*;

use crate::feature_map::FeatureMap;
use crate::kernels::{Dense, LANES, Packed};

/// Channels of an attention head.
pub(crate) const HEAD: usize = 64;
/// Queries that are processed together.
const QUERIES: usize = 64;

/// Reduces values by `step` in [`LANES`] partial results and combines those by `join`, in a fixed order that
/// vectorizes.
fn fold(values: &[f32], start: f32, step: impl Fn(f32, f32) -> f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut parts = [start; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    chunks.iter().for_each(|chunk| parts.iter_mut().zip(chunk).for_each(|(p, v)| *p = step(*p, *v)));
    parts.iter_mut().zip(rest).for_each(|(p, v)| *p = step(*p, *v));
    parts.into_iter().fold(start, join)
}

fn sum(values: &[f32]) -> f32 {
    fold(values, 0.0, |s, v| s + v, |a, b| a + b)
}

/// `e^x` for x <= 0 to 2e-7 of the value, zero below -87; plain arithmetic, so that it vectorizes and all machines
/// agree. The polynomial and the split of ln 2 are those of S. Moshier's Cephes library (`expf`).
fn exp(x: f32) -> f32 {
    /// Adding it rounds to a whole number, which then is in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let whole = x.max(-87.0) * std::f32::consts::LOG2_E + ROUND;
    let n = whole - ROUND;
    let r = x.max(-87.0) - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p =
        ((((1.987_569_1e-4 * r + 1.398_2e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_5e-1) * r + 0.5;
    let power = f32::from_bits((whole.to_bits() << 23).wrapping_add(127 << 23));
    if x < -87.0 { 0.0 } else { (p * r * r + r + 1.0) * power }
}

/// Applies layer norm to each token; `epsilon` is added to its variance.
pub(crate) fn normalize(
    input: &FeatureMap,
    (scale, shift): &(Vec<f32>, Vec<f32>),
    epsilon: f32,
    output: &mut FeatureMap,
) {
    let channels = input.channels;
    output.reset((input.rows, 1, channels), 0);
    output.values.par_chunks_mut(channels).zip(input.values.par_chunks(channels)).for_each(|(output, input)| {
        let mean = sum(input) / channels as f32;
        let squares = fold(input, 0.0, |s, v| s + (v - mean) * (v - mean), |a, b| a + b);
        let variance = squares / channels as f32;
        let factor = 1.0 / (variance + epsilon).sqrt();
        for (c, (out, v)) in output.iter_mut().zip(input).enumerate() {
            *out = (v - mean) * factor * scale[c] + shift[c];
        }
    });
}

/// Computes softmax attention head by head: `qkv` holds queries (scaled), keys and values of each token, `channels` of
/// each; `context` becomes [`HEAD`] channels of every token for the first head, then for the next.
pub(crate) fn attend(qkv: &[f32], tokens: usize, channels: usize, context: &mut Vec<f32>) {
    context.resize(tokens * channels, 0.0);
    let row = 3 * channels;
    context.par_chunks_mut(tokens * HEAD).enumerate().for_each(|(head, context)| {
        let part = |token: usize, which: usize, c: usize| qkv[token * row + which * channels + head * HEAD + c];
        let keys = Packed::from_fn(HEAD, &vec![0.0; tokens], |token, c| part(token, 1, c));
        let values = Packed::from_fn(tokens, &[0.0; HEAD], |c, token| part(token, 2, c));
        let stored = keys.outputs();
        let mut scores = vec![0.0; QUERIES.min(tokens) * stored];
        for (strip, context) in context.chunks_mut(QUERIES * HEAD).enumerate() {
            let count = context.len() / HEAD;
            let product = |weights: &Packed, source: &[f32], from: &[usize], len: usize, output: &mut [f32]| {
                let to: Vec<usize> = (0..count).map(|i| i * weights.outputs()).collect();
                Arch::new().dispatch(Dense {
                    weights,
                    source,
                    from,
                    count: 1,
                    step: 0,
                    len,
                    skip: None,
                    floor: f32::NEG_INFINITY,
                    ceiling: f32::INFINITY,
                    output,
                    to: &to,
                    panel: LANES,
                });
            };
            let queries: Vec<usize> = (0..count).map(|i| (strip * QUERIES + i) * row + head * HEAD).collect();
            product(&keys, qkv, &queries, HEAD, &mut scores);
            for scores in scores.chunks_exact_mut(stored).take(count) {
                softmax(&mut scores[..tokens]);
            }
            let rows: Vec<usize> = (0..count).map(|i| i * stored).collect();
            product(&values, &scores, &rows, tokens, context);
        }
    });
}

fn softmax(scores: &mut [f32]) {
    let most = fold(scores, f32::NEG_INFINITY, f32::max, f32::max);
    scores.iter_mut().for_each(|s| *s = exp(*s - most));
    let factor = 1.0 / sum(scores);
    scores.iter_mut().for_each(|s| *s *= factor);
}

/// `x / 2 (1 + erf(x / sqrt 2))`, the error function to 1.5e-7: M. Abramowitz, I. Stegun, "Handbook of Mathematical
/// Functions", 7.1.26.
pub(crate) fn gelu(values: &mut [f32]) {
    const A: [f32; 5] = [0.254_829_6, -0.284_496_74, 1.421_413_7, -1.453_152, 1.061_405_4];
    for x in values {
        let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
        let t = 1.0 / (1.0 + 0.327_591_1 * z);
        let tail = t * (A[0] + t * (A[1] + t * (A[2] + t * (A[3] + t * A[4])))) * exp(-z * z);
        *x *= if *x < 0.0 { 0.5 * tail } else { 1.0 - 0.5 * tail };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_equals_the_standard_librarys() {
        for i in 0..870_000 {
            let x = -1e-4 * i as f32;
            let want = f64::from(x).exp();
            assert!((f64::from(exp(x)) - want).abs() <= 2e-7 * want, "{x}: {} {want}", exp(x));
        }
        assert_eq!((exp(0.0), exp(-88.0), exp(f32::NEG_INFINITY)), (1.0, 0.0, 0.0));
    }

    /// erf(1/2), erf(1), erf(3/2), erf(2) from Abramowitz and Stegun's table 7.1.
    #[test]
    fn gelu_follows_the_table_of_the_error_function() {
        for (z, erf) in [(0.5, 0.520_499_88), (1.0, 0.842_700_79), (1.5, 0.966_105_15), (2.0, 0.995_322_27)] {
            let x = z * std::f64::consts::SQRT_2;
            let mut values = [x as f32, -x as f32];
            gelu(&mut values);
            for (value, want) in values.into_iter().zip([0.5 * x * (1.0 + erf), -0.5 * x * (1.0 - erf)]) {
                assert!((f64::from(value) - want).abs() < 5e-7, "{x}: {value} {want}");
            }
        }
    }
}
