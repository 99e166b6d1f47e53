//! The kernels against one chain of additions, and against convolutions written as their definition.

use pulp::Simd;

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::geometry::Window;

/// A machine without vector instructions, and sums too deep for one go, give the bits of this machine and of one chain
/// of additions.
#[test]
fn the_bits_depend_neither_on_the_instruction_set_nor_on_the_parts() {
    let noise = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 504.5 - 1.0;
    // outputs, runs, numbers a run: long runs, many short ones, one go
    for (outputs, count, len) in [(24, 3, 1500), (40, 12, 128), (16, 7, 21)] {
        let (pixels, depth) = (15, count * len);
        let bias: Vec<f32> = (0..outputs).map(|o| noise(o + 5)).collect();
        let weights = Packed::from_fn(depth, &bias, |o, k| noise(o * depth + k));
        let stored = weights.outputs();
        let source: Vec<f32> = (0..depth + 3 * pixels).map(|i| noise(3 * i)).collect();
        let skip: Vec<f32> = (0..pixels * stored).map(|i| noise(2 * i)).collect();
        let (from, to): (Vec<_>, Vec<_>) = (0..pixels).map(|p| (3 * p, p * stored)).unzip();
        let run = |scalar: bool| {
            let mut output = vec![0.0; pixels * stored];
            let dense = Dense {
                weights: &weights,
                source: &source,
                from: &from,
                count,
                step: len,
                len,
                skip: Some(&skip),
                floor: 0.0,
                ceiling: f32::INFINITY,
                output: &mut output,
                to: &to,
                panel: LANES,
            };
            if scalar {
                pulp::Scalar::new().vectorize(dense)
            } else {
                pulp::Arch::new().dispatch(dense)
            }
            output
        };
        let chain = |i: usize| {
            let (p, o) = (i / stored, i % stored);
            let start = bias.get(o).copied().unwrap_or(0.0);
            let sum = (0..depth).fold(start, |sum, k| {
                let weight = if o < outputs { noise(o * depth + k) } else { 0.0 };
                source[3 * p + k].mul_add(weight, sum)
            });
            (sum + skip[i]).max(0.0)
        };
        let want: Vec<f32> = (0..pixels * stored).map(chain).collect();
        assert_eq!(run(false), want, "{outputs} {count} {len}");
        assert_eq!(run(true), want, "{outputs} {count} {len}, scalar");
    }
}

fn random(length: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..length).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// A `SAME`-padded convolution problem: `inputs` planes of `height` x `width` pixels, ReLU6 or nothing behind the bias.
#[derive(Debug, Clone, Copy)]
struct Problem {
    size: (usize, usize),
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    relu6: bool,
    depthwise: bool,
    seed: u64,
}

impl Problem {
    fn window(&self) -> Window {
        Window::same(self.size.0, self.size.1, self.kernel, self.stride)
    }

    fn range(&self) -> (f32, f32) {
        if self.relu6 { (0.0, 6.0) } else { (f32::NEG_INFINITY, f32::INFINITY) }
    }

    /// Planes of the image, weights (O, C, k, k) or (C, 1, k, k), bias.
    fn data(&self) -> [Vec<f32>; 3] {
        let Self { size: (h, w), inputs, outputs, kernel, seed, .. } = *self;
        let fan = if self.depthwise { 1 } else { inputs };
        [random(inputs * h * w, seed), random(outputs * fan * kernel * kernel, seed ^ 1), random(outputs, seed ^ 2)]
    }

