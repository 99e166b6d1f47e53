//! Robust scale of a sample.

use crate::simd::widely;

/// Robust scale, 1.4826 times the median of `|v|`: the standard deviation of zero-mean Gaussian noise, insensitive to a
/// minority of edges. 0 for an empty set.
#[must_use]
pub fn scale(values: &[f32]) -> f32 {
    scale_of_sum(values, 0.0, values, &mut Vec::new())
}

/// Robust [`scale`] of `a + gain * b`, as long as the shorter one; `bits` is working memory.
#[must_use]
pub fn scale_of_sum(a: &[f32], gain: f32, b: &[f32], bits: &mut Vec<u32>) -> f32 {
    let n = a.len().min(b.len());
    if n == 0 {
        return 0.0;
    }
    if bits.len() < n {
        bits.resize(n, 0);
    }
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

/// The value of rank `k` (0: the least) among values below 2^31: bisection and
/// interpolation by counts, which unlike a selection has no branch for the processor to miss.
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
            // the least of the others: those below wrap around to large numbers
            return middle + values.iter().fold(u32::MAX, |least, &v| least.min(v.wrapping_sub(middle)));
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::{ranked, scale};

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
        assert_eq!(scale(&[-3.0, 0.5, 2.0]), 1.4826 * 2.0);
        assert_eq!(scale(&[]), 0.0);
    }
}
