//! Ranks: how many of n things a share of them is, in whole numbers.
//!
//! A share such as 0.29 or 1/3 is rarely a number that a computer holds, so that `share * n` may fall just below or
//! above the whole number that is meant: `0.29 * 100.0` is 28.999999999999996. Here a share stands for all numbers that
//! are rounded to it: where one of them makes a whole number of `count`, that number is the rank. Integers only.

/// Share as `numerator / 2^bits`; `None` unless it lies in (0, 1).
fn parts(share: f64) -> Option<(u64, u32)> {
    if !(share > 0.0 && share < 1.0) {
        return None;
    }
    let (exponent, fraction) = ((share.to_bits() >> 52) as u32, share.to_bits() & ((1 << 52) - 1));
    Some(if exponent == 0 { (fraction, 1074) } else { (fraction | 1 << 52, 1075 - exponent) })
}

/// Largest and smallest whole number of `count` around `share` of it; both are the one that is met.
fn around(share: f64, count: usize) -> (usize, usize) {
    let Some((numerator, bits)) = parts(share) else {
        return if share >= 1.0 { (count, count) } else { (0, 0) };
    };
    if bits > 120 {
        return (0, count.min(1)); // of fewer than 2^64 things less than one
    }
    let (product, unit) = (u128::from(numerator) * count as u128, 1u128 << bits);
    let nearest = (product + unit / 2) >> bits;
    // the share is known to half a unit of its numerator
    let met = 2 * product.abs_diff(nearest << bits) <= count as u128;
    let below = if met { nearest } else { product >> bits };
    let above = below + u128::from(!met);
    let whole = |n: u128| usize::try_from(n).unwrap_or(count).min(count);
    (whole(below), whole(above))
}

/// Third of each value by its rank: 0 for the lowest ones, 1 and 2. Equal values are in one level, so that there may be
/// fewer levels, but none without a value between two others. Values that are no number rank highest.
///
/// ```
/// use imgkit::rank::thirds;
/// assert_eq!(thirds(&[5.0, 1.0, 9.0, 2.0, 8.0, 4.0]), [1, 0, 2, 0, 2, 1]);
/// assert_eq!(thirds(&[7.0, 7.0, 7.0]), [0, 0, 0]);
/// assert!(thirds(&[]).is_empty());
/// ```
#[must_use]
pub fn thirds(values: &[f64]) -> Vec<usize> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let bounds: Vec<f64> = [1, 2].iter().filter_map(|third| sorted.get(third * values.len() / 3).copied()).collect();
    let level = |v: &f64| bounds.iter().filter(|bound| v.total_cmp(bound).is_ge()).count();
    let levels: Vec<usize> = values.iter().map(level).collect();
    let mut known = levels.clone();
    known.sort_unstable();
    known.dedup();
    levels.iter().map(|level| known.partition_point(|k| k < level)).collect()
}

/// Counts the things that are at most `share` of `count`: the product rounded down. A share below 0 or NaN counts as 0,
/// one above 1 as 1.
///
/// ```
/// use imgkit::rank::at_most;
/// assert_eq!((0.29_f64 * 100.0).floor(), 28.0);
/// assert_eq!(at_most(0.29, 100), 29);
/// assert_eq!(at_most(0.05, 19), 0);
/// ```
#[must_use]
pub fn at_most(share: f64, count: usize) -> usize {
    around(share, count).0
}

/// Counts the things that are at least `share` of `count`: the product rounded up. A share below 0 or NaN counts as 0,
/// one above 1 as 1.
///
/// ```
/// use imgkit::rank::at_least;
/// assert_eq!((0.07_f64 * 100.0).ceil(), 8.0);
/// assert_eq!(at_least(0.07, 100), 7);
/// assert_eq!(at_least(0.071, 100), 8);
/// ```
#[must_use]
pub fn at_least(share: f64, count: usize) -> usize {
    around(share, count).1
}

/// Counts the things that are nearest to `share` of `count`; halves are rounded up.
///
/// ```
/// assert_eq!([4, 5, 14, 15].map(|n| imgkit::rank::nearest(0.1, n)), [0, 1, 1, 2]);
/// ```
#[must_use]
pub fn nearest(share: f64, count: usize) -> usize {
    let (below, above) = around(share, count);
    if below == above || count > usize::MAX / 2 {
        return below;
    }
    at_most(share, 2 * count).div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shares k / n of n things are k things, and decimal shares are what integers say.
    #[test]
    fn ranks_are_those_of_integer_arithmetic() {
        let mut floats_wrong = 0;
        for n in 1..=400usize {
            for k in 0..=n {
                let share = k as f64 / n as f64;
                assert_eq!((at_most(share, n), at_least(share, n), nearest(share, n)), (k, k, k), "{k} / {n}");
                floats_wrong += usize::from((share * n as f64).ceil() as usize != k);
            }
            for percent in 0..=100usize {
                let (share, exact) = (percent as f64 / 100.0, percent * n);
                assert_eq!(at_most(share, n), exact / 100, "{percent} % of {n}");
                assert_eq!(at_least(share, n), exact.div_ceil(100), "{percent} % of {n}");
                assert_eq!(nearest(share, n), (exact + 50) / 100, "{percent} % of {n}");
            }
        }
        assert!(floats_wrong > 2000, "products of floats are wrong {floats_wrong} times");
    }

    #[test]
    fn what_is_no_share_and_the_extremes_of_floats_have_a_rank() {
        for share in [f64::NAN, -1.0, 0.0, -0.0, f64::NEG_INFINITY] {
            assert_eq!((at_most(share, 7), at_least(share, 7)), (0, 0), "{share}");
        }
        for share in [1.0, 1.5, f64::INFINITY] {
            assert_eq!((at_most(share, 7), at_least(share, 7)), (7, 7), "{share}");
        }
        for share in [f64::from_bits(1), f64::MIN_POSITIVE, 1e-40] {
            for n in [1, usize::MAX] {
                assert_eq!((at_most(share, n), at_least(share, n), nearest(share, n)), (0, 1, 0), "{share} of {n}");
            }
        }
        let below_one = 1.0_f64.next_down();
        assert_eq!((at_most(below_one, 7), at_least(below_one, 7)), (6, 7));
        // a share is known to 53 bits, so that the half of 2^64 - 1 is met by 2^63
        assert_eq!((at_most(0.5, usize::MAX), at_least(0.5, usize::MAX)), (1 << 63, 1 << 63));
        assert_eq!(at_least(0.5, 0), 0);
    }
}
