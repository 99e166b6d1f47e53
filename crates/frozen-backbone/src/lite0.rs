//! EfficientNet-Lite0, cut after stride 16.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use ndarray::{Array3, ArrayView3};

use crate::{Activation, Backbone, Error, Level, Pyramid, ops};

const WEIGHTS: &[u8] = include_bytes!("../weights/efficientnet-lite0-s16.safetensors");
const ID: &str = "efficientnet-lite0-s16-v1";

/// (kernel, stride, expansion, input channels, output channels) of blocks 0..=10.
const BLOCKS: [(usize, usize, usize, usize, usize); 11] = [
    (3, 1, 1, 32, 16),
    (3, 2, 6, 16, 24),
    (3, 1, 6, 24, 24),
    (5, 2, 6, 24, 40),
    (5, 1, 6, 40, 40),
    (3, 2, 6, 40, 80),
    (3, 1, 6, 80, 80),
    (3, 1, 6, 80, 80),
    (5, 1, 6, 80, 112),
    (5, 1, 6, 112, 112),
    (5, 1, 6, 112, 112),
];
/// The linear bottlenecks that are read, and their strides.
const TAPS: [(usize, usize); 4] = [(2, 4), (4, 8), (7, 16), (10, 16)];
const LEVELS: [Level; 4] = [
    Level { channels: 24, stride: 4 },
    Level { channels: 40, stride: 8 },
    Level { channels: 80, stride: 16 },
    Level { channels: 112, stride: 16 },
];

#[derive(Debug, Clone)]
struct Conv {
    weight: Tensor,
    bias: Tensor,
}

impl Conv {
    fn load(vb: &VarBuilder<'_>, shape: (usize, usize, usize, usize)) -> Result<Self, Error> {
        Ok(Self { weight: vb.get(shape, "weight")?, bias: vb.get(shape.0, "bias")? })
    }
}

#[derive(Debug, Clone)]
struct Block {
    expand: Option<Conv>,
    depthwise: Conv,
    project: Conv,
    stride: usize,
    skip: bool,
}

/// EfficientNet-Lite0 up to block 10 (stride 16), batch norm folded, frozen.
///
/// Taps the linear bottleneck outputs of blocks 2, 4, 7 and 10: 24, 40, 80 and 112 channels at strides 4, 8, 16 and 16.
/// Parameter names equal those of the PyPI package `efficientnet_lite_pytorch`. Inputs are normalised as the network was trained:
/// `(255 v - 127) / 128`.
///
/// M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019 (the Lite variant: TensorFlow
/// TPU models, 2020).
///
/// ```
/// use frozen_backbone::{Backbone, EfficientNetLite0};
/// use ndarray::Array3;
///
/// let net = EfficientNetLite0::pretrained()?;
/// let pyramid = net.extract(Array3::from_elem((64, 96, 3), 0.5).view())?;
/// assert_eq!(pyramid[0].dim(), (24, 16, 24)); // channels, rows, columns at stride 4
/// assert_eq!(pyramid[3].dim(), (112, 4, 6));
/// # Ok::<(), frozen_backbone::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct EfficientNetLite0 {
    stem: Conv,
    blocks: Vec<Block>,
    hash: u64,
}

impl EfficientNetLite0 {
    /// The ImageNet weights that ship with this crate (Apache-2.0, see `weights/LICENSE`).
    ///
    /// # Errors
    /// [`Error::Network`] only if the embedded file is damaged.
    pub fn pretrained() -> Result<Self, Error> {
        let vb = VarBuilder::from_slice_safetensors(WEIGHTS, DType::F32, &Device::Cpu)?;
        Ok(Self { hash: fnv1a(WEIGHTS), ..Self::new(&vb)? })
    }

