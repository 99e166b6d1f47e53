//! Scores as integers of the same order.

use std::cmp::Ordering;

/// A floating-point type whose finite values map to integers of the same order.
pub trait ScoreKey: Copy + Send + Sync {
    /// An unsigned integer of the same width.
    type Key: Copy + Ord + Send + Sync;

    /// Maps a finite score to an integer so that `a < b` exactly if `a.key() < b.key()`; -0 and +0 share a key.
    fn key(self) -> Self::Key;

    /// The score of a key.
    fn from_key(key: Self::Key) -> Self;

    /// Whether the score is neither NaN nor infinite.
    fn is_finite(self) -> bool;

    /// The score in an error message.
    fn to_f64(self) -> f64;

    /// Total order: -0 is below +0.
    fn total_order(&self, other: &Self) -> Ordering;
}

/// [`ScoreKey::key`] of 32 bits.
#[inline(always)]
pub(crate) fn key(score: f32) -> u32 {
    // Adding +0 turns -0 into +0 and changes nothing else.
    let bits = (score + 0.0).to_bits();
    // Negative numbers: all bits flipped. Others: the sign bit set.
    let flip = ((bits as i32 >> 31) as u32) | 0x8000_0000;
    bits ^ flip
}

impl ScoreKey for f32 {
    type Key = u32;

    #[inline(always)]
    fn key(self) -> u32 {
        key(self)
    }

    fn from_key(key: u32) -> Self {
        Self::from_bits(if key >> 31 != 0 { key ^ 0x8000_0000 } else { !key })
    }

    #[inline(always)]
    fn is_finite(self) -> bool {
        self.is_finite()
    }

    fn to_f64(self) -> f64 {
        self.into()
    }

    fn total_order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }
}

impl ScoreKey for f64 {
    type Key = u64;

    #[inline(always)]
    fn key(self) -> u64 {
        let bits = (self + 0.0).to_bits();
        let flip = ((bits as i64 >> 63) as u64) | 1 << 63;
        bits ^ flip
    }

    fn from_key(key: u64) -> Self {
        Self::from_bits(if key >> 63 != 0 { key ^ 1 << 63 } else { !key })
    }

    #[inline(always)]
    fn is_finite(self) -> bool {
        self.is_finite()
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn total_order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }
}

#[cfg(test)]
mod tests {
    use super::ScoreKey;

    fn check<S: ScoreKey + PartialEq + std::fmt::Debug>(ascending: &[S], zeros: [S; 2]) {
        for pair in ascending.windows(2) {
            assert!(pair[0].key() < pair[1].key(), "{pair:?}");
        }
        for &s in ascending {
            assert_eq!(S::from_key(s.key()), s);
        }
        assert!(zeros[0].key() == zeros[1].key());
    }

    #[test]
    fn keys_keep_the_order_and_come_back() {
        check(&[f32::MIN, -1.5, -1e-40, 0.0, 1e-40, 0.25, 1.0, f32::MAX], [-0.0, 0.0]);
        check(&[f64::MIN, -1.5, -1e-310, 0.0, 1e-310, 1.0, 1.0 + f64::EPSILON, f64::MAX], [-0.0, 0.0]);
    }
}
