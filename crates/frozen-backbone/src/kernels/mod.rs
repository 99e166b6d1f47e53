//! Inner loops of dense and depthwise convolutions, compiled for each instruction set that pulp can select at run time.
//!
//! Activations lie pixel by pixel, channels innermost, so that both loops run along channels without shuffles. Every
//! output is one chain of fused multiply-adds in a fixed order, so the bits depend neither on the instruction set nor
//! on how the work is divided.

/// Channels of a weight panel, and of a channel group of a [`Depthwise`] source.
pub(crate) const LANES: usize = 16;
/// Width of the last panel when at most this many channels are left; stored channel counts are multiples of it.
pub(crate) const HALF: usize = LANES / 2;

/// Most multiply-adds per output in one pass: the weights of a panel and the numbers of its pixels then stay in the
/// nearest caches.
const DEPTH: usize = 512;

/// Weights of a dense convolution as the inner loop reads them: panels of [`LANES`] (the last perhaps [`HALF`])
/// outputs, innermost, by depth.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    /// Multiply-adds per output: `kernel * kernel * inputs`.
    depth: usize,
    /// Stored outputs, a multiple of [`HALF`].
    outputs: usize,
    panels: Vec<[f32; LANES]>,
    bias: Vec<[f32; LANES]>,
}

impl Packed {
    /// Packs `weight` (O, C, k, k) and `bias` (O). Depth runs over rows of the kernel, then columns, then inputs.
    pub(crate) fn new(weight: &[f32], bias: &[f32], inputs: usize, kernel: usize) -> Self {
        let taps = kernel * kernel;
        Self::from_fn(taps * inputs, bias, |o, k| weight[(o * inputs + k % inputs) * taps + k / inputs])
    }

    /// Packs `weight(output, depth)` and one `bias` per output.
    pub(crate) fn from_fn(depth: usize, bias: &[f32], weight: impl Fn(usize, usize) -> f32) -> Self {
        let outputs = bias.len();
        let groups = outputs.div_ceil(LANES);
        let mut panels = vec![[0.0; LANES]; groups * depth];
        for o in 0..outputs {
            let panel = &mut panels[o / LANES * depth..][..depth];
            panel.iter_mut().enumerate().for_each(|(k, row)| row[o % LANES] = weight(o, k));
        }
        let lane = |o: usize| bias.get(o).copied().unwrap_or(0.0);
        let bias = (0..groups).map(|g| std::array::from_fn(|l| lane(g * LANES + l))).collect();
        Self { depth, outputs: outputs.next_multiple_of(HALF), panels, bias }
    }

    /// Channels of an output pixel as stored: a multiple of [`HALF`], zero beyond the convolution's own.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }
}

/// Dense convolution of some pixels as a matrix product: each output pixel reads `count` runs of `len` neighboring
/// numbers, `step` apart.
///
/// Deep sums are made in parts that pass over all pixels, resting in `output` meanwhile: the same chain of additions,
/// so the same bits.
pub(crate) struct Dense<'a> {
    pub(crate) weights: &'a Packed,
    pub(crate) source: &'a [f32],
    /// Where each pixel's first run starts.
    pub(crate) from: &'a [usize],
    pub(crate) count: usize,
    pub(crate) step: usize,
    pub(crate) len: usize,
    /// Added after the bias; lies as `output` does.
    pub(crate) skip: Option<&'a [f32]>,
    pub(crate) floor: f32,
    pub(crate) ceiling: f32,
    pub(crate) output: &'a mut [f32],
    /// Where each pixel's first panel goes, and how far on the next one.
    pub(crate) to: &'a [usize],
    pub(crate) panel: usize,
}

/// A part of the depth of a [`Dense`]: of each of `count` runs from `run` on, `len` numbers from `offset` on.
#[derive(Clone, Copy)]
struct Part {
    run: usize,
    count: usize,
    offset: usize,
    len: usize,
    first: bool,
    last: bool,
}

