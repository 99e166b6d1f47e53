//! Fused convolutions for candle on the CPU: `activation(conv(x, w) + b)`, `SAME` padding, f32, contiguous NCHW.
//!
//! Made for frozen networks: forward only. `backward` through one of them is an error that names the operation (never a silent
//! zero gradient). candle 0.11's own CPU convolutions are 2 to 45 times slower; agreement with them is tested.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::{Window, depthwise, matmul};

/// What follows the bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Linear,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

impl Activation {
    fn ceiling(self) -> f32 {
        match self {
            Self::Linear => f32::INFINITY,
            Self::Relu6 => 6.0,
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
    x.contiguous()?.apply_op3_no_bwd(weight, bias, &Dense { stride, activation })
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
    x.contiguous()?.apply_op3_no_bwd(weight, bias, &Depthwise { stride, activation })
}

struct Dense {
    stride: usize,
    activation: Activation,
}

struct Depthwise {
    stride: usize,
    activation: Activation,
}

fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("fused convolution: operands must be contiguous"),
    }
}

fn im2col(window: Window, image: &[f32], columns: &mut Vec<f32>, scratch: &mut Vec<f32>) {
    let (k, oh, ow, area) = (window.kernel, window.out_height(), window.out_width(), window.height * window.width);
    columns.clear();
    for plane in image.chunks_exact(area) {
        window.pad_split(plane, scratch);
        for ky in 0..k {
            for kx in 0..k {
                for oy in 0..oh {
                    columns.extend_from_slice(&scratch[window.tap(oy, ky, kx)..][..ow]);
                }
            }
        }
    }
}

impl CustomOp3 for Dense {
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
        let ceiling = self.activation.ceiling();
        y.par_chunks_mut((o * oh * ow).max(1)).zip(x.par_chunks((c * h * w).max(1))).for_each(|(y, x)| {
            for (plane, b) in y.chunks_exact_mut(oh * ow).zip(bias) {
                plane.fill(*b);
            }
            if k == 1 && self.stride == 1 {
                matmul::accumulate(y, weight, x, o, c, oh * ow);
            } else {
                let (mut columns, mut scratch) = (Vec::with_capacity(c * k * k * oh * ow), Vec::new());
                im2col(window, x, &mut columns, &mut scratch);
                matmul::accumulate(y, weight, &columns, o, c * k * k, oh * ow);
            }
            if ceiling.is_finite() {
                pulp::Arch::new().dispatch(|| y.iter_mut().for_each(|v| *v = v.clamp(0.0, ceiling)));
            }
        });
        Ok((CpuStorage::F32(y), Shape::from((n, o, oh, ow))))
    }
}

impl CustomOp3 for Depthwise {
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
        let ceiling = self.activation.ceiling();
        y.par_chunks_mut((c * oh * ow).max(1)).zip(x.par_chunks((c * h * w).max(1))).for_each(|(y, x)| {
            pulp::Arch::new().dispatch(depthwise::Planes {
                window,
                input: x,
                kernels: weight,
                bias,
                ceiling,
                output: y,
            });
        });
        Ok((CpuStorage::F32(y), Shape::from((n, c, oh, ow))))
    }
}
