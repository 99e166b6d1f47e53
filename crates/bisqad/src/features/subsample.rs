//! Random subsets of patches.

use imgkit::rng::keyed_stream;

/// Chooses `count` of `n` patches at random for image number `image`, in ascending order.
pub(crate) fn subsample(n: usize, count: usize, seed: u64, image: usize) -> Vec<usize> {
    let mut kept = rand::seq::index::sample(&mut keyed_stream(seed, 1 + image as u64), n, n.min(count)).into_vec();
    kept.sort_unstable();
    kept
}