impl pulp::WithSimd for Dense<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, simd: S) {
        let (count, len) = (self.count, self.len);
        // whole runs together where they are short, equal shares of a run where it is long
        let together = if count * len <= DEPTH * 3 / 2 { count } else { (DEPTH / len.max(1)).clamp(1, count) };
        let share = if together > 1 || len <= DEPTH { len } else { len.div_ceil(len.div_ceil(DEPTH)) };
        for run in (0..count).step_by(together.max(1)) {
            for offset in (0..len).step_by(share.max(1)) {
                let (count, len) = (together.min(count - run), share.min(len - offset));
                let (first, last) = (run + offset == 0, run + count == self.count && offset + len == self.len);
                self.panels(simd, Part { run, count, offset, len, first, last });
            }
        }
    }
}

impl Dense<'_> {
    #[inline(always)]
    fn panels<S: pulp::Simd>(&mut self, simd: S, part: Part) {
        for index in 0..self.weights.bias.len() {
            let half = self.weights.outputs - index * LANES < LANES;
            // as many sums as the registers hold: 32 of 16 lanes, or 16 of 8, less those of a weight row and a pixel
            match (S::F32_LANES, half) {
                (16, _) => self.pixels::<S, 1, 1, 12>(simd, index, part),
                (8, false) => self.pixels::<S, 2, 2, 6>(simd, index, part),
                (8, true) => self.pixels::<S, 1, 2, 8>(simd, index, part),
                (4, false) => self.pixels::<S, 4, 4, 4>(simd, index, part),
                (4, true) => self.pixels::<S, 2, 4, 8>(simd, index, part),
                (_, false) => self.pixels::<S, 16, 16, 1>(simd, index, part),
                (_, true) => self.pixels::<S, 8, 16, 2>(simd, index, part),
            }
        }
    }

    /// All pixels of one panel, `MOST` at a time; `V` of the `N` vectors of each weight row.
    #[inline(always)]
    fn pixels<S: pulp::Simd, const V: usize, const N: usize, const MOST: usize>(
        &mut self,
        simd: S,
        index: usize,
        part: Part,
    ) {
        let Packed { depth, bias, panels, .. } = self.weights;
        let (panel, _) = S::as_simd_f32s(panels[index * depth..][..*depth].as_flattened()).0.as_chunks::<N>();
        let bias = S::as_simd_f32s(&bias[index]).0;
        let (total, mut at) = (self.to.len(), 0);
        while at < total {
            // a short last tile would leave the multipliers waiting, so 7 and 8 pixels become two tiles of 4
            at += match total - at {
                n if n >= MOST && (MOST != 6 || !(7..=8).contains(&n)) => {
                    self.tile::<S, V, N, MOST>(simd, panel, bias, (index, part), at)
                }
                n if n >= 4 => self.tile::<S, V, N, 4>(simd, panel, bias, (index, part), at),
                n if n >= 2 => self.tile::<S, V, N, 2>(simd, panel, bias, (index, part), at),
                _ => self.tile::<S, V, N, 1>(simd, panel, bias, (index, part), at),
            };
        }
    }

    /// `P` pixels times the outputs of a panel.
    ///
    /// Loops over constants and no iterators or `map` over arrays, so that all sums stay in registers and lengths stay
    /// known.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    fn tile<S: pulp::Simd, const V: usize, const N: usize, const P: usize>(
        &mut self,
        simd: S,
        panel: &[[S::f32s; N]],
        bias: &[S::f32s],
        (index, part): (usize, Part),
        at: usize,
    ) -> usize {
        let (source, step, depth, len) = (self.source, self.step, self.len, part.len);
        let width = LANES.min(self.weights.outputs - index * LANES);
        let (Some(from), Some(to)) = (self.from[at..].first_chunk::<P>(), self.to[at..].first_chunk::<P>()) else {
            return P;
        };
        let mut sum = [[simd.splat_f32s(0.0); V]; P];
        for p in 0..P {
            if part.first {
                sum[p].copy_from_slice(&bias[..V]);
            } else {
                let rest = &self.output[to[p] + index * self.panel..][..width];
                let (vectors, rest) = S::as_simd_f32s(rest);
                if rest.is_empty() {
                    sum[p].copy_from_slice(&vectors[..V]);
                } else {
                    sum[p][0] = simd.partial_load_f32s(rest);
                }
            }
        }
        for run in part.run..part.run + part.count {
            let mut rows = [source; P];
            for p in 0..P {
                rows[p] = &source[from[p] + run * step + part.offset..][..len];
            }
            let panel = &panel[run * depth + part.offset..][..len];
            for k in 0..len {
                for p in 0..P {
                    let value = simd.splat_f32s(rows[p][k]);
                    for v in 0..V {
                        sum[p][v] = simd.mul_add_f32s(value, panel[k][v], sum[p][v]);
                    }
                }
            }
        }
        // a sum that is not complete is neither clamped nor skipped to
        let (floor, ceiling, skip) = match part.last {
            true => (self.floor, self.ceiling, self.skip),
            false => (f32::NEG_INFINITY, f32::INFINITY, None),
        };
        let (floor, ceiling) = (simd.splat_f32s(floor), simd.splat_f32s(ceiling));
        for p in 0..P {
            let to = to[p] + index * self.panel;
            let out = &mut self.output[to..][..width];
            if S::F32_LANES <= width {
                let (out, _) = S::as_mut_simd_f32s(out);
                for v in 0..V {
                    let mut value = sum[p][v];
                    if let Some(skip) = skip {
                        value = simd.add_f32s(value, S::as_simd_f32s(&skip[to..][..width]).0[v]);
                    }
                    out[v] = simd.min_f32s(simd.max_f32s(value, floor), ceiling);
                }
            } else {
                // half a vector
                let mut value = sum[p][0];
                if let Some(skip) = skip {
                    value = simd.add_f32s(value, simd.partial_load_f32s(&skip[to..][..width]));
                }
                simd.partial_store_f32s(out, simd.min_f32s(simd.max_f32s(value, floor), ceiling));
            }
        }
        P
    }
}

