//! Run-time SIMD dispatch.

use pulp::{Arch, Simd, WithSimd};

struct Widely<F>(F);

impl<R, F: FnMut() -> R> WithSimd for Widely<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}

/// Runs `f` compiled for the widest registers the machine has.
///
/// `f` must be an `#[inline(always)]` closure. Given to pulp directly, a closure that could be called twice goes through
/// a `FnOnce` shim that is not inlined, and its body is compiled for the baseline.
#[inline(always)]
pub(crate) fn widely<R>(f: impl FnMut() -> R) -> R {
    Arch::new().dispatch(Widely(f))
}
