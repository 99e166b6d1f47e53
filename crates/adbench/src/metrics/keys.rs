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

/// Below this many keys a comparison sort is faster than passes over the buckets.
const SMALL: usize = 4096;
/// Up to this many keys stay in the second-level cache during the passes, where wide digits are fast.
pub(super) const CACHED: usize = 1 << 17;

/// Sorts keys in ascending order: least-significant-digit radix sort. `scratch` grows to the keys' length.
pub(super) fn sort(keys: &mut [u32], scratch: &mut Vec<u32>) {
    if keys.len() < SMALL {
        keys.sort_unstable();
        return;
    }
    if scratch.len() < keys.len() {
        scratch.resize(keys.len(), 0);
    }
    let scratch = &mut scratch[..keys.len()];
    // Few passes while the buckets' ends fit the caches together; else few buckets.
    if keys.len() <= 8 * CACHED { radix::<11, 2048, 3>(keys, scratch) } else { radix::<8, 256, 4>(keys, scratch) }
}

/// `BUCKETS` is two to the power `BITS`; `PASSES * BITS` is 32 at least.
fn radix<const BITS: u32, const BUCKETS: usize, const PASSES: usize>(keys: &mut [u32], scratch: &mut [u32]) {
    let digit = |key: u32, pass: u32| (key >> (pass * BITS)) as usize & (BUCKETS - 1);
    let mut counts = vec![[0_usize; BUCKETS]; PASSES];
    for &k in keys.iter() {
        for (pass, count) in (0..).zip(counts.iter_mut()) {
            count[digit(k, pass)] += 1;
        }
    }
    let (mut from, mut to) = (keys, scratch);
    let mut is_swapped = false;
    for (pass, count) in (0..).zip(counts.iter_mut()) {
        if count.contains(&from.len()) {
            continue; // All keys share this digit.
        }
        let mut start = 0;
        for c in count.iter_mut() {
            start += std::mem::replace(c, start);
        }
        for &k in from.iter() {
            let next = &mut count[digit(k, pass)];
            to[*next] = k;
            *next += 1;
        }
        std::mem::swap(&mut from, &mut to);
        is_swapped = !is_swapped;
    }
    if is_swapped {
        to.copy_from_slice(from);
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
        for (bits, count) in [(8, 50_000), (20, 50_000), (32, 50_000), (32, 8 * CACHED as u32 + 1), (9, 100)] {
            let mut keys: Vec<u32> = (0..count).map(|i| i.wrapping_mul(2_654_435_761) >> (32 - bits)).collect();
            let mut expected = keys.clone();
            expected.sort_unstable();
            sort(&mut keys, &mut Vec::new());
            assert_eq!(keys, expected);
        }
    }
}
