//! Layers of a vision transformer: attention and a two-layer network, each behind a layer norm and around a sum.

use std::f32::consts::TAU;

use rayon::prelude::*;

use crate::attention::{HEAD, attend, gelu, normalize};
use crate::backbone::{Pyramid, by_channel};
use crate::error::Error;
use crate::feature_map::{FeatureMap, Reads, run};
use crate::kernels::Packed;
use crate::weights::Weights;

/// Number of layers.
pub(crate) const DEPTH: usize = 12;

/// Scale and shift of a layer norm.
type Norm = (Vec<f32>, Vec<f32>);

/// Names of the tensors of a layer, behind its prefix.
pub(crate) struct Names {
    /// Of all layers together.
    pub(crate) layers: &'static str,
    pub(crate) query: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: &'static str,
    pub(crate) output: &'static str,
    pub(crate) widen: &'static str,
    pub(crate) shrink: &'static str,
    /// Of the layer norm behind all layers.
    pub(crate) norm: &'static str,
    /// Whether the projection to keys has a bias.
    pub(crate) key_bias: bool,
}

/// Layers up to the last tap, and the layer norm behind each tap.
#[derive(Debug, Clone)]
pub(crate) struct Transformer {
    layers: Vec<Layer>,
    norm: Norm,
    /// Addition to the variance in all layer norms.
    epsilon: f32,
}

#[derive(Debug, Clone)]
struct Layer {
    norm1: Norm,
    /// Projection to queries (scaled for the dot product), keys and values, in this order.
    qkv: Packed,
    /// Output projection of the attention; the layer scale is folded into it, and into `shrink`.
    output: Packed,
    norm2: Norm,
    widen: Packed,
    shrink: Packed,
    tapped: bool,
}

/// Buffers between layers, reused from image to image; one row per token.
#[derive(Default)]
pub(crate) struct Buffers {
    /// Tokens before the first layer and after each.
    pub(crate) tokens: FeatureMap,
    normed: FeatureMap,
    wide: FeatureMap,
    context: Vec<f32>,
    after: FeatureMap,
}

impl Transformer {
    /// Takes the layers up to the last of `layers`, which counts from 1.
    pub(crate) fn new(
        network: &'static str,
        channels: usize,
        names: &Names,
        epsilon: f32,
        weights: &Weights,
        layers: &[usize],
    ) -> Result<Self, Error> {
        let get = |tensor: &str, shape: &[usize]| weights.get(network, tensor, shape);
        let norm = |at: &str| {
            Ok::<_, Error>((get(&format!("{at}.weight"), &[channels])?, get(&format!("{at}.bias"), &[channels])?))
        };
        let linear = |at: &str, outputs: usize, inputs: usize, has_bias: bool| {
            let weight = get(&format!("{at}.weight"), &[outputs, inputs])?;
            let bias = if has_bias { get(&format!("{at}.bias"), &[outputs])? } else { vec![0.0; outputs] };
            Ok::<_, Error>((weight, bias))
        };
        let scaled = |at: &str, lambda: &str, inputs: usize| {
            let (mut weight, mut bias) = linear(at, channels, inputs, true)?;
            let lambda = get(lambda, &[channels])?;
            weight.chunks_exact_mut(inputs).zip(&lambda).for_each(|(w, l)| w.iter_mut().for_each(|w| *w *= l));
            bias.iter_mut().zip(&lambda).for_each(|(b, l)| *b *= l);
            Ok::<_, Error>(Packed::new(&weight, &bias, inputs, 1))
        };
        let layer = |number: usize| {
            let at = |part: &str| format!("{}.{}.{part}", names.layers, number - 1);
            let (mut weight, mut bias) = linear(&at(names.query), channels, channels, true)?;
            // a power of two, so that nothing is rounded
            let scale = 1.0 / (HEAD as f32).sqrt();
            weight.iter_mut().chain(&mut bias).for_each(|w| *w *= scale);
            for (part, has_bias) in [(names.key, names.key_bias), (names.value, true)] {
                let (w, b) = linear(&at(part), channels, channels, has_bias)?;
                weight.extend(w);
                bias.extend(b);
            }
            let widen = linear(&at(names.widen), 4 * channels, channels, true)?;
            Ok(Layer {
                norm1: norm(&at("norm1"))?,
                qkv: Packed::new(&weight, &bias, channels, 1),
                output: scaled(&at(names.output), &at("layer_scale1.lambda1"), channels)?,
                norm2: norm(&at("norm2"))?,
                widen: Packed::new(&widen.0, &widen.1, channels, 1),
                shrink: scaled(&at(names.shrink), &at("layer_scale2.lambda1"), 4 * channels)?,
                tapped: layers.contains(&number),
            })
        };
        Ok(Self {
            layers: (1..=layers.last().copied().unwrap_or(0)).map(layer).collect::<Result<_, Error>>()?,
            norm: norm(names.norm)?,
            epsilon,
        })
    }

