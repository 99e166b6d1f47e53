//! Counter-hashed noise: every value is a pure function of a seed and a place, so a field is evaluated only where it is
//! needed and never stored for the whole photo.

use std::sync::LazyLock;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// SplitMix64's finaliser: a good 64-bit mix (Steele, Lea, Flood 2014).
#[inline(always)]
pub(crate) fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Hash of a lattice site.
#[inline(always)]
pub(crate) fn hash2(seed: u64, iy: i64, ix: i64) -> u64 {
    mix(seed ^ (iy as u64).wrapping_mul(0xa24b_aed4_963e_e407) ^ (ix as u64).wrapping_mul(0x9fb2_1c65_1e98_df25))
}

/// Uniform in \[0, 1) from a hash.
#[inline(always)]
pub(crate) fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// 4 096 standard normal numbers, fixed for ever; a hash picks one.
static NORMALS: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let mut rng = ChaCha8Rng::seed_from_u64(0x6e6f_726d_616c);
    (0..4096).map(|_| StandardNormal.sample(&mut rng)).collect()
});

#[inline(always)]
fn quintic(t: f64) -> f64 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

/// A unit Gaussian random field whose correlation length is one lattice cell.
///
/// At each point the four lattice neighbors' independent normal numbers are blended with quintic weights and divided by
/// the root of the weights' squared sum, so mean 0 and variance 1 hold at *every* point, not only at the sites.
#[derive(Debug, Clone, Copy)]
pub struct GaussianField {
    seed: u64,
}

impl GaussianField {
    /// Creates the field of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed: mix(seed) }
    }

    /// Value at (row, column) in lattice cells.
    #[inline]
    #[must_use]
    pub fn at(&self, y: f64, x: f64) -> f64 {
        let (fy, fx) = (y.floor(), x.floor());
        let (iy, ix) = (fy as i64, fx as i64);
        let (ty, tx) = (quintic(y - fy), quintic(x - fx));
        let normals = &NORMALS[..];
        let value = |dy: i64, dx: i64| {
            f64::from(normals[(hash2(self.seed, iy.wrapping_add(dy), ix.wrapping_add(dx)) & 4095) as usize])
        };
        let (w00, w01, w10, w11) = ((1.0 - ty) * (1.0 - tx), (1.0 - ty) * tx, ty * (1.0 - tx), ty * tx);
        let sum = w00 * value(0, 0) + w01 * value(0, 1) + w10 * value(1, 0) + w11 * value(1, 1);
        sum / (w00 * w00 + w01 * w01 + w10 * w10 + w11 * w11).sqrt()
    }
}

/// Gradient noise after Perlin (2002): zero at the lattice sites, about \[-1, 1\] between them.
#[derive(Debug, Clone, Copy)]
pub struct Perlin {
    seed: u64,
}

/// Sixteen unit gradients.
static GRADIENTS: LazyLock<[[f32; 2]; 16]> = LazyLock::new(|| {
    std::array::from_fn(|k| {
        let a = std::f64::consts::TAU * (k as f64 + 0.5) / 16.0;
        [a.sin() as f32, a.cos() as f32]
    })
});

/// Gradient noise at (dy, dx) in a cell with these gradients at its corners.
#[inline(always)]
fn blend(dy: f64, dx: f64, g00: [f32; 2], g01: [f32; 2], g10: [f32; 2], g11: [f32; 2]) -> f64 {
    let corner = |g: [f32; 2], oy: f64, ox: f64| f64::from(g[0]) * (dy - oy) + f64::from(g[1]) * (dx - ox);
    let (ty, tx) = (quintic(dy), quintic(dx));
    let top = corner(g00, 0.0, 0.0) * (1.0 - tx) + corner(g01, 0.0, 1.0) * tx;
    let bottom = corner(g10, 1.0, 0.0) * (1.0 - tx) + corner(g11, 1.0, 1.0) * tx;
    // A two-dimensional gradient field with unit gradients stays within +-1/sqrt(2).
    (top * (1.0 - ty) + bottom * ty) * std::f64::consts::SQRT_2
}

