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

/// Retry policy where a sample could not be made: how often it is tried again, and on which random streams.
///
/// ```
/// use imgkit::rng::Retry;
/// let retry = Retry::new(3, 1 << 40);
/// assert_eq!(retry.indices(5).collect::<Vec<_>>(), [5, 5 + (1 << 40), 5 + (2 << 40)]);
/// let (mut left, odd) = (2, |i: u64| if i % 2 == 1 { Ok(i) } else { Err("even") });
/// let made = retry.first_success(5, |i| { left -= 1; if left == 0 { odd(i) } else { Err("not yet") } });
/// assert_eq!(made, Ok(5 + (1 << 40)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    tries: u64,
    step: u64,
}

impl Retry {
    /// Creates a policy of `tries` streams, at least one, whose indices are `step` apart.
    #[must_use]
    pub const fn new(tries: u64, step: u64) -> Self {
        Self { tries: if tries == 0 { 1 } else { tries }, step }
    }

    /// Number of tries.
    #[must_use]
    pub const fn tries(self) -> u64 {
        self.tries
    }

    /// Index of the stream of try `n`, counted from 0, of the sample whose first try is `first`. Wraps around at 2^64.
    #[must_use]
    pub const fn index(self, first: u64, n: u64) -> u64 {
        first.wrapping_add(n.wrapping_mul(self.step))
    }

    /// Indices of the streams to try, in order.
    pub fn indices(self, first: u64) -> impl Iterator<Item = u64> {
        (0..self.tries).map(move |n| self.index(first, n))
    }

    /// Result of the first try that succeeds.
    ///
    /// # Errors
    /// The error of the last try if none does.
    pub fn first_success<T, E>(self, first: u64, mut attempt: impl FnMut(u64) -> Result<T, E>) -> Result<T, E> {
        let mut outcome = attempt(first);
        for index in self.indices(first).skip(1) {
            if outcome.is_ok() {
                break;
            }
            outcome = attempt(index);
        }
        outcome
    }
}
