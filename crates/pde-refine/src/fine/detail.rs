//! Detail matching: scales the grain inside the mask to the strength of the grain around it.

use crate::simd::{larger, smaller, widely};
use imgkit::robust::scale_of_sum;

/// Most samples that a robust scale is computed from; larger sets are thinned evenly.
const SAMPLES: usize = 4096;

/// Fewest samples, inside and around the mask, for which a band is matched at all.
const FEWEST: usize = 32;

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
    scale_of_sum(&samples.band, 0.0, &samples.band, &mut samples.bits)
}

/// Scratch memory of [`Match::find`] and [`surround_scale`].
#[derive(Debug, Default)]
pub(crate) struct Samples {
    band: Vec<f32>,
    /// Of each channel its band and the normal image's grain.
    channels: Vec<(Vec<f32>, Vec<f32>)>,
    bits: Vec<u32>,
}

impl Samples {
    /// Robust scales of the channels.
    fn scales(&mut self) -> impl Iterator<Item = f32> {
        let bits = &mut self.bits;
        self.channels.iter().map(move |(band, _)| scale_of_sum(band, 0.0, band, bits))
    }

    /// Robust scales of the channels once `gain` times the grain has been added.
    fn scales_after(&mut self, gain: f32) -> impl Iterator<Item = f32> {
        let bits = &mut self.bits;
        self.channels.iter().map(move |(band, grain)| scale_of_sum(band, gain, grain, bits))
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

/// One band of one channel inside the mask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Band<'a> {
    /// Details of the composite.
    pub(crate) details: &'a [f32],
    /// Those of the normal image at the same pixels.
    pub(crate) normal: &'a [f32],
    /// Scale of the normal image's band around the mask.
    pub(crate) target: f32,
}

impl Band<'_> {
    /// Detail of the normal image beyond which it is no grain.
    fn limit(&self) -> f32 {
        larger(4.5 * self.target, f32::MIN_POSITIVE)
    }
}

impl Match {
    /// Compares a band's scale inside with that of the normal image around the mask, both summed over the channels.
    /// All channels are treated alike, for a band that is scaled down or filled in one channel and left alone in
    /// another changes its color.
    pub(crate) fn find(channels: &[Band<'_>], limits: Limits, samples: &mut Samples) -> Vec<Match> {
        let keep = || vec![Match::Keep; channels.len()];
        let target: f32 = channels.iter().map(|c| c.target).sum();
        let few = channels.iter().any(|c| c.details.len() < FEWEST);
        if few || !(target > 0.0 && target <= channels.len() as f32 * limits.noise_floor) {
            return keep();
        }
        samples.channels.resize_with(channels.len(), Default::default);
        for (channel, (band, _)) in channels.iter().zip(&mut samples.channels) {
            thin(band, channel.details, |v| v);
        }
        let scales: Vec<f32> = samples.scales().collect();
        let scale: f32 = scales.iter().sum();
        if scale > limits.texture_ratio_cutoff * target {
            return keep();
        }
        if scale > target {
            return scales.iter().map(|s| Match::Shrink { factor: target / scale, limit: 3.0 * s }).collect();
        }
        for (channel, (_, grains)) in channels.iter().zip(&mut samples.channels) {
            let limit = channel.limit();
            thin(grains, channel.normal, |n| grain(n, limit));
        }
        let mut after = |gain: f32| -> f32 { samples.scales_after(gain).sum() };
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
        channels.iter().map(|c| Match::Transplant { gain, limit: c.limit() }).collect()
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
    use super::{SAMPLES, stride};

    #[test]
    fn samples_are_at_most_so_many() {
        for n in [0, 1, SAMPLES, SAMPLES + 1, 10 * SAMPLES + 7] {
            let taken = n.div_ceil(stride(n));
            assert!(taken <= SAMPLES && 2 * taken >= n.min(SAMPLES), "{n}: {taken}");
        }
    }
}
