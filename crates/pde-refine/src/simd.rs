//! SIMD dispatch at run time, and scalar operations written so that compilers vectorize them.

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
/// `f` must be an `#[inline(always)]` closure. Given to pulp directly, a closure that could be called twice goes
/// through a `FnOnce` shim that is not inlined, and its body is compiled for the baseline.
#[inline(always)]
pub(crate) fn widely<R>(f: impl FnMut() -> R) -> R {
    Arch::new().dispatch(Widely(f))
}

/// `a b + c`, in one instruction where [`widely`] finds one.
#[inline(always)]
pub(crate) fn fused(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) { a.mul_add(b, c) } else { a * b + c }
}

/// Larger of two numbers, `b` if `a` is NaN: one instruction, unlike [`f32::max`].
#[inline(always)]
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// Smaller of two numbers, `b` if `a` is NaN.
#[inline(always)]
pub(crate) fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}
