//! DINOv3: vision transformer with patches of 16x16 pixels, register tokens and rotary positions.

use std::cell::Cell;

use ndarray::ArrayView3;

use crate::backbone::{Backbone, IMAGENET, Level, Pyramid, check, id, normalized};
use crate::dino2::DinoVariant;
use crate::error::Error;
use crate::feature_map::FeatureMap;
use crate::kernels::Packed;
use crate::transformer::{Buffers, DEPTH, Names, Rotation, Transformer, embed};
use crate::weights::Weights;

const PATCH: usize = 16;
const REGISTERS: usize = 4;
const NAMES: Names = Names {
    layers: "layer",
    query: "attention.q_proj",
    key: "attention.k_proj",
    value: "attention.v_proj",
    output: "attention.o_proj",
    widen: "mlp.up_proj",
    shrink: "mlp.down_proj",
    norm: "norm",
    key_bias: false,
};

/// Buffers of an image, reused from image to image.
#[derive(Default)]
struct Maps {
    image: FeatureMap,
    patches: FeatureMap,
    layers: Buffers,
}

thread_local! {
    static MAPS: Cell<Maps> = Cell::default();
}

/// DINOv3 small or base from the public weights `dinov3-vits16` or `dinov3-vitb16` of facebook, frozen.
///
/// Each tap holds the patch tokens after a chosen layer (1 to 12), behind the final layer norm, as a map at stride 16.
/// An image whose sides are not multiples of 16 is padded by repeating its last row and column. Positions are rotary:
/// they need no resizing. Inputs are normalized with the mean and the standard deviation of ImageNet. The variants with
/// gated layers (`vits16plus`) are not read.
///
/// O. Siméoni et al., "DINOv3", arXiv 2508.10104, 2025. The license of the weights is facebook's own: read it before
/// you use them in a product.
///
/// ```no_run
/// use frozen_backbone::{DinoV3, DinoVariant, Weights};
///
/// let weights = Weights::open("dinov3-vits16/model.safetensors")?;
/// let net = DinoV3::new(DinoVariant::Small, &weights, &DinoV3::LAYERS)?;
/// # Ok::<(), frozen_backbone::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DinoV3 {
    patch: Packed,
    /// Class token, then the registers.
    first: Vec<f32>,
    layers: Transformer,
    levels: Vec<Level>,
    id: String,
    hash: u64,
}

impl DinoV3 {
    /// Default taps: every third layer.
    pub const LAYERS: [usize; 4] = [3, 6, 9, 12];

    /// Creates the network up to the last of `layers`, the taps: some of 1 to 12, each once, in rising order.
    ///
    /// # Errors
    /// [`Error::Parameter`] for other layers; [`Error::Weights`] with the tensor that is missing or does not fit.
    pub fn new(variant: DinoVariant, weights: &Weights, layers: &[usize]) -> Result<Self, Error> {
        let (name, channels) = match variant {
            DinoVariant::Small => ("DINOv3-small", variant.channels()),
            DinoVariant::Base => ("DINOv3-base", variant.channels()),
        };
        let id = id(name, "layers", layers, &std::array::from_fn::<_, DEPTH, _>(|i| i + 1))?;
        let get = |tensor: &str, shape: &[usize]| weights.get(name, tensor, shape);
        let weight = get("embeddings.patch_embeddings.weight", &[channels, 3, PATCH, PATCH])?;
        let bias = get("embeddings.patch_embeddings.bias", &[channels])?;
        let mut first = get("embeddings.cls_token", &[1, 1, channels])?;
        first.extend(get("embeddings.register_tokens", &[1, REGISTERS, channels])?);
        Ok(Self {
            patch: Packed::new(&weight, &bias, 3, PATCH),
            first,
            layers: Transformer::new(name, channels, &NAMES, 1e-5, weights, layers)?,
            levels: vec![Level { channels, stride: PATCH }; layers.len()],
            id,
            hash: weights.hash(),
        })
    }

    /// Embeds an image of `rows` x `columns` patches behind the class token and the registers.
    fn embed(&self, (rows, columns): (usize, usize), maps: &mut Maps) {
        let Maps { image, patches, layers: Buffers { tokens, .. } } = maps;
        let channels = self.patch.outputs();
        embed(&self.patch, PATCH, image, (rows, columns), None, patches);
        tokens.reset((1 + REGISTERS + rows * columns, 1, channels), 0);
        let (first, rest) = tokens.values.split_at_mut(self.first.len());
        first.copy_from_slice(&self.first);
        rest.copy_from_slice(&patches.values);
    }
}

impl Backbone for DinoV3 {
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
        let grid = (height.div_ceil(PATCH), width.div_ceil(PATCH));
        let mut maps = MAPS.take();
        let pixel = normalized(image, IMAGENET.0, IMAGENET.1);
        maps.image.fill((height, width), (grid.0 * PATCH, grid.1 * PATCH), 0, pixel);
        self.embed(grid, &mut maps);
        let taps = self.layers.forward(&mut maps.layers, grid, Some(&Rotation::new(grid)));
        MAPS.set(maps);
        taps
    }
}
