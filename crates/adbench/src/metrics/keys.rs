//! Scores as integers of the same order, and their sorting.

/// Maps a finite score to an integer so that `a < b` exactly if `key(a) < key(b)`; -0 and +0 share a key.
#[inline(always)]
pub(super) fn key(score: f32) -> u32 {
    // Adding +0 turns -0 into +0 and changes nothing else.
    let bits = (score + 0.0).to_bits();
    // Negative numbers: all bits flipped. Others: the sign bit set.
    let flip = ((bits as i32 >> 31) as u32) | 0x8000_0000;
    bits ^ flip
}

/// The score of a key.
pub(super) fn score(key: u32) -> f32 {
    let bits = if key & 0x8000_0000 != 0 { key ^ 0x8000_0000 } else { !key };
    f32::from_bits(bits)
}

const DIGIT: u32 = 11;
const BUCKETS: usize = 1 << DIGIT;
/// Below this many keys a comparison sort is faster than three passes over the buckets.
const SMALL: usize = 4096;

#[inline(always)]
fn digit(key: u32, pass: u32) -> usize {
    (key >> (pass * DIGIT)) as usize & (BUCKETS - 1)
}

/// Sorts keys in ascending order: least-significant-digit radix sort, three passes of 11 bits, or fewer when a digit is
/// the same in all keys. Takes as much memory again as the keys, for the time of the sort.
pub(super) fn sort(keys: &mut Vec<u32>) {
    if keys.len() < SMALL {
        keys.sort_unstable();
        return;
    }
    let mut counts = vec![[0_usize; BUCKETS]; 3];
    for &k in keys.iter() {
        for (pass, count) in (0..).zip(counts.iter_mut()) {
            count[digit(k, pass)] += 1;
        }
    }
    let mut scratch = vec![0_u32; keys.len()];
    for (pass, count) in (0..).zip(counts.iter_mut()) {
        if count.contains(&keys.len()) {
            continue;
        }
        let mut start = 0;
        for c in count.iter_mut() {
            start += std::mem::replace(c, start);
        }
        for &k in keys.iter() {
            let next = &mut count[digit(k, pass)];
            scratch[*next] = k;
            *next += 1;
        }
        std::mem::swap(keys, &mut scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_the_order_and_come_back() {
        let scores = [f32::MIN, -1.5, -1e-40, 0.0, 1e-40, 0.25, 1.0, f32::MAX];
        for pair in scores.windows(2) {
            assert!(key(pair[0]) < key(pair[1]), "{pair:?}");
        }
        assert_eq!(key(-0.0), key(0.0));
        for s in scores {
            assert_eq!(score(key(s)), s);
        }
    }

    #[test]
    fn sorts_like_the_standard_library() {
        // Multiplication by an odd constant permutes the integers, so all digits take many values.
        for bits in [8, 20, 32] {
            let mut keys: Vec<u32> = (0..50_000_u32).map(|i| i.wrapping_mul(2_654_435_761) >> (32 - bits)).collect();
            let mut expected = keys.clone();
            expected.sort_unstable();
            sort(&mut keys);
            assert_eq!(keys, expected);
        }
    }
}
