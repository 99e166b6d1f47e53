//! Detail matching: scales the grain inside the mask to the strength of the grain around it.

use crate::simd::{larger, smaller, widely};

/// Most samples that a robust scale is computed from; larger sets are thinned evenly.
const SAMPLES: usize = 4096;

/// Fewest samples, inside and around the mask, for which a band is matched at all.
const FEWEST: usize = 32;

/// Robust scale, 1.4826 times the median of `|v|`: the standard deviation of zero-mean Gaussian noise, insensitive to a
/// minority of edges. 0 for an empty set.
pub(crate) fn robust_scale(values: &[f32]) -> f32 {
    scale_of_sum(values, 0.0, values, &mut Vec::new())
}

/// Computes the [`robust_scale`] of `a + gain * b`; `bits` is scratch memory.
fn scale_of_sum(a: &[f32], gain: f32, b: &[f32], bits: &mut Vec<u32>) -> f32 {
    let n = a.len();
    if n == 0 {
        return 0.0;
    }
    bits.clear();
    bits.resize(n, 0);
    let mut middle = 0;
    widely(
        #[inline(always)]
        || {
            let (bits, a, b) = (&mut bits[..n], &a[..n], &b[..n]);
            // non-negative floats order as their bits do
            for i in 0..n {
                bits[i] = (a[i] + gain * b[i]).abs().to_bits();
            }
            middle = ranked(bits, n / 2);
        },
    );
    1.4826 * f32::from_bits(middle)
}

/// Selects the value of rank `k` (0: the least) among values below 2^31, by bisection and interpolation on counts,
/// which unlike a quickselect has no branch to mispredict.
#[inline(always)]
fn ranked(values: &[u32], k: usize) -> u32 {
    // at most `k` values lie below `low`, more below `high`
    let (mut low, mut high) = (0, values.iter().fold(0, |most, &v| most.max(v)) + 1);
    let (mut below_low, mut below_high, mut turn) = (0, values.len(), 0);
    while high - low > 1 {
        // once the exponent is known, a little below and above where the value should be, and the middle, in turn
        let between = (below_high - below_low) as f64;
        let share = match turn {
            0 => 0.5,
            1 => ((k - below_low) as f64 - between.sqrt()) / between,
            _ => ((k - below_low) as f64 + between.sqrt()) / between,
        };
        turn = if high - low > 3 << 23 { 0 } else { (turn + 1) % 3 };
        let middle = (low + (f64::from(high - low) * share.clamp(0.0, 1.0)) as u32).clamp(low + 1, high - 1);
        let mut below = 0u32;
        for &v in values {
            below += u32::from((v as i32) < middle as i32);
        }
        let below = below as usize;
        if below <= k {
            (low, below_low) = (middle, below)
        } else {
            (high, below_high) = (middle, below)
        }
        if below == k {
            // the least of the values not below `middle`: those below wrap around to large numbers
            return middle + values.iter().fold(u32::MAX, |least, &v| least.min(v.wrapping_sub(middle)));
        }
    }
    low
}

/// Step between the values used of `n`, so that they are at most [`SAMPLES`] and evenly spread.
fn stride(n: usize) -> usize {
    n.div_ceil(SAMPLES).max(1)
}

/// Part of a detail that counts as grain: fades out towards `limit` (Tukey's biweight).
#[inline(always)]
fn grain(n: f32, limit: f32) -> f32 {
    let keep = larger(1.0 - (n / limit).powi(2), 0.0);
    n * keep * keep
}

/// Robust scale of a band of the normal image at `outside`, the pixels around the mask; 0 if they are too few.
pub(crate) fn surround_scale(normal: &[f32], outside: &[usize], samples: &mut Samples) -> f32 {
    if outside.len() < FEWEST {
        return 0.0;
    }
    samples.band.clear();
    samples.band.extend(outside.iter().step_by(stride(outside.len())).map(|&i| normal[i]));
    samples.scale()
}

/// Scratch memory of [`Match::find`] and [`surround_scale`].
#[derive(Debug, Default)]
pub(crate) struct Samples {
    band: Vec<f32>,
    grain: Vec<f32>,
    bits: Vec<u32>,
}

impl Samples {
    /// Robust scale of the band once `gain` times the grain has been added.
    fn scale_after(&mut self, gain: f32) -> f32 {
        scale_of_sum(&self.band, gain, &self.grain, &mut self.bits)
    }

    /// Robust scale of the band.
    fn scale(&mut self) -> f32 {
        scale_of_sum(&self.band, 0.0, &self.band, &mut self.bits)
    }
}

/// Fills `samples` with `value` of at most [`SAMPLES`] of the values, evenly spread.
#[inline(always)]
fn thin(samples: &mut Vec<f32>, values: &[f32], value: impl Fn(f32) -> f32) {
    samples.clear();
    match stride(values.len()) {
        1 => {
            samples.extend_from_slice(values);
            widely(
                #[inline(always)]
                || samples.iter_mut().for_each(|v| *v = value(*v)),
            );
        }
        every => samples.extend(values.iter().step_by(every).map(|&v| value(v))),
    }
}

