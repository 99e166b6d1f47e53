//! DINOv2: vision transformer with patches of 14x14 pixels.

use std::cell::Cell;

use ndarray::ArrayView3;

use crate::backbone::{Backbone, IMAGENET, Level, Pyramid, check, id, normalized};
use crate::error::Error;
use crate::feature_map::FeatureMap;
use crate::kernels::Packed;
use crate::transformer::{Buffers, DEPTH, Names, Transformer, embed};
use crate::weights::Weights;

const PATCH: usize = 14;
/// Number of patches along each side of the images that the position embeddings were trained for.
const GRID: usize = 37;
const NAMES: Names = Names {
    layers: "encoder.layer",
    query: "attention.attention.query",
    key: "attention.attention.key",
    value: "attention.attention.value",
    output: "attention.output.dense",
    widen: "mlp.fc1",
    shrink: "mlp.fc2",
    norm: "layernorm",
    key_bias: true,
};

/// Size of a DINO network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DinoVariant {
    /// 384 channels, 6 heads.
    Small,
    /// 768 channels, 12 heads.
    Base,
}

impl DinoVariant {
    pub(crate) fn channels(self) -> usize {
        match self {
            Self::Small => 384,
            Self::Base => 768,
        }
    }
}

/// Buffers of an image, reused from image to image.
#[derive(Default)]
struct Maps {
    image: FeatureMap,
    positions: FeatureMap,
    patches: FeatureMap,
    layers: Buffers,
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
    layers: Transformer,
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
        let (name, channels) = match variant {
            DinoVariant::Small => ("DINOv2-small", variant.channels()),
            DinoVariant::Base => ("DINOv2-base", variant.channels()),
        };
        let id = id(name, "layers", layers, &std::array::from_fn::<_, DEPTH, _>(|i| i + 1))?;
        let get = |tensor: &str, shape: &[usize]| weights.get(name, tensor, shape);
        let embedding = "embeddings.patch_embeddings.projection";
        let weight = get(&format!("{embedding}.weight"), &[channels, 3, PATCH, PATCH])?;
        let bias = get(&format!("{embedding}.bias"), &[channels])?;
        Ok(Self {
            patch: Packed::new(&weight, &bias, 3, PATCH),
            class: get("embeddings.cls_token", &[1, 1, channels])?,
            positions: get("embeddings.position_embeddings", &[1, GRID * GRID + 1, channels])?,
            layers: Transformer::new(name, channels, &NAMES, 1e-6, weights, layers)?,
            levels: vec![Level { channels, stride: PATCH }; layers.len()],
            id,
            hash: weights.hash(),
        })
    }

    /// Embeds the class token and the patches of an image of `rows` x `columns` patches, with their positions.
    fn embed(&self, (rows, columns): (usize, usize), maps: &mut Maps) {
        let Maps { image, positions, patches, layers: Buffers { tokens, .. } } = maps;
        let channels = self.class.len();
        let (first, grid) = self.positions.split_at(channels);
        resize(grid, channels, (rows, columns), positions);
        embed(&self.patch, PATCH, image, (rows, columns), Some(positions), patches);
        tokens.reset((rows * columns + 1, 1, channels), 0);
        let (class, rest) = tokens.values.split_at_mut(channels);
        class.iter_mut().zip(self.class.iter().zip(first)).for_each(|(v, (c, p))| *v = c + p);
        rest.copy_from_slice(&patches.values);
    }
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
        let taps = self.layers.forward(&mut maps.layers, (rows, columns), None);
        MAPS.set(maps);
        taps
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