/// Weights of a depthwise convolution: by channel group, then kernel row and column, [`LANES`] channels innermost.
#[derive(Debug, Clone)]
pub(crate) struct Taps {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    weights: Vec<[f32; LANES]>,
    bias: Vec<[f32; LANES]>,
}

impl Taps {
    /// Packs `weight` (C, 1, k, k) and `bias` (C); missing channels of the last group are zero.
    pub(crate) fn new(weight: &[f32], bias: &[f32], kernel: usize, stride: usize) -> Self {
        let (area, groups) = (kernel * kernel, bias.len().div_ceil(LANES));
        let lane = |values: &[f32], at: usize| values.get(at).copied().unwrap_or(0.0);
        let weights = (0..groups * area)
            .map(|i| std::array::from_fn(|l| lane(weight, (i / area * LANES + l) * area + i % area)))
            .collect();
        let bias = (0..groups).map(|g| std::array::from_fn(|l| lane(bias, g * LANES + l))).collect();
        Self { kernel, stride, weights, bias }
    }

    /// Number of channel groups.
    pub(crate) fn groups(&self) -> usize {
        self.bias.len()
    }
}

/// Depthwise convolution of some rows of output.
///
/// The source is a ring of `slots` padded rows of `width` pixels for each channel group: row `y` of the padded plane
/// lies in slot `y % slots`.
pub(crate) struct Depthwise<'a> {
    pub(crate) taps: &'a Taps,
    pub(crate) source: &'a [[f32; LANES]],
    pub(crate) slots: usize,
    pub(crate) width: usize,
    pub(crate) rows: std::ops::Range<usize>,
    pub(crate) columns: usize,
    pub(crate) floor: f32,
    pub(crate) ceiling: f32,
    /// Pixel by pixel, all channel groups innermost.
    pub(crate) output: &'a mut [[f32; LANES]],
}

