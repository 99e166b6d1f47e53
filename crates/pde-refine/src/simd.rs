//! SIMD dispatch at run time, and scalar operations written so that compilers vectorize them.

pub(crate) use imgkit::simd::widely;

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
