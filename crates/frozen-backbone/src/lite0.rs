//! EfficientNet-Lite0, cut after stride 16.

use std::cell::Cell;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use crate::bottleneck::{Bottleneck, Image};
use crate::kernels::{Packed, Taps};
use crate::layout::to_planes;
use crate::{Backbone, Error, Level, Pyramid, Window, fnv1a};

const WEIGHTS: &[u8] = include_bytes!("../weights/efficientnet-lite0-s16.safetensors");
const ID: &str = "efficientnet-lite0-s16-v2";

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

/// Weight and bias of a convolution, checked against its shape.
fn load(vb: &VarBuilder<'_>, shape: (usize, usize, usize, usize)) -> Result<(Vec<f32>, Vec<f32>), Error> {
    let values =
        |tensor: Tensor| -> Result<Vec<f32>, Error> { Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?) };
    Ok((values(vb.get(shape, "weight")?)?, values(vb.get(shape.0, "bias")?)?))
}

fn dense(vb: &VarBuilder<'_>, outputs: usize, inputs: usize, kernel: usize) -> Result<Packed, Error> {
    let (weight, bias) = load(vb, (outputs, inputs, kernel, kernel))?;
    Ok(Packed::new(&weight, &bias, inputs, kernel))
}

/// Maps between layers, kept from image to image.
#[derive(Default)]
struct Maps {
    image: Vec<f32>,
    before: Vec<f32>,
    after: Vec<f32>,
}

thread_local! {
    static MAPS: Cell<Maps> = Cell::default();
}

/// Kernel and stride of the stem.
const STEM: (usize, usize) = (3, 2);

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
    blocks: Vec<Bottleneck>,
    hash: u64,
}

impl EfficientNetLite0 {
    /// The ImageNet weights that ship with this crate (Apache-2.0, see `weights/LICENSE`).
    ///
    /// # Errors
    /// [`Error::Network`] only if the embedded file is damaged.
    pub fn pretrained() -> Result<Self, Error> {
        let vb = VarBuilder::from_slice_safetensors(WEIGHTS, DType::F32, &Device::Cpu)?;
        Ok(Self { hash: fnv1a(WEIGHTS.iter().copied()), ..Self::new(&vb)? })
    }

