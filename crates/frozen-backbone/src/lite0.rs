//! EfficientNet-Lite0, cut after stride 16.

use candle_core::{Device, Tensor};
use ndarray::ArrayView3;
use rayon::prelude::*;

use crate::backbone::check;
use crate::feature_map::parts;
use crate::layout::to_planes;
use crate::lite::{Lite, LiteVariant, Role};
use crate::{Backbone, EfficientNetLite, Error, Level, Pyramid, Weights, fnv1a};

const WEIGHTS: &[u8] = include_bytes!("../weights/efficientnet-lite0-s16.safetensors");
const ID: &str = "efficientnet-lite0-s16-v2";

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
    net: Lite,
    hash: u64,
}

impl EfficientNetLite0 {
    /// The ImageNet weights that ship with this crate (Apache-2.0, see `weights/LICENSE`). [`Backbone::hash`] is that of the file's bytes.
    ///
    /// # Errors
    /// [`Error::Weights`] only if the embedded file is damaged.
    pub fn pretrained() -> Result<Self, Error> {
        let weights = Weights::from_bytes("efficientnet-lite0-s16.safetensors", WEIGHTS.to_vec())?;
        Ok(Self { hash: fnv1a(WEIGHTS.iter().copied()), ..Self::new(&weights)? })
    }

    /// Other weights of the same layout, for example fine-tuned ones.
    ///
    /// # Errors
    /// [`Error::Weights`] naming the missing or misshapen tensor.
    pub fn new(weights: &Weights) -> Result<Self, Error> {
        let net = Lite::new(LiteVariant::Lite0, &EfficientNetLite::STRIDES, |number, _, role, shape| {
            let name = match role {
                Role::Stem => "_conv_stem".to_owned(),
                Role::Expand => format!("_blocks.{number}._expand_conv"),
                Role::Depthwise => format!("_blocks.{number}._depthwise_conv"),
                Role::Project => format!("_blocks.{number}._project_conv"),
            };
            let weight = weights.get(ID, &format!("{name}.weight"), &shape)?;
            Ok((weight, weights.get(ID, &format!("{name}.bias"), &shape[..1])?))
        })?;
        Ok(Self { net, hash: weights.hash() })
    }

    /// Sets the hash that files made with these weights carry.
    #[must_use]
    pub fn with_hash(self, hash: u64) -> Self {
        Self { hash, ..self }
    }

    /// The network on normalised input `(N, 3, H, W)`, f32: one tensor `(N, C, H', W')` per tap. Not differentiable.
    ///
    /// # Errors
    /// [`Error::Network`] for another shape or type, or no pixels.
    pub fn forward_taps(&self, x: &Tensor) -> Result<Vec<Tensor>, Error> {
        let (n, channels, height, width) = x.dims4()?;
        if channels != 3 || height == 0 || width == 0 {
            return Err(Error::Network(candle_core::Error::Msg(format!(
                "input must be (N, 3, H, W), not {:?}",
                x.dims()
            ))));
        }
        let values: Vec<f32> = x.flatten_all()?.to_vec1()?;
        let images: Vec<Vec<Vec<f32>>> = values
            .par_chunks(3 * height * width)
            .map(|planes| {
                let pixel = |y: usize, x: usize| std::array::from_fn(|c| planes[(c * height + y) * width + x]);
                self.net.taps((height, width), parts(), pixel)
            })
            .collect();
        let tap = |(t, level): (usize, &Level)| {
            let (rows, columns, _) = level.dim(height, width);
            let mut planes = vec![0.0; n * level.channels * rows * columns];
            for (planes, taps) in planes.chunks_exact_mut(level.channels * rows * columns).zip(&images) {
                to_planes(&taps[t], level.channels, level.channels, planes);
            }
            Ok(Tensor::from_vec(planes, (n, level.channels, rows, columns), &Device::Cpu)?)
        };
        self.net.levels.iter().enumerate().map(tap).collect()
    }
}

impl Backbone for EfficientNetLite0 {
    fn id(&self) -> &str {
        ID
    }

    fn hash(&self) -> u64 {
        self.hash
    }

    fn levels(&self) -> &[Level] {
        &self.net.levels
    }

    fn min_side(&self) -> usize {
        32
    }

    fn extract(&self, image: ArrayView3<'_, f32>) -> Result<Pyramid, Error> {
        check(image, self)?;
        self.net.pyramid(image, 255.0 / 128.0, -127.0 / 128.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shares of rows that start within a strip, overlap in the depthwise window and are of unequal height.
    #[test]
    fn the_bits_do_not_depend_on_how_rows_are_shared_out() {
        let net = EfficientNetLite0::pretrained().unwrap();
        for (height, width) in [(256, 70), (141, 33)] {
            let pixel =
                |y: usize, x: usize| std::array::from_fn(|c| ((y * 31 + x * 7 + c * 3) % 23) as f32 / 11.5 - 1.0);
            let alone = net.net.taps((height, width), 1, pixel);
            for parts in [2, 3, 7] {
                assert_eq!(net.net.taps((height, width), parts, pixel), alone, "{parts}");
            }
        }
    }
}
