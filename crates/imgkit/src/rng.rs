//! Random streams keyed by numbers.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Opens random stream `index` of `seed`: ChaCha8 seeded with `seed`, stream number `index`.
///
/// Streams do not overlap. A stream depends on its two numbers alone, so work that is keyed by an index gives the same
/// values on any number of threads and in any order.
///
/// ```
/// use imgkit::rng::keyed_stream;
/// use rand_chacha::rand_core::RngCore;
/// assert_eq!(keyed_stream(7, 3).next_u64(), keyed_stream(7, 3).next_u64());
/// assert_ne!(keyed_stream(7, 3).next_u64(), keyed_stream(7, 4).next_u64());
/// ```
#[must_use]
pub fn keyed_stream(seed: u64, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index);
    rng
}
