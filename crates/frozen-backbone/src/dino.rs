//! DINOv2: vision transformer with patches of 14x14 pixels.

use std::cell::Cell;

use ndarray::ArrayView3;
use rayon::prelude::*;

use crate::attention::{HEAD, attend, gelu, normalize};
use crate::backbone::{Backbone, IMAGENET, Level, Pyramid, by_channel, check, id, normalized};
use crate::error::Error;
use crate::feature_map::{FeatureMap, Reads, run};
use crate::kernels::Packed;
use crate::weights::Weights;

const PATCH: usize = 14;
/// Number of patches along each side of the images that the position embeddings were trained for.
const GRID: usize = 37;
/// Number of transformer layers.
const DEPTH: usize = 12;

/// Size of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DinoVariant {
    /// 384 channels, 6 heads.
    Small,
    /// 768 channels, 12 heads.
    Base,
}

impl DinoVariant {
    fn name(self) -> &'static str {
        match self {
            Self::Small => "DINOv2-small",
            Self::Base => "DINOv2-base",
        }
    }

    fn channels(self) -> usize {
        match self {
            Self::Small => 384,
            Self::Base => 768,
        }
    }
}

/// Scale and shift of a layer norm.
type Norm = (Vec<f32>, Vec<f32>);

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
struct Maps {
    image: FeatureMap,
    positions: FeatureMap,
    patches: FeatureMap,
    tokens: FeatureMap,
    normed: FeatureMap,
    wide: FeatureMap,
    context: Vec<f32>,
    after: FeatureMap,
}

thread_local! {
    static MAPS: Cell<Maps> = Cell::default();
}

/// DINOv2 small or base from the public weights `dinov2-small` or `dinov2-base` of facebook, without registers, frozen.
///
/// Each tap holds the patch tokens after a chosen layer (1 to 12), behind the final layer norm, as a map at stride 14.
/// An image whose sides are not multiples of 14 is padded by repeating its last row and column. Position embeddings are
/// resized from 37x37 by bicubic interpolation (a = -0.75, corners not aligned, no antialiasing), as the public model
/// does. Inputs are normalized with the mean and the standard deviation of ImageNet.
///
/// M. Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", TMLR 2024.
///
/// ```no_run
/// use frozen_backbone::{DinoV2, DinoVariant, Weights};
///
/// let weights = Weights::open("dinov2-small/model.safetensors")?;
/// let net = DinoV2::new(DinoVariant::Small, &weights, &DinoV2::LAYERS)?;
/// # Ok::<(), frozen_backbone::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DinoV2 {
    patch: Packed,
    class: Vec<f32>,
    /// Position embeddings of the class token, then of the patches row by row.
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: Norm,
    levels: Vec<Level>,
    id: String,
    hash: u64,
}

impl DinoV2 {
    /// Default taps: every third layer.
    pub const LAYERS: [usize; 4] = [3, 6, 9, 12];

    /// Creates the network up to the last of `layers`, the taps: some of 1 to 12, each once, in rising order.
    ///
    /// # Errors
    /// [`Error::Parameter`] for other layers; [`Error::Weights`] with the tensor that is missing or does not fit.
    pub fn new(variant: DinoVariant, weights: &Weights, layers: &[usize]) -> Result<Self, Error> {
        let (name, channels) = (variant.name(), variant.channels());
        let id = id(name, "layers", layers, &std::array::from_fn::<_, DEPTH, _>(|i| i + 1))?;
        let get = |tensor: &str, shape: &[usize]| weights.get(name, tensor, shape);
        let norm = |at: &str| {
            Ok::<_, Error>((get(&format!("{at}.weight"), &[channels])?, get(&format!("{at}.bias"), &[channels])?))
        };
        let linear = |at: &str, outputs: usize, inputs: usize| {
            Ok::<_, Error>((get(&format!("{at}.weight"), &[outputs, inputs])?, get(&format!("{at}.bias"), &[outputs])?))
        };
        let scaled = |at: &str, lambda: &str, inputs: usize| {
            let (mut weight, mut bias) = linear(at, channels, inputs)?;
            let lambda = get(lambda, &[channels])?;
            weight.chunks_exact_mut(inputs).zip(&lambda).for_each(|(w, l)| w.iter_mut().for_each(|w| *w *= l));
            bias.iter_mut().zip(&lambda).for_each(|(b, l)| *b *= l);
            Ok::<_, Error>(Packed::new(&weight, &bias, inputs, 1))
        };
        let layer = |number: usize| {
            let at = |part: &str| format!("encoder.layer.{}.{part}", number - 1);
            let (mut weight, mut bias) = linear(&at("attention.attention.query"), channels, channels)?;
            // a power of two, so that nothing is rounded
            let scale = 1.0 / (HEAD as f32).sqrt();
            weight.iter_mut().chain(&mut bias).for_each(|w| *w *= scale);
            for part in ["attention.attention.key", "attention.attention.value"] {
                let (w, b) = linear(&at(part), channels, channels)?;
                weight.extend(w);
                bias.extend(b);
            }
            let widen = linear(&at("mlp.fc1"), 4 * channels, channels)?;
            Ok(Layer {
                norm1: norm(&at("norm1"))?,
                qkv: Packed::new(&weight, &bias, channels, 1),
                output: scaled(&at("attention.output.dense"), &at("layer_scale1.lambda1"), channels)?,
                norm2: norm(&at("norm2"))?,
                widen: Packed::new(&widen.0, &widen.1, channels, 1),
                shrink: scaled(&at("mlp.fc2"), &at("layer_scale2.lambda1"), 4 * channels)?,
                tapped: layers.contains(&number),
            })
        };
        let embedding = "embeddings.patch_embeddings.projection";
        let weight = get(&format!("{embedding}.weight"), &[channels, 3, PATCH, PATCH])?;
        let bias = get(&format!("{embedding}.bias"), &[channels])?;
        Ok(Self {
            patch: Packed::new(&weight, &bias, 3, PATCH),
            class: get("embeddings.cls_token", &[1, 1, channels])?,
            positions: get("embeddings.position_embeddings", &[1, GRID * GRID + 1, channels])?,
            layers: (1..=layers.last().copied().unwrap_or(0)).map(layer).collect::<Result<_, Error>>()?,
            norm: norm("layernorm")?,
            levels: vec![Level { channels, stride: PATCH }; layers.len()],
            id,
            hash: weights.hash(),
        })
    }