impl pulp::WithSimd for Depthwise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, simd: S) {
        match S::F32_LANES {
            16 => self.vectors::<S, 1>(simd),
            8 => self.vectors::<S, 2>(simd),
            4 => self.vectors::<S, 4>(simd),
            _ => self.vectors::<S, 16>(simd),
        }
    }
}

impl Depthwise<'_> {
    #[inline(always)]
    fn vectors<S: pulp::Simd, const V: usize>(&mut self, simd: S) {
        // constants, so that each common case gets loops of known length
        match (self.taps.kernel, self.taps.stride) {
            (3, 1) => self.run::<S, V>(simd, 3, 1),
            (3, 2) => self.run::<S, V>(simd, 3, 2),
            (5, 1) => self.run::<S, V>(simd, 5, 1),
            (5, 2) => self.run::<S, V>(simd, 5, 2),
            (kernel, stride) => self.run::<S, V>(simd, kernel, stride),
        }
    }

    #[inline(always)]
    fn run<S: pulp::Simd, const V: usize>(&mut self, simd: S, kernel: usize, stride: usize) {
        for group in 0..self.taps.groups() {
            for row in self.rows.clone() {
                let place = (group, row, row * stride % self.slots);
                let mut x = 0;
                while x < self.columns {
                    // eight sums keep the multipliers busy; 6 where 8 would leave 2
                    x += match self.columns - x {
                        n if n >= 6 && n % 8 == 2 || n == 6 => self.tile::<S, V, 6>(simd, kernel, stride, place, x),
                        n if n >= 8 => self.tile::<S, V, 8>(simd, kernel, stride, place, x),
                        n if n >= 4 => self.tile::<S, V, 4>(simd, kernel, stride, place, x),
                        n if n >= 2 => self.tile::<S, V, 2>(simd, kernel, stride, place, x),
                        _ => self.tile::<S, V, 1>(simd, kernel, stride, place, x),
                    };
                }
            }
        }
    }

    /// `X` neighboring pixels of one channel group, a vector at a time.
    ///
    /// Written as [`Dense::tile`] is, and inlined with a constant kernel and stride.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    fn tile<S: pulp::Simd, const V: usize, const X: usize>(
        &mut self,
        simd: S,
        kernel: usize,
        stride: usize,
        (group, row, first_slot): (usize, usize, usize),
        x: usize,
    ) -> usize {
        let Taps { weights, bias, .. } = self.taps;
        let weights = &weights[group * kernel * kernel..][..kernel * kernel];
        let bias = S::as_simd_f32s(&bias[group]).0;
        let (floor, ceiling) = (simd.splat_f32s(self.floor), simd.splat_f32s(self.ceiling));
        let groups = self.taps.groups();
        let first = ((row - self.rows.start) * self.columns + x) * groups + group;
        let output = &mut self.output[first..][..(X - 1) * groups + 1];
        for v in 0..V {
            let mut sum = [bias[v]; X];
            let mut slot = first_slot;
            for ky in 0..kernel {
                let from = (group * self.slots + slot) * self.width + x * stride;
                let line = &self.source[from..][..(X - 1) * stride + kernel];
                let weights = &weights[ky * kernel..][..kernel];
                for kx in 0..kernel {
                    let weight = S::as_simd_f32s(&weights[kx]).0[v];
                    for i in 0..X {
                        sum[i] = simd.mul_add_f32s(S::as_simd_f32s(&line[i * stride + kx]).0[v], weight, sum[i]);
                    }
                }
                slot = if slot + 1 == self.slots { 0 } else { slot + 1 };
            }
            for i in 0..X {
                let out = S::as_mut_simd_f32s(&mut output[i * groups]).0;
                out[v] = simd.min_f32s(simd.max_f32s(sum[i], floor), ceiling);
            }
        }
        X
    }
}

#[cfg(test)]
mod tests;
