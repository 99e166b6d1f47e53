//! What a transformer needs beside linear layers: layer norm, attention, GELU.

use pulp::Arch;
use rayon::prelude::*;

use crate::kernels::{Dense, LANES, Packed};
use crate::map::Map;

/// Channels of a head.
pub(crate) const HEAD: usize = 64;
/// Queries that are answered together.
const QUERIES: usize = 64;

/// Sum of `term` over the values, in a fixed order that vectors can follow.
fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    chunks.iter().for_each(|chunk| sums.iter_mut().zip(chunk).for_each(|(s, v)| *s += term(*v)));
    sums.iter().sum::<f32>() + rest.iter().map(|v| term(*v)).sum::<f32>()
}

/// Layer norm of each token.
pub(crate) fn normalise(input: &Map, (scale, shift): &(Vec<f32>, Vec<f32>), output: &mut Map) {
    const EPSILON: f32 = 1e-6;
    let channels = input.channels;
    output.reset((input.rows, 1, channels), 0);
    output.values.par_chunks_mut(channels).zip(input.values.par_chunks(channels)).for_each(|(output, input)| {
        let mean = sum(input, |v| v) / channels as f32;
        let variance = sum(input, |v| (v - mean) * (v - mean)) / channels as f32;
        let factor = 1.0 / (variance + EPSILON).sqrt();
        for (c, (out, v)) in output.iter_mut().zip(input).enumerate() {
            *out = (v - mean) * factor * scale[c] + shift[c];
        }
    });
}

/// Softmax attention, head by head: `qkv` holds queries (scaled), keys and values of each token, `channels` of each; `context` becomes
/// [`HEAD`] channels of every token for the first head, then for the next.
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
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|s| *s = (*s - most).exp());
    let factor = 1.0 / sum(scores, |s| s);
    scores.iter_mut().for_each(|s| *s *= factor);
}

/// `x / 2 (1 + erf(x / sqrt 2))`, the error function to 1.5e-7: M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions", 7.1.26.
pub(crate) fn gelu(values: &mut [f32]) {
    const A: [f32; 5] = [0.254_829_59, -0.284_496_74, 1.421_413_7, -1.453_152, 1.061_405_4];
    for x in values {
        let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
        let t = 1.0 / (1.0 + 0.327_591_1 * z);
        let tail = t * (A[0] + t * (A[1] + t * (A[2] + t * (A[3] + t * A[4])))) * (-z * z).exp();
        *x *= if *x < 0.0 { 0.5 * tail } else { 1.0 - 0.5 * tail };
    }
}
