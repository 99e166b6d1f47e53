//! Coordinate-hashed fields: the value at a pixel needs no neighbour, so a box costs only its own pixels.

/// splitmix64's finaliser over a keyed lattice point.
fn hash(key: u64, y: i64, x: i64) -> u64 {
    let mut z = key ^ (y as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (x as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Uniform in [0, 1) at a lattice point.
pub(crate) fn uniform(key: u64, y: i64, x: i64) -> f32 {
    (hash(key, y, x) >> 40) as f32 * (1.0 / (1u64 << 24) as f32)
}

/// Voronoi grains of mean diameter `size` (px): a unit-variance, zero-mean value that is constant on each grain, uniform on
/// +-sqrt(3).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grains {
    key: u64,
    per_px: f32,
}

impl Grains {
    pub(crate) fn new(key: u64, size: f64) -> Self {
        Self { key, per_px: (1.0 / size.max(1e-3)) as f32 }
    }

    pub(crate) fn value(&self, y: usize, x: usize) -> f32 {
        let (v, u) = (y as f32 * self.per_px, x as f32 * self.per_px);
        let (j, i) = (v.floor() as i64, u.floor() as i64);
        let mut nearest = (f32::INFINITY, 0u64);
        for jj in j - 1..=j + 1 {
            for ii in i - 1..=i + 1 {
                let bits = hash(self.key, jj, ii);
                // 21 bits each for the site's row and column, the rest for the grain's value.
                let unit = |b: u64| (b & 0x1f_ffff) as f32 * (1.0 / (1u32 << 21) as f32);
                let (dy, dx) = (jj as f32 + unit(bits) - v, ii as f32 + unit(bits >> 21) - u);
                let d = dy * dy + dx * dx;
                if d < nearest.0 {
                    nearest = (d, bits);
                }
            }
        }
        let unit = (nearest.1 >> 42) as f32 * (1.0 / (1u32 << 22) as f32);
        (2.0 * unit - 1.0) * 3f32.sqrt()
    }
}

/// Perlin's gradient noise (Perlin, "Improving noise", SIGGRAPH 2002) of wavelength `size` px; about [-1, 1].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Perlin {
    key: u64,
    per_px: f32,
}

impl Perlin {
    pub(crate) fn new(key: u64, size: f64) -> Self {
        Self { key, per_px: (1.0 / size.max(1e-3)) as f32 }
    }

    pub(crate) fn value(&self, y: f32, x: f32) -> f32 {
        let (v, u) = (y * self.per_px, x * self.per_px);
        let (j, i) = (v.floor(), u.floor());
        let (fv, fu) = (v - j, u - i);
        let (j, i) = (j as i64, i as i64);
        // Eight unit directions: axes and diagonals.
        let corner = |dj: i64, di: i64| {
            const D: f32 = std::f32::consts::FRAC_1_SQRT_2;
            const GRADIENTS: [(f32, f32); 8] =
                [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (D, D), (D, -D), (-D, D), (-D, -D)];
            let (gy, gx) = GRADIENTS[(hash(self.key, j + dj, i + di) >> 61) as usize];
            gy * (fv - dj as f32) + gx * (fu - di as f32)
        };
        let fade = |t: f32| t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
        let (sv, su) = (fade(fv), fade(fu));
        let top = corner(0, 0) + su * (corner(0, 1) - corner(0, 0));
        let bottom = corner(1, 0) + su * (corner(1, 1) - corner(1, 0));
        (top + sv * (bottom - top)) * std::f32::consts::SQRT_2
    }
}
