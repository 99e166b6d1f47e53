//! A small generator of uniform numbers.

/// Xorshift: uniform in [0, 1) with 24 bits.
#[derive(Debug)]
pub struct Uniform(pub u64);

impl Uniform {
    /// The next number.
    #[allow(clippy::should_implement_trait)] // endless
    pub fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }
}
