//! Detail matching: the grain inside the mask takes on the scale of the grain around it.

/// Most samples a robust scale is taken from; larger sets are thinned evenly.
const SAMPLES: usize = 4096;

/// Fewest samples, inside and around the mask, for which a band is matched at all.
const FEWEST: usize = 32;

/// 1.4826 times the median of `|v|`: the standard deviation of zero-mean Gaussian noise, insensitive to a minority of
/// edges. 0 for an empty set.
pub(crate) fn robust_scale(values: impl Iterator<Item = f32>) -> f32 {
    // Non-negative floats order as their bits do.
    let mut bits: Vec<u32> = values.map(|v| v.abs().to_bits()).collect();
    if bits.is_empty() {
        return 0.0;
    }
    let middle = bits.len() / 2;
    1.4826 * f32::from_bits(*bits.select_nth_unstable(middle).1)
}

/// At most [`SAMPLES`] of the values at `indices`, evenly spread.
pub(crate) fn thin<'a>(indices: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
    indices.iter().copied().step_by(indices.len().div_ceil(SAMPLES).max(1))
}

/// The part of a detail that is grain: structure beyond `limit` is none of it (Tukey's biweight).
#[inline(always)]
fn grain(n: f32, limit: f32) -> f32 {
    let keep = (1.0 - (n / limit).powi(2)).max(0.0);
    n * keep * keep
}

/// Scale of a band of the normal image at `outside`, the pixels around the mask; 0 if they are too few to tell.
pub(crate) fn surround_scale(normal: &[f32], outside: &[usize]) -> f32 {
    if outside.len() < FEWEST { 0.0 } else { robust_scale(thin(outside).map(|i| normal[i])) }
}

/// When a band is left alone, and how far it may be changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// A band whose scale exceeds this multiple of the surround's is the defect's.
    pub(crate) own: f32,
    /// A band whose surround's scale exceeds this is texture.
    pub(crate) grain: f32,
    /// Largest gain of a transplant.
    pub(crate) gain: f32,
}

/// What to do to one band inside the mask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Match {
    /// The defect owns the band, or nothing is known of it.
    Keep,
    /// Add `gain` times the normal image's grain: its detail, faded out towards `limit`.
    Transplant { gain: f32, limit: f32 },
    /// Scale details up to `limit` by `factor`, and shift larger ones by what is taken at the limit.
    Shrink { factor: f32, limit: f32 },
}

impl Match {
    /// Compares the band's scale inside with that of the normal image around the mask, `target`. `normal` is the normal
    /// image's detail.
    pub(crate) fn find(band: &[f32], normal: &[f32], inside: &[usize], target: f32, limits: Limits) -> Match {
        if inside.len() < FEWEST || !(target > 0.0 && target <= limits.grain) {
            return Match::Keep;
        }
        let scale = robust_scale(thin(inside).map(|i| band[i]));
        if scale > limits.own * target {
            return Match::Keep;
        }
        if scale > target {
            return Match::Shrink { factor: target / scale, limit: 3.0 * scale };
        }
        let limit = 4.5 * target;
        let pairs: Vec<(f32, f32)> = thin(inside).map(|i| (band[i], grain(normal[i], limit))).collect();
        let after = |gain: f32| robust_scale(pairs.iter().map(|(a, n)| a + gain * n));
        // The scale after a transplant is continuous in the gain: close in on the target by the regula falsi.
        let (mut low, mut high) = ((0.0, scale - target), (limits.gain, after(limits.gain) - target));
        let mut gain = limits.gain;
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

    /// The matched detail for a detail `v` where the normal image has `n`.
    #[inline(always)]
    pub(crate) fn apply(self, v: f32, n: f32) -> f32 {
        match self {
            Match::Keep => v,
            Match::Transplant { gain, limit } => v + gain * grain(n, limit),
            Match::Shrink { factor, limit } => v - (1.0 - factor) * v.clamp(-limit, limit),
        }
    }
}
