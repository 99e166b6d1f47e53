//! Random subsets of patches.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Random generator number `stream` of a run: its numbers do not depend on what other streams produced.
pub(crate) fn rng_stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Chooses `count` of `n` patches at random for image number `image`, in ascending order.
pub(crate) fn subsample(n: usize, count: usize, seed: u64, image: usize) -> Vec<usize> {
    let mut kept = rand::seq::index::sample(&mut rng_stream(seed, 1 + image as u64), n, n.min(count)).into_vec();
    kept.sort_unstable();
    kept
}