    /// Other weights of the same layout, for example fine-tuned ones. [`Backbone::hash`] is then 0: set it with [`Self::with_hash`].
    ///
    /// # Errors
    /// [`Error::Network`] naming the missing or misshapen tensor.
    pub fn new(vb: &VarBuilder<'_>) -> Result<Self, Error> {
        let stem = Conv::load(&vb.pp("_conv_stem"), (32, 3, 3, 3))?;
        let mut blocks = Vec::with_capacity(BLOCKS.len());
        for (i, (kernel, stride, expansion, input, output)) in BLOCKS.into_iter().enumerate() {
            let vb = vb.pp(format!("_blocks.{i}"));
            let inner = input * expansion;
            blocks.push(Block {
                expand: if expansion == 1 {
                    None
                } else {
                    Some(Conv::load(&vb.pp("_expand_conv"), (inner, input, 1, 1))?)
                },
                depthwise: Conv::load(&vb.pp("_depthwise_conv"), (inner, 1, kernel, kernel))?,
                project: Conv::load(&vb.pp("_project_conv"), (output, inner, 1, 1))?,
                stride,
                skip: stride == 1 && input == output,
            });
        }
        Ok(Self { stem, blocks, hash: 0 })
    }

    /// Sets the hash that files made with these weights carry.
    #[must_use]
    pub fn with_hash(self, hash: u64) -> Self {
        Self { hash, ..self }
    }

    /// The network on normalised input `(N, 3, H, W)`: one tensor `(N, C, H', W')` per tap. Not differentiable.
    ///
    /// # Errors
    /// [`Error::Network`] for another shape or type.
    pub fn forward_taps(&self, x: &Tensor) -> Result<Vec<Tensor>, Error> {
        let mut x = ops::conv2d(x, &self.stem.weight, &self.stem.bias, 2, Activation::Relu6)?;
        let mut taps = Vec::with_capacity(TAPS.len());
        for (i, block) in self.blocks.iter().enumerate() {
            let skip = x.clone();
            if let Some(conv) = &block.expand {
                x = ops::conv2d(&x, &conv.weight, &conv.bias, 1, Activation::Relu6)?;
            }
            let conv = &block.depthwise;
            x = ops::depthwise_conv2d(&x, &conv.weight, &conv.bias, block.stride, Activation::Relu6)?;
            x = ops::conv2d(&x, &block.project.weight, &block.project.bias, 1, Activation::Linear)?;
            if block.skip {
                x = (x + skip)?;
            }
            if TAPS.iter().any(|&(tap, _)| tap == i) {
                taps.push(x.clone());
            }
        }
        Ok(taps)
    }
}

impl Backbone for EfficientNetLite0 {
    fn id(&self) -> &'static str {
        ID
    }

    fn hash(&self) -> u64 {
        self.hash
    }

    fn levels(&self) -> &[Level] {
        &LEVELS
    }

    fn min_side(&self) -> usize {
        32
    }

    fn extract(&self, image: ArrayView3<'_, f32>) -> Result<Pyramid, Error> {
        let (height, width, channels) = image.dim();
        if height < self.min_side() || width < self.min_side() {
            return Err(Error::TooSmall { height, width, minimum: self.min_side(), backbone: ID });
        }
        if channels != 1 && channels != 3 {
            return Err(Error::Channels { found: channels });
        }
        let mut planes = vec![0.0f32; 3 * height * width];
        for (row, line) in image.outer_iter().enumerate() {
            for (column, pixel) in line.outer_iter().enumerate() {
                for (c, plane) in planes.chunks_exact_mut(height * width).enumerate() {
                    let value = pixel[if channels == 1 { 0 } else { c }];
                    if !value.is_finite() {
                        return Err(Error::NotFinite { row, column });
                    }
                    plane[row * width + column] = (value * 255.0 - 127.0) / 128.0;
                }
            }
        }
        let x = Tensor::from_vec(planes, (1, 3, height, width), &Device::Cpu)?;
        self.forward_taps(&x)?.iter().map(to_array).collect()
    }
}

fn to_array(tap: &Tensor) -> Result<Array3<f32>, Error> {
    let (_, c, h, w) = tap.dims4()?;
    let values = tap.flatten_all()?.to_vec1::<f32>()?;
    Array3::from_shape_vec((c, h, w), values).map_err(|e| Error::Network(candle_core::Error::Msg(e.to_string())))
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}