/// [`Perlin`] with its gradients at hand.
#[derive(Debug)]
pub(crate) struct Lattice {
    /// Sites to each side of the origin.
    reach: (i64, i64),
    columns: usize,
    sites: Vec<[f32; 2]>,
}

impl Lattice {
    /// [`Perlin::at`], bit for bit; places beyond the reach take the value of the outermost cell there.
    #[inline(always)]
    pub(crate) fn at(&self, y: f64, x: f64) -> f64 {
        let (ry, rx) = self.reach;
        // Truncation of a positive number is its floor, and cheaper; the sum may have rounded up to the next cell.
        let shifted = |v: f64, r: i64| {
            let i = ((v + r as f64) as usize).min(2 * r as usize - 1);
            i.saturating_sub(usize::from((i as i64 - r) as f64 > v))
        };
        let (iy, ix) = (shifted(y, ry), shifted(x, rx));
        let top = &self.sites[iy * self.columns + ix..][..2];
        let bottom = &self.sites[(iy + 1) * self.columns + ix..][..2];
        blend(y - (iy as i64 - ry) as f64, x - (ix as i64 - rx) as f64, top[0], top[1], bottom[0], bottom[1])
    }
}

impl Perlin {
    /// Creates the noise of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed: mix(seed ^ 0x7065_726c_696e) }
    }

    /// Creates noise whose seed is the generator's next number.
    pub fn from_rng<R: RngCore + ?Sized>(rng: &mut R) -> Self {
        Self::new(rng.next_u64())
    }

    /// Gradient at a lattice site.
    #[inline(always)]
    fn gradient(&self, gradients: &[[f32; 2]; 16], iy: i64, ix: i64) -> [f32; 2] {
        gradients[(hash2(self.seed, iy, ix) & 15) as usize]
    }

    /// Value at (row, column) in lattice cells.
    #[inline]
    #[must_use]
    pub fn at(&self, y: f64, x: f64) -> f64 {
        let (fy, fx) = (y.floor(), x.floor());
        let (iy, ix) = (fy as i64, fx as i64);
        let g = &*GRADIENTS;
        let site = |oy, ox| self.gradient(g, iy.wrapping_add(oy), ix.wrapping_add(ox));
        blend(y - fy, x - fx, site(0, 0), site(0, 1), site(1, 0), site(1, 1))
    }

    /// The same noise for many places within `reach` (row, column) cells of the origin: gradients are hashed once a
    /// site instead of four times a value. Worth its memory while sites are fewer than values.
    pub(crate) fn lattice(&self, reach: (f64, f64)) -> Lattice {
        let (ry, rx) = (reach.0.ceil() as i64 + 1, reach.1.ceil() as i64 + 1);
        let g = &*GRADIENTS;
        let sites = (-ry..=ry).flat_map(|iy| (-rx..=rx).map(move |ix| (iy, ix)));
        Lattice {
            reach: (ry, rx),
            columns: 2 * rx as usize + 1,
            sites: sites.map(|(iy, ix)| self.gradient(g, iy, ix)).collect(),
        }
    }

    /// Sum of `octaves` layers (1 to 64; other numbers count as the nearest of these), each of half the amplitude and
    /// twice the frequency, divided by the sum of amplitudes.
    #[must_use]
    pub fn fractal(&self, y: f64, x: f64, octaves: u32) -> f64 {
        let (mut sum, mut total, mut amplitude, mut frequency) = (0.0, 0.0, 1.0, 1.0);
        for k in 0..octaves.clamp(1, 64) {
            let layer = Self { seed: self.seed.wrapping_add(u64::from(k)) };
            sum += amplitude * layer.at(y * frequency, x * frequency);
            total += amplitude;
            amplitude *= 0.5;
            frequency *= 2.0;
        }
        sum / total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lattice_holds_the_noise_bit_for_bit() {
        let perlin = Perlin::new(5);
        let lattice = perlin.lattice((3.2, 7.9));
        for i in 0..=64 {
            for j in 0..=79 {
                let (y, x) = (f64::from(i) * 0.1 - 3.2, f64::from(j) * 0.2 - 7.9);
                assert_eq!(lattice.at(y, x).to_bits(), perlin.at(y, x).to_bits(), "{y} {x}");
            }
        }
    }
}
