//! WideResNet-50-2, cut after stride 16.

use std::cell::Cell;

use ndarray::ArrayView3;

use crate::backbone::{Backbone, IMAGENET, Level, Pyramid, by_channel, check, id, normalized};
use crate::error::Error;
use crate::feature_map::{Convolution, FeatureMap};
use crate::kernels::Packed;
use crate::weights::Weights;

const NAME: &str = "WideResNet-50-2";
const EPSILON: f32 = 1e-5;
/// Output channels of the stem.
const STEM: usize = 64;
/// (blocks, inner channels, output channels, stride of the first block) of layers 1 to 3.
const LAYERS: [(usize, usize, usize, usize); 3] = [(3, 128, 256, 1), (4, 256, 512, 2), (6, 512, 1024, 2)];

/// Residual block: 1x1, 3x3 (which has the stride) and 1x1 convolutions, and a 1x1 convolution on the skip where the
/// shape changes.
#[derive(Debug, Clone)]
struct Residual {
    reduce: Convolution,
    middle: Convolution,
    expand: Convolution,
    beside: Option<Convolution>,
    tapped: bool,
}

/// Buffers between layers, reused from image to image.
#[derive(Default)]
struct Maps {
    image: FeatureMap,
    reduced: FeatureMap,
    middle: FeatureMap,
    beside: FeatureMap,
    before: FeatureMap,
    after: FeatureMap,
}

thread_local! {
    static MAPS: Cell<Maps> = Cell::default();
}

/// WideResNet-50-2 from torchvision's public weights (`wide_resnet50_2`, either version), layers 1 to 3, batch norm
/// folded, frozen.
///
/// The taps are the outputs of layers 1, 2 and 3: 256, 512 and 1024 channels at strides 4, 8 and 16. Inputs are
/// normalized with the mean and the standard deviation of ImageNet.
///
/// S. Zagoruyko, N. Komodakis, "Wide Residual Networks", BMVC 2016; the bottleneck form is torchvision's.
///
/// ```no_run
/// use frozen_backbone::{Weights, WideResNet50};
///
/// let net = WideResNet50::new(&Weights::open("wide_resnet50_2.safetensors")?, &WideResNet50::STRIDES)?;
/// # Ok::<(), frozen_backbone::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct WideResNet50 {
    stem: Convolution,
    blocks: Vec<Residual>,
    levels: Vec<Level>,
    id: String,
    hash: u64,
}

impl WideResNet50 {
    /// Strides of all taps.
    pub const STRIDES: [usize; 3] = [4, 8, 16];

    /// Creates the network up to the last of `strides`, the taps: some of 4, 8 and 16, each once, in rising order.
    ///
    /// # Errors
    /// [`Error::Parameter`] for other strides; [`Error::Weights`] with the tensor that is missing or does not fit.
    pub fn new(weights: &Weights, strides: &[usize]) -> Result<Self, Error> {
        let id = id(NAME, "strides", strides, &Self::STRIDES)?;
        let load = |convolution: &str, norm: &str, outputs, inputs, kernel, stride| {
            let shape = [outputs, inputs, kernel, kernel];
            let (weight, bias) = weights.folded(NAME, (convolution, norm), shape, EPSILON)?;
            Ok::<_, Error>(Convolution { weights: Packed::new(&weight, &bias, inputs, kernel), kernel, stride })
        };
        let stem = load("conv1", "bn1", STEM, 3, 7, 2)?;
        let (mut blocks, mut levels, mut channels) = (Vec::new(), Vec::new(), STEM);
        for (layer, ((count, inner, outputs, first_stride), reached)) in
            LAYERS.into_iter().zip(Self::STRIDES).enumerate()
        {
            if strides.last().is_none_or(|&last| reached > last) {
                break;
            }
            let tapped = strides.contains(&reached);
            if tapped {
                levels.push(Level { channels: outputs, stride: reached });
            }
            for block in 0..count {
                let at = |part: &str| format!("layer{}.{block}.{part}", layer + 1);
                let numbered = |part: usize, outputs, inputs, kernel, stride| {
                    load(&at(&format!("conv{part}")), &at(&format!("bn{part}")), outputs, inputs, kernel, stride)
                };
                let stride = if block == 0 { first_stride } else { 1 };
                let beside = || load(&at("downsample.0"), &at("downsample.1"), outputs, channels, 1, stride);
                blocks.push(Residual {
                    reduce: numbered(1, inner, channels, 1, 1)?,
                    middle: numbered(2, inner, inner, 3, stride)?,
                    expand: numbered(3, outputs, inner, 1, 1)?,
                    beside: if block == 0 { Some(beside()?) } else { None },
                    tapped: tapped && block + 1 == count,
                });
                channels = outputs;
            }
        }
        Ok(Self { stem, blocks, levels, id, hash: weights.hash() })
    }
}

impl Backbone for WideResNet50 {
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
        32
    }

    fn extract(&self, image: ArrayView3<'_, f32>) -> Result<Pyramid, Error> {
        check(image, self)?;
        let (height, width, _) = image.dim();
        let mut maps = MAPS.take();
        let Maps { image: input, reduced, middle, beside, before, after } = &mut maps;
        input.fill((height, width), (height, width), self.stem.kernel / 2, normalized(image, IMAGENET.0, IMAGENET.1));
        self.stem.run(input, None, 0.0, reduced, 1);
        max_pool(reduced, before);
        let mut taps = Vec::with_capacity(self.levels.len());
        for block in &self.blocks {
            block.reduce.run(before, None, 0.0, reduced, 1);
            block.middle.run(reduced, None, 0.0, middle, 0);
            let skip = match &block.beside {
                Some(convolution) => {
                    convolution.run(before, None, f32::NEG_INFINITY, beside, 0);
                    &*beside
                }
                None => &*before,
            };
            block.expand.run(middle, Some(skip), 0.0, after, 0);
            std::mem::swap(before, after);
            if block.tapped {
                taps.push(before.values.clone());
            }
        }
        MAPS.set(maps);
        taps.into_iter().zip(&self.levels).map(|(values, level)| by_channel(values, level.dim(height, width))).collect()
    }
}

/// Max-pools 3x3 windows at stride 2. `input` has a border of 1 and no value below zero, so that the border never is
/// the maximum.
fn max_pool(input: &FeatureMap, output: &mut FeatureMap) {
    let (rows, columns, channels) = (input.rows.div_ceil(2), input.columns.div_ceil(2), input.channels);
    output.reset((rows, columns, channels), 0);
    for (i, pixel) in output.values.chunks_exact_mut(channels).enumerate() {
        let (y, x) = (i / columns * 2, i % columns * 2);
        for line in 0..3 {
            let from = (y + line) * input.row() + x * channels;
            for neighbor in input.values[from..][..3 * channels].chunks_exact(channels) {
                pixel.iter_mut().zip(neighbor).for_each(|(most, v)| *most = most.max(*v));
            }
        }
    }
}
