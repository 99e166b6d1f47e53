//! Fused convolutions for candle on the CPU: `activation(conv(x, w) + b)`, `SAME` padding, f32, contiguous NCHW.
//!
//! Made for frozen networks: forward only. `backward` through one of them is an error that names the operation (never a silent
//! zero gradient). candle 0.11's own CPU convolutions are 2 to 45 times slower; agreement with them is tested.
//!
//! Each call packs its weights and turns planes into pixels and back; [`crate::EfficientNetLite0`] does neither between its layers.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::Window;
use crate::kernels::{Dense, Depthwise, LANES, Packed, Taps};
use crate::layout::{from_planes, to_planes};

/// What follows the bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Linear,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

impl Activation {
    /// The range that values are clamped to.
    fn range(self) -> (f32, f32) {
        match self {
            Self::Linear => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
        }
    }
}

/// Dense convolution: `x` (N, C, H, W), `weight` (O, C, k, k), `bias` (O) to (N, O, ceil(H/stride), ceil(W/stride)).
///
/// # Errors
/// Shapes that do not agree, types other than f32, other devices than the CPU.
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: &Tensor, stride: usize, activation: Activation) -> Result<Tensor> {
    let (_, channels, _, _) = x.dims4()?;
    let (outputs, inputs, kh, kw) = weight.dims4()?;
    if inputs != channels || kh != kw || bias.dims1()? != outputs {
        bail!("conv2d: x {:?}, weight {:?} and bias {:?} do not agree", x.shape(), weight.shape(), bias.shape());
    }
    x.contiguous()?.apply_op3_no_bwd(weight, bias, &Conv { stride, activation })
}

/// Depthwise convolution: `x` (N, C, H, W), `weight` (C, 1, k, k), `bias` (C).
///
/// # Errors
/// As [`conv2d`].
pub fn depthwise_conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    stride: usize,
    activation: Activation,
) -> Result<Tensor> {
    let (_, channels, _, _) = x.dims4()?;
    let (outputs, inputs, kh, kw) = weight.dims4()?;
    if inputs != 1 || outputs != channels || kh != kw || bias.dims1()? != channels {
        bail!(
            "depthwise_conv2d: x {:?}, weight {:?} and bias {:?} do not agree",
            x.shape(),
            weight.shape(),
            bias.shape()
        );
    }
    x.contiguous()?.apply_op3_no_bwd(weight, bias, &DepthwiseConv { stride, activation })
}

struct Conv {
    stride: usize,
    activation: Activation,
}

struct DepthwiseConv {
    stride: usize,
    activation: Activation,
}

fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("fused convolution: operands must be contiguous"),
    }
}

impl CustomOp3 for Conv {
    fn name(&self) -> &'static str {
        "frozen-conv2d"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight, bias) = (floats(s1, l1)?, floats(s2, l2)?, floats(s3, l3)?);
        let (n, c, h, w) = l1.shape().dims4()?;
        let (o, _, k, _) = l2.shape().dims4()?;
        let window = Window::same(h, w, k, self.stride);
        let (oh, ow) = (window.out_height(), window.out_width());
        let mut y = vec![0.0f32; n * o * oh * ow];
        let (floor, ceiling) = self.activation.range();
        let weights = Packed::new(weight, bias, c, k);
        let (row, top, left) = (window.padded_width() * c, window.pad_top(), window.pad_left());
        let pixel = |i: usize| self.stride * (i / ow * row + i % ow * c);
        let from: Vec<usize> = (0..oh * ow).map(pixel).collect();
        let to: Vec<usize> = (0..oh * ow).map(|i| i * weights.outputs()).collect();
        y.par_chunks_mut((o * oh * ow).max(1)).zip(x.par_chunks((c * h * w).max(1))).for_each(|(y, x)| {
            let mut source = vec![0.0; window.padded_height() * row];
            from_planes(x, w, h * w, &mut source, |c0, y, x| (y + top) * row + (x + left) * c + c0);
            let mut output = vec![0.0; oh * ow * weights.outputs()];
            pulp::Arch::new().dispatch(Dense {
                weights: &weights,
                source: &source,
                from: &from,
                count: k,
                step: row,
                len: k * c,
                skip: None,
                floor,
                ceiling,
                output: &mut output,
                to: &to,
                panel: LANES,
            });
            to_planes(&output, weights.outputs(), o, y);
        });
        Ok((CpuStorage::F32(y), Shape::from((n, o, oh, ow))))
    }
}

impl CustomOp3 for DepthwiseConv {
    fn name(&self) -> &'static str {
        "frozen-depthwise-conv2d"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight, bias) = (floats(s1, l1)?, floats(s2, l2)?, floats(s3, l3)?);
        let (n, c, h, w) = l1.shape().dims4()?;
        let (_, _, k, _) = l2.shape().dims4()?;
        let window = Window::same(h, w, k, self.stride);
        let (oh, ow) = (window.out_height(), window.out_width());
        let mut y = vec![0.0f32; n * c * oh * ow];
        let (floor, ceiling) = self.activation.range();
        let taps = Taps::new(weight, bias, k, self.stride);
        let (slots, width, top, left) =
            (window.padded_height(), window.padded_width(), window.pad_top(), window.pad_left());
        y.par_chunks_mut((c * oh * ow).max(1)).zip(x.par_chunks((c * h * w).max(1))).for_each(|(y, x)| {
            let mut source = vec![[0.0; LANES]; taps.groups() * slots * width];
            from_planes(x, w, h * w, source.as_flattened_mut(), |c, y, x| {
                ((c / LANES * slots + y + top) * width + x + left) * LANES + c % LANES
            });
            let mut output = vec![[0.0; LANES]; oh * ow * taps.groups()];
            pulp::Arch::new().dispatch(Depthwise {
                taps: &taps,
                source: &source,
                slots,
                width,
                rows: 0..oh,
                columns: ow,
                floor,
                ceiling,
                output: &mut output,
            });
            to_planes(output.as_flattened(), taps.groups() * LANES, c, y);
        });
        Ok((CpuStorage::F32(y), Shape::from((n, c, oh, ow))))
    }
}
