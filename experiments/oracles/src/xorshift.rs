/// Xorshift generator of uniform numbers: cheap, and the same on every machine and in every version.
#[derive(Debug, Clone)]
pub struct Xorshift(u64);

impl Xorshift {
    /// Starts from a seed, which may not be 0: all numbers would be 0.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number in [0, 1), a multiple of 2^-24.
    pub fn uniform(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }
}
