//! Inverted bottleneck in one pass: first convolution, depthwise convolution, projection, a strip of rows at a time.
//!
//! The wide maps between the three are the network's largest: only the rows in use exist, in a buffer that stays in the
//! cache.

use std::cell::Cell;
use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use crate::geometry::Window;
use crate::kernels::{Dense, Depthwise, LANES, Packed, Taps};

/// Output pixels of a strip, at least (one row otherwise): enough to reuse each weight panel, few enough for the cache.
const STRIP: usize = 64;

/// Image in memory, pixel by pixel, channels innermost, any padding included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Image<'a> {
    pub(crate) values: &'a [f32],
    /// Rows and columns without padding.
    pub(crate) size: (usize, usize),
    /// Numbers per pixel.
    pub(crate) channels: usize,
    /// Numbers per row, padding included.
    pub(crate) row: usize,
}

/// Weights of one block. `first` is the expansion, or the stem for the block without expansion.
#[derive(Debug, Clone)]
pub(crate) struct Bottleneck {
    pub(crate) first: Packed,
    /// Kernel and stride of the first convolution.
    pub(crate) window: (usize, usize),
    pub(crate) depthwise: Taps,
    pub(crate) project: Packed,
    pub(crate) skip: bool,
}

/// Buffers of one thread, reused from image to image.
#[derive(Default)]
struct Scratch {
    ring: Vec<[f32; LANES]>,
    strip: Vec<[f32; LANES]>,
    from: Vec<usize>,
    to: Vec<usize>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

impl Bottleneck {
    /// Rows and columns after the first convolution, and after the block.
    fn sizes(&self, (height, width): (usize, usize)) -> Window {
        let (height, width) = (height.div_ceil(self.window.1), width.div_ceil(self.window.1));
        Window::same(height, width, self.depthwise.kernel, self.depthwise.stride)
    }

    /// Rows, columns and channels of the output.
    pub(crate) fn output(&self, input: (usize, usize)) -> (usize, usize, usize) {
        let window = self.sizes(input);
        (window.out_height(), window.out_width(), self.project.outputs())
    }

    /// Runs the block; `output` is pixel by pixel, and its rows are distributed over `parts` tasks.
    pub(crate) fn run(&self, input: Image<'_>, output: &mut [f32], parts: usize) {
        let (rows, columns, channels) = self.output(input.size);
        let each = rows.div_ceil(parts);
        let part = |(i, output): (usize, &mut [f32])| {
            let mut scratch = SCRATCH.take();
            self.rows(input, i * each..((i + 1) * each).min(rows), output, &mut scratch);
            SCRATCH.set(scratch);
        };
        if parts == 1 {
            part((0, output));
        } else {
            output.par_chunks_mut(each * columns * channels).enumerate().for_each(part);
        }
    }

    /// Computes some rows of output.
    fn rows(&self, input: Image<'_>, rows: Range<usize>, output: &mut [f32], scratch: &mut Scratch) {
        let arch = Arch::new();
        let Scratch { ring, strip, from, to } = scratch;
        let (kernel, first_stride) = self.window;
        let Taps { kernel: taps, stride, .. } = self.depthwise;
        let window = self.sizes(input.size);
        let (columns, width, groups) = (window.out_width(), window.padded_width(), self.depthwise.groups());
        let (top, left) = (window.pad_top(), window.pad_left());
        let height = STRIP.div_ceil(columns).min(rows.len());
        let slots = (height - 1) * stride + taps;
        // what padding needs to be zero stays so
        ring.clear();
        ring.resize(groups * slots * width, [0.0; LANES]);
        strip.resize(height * columns * groups, [0.0; LANES]);
        let mut ready = rows.start * stride;
        for start in rows.clone().step_by(height) {
            let strip_rows = start..(start + height).min(rows.end);
            let needed = (strip_rows.end - 1) * stride + taps;
            from.clear();
            to.clear();
            for padded in ready..needed {
                let slot = padded % slots * width;
                match padded.checked_sub(top).filter(|y| *y < window.height) {
                    Some(y) => {
                        from.extend((0..window.width).map(|x| first_stride * (y * input.row + x * input.channels)));
                        to.extend((0..window.width).map(|x| (slot + left + x) * LANES));
                    }
                    None => (0..groups).for_each(|g| ring[g * slots * width + slot..][..width].fill([0.0; LANES])),
                }
            }
            ready = needed;
            arch.dispatch(Dense {
                weights: &self.first,
                source: input.values,
                from,
                count: kernel,
                step: input.row,
                len: kernel * input.channels,
                skip: None,
                floor: 0.0,
                ceiling: 6.0,
                output: ring.as_flattened_mut(),
                to,
                panel: slots * width * LANES,
            });
            let pixels = strip_rows.len() * columns;
            arch.dispatch(Depthwise {
                taps: &self.depthwise,
                source: ring,
                slots,
                width,
                rows: strip_rows,
                columns,
                floor: 0.0,
                ceiling: 6.0,
                output: &mut strip[..pixels * groups],
            });
            let outputs = self.project.outputs();
            from.clear();
            from.extend((0..pixels).map(|i| i * groups * LANES));
            to.clear();
            to.extend((0..pixels).map(|i| ((start - rows.start) * columns + i) * outputs));
            arch.dispatch(Dense {
                weights: &self.project,
                source: strip.as_flattened(),
                from,
                count: 1,
                step: 0,
                len: groups * LANES,
                skip: self.skip.then(|| &input.values[rows.start * input.row..]),
                floor: f32::NEG_INFINITY,
                ceiling: f32::INFINITY,
                output,
                to,
                panel: LANES,
            });
        }
    }
}