    /// Passes the tokens of `buffers` through the layers: those of `grid`, row by row, behind others that are not
    /// places. Returns the maps of the places after each tap.
    pub(crate) fn forward(
        &self,
        buffers: &mut Buffers,
        grid: (usize, usize),
        rotation: Option<&Rotation>,
    ) -> Result<Pyramid, Error> {
        let Buffers { tokens, normed, wide, context, after } = buffers;
        let (channels, count) = (tokens.channels, tokens.rows);
        let before = (count - grid.0 * grid.1) * channels;
        let mut taps = Vec::new();
        for layer in &self.layers {
            normalize(tokens, &layer.norm1, self.epsilon, normed);
            linear(&layer.qkv, &normed.values, (1, 0, channels), None, wide);
            if let Some(rotation) = rotation {
                rotation.apply(&mut wide.values[3 * before..], channels);
            }
            attend(&wide.values, count, channels, context);
            linear(&layer.output, context, (channels / HEAD, count * HEAD, HEAD), Some(tokens), after);
            normalize(after, &layer.norm2, self.epsilon, normed);
            linear(&layer.widen, &normed.values, (1, 0, channels), None, wide);
            wide.values.par_chunks_mut(4 * channels).for_each(gelu);
            linear(&layer.shrink, &wide.values, (1, 0, 4 * channels), Some(after), tokens);
            if layer.tapped {
                normalize(tokens, &self.norm, self.epsilon, normed);
                taps.push(by_channel(normed.values[before..].to_vec(), (grid.0, grid.1, channels))?);
            }
        }
        Ok(taps)
    }
}

/// Embeds the patches of `side` x `side` pixels of an image of `rows` x `columns` of them, adding `skip`.
pub(crate) fn embed(
    weights: &Packed,
    side: usize,
    image: &FeatureMap,
    (rows, columns): (usize, usize),
    skip: Option<&FeatureMap>,
    output: &mut FeatureMap,
) {
    output.reset((rows, columns, weights.outputs()), 0);
    let row = image.row();
    let from = |y, x| y * side * row + x * side * 3;
    let reads = Reads { source: &image.values, count: side, step: row, len: 3 * side, from };
    run(weights, &reads, skip, f32::NEG_INFINITY, output);
}

/// Linear layer on tokens that consist of `count` runs of `len` numbers, `step` apart.
fn linear(
    weights: &Packed,
    source: &[f32],
    (count, step, len): (usize, usize, usize),
    skip: Option<&FeatureMap>,
    output: &mut FeatureMap,
) {
    let tokens = source.len() / (count * len);
    output.reset((tokens, 1, weights.outputs()), 0);
    let reads = Reads { source, count, step, len, from: |y, _| y * len };
    run(weights, &reads, skip, f32::NEG_INFINITY, output);
}

/// Rotary position embedding of a grid of patches: queries and keys turn in planes of channels c and c + 32 of a head,
/// the first 16 planes by the row and the others by the column.
///
/// The angle of plane i is 2 pi x 100^(-i / 16), with x from -1 to 1 across the image at the centers of the patches.
pub(crate) struct Rotation {
    /// Cosines, then sines, of the planes of each patch.
    turns: Vec<[f32; HEAD]>,
}

impl Rotation {
    pub(crate) fn new((rows, columns): (usize, usize)) -> Self {
        const PLANES: usize = HEAD / 2;
        const THETA: f32 = 100.0;
        let frequency = |i: usize| THETA.powf(-(i as f32) / (PLANES / 2) as f32);
        let at = |i: usize, n: usize| 2.0 * (i as f32 + 0.5) / n as f32 - 1.0;
        let turn = |p: usize| {
            let mut turn = [0.0; HEAD];
            for plane in 0..PLANES {
                let x = if plane < PLANES / 2 { at(p / columns, rows) } else { at(p % columns, columns) };
                let angle = TAU * x * frequency(plane % (PLANES / 2));
                (turn[plane], turn[PLANES + plane]) = (angle.cos(), angle.sin());
            }
            turn
        };
        Self { turns: (0..rows * columns).map(turn).collect() }
    }

    /// Turns queries and keys of `channels` each in `qkv`, one row of queries, keys and values per patch.
    fn apply(&self, qkv: &mut [f32], channels: usize) {
        qkv.par_chunks_exact_mut(3 * channels).zip(&self.turns).for_each(|(row, turn)| {
            let (cosines, sines) = turn.split_at(HEAD / 2);
            for head in row[..2 * channels].chunks_exact_mut(HEAD) {
                let (first, second) = head.split_at_mut(HEAD / 2);
                for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A turned query and a turned key are as near each other as the difference of their places says.
    #[test]
    fn the_product_depends_on_the_distance_alone() {
        let rotation = Rotation::new((1, 4));
        let product = |p: usize, q: usize| {
            let mut rows: Vec<f32> =
                (0..4 * 3 * HEAD).map(|i| if i % (3 * HEAD) < 2 * HEAD { 1.0 } else { 7.0 }).collect();
            rotation.apply(&mut rows, HEAD);
            let (query, key) = (&rows[p * 3 * HEAD..][..HEAD], &rows[q * 3 * HEAD + HEAD..][..HEAD]);
            assert!(rows[2 * HEAD..3 * HEAD].iter().all(|v| *v == 7.0));
            query.iter().zip(key).map(|(a, b)| a * b).sum::<f32>()
        };
        assert!((product(0, 0) - HEAD as f32).abs() < 1e-4);
        assert!((product(0, 1) - product(2, 3)).abs() < 1e-3 && (product(0, 2) - product(1, 3)).abs() < 1e-3);
        assert!((product(0, 1) - product(0, 2)).abs() > 1.0);
    }
}