    /// Other weights of the same layout, for example fine-tuned ones. [`Backbone::hash`] is then 0: set it with [`Self::with_hash`].
    ///
    /// # Errors
    /// [`Error::Network`] naming the missing or misshapen tensor.
    pub fn new(vb: &VarBuilder<'_>) -> Result<Self, Error> {
        let mut blocks = Vec::with_capacity(BLOCKS.len());
        for (i, (kernel, stride, expansion, input, output)) in BLOCKS.into_iter().enumerate() {
            let block = vb.pp(format!("_blocks.{i}"));
            let inner = input * expansion;
            let (first, window) = if expansion == 1 {
                (dense(&vb.pp("_conv_stem"), inner, 3, STEM.0)?, STEM)
            } else {
                (dense(&block.pp("_expand_conv"), inner, input, 1)?, (1, 1))
            };
            let (weight, bias) = load(&block.pp("_depthwise_conv"), (inner, 1, kernel, kernel))?;
            blocks.push(Bottleneck {
                first,
                window,
                depthwise: Taps::new(&weight, &bias, kernel, stride),
                project: dense(&block.pp("_project_conv"), output, inner, 1)?,
                skip: stride == 1 && input == output,
            });
        }
        Ok(Self { blocks, hash: 0 })
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
                self.taps(height, width, parts(), pixel)
            })
            .collect();
        let tap = |(t, level): (usize, &Level)| {
            let (rows, columns) = (height.div_ceil(level.stride), width.div_ceil(level.stride));
            let mut planes = vec![0.0; n * level.channels * rows * columns];
            for (planes, taps) in planes.chunks_exact_mut(level.channels * rows * columns).zip(&images) {
                to_planes(&taps[t], level.channels, level.channels, planes);
            }
            Ok(Tensor::from_vec(planes, (n, level.channels, rows, columns), &Device::Cpu)?)
        };
        LEVELS.iter().enumerate().map(tap).collect()
    }

    /// Each tap, channels innermost, of the image whose normalised pixels are `pixel(row, column)`; rows are shared out among `parts`
    /// tasks.
    fn taps(
        &self,
        height: usize,
        width: usize,
        parts: usize,
        pixel: impl Fn(usize, usize) -> [f32; 3],
    ) -> Vec<Vec<f32>> {
        let Maps { mut image, mut before, mut after } = MAPS.take();
        let window = Window::same(height, width, STEM.0, STEM.1);
        let (row, left) = (window.padded_width() * 3, window.pad_left());
        image.clear();
        image.resize(window.padded_height() * row, 0.0);
        for y in 0..height {
            let line = &mut image[(y + window.pad_top()) * row + left * 3..][..width * 3];
            line.as_chunks_mut().0.iter_mut().enumerate().for_each(|(x, p)| *p = pixel(y, x));
        }
        let mut taps: Vec<Vec<f32>> = Vec::with_capacity(LEVELS.len());
        let mut size = (height, width);
        for (i, block) in self.blocks.iter().enumerate() {
            let tapped = TAPS.iter().any(|&(tap, _)| tap == i);
            let (rows, columns, channels) = block.output(size);
            let mut output = if tapped { Vec::new() } else { std::mem::take(&mut after) };
            output.resize(rows * columns * channels, 0.0);
            let input = match i.checked_sub(1) {
                None => Image { values: &image, size, channels: 3, row },
                Some(last) => {
                    let values =
                        if TAPS.iter().any(|&(tap, _)| tap == last) { taps.last().unwrap_or(&before) } else { &before };
                    let channels = BLOCKS[i].3;
                    Image { values, size, channels, row: size.1 * channels }
                }
            };
            block.run(input, &mut output, parts.min(rows.div_ceil(MIN_ROWS)));
            size = (rows, columns);
            if tapped {
                taps.push(output);
            } else {
                after = std::mem::replace(&mut before, output);
            }
        }
        MAPS.set(Maps { image, before, after });
        taps
    }
}

/// Fewest rows that a task gets: neighbours compute the rows between them twice.
const MIN_ROWS: usize = 8;

/// Tasks for one image: all threads, but inside a task of rayon's, where the caller already shares out its images, one.
fn parts() -> usize {
    if rayon::current_thread_index().is_some() { 1 } else { rayon::current_num_threads() }
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
        let finite = image.fold(true, |finite, v| finite & v.is_finite());
        if !finite {
            let at = image.indexed_iter().find(|(_, v)| !v.is_finite()).map_or((0, 0, 0), |(at, _)| at);
            return Err(Error::NotFinite { row: at.0, column: at.1 });
        }
        let pixel = |y: usize, x: usize| {
            std::array::from_fn(|c| (image[[y, x, if channels == 1 { 0 } else { c }]] * 255.0 - 127.0) / 128.0)
        };
        let taps = self.taps(height, width, parts(), pixel);
        let array = |(values, level): (Vec<f32>, &Level)| {
            let shape = (height.div_ceil(level.stride), width.div_ceil(level.stride), level.channels);
            let pixels = Array3::from_shape_vec(shape, values);
            pixels
                .map(|p| p.permuted_axes([2, 0, 1]))
                .map_err(|e| Error::Network(candle_core::Error::Msg(e.to_string())))
        };
        taps.into_iter().zip(&LEVELS).map(array).collect()
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
            let alone = net.taps(height, width, 1, pixel);
            for parts in [2, 3, 7] {
                assert_eq!(net.taps(height, width, parts, pixel), alone, "{parts}");
            }
        }
    }
}
