//! Grains of a polycrystal, hashed from coordinates: a box costs only its own grains.

use crate::noise::{hash2, mix};
use imgkit::Rect;

/// One Voronoi site: place in lattice cells and the grain's value.
#[derive(Debug, Clone, Copy)]
struct Site {
    y: f32,
    x: f32,
    value: f32,
}

/// Voronoi grains over a box: one random site in each cell of a lattice of side `size` px, and a value that is constant
/// on each grain, of zero mean and unit variance, uniform on +-sqrt(3).
///
/// The same key gives the same grains whatever the box.
#[derive(Debug)]
pub(crate) struct Grains {
    per_px: f32,
    /// First lattice row and column of `sites`.
    first: (i64, i64),
    columns: usize,
    sites: Vec<Site>,
}

impl Grains {
    pub(crate) fn new(key: u64, size: f64, within: Rect) -> Self {
        // At least a pixel: finer grains than that cannot be told apart.
        let per_px = (1.0 / size.max(1.0)) as f32;
        let key = mix(key);
        let cell = |p: usize| (p as f32 * per_px).floor() as i64;
        let (rows, columns) =
            (cell(within.top) - 1..cell(within.bottom) + 2, cell(within.left) - 1..cell(within.right) + 2);
        let first = (rows.start, columns.start);
        let mut sites = Vec::with_capacity(rows.clone().count() * columns.clone().count());
        for j in rows {
            for i in columns.clone() {
                let bits = hash2(key, j, i);
                // 21 bits each for the site's row and column, 22 for the value.
                let unit = |b: u64| (b & 0x1f_ffff) as f32 * (1.0 / (1u32 << 21) as f32);
                let value = (bits >> 42) as f32 * (1.0 / (1u32 << 22) as f32);
                sites.push(Site {
                    y: j as f32 + unit(bits),
                    x: i as f32 + unit(bits >> 21),
                    value: (2.0 * value - 1.0) * 3f32.sqrt(),
                });
            }
        }
        Self { per_px, first, columns: columns.count(), sites }
    }

    /// Value of the grain at a pixel of the box.
    pub(crate) fn value(&self, y: usize, x: usize) -> f32 {
        let (v, u) = (y as f32 * self.per_px, x as f32 * self.per_px);
        // Pixel coordinates are not negative, so that truncation is the floor.
        let (j, i) = ((v as i64 - self.first.0) as usize, (u as i64 - self.first.1) as usize);
        // Squared distance above, value below in one number: distances are not negative, so their bit patterns sort
        // like the numbers, and the least needs no branch that nobody could predict.
        let mut nearest = u64::MAX;
        for row in j - 1..=j + 1 {
            for site in &self.sites[row * self.columns + i - 1..][..3] {
                let (dy, dx) = (site.y - v, site.x - u);
                let d = dy * dy + dx * dx;
                nearest = nearest.min((u64::from(d.to_bits()) << 32) | u64::from(site.value.to_bits()));
            }
        }
        f32::from_bits(nearest as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn grains_have_their_size_their_moments_and_no_direction() {
        let (side, size) = (1200, 10.0);
        let grains = Grains::new(7, size, Rect { top: 0, left: 0, bottom: side, right: side });
        let at = |y: usize, x: usize| grains.value(y, x);
        let mut area: HashMap<u32, usize> = HashMap::new();
        let (mut across, mut down) = (0.0f64, 0.0f64);
        for y in 0..side - 1 {
            for x in 0..side - 1 {
                *area.entry(at(y, x).to_bits()).or_default() += 1;
                across += f64::from(u8::from(at(y, x) != at(y, x + 1)));
                down += f64::from(u8::from(at(y, x) != at(y + 1, x)));
            }
        }
        // One site a lattice cell of size^2; grains cut by the border of the box count whole.
        let number = area.len() as f64;
        let (least, most) = ((side as f64 / size).powi(2), (side as f64 / size + 2.0).powi(2));
        assert!((least..most).contains(&number), "{number} grains, {least} to {most}");
        assert!((across / down - 1.0).abs() < 0.03, "{across} borders across, {down} down");
        // Uniform on +-sqrt(3): variance 1 and fourth moment 9/5, over the grains.
        let values: Vec<f64> = area.keys().map(|b| f64::from(f32::from_bits(*b))).collect();
        let moment = |k: i32| values.iter().map(|v| v.powi(k)).sum::<f64>() / number;
        assert!(moment(1).abs() < 4.0 / number.sqrt(), "mean {}", moment(1));
        assert!((moment(2) - 1.0).abs() < 4.0 * (0.8 / number).sqrt(), "variance {}", moment(2));
        assert!((moment(4) - 1.8).abs() < 0.1, "fourth moment {}", moment(4));
    }
}
