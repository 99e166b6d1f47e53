//! Dispatch to the widest registers that the machine has.

/// Runs `f` compiled for the widest registers that the machine has; without the feature `simd`, for the baseline. The
/// values are the same.
///
/// `f` must be an `#[inline(always)]` closure. Given to pulp directly, a closure that could be called twice goes
/// through a `FnOnce` shim that is not inlined, and its body is compiled for the baseline.
#[inline(always)]
pub fn widely<R>(f: impl FnMut() -> R) -> R {
    dispatch(f)
}

#[cfg(feature = "simd")]
#[inline(always)]
fn dispatch<R>(f: impl FnMut() -> R) -> R {
    pulp::Arch::new().dispatch(Widely(f))
}

#[cfg(not(feature = "simd"))]
#[inline(always)]
fn dispatch<R>(mut f: impl FnMut() -> R) -> R {
    f()
}

#[cfg(feature = "simd")]
struct Widely<F>(F);

#[cfg(feature = "simd")]
impl<R, F: FnMut() -> R> pulp::WithSimd for Widely<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}