/// Limits of detail matching.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Ratio of scales, mask to surround, above which a band is the defect's own texture.
    pub(crate) texture_ratio_cutoff: f32,
    /// Scale of the surround above which a band is texture.
    pub(crate) noise_floor: f32,
    /// Largest gain of a transplant.
    pub(crate) max_gain: f32,
}

/// Change of one band inside the mask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Match {
    /// None: the band is the defect's own, or its surround is unknown.
    Keep,
    /// Add `gain` times the normal image's grain: its detail, faded out towards `limit`.
    Transplant { gain: f32, limit: f32 },
    /// Scale details up to `limit` by `factor`, and shift larger ones by what is taken at the limit.
    Shrink { factor: f32, limit: f32 },
}

impl Match {
    /// Compares the band's scale inside with that of the normal image around the mask, `target`. `normal` is the normal
    /// image's detail; both hold the pixels of the mask.
    pub(crate) fn find(band: &[f32], normal: &[f32], target: f32, limits: Limits, samples: &mut Samples) -> Match {
        if band.len() < FEWEST || !(target > 0.0 && target <= limits.noise_floor) {
            return Match::Keep;
        }
        thin(&mut samples.band, band, |v| v);
        let scale = samples.scale();
        if scale > limits.texture_ratio_cutoff * target {
            return Match::Keep;
        }
        if scale > target {
            return Match::Shrink { factor: target / scale, limit: 3.0 * scale };
        }
        let limit = 4.5 * target;
        thin(&mut samples.grain, normal, |n| grain(n, limit));
        let mut after = |gain: f32| samples.scale_after(gain);
        // The scale after a transplant is continuous in the gain: close in on the target by the regula falsi.
        let (mut low, mut high) = ((0.0, scale - target), (limits.max_gain, after(limits.max_gain) - target));
        let mut gain = limits.max_gain;
        for _ in 0..4 {
            let slope = high.1 - low.1;
            if high.1 <= 0.0 || slope <= 0.01 * target {
                break;
            }
            gain = low.0 - low.1 * (high.0 - low.0) / slope;
            let error = after(gain) - target;
            if error.abs() <= 0.01 * target {
                break;
            }
            if error < 0.0 { low = (gain, error) } else { high = (gain, error) }
        }
        Match::Transplant { gain, limit }
    }

    /// The gain of a transplant, 0 for the rest.
    pub(crate) fn gain(self) -> f32 {
        if let Match::Transplant { gain, .. } = self { gain } else { 0.0 }
    }

    /// Adds to `sums` the band as it will be: the normal image's detail, and `weights` of the way to the matched one.
    /// All hold the pixels of the mask.
    pub(crate) fn blend(self, sums: &mut [f32], band: &[f32], normal: &[f32], weights: &[f32]) {
        widely(
            #[inline(always)]
            || match self {
                Match::Keep => blend(sums, band, normal, weights, |v, _| v),
                Match::Transplant { gain, limit } => {
                    blend(sums, band, normal, weights, move |v, n| v + gain * grain(n, limit));
                }
                Match::Shrink { factor, limit } => blend(sums, band, normal, weights, move |v, _| {
                    v - (1.0 - factor) * larger(smaller(v, limit), -limit)
                }),
            },
        );
    }
}

#[inline(always)]
fn blend(sums: &mut [f32], band: &[f32], normal: &[f32], weights: &[f32], matched: impl Fn(f32, f32) -> f32) {
    let n = sums.len();
    let (band, normal, weights) = (&band[..n], &normal[..n], &weights[..n]);
    for p in 0..n {
        sums[p] += normal[p] + weights[p] * (matched(band[p], normal[p]) - normal[p]);
    }
}

#[cfg(test)]
mod tests {
    use super::{SAMPLES, ranked, robust_scale, stride};

    #[test]
    fn ranks_are_those_of_a_sorted_list() {
        let mut state = 7u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % below
        };
        for n in [1, 2, 31, 32, 33, 500, 4096] {
            // few and many different values, small and the largest there are
            for spread in [1, 3, 40, 1 << 31] {
                let values: Vec<u32> = (0..n).map(|_| ((1 << 31) - 1 - random(spread)) as u32).collect();
                let mut sorted = values.clone();
                sorted.sort_unstable();
                for k in [0, n / 3, n / 2, n - 1] {
                    assert_eq!(ranked(&values, k), sorted[k], "{n} values, rank {k}, spread {spread}");
                }
            }
        }
        assert_eq!(robust_scale(&[-3.0, 0.5, 2.0]), 1.4826 * 2.0);
        assert_eq!(robust_scale(&[]), 0.0);
    }

    #[test]
    fn samples_are_at_most_so_many() {
        for n in [0, 1, SAMPLES, SAMPLES + 1, 10 * SAMPLES + 7] {
            let taken = n.div_ceil(stride(n));
            assert!(taken <= SAMPLES && 2 * taken >= n.min(SAMPLES), "{n}: {taken}");
        }
    }
}