    /// The definition, in f64: output (o, y, x) is the bias plus the sum of weight times pixel, zero outside of the
    /// image.
    fn definition(&self) -> Vec<f64> {
        let Self { size: (h, w), inputs, outputs, kernel, stride, .. } = *self;
        let ([image, weight, bias], window) = (self.data(), self.window());
        let mut found = Vec::new();
        for o in 0..outputs {
            for (y, x) in (0..window.out_height()).flat_map(|y| (0..window.out_width()).map(move |x| (y, x))) {
                let mut sum = f64::from(bias[o]);
                let channels = if self.depthwise { o..o + 1 } else { 0..inputs };
                for (i, c) in channels.enumerate() {
                    for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
                        let row = (y * stride + ky).checked_sub(window.pad_top()).filter(|row| *row < h);
                        let column = (x * stride + kx).checked_sub(window.pad_left()).filter(|column| *column < w);
                        if let (Some(row), Some(column)) = (row, column) {
                            let fan = if self.depthwise { 1 } else { inputs };
                            let factor = weight[((o * fan + i) * kernel + ky) * kernel + kx];
                            sum += f64::from(factor) * f64::from(image[(c * h + row) * w + column]);
                        }
                    }
                }
                found.push(if self.relu6 { sum.clamp(0.0, 6.0) } else { sum });
            }
        }
        found
    }

    /// By the kernels, as planes.
    fn kernels(&self) -> Vec<f32> {
        let Self { size: (h, w), inputs, outputs, kernel, stride, .. } = *self;
        let ([image, weight, bias], window) = (self.data(), self.window());
        let (rows, columns, width) = (window.out_height(), window.out_width(), window.padded_width());
        let (floor, ceiling) = self.range();
        let pixels = (0..inputs).flat_map(|c| (0..h).flat_map(move |y| (0..w).map(move |x| (c, y, x)))).zip(&image);
        let (pixel_by_pixel, stored) = if self.depthwise {
            let taps = Taps::new(&weight, &bias, kernel, stride);
            let slots = window.padded_height();
            let mut source = vec![[0.0; LANES]; taps.groups() * slots * width];
            for ((c, y, x), v) in pixels {
                let at = (c / LANES * slots + y + window.pad_top()) * width + x + window.pad_left();
                source[at][c % LANES] = *v;
            }
            let mut output = vec![[0.0; LANES]; rows * columns * taps.groups()];
            let (taps, source) = (&taps, &source);
            let (rows, output_pixels) = (0..rows, &mut output);
            pulp::Arch::new().dispatch(Depthwise {
                taps,
                source,
                slots,
                width,
                rows,
                columns,
                floor,
                ceiling,
                output: output_pixels,
            });
            (output.into_flattened(), taps.groups() * LANES)
        } else {
            let weights = Packed::new(&weight, &bias, inputs, kernel);
            let row = width * inputs;
            let mut source = vec![0.0; window.padded_height() * row];
            for ((c, y, x), v) in pixels {
                source[(y + window.pad_top()) * row + (x + window.pad_left()) * inputs + c] = *v;
            }
            let stored = weights.outputs();
            let count = rows * columns;
            let from: Vec<usize> = (0..count).map(|i| stride * (i / columns * row + i % columns * inputs)).collect();
            let to: Vec<usize> = (0..count).map(|i| i * stored).collect();
            let mut output = vec![0.0; count * stored];
            pulp::Arch::new().dispatch(Dense {
                weights: &weights,
                source: &source,
                from: &from,
                count: kernel,
                step: row,
                len: kernel * inputs,
                skip: None,
                floor,
                ceiling,
                output: &mut output,
                to: &to,
                panel: LANES,
            });
            (output, stored)
        };
        (0..outputs).flat_map(|o| pixel_by_pixel.chunks_exact(stored).map(move |pixel| pixel[o])).collect()
    }

    fn check(&self) {
        let (found, want) = (self.kernels(), self.definition());
        assert_eq!(found.len(), want.len(), "{self:?}");
        // sums of up to 2000 products of numbers below one, in f32
        let size = want.iter().fold(1.0, |most: f64, v| most.max(v.abs()));
        for (found, want) in found.iter().zip(&want) {
            assert!((f64::from(*found) - want).abs() <= 1e-5 * size, "{found} {want} {self:?}");
        }
    }
}

#[test]
fn convolutions_follow_their_definition() {
    for kernel in [1, 2, 3, 5, 7] {
        for stride in [1, 2, 3] {
            for (i, size) in [(1, 1), (7, 9), (16, 40), (33, 70)].into_iter().enumerate() {
                let seed = (kernel * 100 + stride * 10 + i) as u64;
                let dense =
                    Problem { size, inputs: 6, outputs: 5, kernel, stride, relu6: i % 2 == 0, depthwise: false, seed };
                dense.check();
                Problem { outputs: 6, depthwise: true, ..dense }.check();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any size and channel count, through every tile width and a last panel that is full, half or less.
    #[test]
    fn convolutions_follow_their_definition_at_any_size(
        size in (1usize..40, 1usize..40),
        (inputs, outputs) in (1usize..40, 1usize..70),
        kernel in prop::sample::select(vec![1usize, 3, 5]),
        stride in 1usize..3,
        relu6: bool,
        seed: u64,
    ) {
        let dense = Problem { size, inputs, outputs, kernel, stride, relu6, depthwise: false, seed };
        dense.check();
        Problem { outputs: inputs, depthwise: true, ..dense }.check();
    }
}
