//! EfficientNet-Lite0 with embedded weights, cut after stride 16 or within stride 32.

use std::path::Path;

use ndarray::ArrayView3;

use crate::backbone::{Backbone, Level, Pyramid, check};
use crate::error::Error;
use crate::lite::{Block, EfficientNetLite, Lite, LiteVariant, Role};
use crate::weights::Weights;

#[cfg(feature = "embedded-weights")]
const WEIGHTS: &[u8] = include_bytes!("../weights/efficientnet-lite0-s16.safetensors");
/// Blocks 11 to 14.
#[cfg(feature = "embedded-weights")]
const DEEP_WEIGHTS: &[u8] = include_bytes!("../weights/efficientnet-lite0-s32.safetensors");
const ID: &str = "efficientnet-lite0-s16-v2";
#[cfg(feature = "embedded-weights")]
const DEEP_ID: &str = "efficientnet-lite0-s32-v1";
/// Last block of the first file.
#[cfg(feature = "embedded-weights")]
const LAST_BLOCK: usize = 10;

/// EfficientNet-Lite0 up to block 10 (stride 16) or 14 (stride 32), batch norm folded, frozen; its ImageNet weights are
/// embedded in this crate.
///
/// The taps are the linear bottleneck outputs of blocks 2, 4, 7 and 10: 24, 40, 80 and 112 channels at strides 4, 8, 16
/// and 16; [`Self::pretrained_s32`] adds that of block 14, 192 channels at stride 32. Parameter names equal those of
/// the PyPI package `efficientnet_lite_pytorch`. Inputs are normalized as the network was trained:
/// `(255 v - 127) / 128`.
///
/// M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019 (the Lite
/// variant: TensorFlow TPU models, 2020).
///
/// ```
/// # #[cfg(feature = "embedded-weights")] {
/// use frozen_backbone::{Backbone, EfficientNetLite0};
/// use ndarray::Array3;
///
/// let net = EfficientNetLite0::pretrained()?;
/// let pyramid = net.extract(Array3::from_elem((64, 96, 3), 0.5).view())?;
/// assert_eq!(pyramid[0].dim(), (24, 16, 24)); // channels, rows, columns at stride 4
/// assert_eq!(pyramid[3].dim(), (112, 4, 6));
/// # }
/// # Ok::<(), frozen_backbone::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct EfficientNetLite0 {
    net: Lite,
    id: &'static str,
    hash: u64,
}

impl EfficientNetLite0 {
    /// Reads the ImageNet weights that ship with this crate (Apache-2.0, see `weights/LICENSE`).
    ///
    /// [`Backbone::hash`] is that of the bytes of the embedded file.
    ///
    /// # Errors
    /// [`Error::Weights`] only if the embedded file is damaged.
    #[cfg(feature = "embedded-weights")]
    #[cfg_attr(docsrs, doc(cfg(feature = "embedded-weights")))]
    pub fn pretrained() -> Result<Self, Error> {
        let weights = Weights::from_bytes("efficientnet-lite0-s16.safetensors", WEIGHTS.to_vec())?;
        Ok(Self { hash: imgkit::hash::fnv1a(WEIGHTS.iter().copied()), ..Self::new(&weights)? })
    }

    /// Reads the ImageNet weights up to block 14: a fifth tap of 192 channels at stride 32, for a third more
    /// operations. It sees larger structures: anomalies of texture and of shape stand out that finer taps pass.
    ///
    /// ```
    /// use frozen_backbone::{Backbone, EfficientNetLite0};
    /// use ndarray::Array3;
    ///
    /// let net = EfficientNetLite0::pretrained_s32()?;
    /// let pyramid = net.extract(Array3::from_elem((64, 96, 3), 0.5).view())?;
    /// assert_eq!(pyramid[4].dim(), (192, 2, 3));
    /// # Ok::<(), frozen_backbone::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Weights`] only if an embedded file is damaged.
    #[cfg(feature = "embedded-weights")]
    #[cfg_attr(docsrs, doc(cfg(feature = "embedded-weights")))]
    pub fn pretrained_s32() -> Result<Self, Error> {
        let first = Weights::from_bytes("efficientnet-lite0-s16.safetensors", WEIGHTS.to_vec())?;
        let deep = Weights::from_bytes("efficientnet-lite0-s32.safetensors", DEEP_WEIGHTS.to_vec())?;
        // the last stage of stride 32 is left out
        let is_tap = |block: &Block| block.reached < 32 || block.stage < 6;
        let net = Lite::new(LiteVariant::Lite0, is_tap, |number, _, role, shape| {
            layer(if number > LAST_BLOCK { &deep } else { &first }, DEEP_ID, number, role, shape)
        })?;
        let hash = imgkit::hash::fnv1a(WEIGHTS.iter().chain(DEEP_WEIGHTS).copied());
        Ok(Self { net, id: DEEP_ID, hash })
    }

    /// Reads weights of the same layout from a file, as `scripts/convert.py` writes them.
    ///
    /// # Errors
    /// [`Error::Weights`]: unreadable, damaged, or a tensor that is missing or does not fit.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::new(&Weights::open(path)?)
    }

    /// Creates the network from weights of the same layout, for example fine-tuned ones.
    ///
    /// # Errors
    /// [`Error::Weights`] with the tensor that is missing or does not fit.
    pub fn new(weights: &Weights) -> Result<Self, Error> {
        let is_tap = |block: &Block| EfficientNetLite::STRIDES.contains(&block.reached);
        let load = |number, _, role, shape| layer(weights, ID, number, role, shape);
        Ok(Self { net: Lite::new(LiteVariant::Lite0, is_tap, load)?, id: ID, hash: weights.hash() })
    }

    /// Sets the hash that files made with these weights carry, in place of that of the weights.
    #[must_use]
    pub fn with_hash(self, hash: u64) -> Self {
        Self { hash, ..self }
    }
}

/// Weight and bias of a convolution, by its name in the files.
fn layer(
    weights: &Weights,
    id: &'static str,
    number: usize,
    role: Role,
    shape: [usize; 4],
) -> Result<(Vec<f32>, Vec<f32>), Error> {
    let name = match role {
        Role::Stem => "_conv_stem".to_owned(),
        Role::Expand => format!("_blocks.{number}._expand_conv"),
        Role::Depthwise => format!("_blocks.{number}._depthwise_conv"),
        Role::Project => format!("_blocks.{number}._project_conv"),
    };
    let weight = weights.get(id, &format!("{name}.weight"), &shape)?;
    Ok((weight, weights.get(id, &format!("{name}.bias"), &shape[..1])?))
}

impl Backbone for EfficientNetLite0 {
    fn id(&self) -> &str {
        self.id
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

#[cfg(all(test, feature = "embedded-weights"))]
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
