//! Direct depthwise convolution of one channel plane.

use crate::Window;

const LANES: usize = 32;

/// All planes of one image: `output = activation(bias + kernel * input)`.
///
/// A struct and not a closure, so that the whole kernel is inlined into the instruction set that pulp picks at run time.
pub(crate) struct Planes<'a> {
    pub(crate) window: Window,
    pub(crate) input: &'a [f32],
    pub(crate) kernels: &'a [f32],
    pub(crate) bias: &'a [f32],
    /// 6 for ReLU6, infinite for none.
    pub(crate) ceiling: f32,
    pub(crate) output: &'a mut [f32],
}

impl pulp::WithSimd for Planes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { window, input, kernels, bias, ceiling, output } = self;
        let (taps, area) = (window.kernel * window.kernel, window.height * window.width);
        let mut padded = Vec::new();
        let planes = output.chunks_exact_mut(window.out_height() * window.out_width()).zip(input.chunks_exact(area));
        for ((plane, image), (kernel, &bias)) in planes.zip(kernels.chunks_exact(taps).zip(bias)) {
            window.pad_split(image, &mut padded);
            match window.kernel {
                3 => rows::<3>(window, &padded, kernel, bias, ceiling, plane),
                5 => rows::<5>(window, &padded, kernel, bias, ceiling, plane),
                _ => rows_any(window, &padded, kernel, bias, ceiling, plane),
            }
        }
    }
}

/// Keeps a run of `LANES` outputs in registers over all taps.
#[inline(always)]
fn rows<const K: usize>(window: Window, padded: &[f32], kernel: &[f32], bias: f32, ceiling: f32, out: &mut [f32]) {
    let width = window.out_width();
    for (oy, row) in out.chunks_exact_mut(width).enumerate() {
        let mut x = 0;
        while x + LANES <= width {
            run::<K, LANES>(window, padded, kernel, bias, ceiling, oy, x, row);
            x += LANES;
        }
        while x + 16 <= width {
            run::<K, 16>(window, padded, kernel, bias, ceiling, oy, x, row);
            x += 16;
        }
        while x + 8 <= width {
            run::<K, 8>(window, padded, kernel, bias, ceiling, oy, x, row);
            x += 8;
        }
        while x < width {
            run::<K, 1>(window, padded, kernel, bias, ceiling, oy, x, row);
            x += 1;
        }
    }
}

#[allow(clippy::too_many_arguments)] // one call site, all in registers
#[inline(always)]
fn run<const K: usize, const N: usize>(
    window: Window,
    padded: &[f32],
    kernel: &[f32],
    bias: f32,
    ceiling: f32,
    oy: usize,
    x: usize,
    row: &mut [f32],
) {
    let mut sum = [bias; N];
    for ky in 0..K {
        for kx in 0..K {
            let weight = kernel[ky * K + kx];
            let source = &padded[window.tap(oy, ky, kx) + x..][..N];
            for (s, v) in sum.iter_mut().zip(source) {
                *s = v.mul_add(weight, *s);
            }
        }
    }
    for (o, s) in row[x..x + N].iter_mut().zip(sum) {
        *o = if ceiling.is_finite() { s.clamp(0.0, ceiling) } else { s };
    }
}

/// Any kernel size.
fn rows_any(window: Window, padded: &[f32], kernel: &[f32], bias: f32, ceiling: f32, out: &mut [f32]) {
    let (k, width) = (window.kernel, window.out_width());
    for (oy, row) in out.chunks_exact_mut(width).enumerate() {
        row.fill(bias);
        for ky in 0..k {
            for kx in 0..k {
                let source = &padded[window.tap(oy, ky, kx)..][..width];
                for (o, v) in row.iter_mut().zip(source) {
                    *o += kernel[ky * k + kx] * v;
                }
            }
        }
        if ceiling.is_finite() {
            for o in row {
                *o = o.clamp(0.0, ceiling);
            }
        }
    }
}