    /// Embeds the class token and the patches of an image of `rows` x `columns` patches, with their positions.
    fn embed(&self, (rows, columns): (usize, usize), maps: &mut Maps) {
        let Maps { image, positions, patches, tokens, .. } = maps;
        let channels = self.class.len();
        let (first, grid) = self.positions.split_at(channels);
        resize(grid, channels, (rows, columns), positions);
        patches.reset((rows, columns, channels), 0);
        let row = image.row();
        let reads = Reads {
            source: &image.values,
            count: PATCH,
            step: row,
            len: 3 * PATCH,
            from: |y, x| y * PATCH * row + x * PATCH * 3,
        };
        run(&self.patch, &reads, Some(positions), f32::NEG_INFINITY, patches);
        tokens.reset((rows * columns + 1, 1, channels), 0);
        let (class, rest) = tokens.values.split_at_mut(channels);
        class.iter_mut().zip(self.class.iter().zip(first)).for_each(|(v, (c, p))| *v = c + p);
        rest.copy_from_slice(&patches.values);
    }
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

impl Backbone for DinoV2 {
    fn id(&self) -> &str {
        &self.id
    }

    fn hash(&self) -> u64 {
        self.hash
    }

    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn min_side(&self) -> usize {
        PATCH
    }

    fn extract(&self, image: ArrayView3<'_, f32>) -> Result<Pyramid, Error> {
        check(image, self)?;
        let (height, width, _) = image.dim();
        let (rows, columns) = (height.div_ceil(PATCH), width.div_ceil(PATCH));
        let mut maps = MAPS.take();
        let pixel = normalized(image, IMAGENET.0, IMAGENET.1);
        maps.image.fill((height, width), (rows * PATCH, columns * PATCH), 0, pixel);
        self.embed((rows, columns), &mut maps);
        let Maps { tokens, normed, wide, context, after, .. } = &mut maps;
        let (channels, count) = (self.class.len(), rows * columns + 1);
        let mut taps = Vec::with_capacity(self.levels.len());
        for layer in &self.layers {
            normalize(tokens, &layer.norm1, normed);
            linear(&layer.qkv, &normed.values, (1, 0, channels), None, wide);
            attend(&wide.values, count, channels, context);
            linear(&layer.output, context, (channels / HEAD, count * HEAD, HEAD), Some(tokens), after);
            normalize(after, &layer.norm2, normed);
            linear(&layer.widen, &normed.values, (1, 0, channels), None, wide);
            wide.values.par_chunks_mut(4 * channels).for_each(gelu);
            linear(&layer.shrink, &wide.values, (1, 0, 4 * channels), Some(after), tokens);
            if layer.tapped {
                normalize(tokens, &self.norm, normed);
                taps.push(normed.values[channels..].to_vec());
            }
        }
        MAPS.set(maps);
        taps.into_iter().map(|values| by_channel(values, (rows, columns, channels))).collect()
    }
}

/// Resizes `grid` of [`GRID`] x [`GRID`] embeddings by bicubic interpolation.
fn resize(grid: &[f32], channels: usize, (rows, columns): (usize, usize), output: &mut FeatureMap) {
    output.reset((rows, columns, channels), 0);
    let (down, across) = (cubic(rows), cubic(columns));
    for (i, pixel) in output.values.chunks_exact_mut(channels).enumerate() {
        for (y, wy) in down[i / columns] {
            for (x, wx) in across[i % columns] {
                let source = &grid[(y * GRID + x) * channels..][..channels];
                pixel.iter_mut().zip(source).for_each(|(sum, v)| *sum += wy * wx * v);
            }
        }
    }
}

/// Grid lines and weights of the four neighbors of each of `size` outputs (Keys' kernel, a = -0.75).
fn cubic(size: usize) -> Vec<[(usize, f32); 4]> {
    const A: f64 = -0.75;
    let near = |d: f64| ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0;
    let far = |d: f64| ((A * d - 5.0 * A) * d + 8.0 * A) * d - 4.0 * A;
    let output = |i: usize| {
        let at = (i as f64 + 0.5) * GRID as f64 / size as f64 - 0.5;
        let t = at - at.floor();
        let line = |offset: f64| (at.floor() + offset).clamp(0.0, (GRID - 1) as f64) as usize;
        [(-1.0, far(t + 1.0)), (0.0, near(t)), (1.0, near(1.0 - t)), (2.0, far(2.0 - t))]
            .map(|(o, w)| (line(o), w as f32))
    };
    (0..size).map(output).collect()
}
