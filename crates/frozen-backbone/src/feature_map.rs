//! Feature maps with their channels innermost, and dense convolutions and linear layers between them.

use std::cell::Cell;

use pulp::Arch;
use rayon::prelude::*;

use crate::kernels::{Dense, LANES, Packed};

/// Output pixels of a strip, at least (one row otherwise): enough to reuse each weight panel, few enough for the cache.
const STRIP: usize = 256;

/// Number of tasks for one image: all threads, or 1 inside a rayon task, where the caller already runs images in
/// parallel.
pub(crate) fn parts() -> usize {
    if rayon::current_thread_index().is_some() { 1 } else { rayon::current_num_threads() }
}

/// Feature map: pixel by pixel, channels innermost, with a border of zero pixels.
#[derive(Debug, Default)]
pub(crate) struct FeatureMap {
    pub(crate) values: Vec<f32>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) channels: usize,
    pub(crate) border: usize,
}

impl FeatureMap {
    /// Resizes the map in place and fills it with zeros; the allocation is reused.
    pub(crate) fn reset(&mut self, (rows, columns, channels): (usize, usize, usize), border: usize) {
        let length = (rows + 2 * border) * (columns + 2 * border) * channels;
        self.values.clear();
        self.values.resize(length, 0.0);
        (self.rows, self.columns, self.channels, self.border) = (rows, columns, channels, border);
    }

    /// Length of a row, border included.
    pub(crate) fn row(&self) -> usize {
        (self.columns + 2 * self.border) * self.channels
    }

    /// Fills the map with an image of `size` with three channels, padded to `rows` x `columns` by repeating its last
    /// row and column.
    pub(crate) fn fill(
        &mut self,
        size: (usize, usize),
        (rows, columns): (usize, usize),
        border: usize,
        pixel: impl Fn(usize, usize) -> [f32; 3],
    ) {
        self.reset((rows, columns, 3), border);
        let row = self.row();
        for y in 0..rows {
            let line = &mut self.values[(y + border) * row + border * 3..][..columns * 3];
            let pixels = line.as_chunks_mut().0.iter_mut().enumerate();
            pixels.for_each(|(x, p)| *p = pixel(y.min(size.0 - 1), x.min(size.1 - 1)));
        }
    }
}

/// Dense convolution, padded evenly by half its kernel as in PyTorch.
#[derive(Debug, Clone)]
pub(crate) struct Convolution {
    pub(crate) weights: Packed,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
}

impl Convolution {
    /// Convolves `input`, whose border is at least half the kernel, into `output` with the given border. `skip`,
    /// without border, is added; the result is at least `floor`.
    pub(crate) fn run(
        &self,
        input: &FeatureMap,
        skip: Option<&FeatureMap>,
        floor: f32,
        output: &mut FeatureMap,
        border: usize,
    ) {
        let (rows, columns) = (input.rows.div_ceil(self.stride), input.columns.div_ceil(self.stride));
        output.reset((rows, columns, self.weights.outputs()), border);
        let (row, channels, near) = (input.row(), input.channels, input.border - self.kernel / 2);
        let reads = Reads {
            source: &input.values,
            count: self.kernel,
            step: row,
            len: self.kernel * channels,
            from: |y, x| (y * self.stride + near) * row + (x * self.stride + near) * channels,
        };
        run(&self.weights, &reads, skip, floor, output);
    }
}

/// Source of the output pixel at `(row, column)`: `count` runs of `len` numbers, `step` apart, the first at `from(row,
/// column)`.
pub(crate) struct Reads<'a, F> {
    pub(crate) source: &'a [f32],
    pub(crate) count: usize,
    pub(crate) step: usize,
    pub(crate) len: usize,
    pub(crate) from: F,
}

thread_local! {
    /// Offsets that pixels are read from and written to, reused from image to image.
    static OFFSETS: Cell<(Vec<usize>, Vec<usize>)> = Cell::default();
}

/// Computes `output` in strips of rows on all threads.
pub(crate) fn run<F: Fn(usize, usize) -> usize + Sync>(
    weights: &Packed,
    reads: &Reads<'_, F>,
    skip: Option<&FeatureMap>,
    floor: f32,
    output: &mut FeatureMap,
) {
    let (rows, columns, row) = (output.rows, output.columns, output.row());
    let (channels, border) = (output.channels, output.border);
    let each = rows.div_ceil(parts()).max(1);
    let height = STRIP.div_ceil(columns.max(1));
    let body = &mut output.values[border * row..][..rows * row];
    body.par_chunks_mut((each * row).max(1)).enumerate().for_each(|(i, output)| {
        let (mut from, mut to) = OFFSETS.take();
        let rows = i * each..((i + 1) * each).min(rows);
        for start in rows.clone().step_by(height) {
            from.clear();
            to.clear();
            for y in start..(start + height).min(rows.end) {
                from.extend((0..columns).map(|x| (reads.from)(y, x)));
                to.extend((0..columns).map(|x| (y - rows.start) * row + (x + border) * channels));
            }
            Arch::new().dispatch(Dense {
                weights,
                source: reads.source,
                from: &from,
                count: reads.count,
                step: reads.step,
                len: reads.len,
                skip: skip.map(|skip| &skip.values[rows.start * skip.row()..]),
                floor,
                ceiling: f32::INFINITY,
                output,
                to: &to,
                panel: LANES,
            });
        }
        OFFSETS.set((from, to));
    });
}
