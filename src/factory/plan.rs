//! Which photo, mechanism and material an index draws, and which process makes it.

use std::str::FromStr;

use physdefect::SampleKey;
use rand::Rng;

use super::error::Error;
use super::settings::{Settings, setting};

/// Samples of a block: the smallest amount of work that is finished or not. Part of the format: it does not follow the shards.
pub const BLOCK: u64 = 256;

/// Streams of the plan's own draws start here; those of the defects lie below.
const STREAM: u64 = 1 << 62;

/// What one index draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SamplePlan {
    /// Photo, counted in the order of [`PhotoSet`](super::PhotoSet). Every photo carries equally many samples (to within one), and they
    /// follow each other, so that it is decoded once.
    pub source: usize,
    /// Position in [`Settings::mechanisms`].
    pub share: usize,
    /// Position in [`Settings::materials`].
    pub material: usize,
}

impl Settings {
    /// What `index` draws when there are this many photos: a pure function.
    pub fn draw(&self, sources: usize, index: u64) -> SamplePlan {
        let mut rng = SampleKey { seed: self.seed, index: STREAM + index }.rng();
        let total: f64 = self.mechanisms.0.iter().map(|s| s.weight).sum();
        let mut left = rng.random::<f64>() * total;
        let mut share = 0;
        while share + 1 < self.mechanisms.0.len() && left >= self.mechanisms.0[share].weight {
            left -= self.mechanisms.0[share].weight;
            share += 1;
        }
        let material = rng.random_range(0..self.materials.0.len().max(1));
        SamplePlan { source: self.source(sources, index), share, material }
    }

    /// Photo of an index.
    pub(super) fn source(&self, sources: usize, index: u64) -> usize {
        (u128::from(index) * sources as u128 / u128::from(self.count.max(1))) as usize
    }

    /// Blocks of the run.
    pub fn blocks(&self) -> u64 {
        self.count.div_ceil(BLOCK)
    }
}

/// Part `part` of `of` equal ones, counted from 0 and written `part/of`: the blocks whose number leaves `part` when divided by `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which one, from 0.
    pub part: u64,
    /// Of how many.
    pub of: u64,
    /// Added to a block's number first, so that many small runs are shared out evenly.
    pub offset: u64,
}

impl Default for Shard {
    fn default() -> Self {
        Self { part: 0, of: 1, offset: 0 }
    }
}

impl Shard {
    /// Whether this part makes `block`.
    pub fn has(self, block: u64) -> bool {
        (block + self.offset) % self.of == self.part
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once('/').map(|(a, b)| (a.parse::<u64>(), b.parse::<u64>())) {
            Some((Ok(part), Ok(of))) if part < of => Ok(Self { part, of, offset: 0 }),
            _ => setting("shard", text, "give i/n with i from 0 to n - 1, such as 0/4".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_their_weights_and_photos_carry_equally_many() {
        let mechanisms = "cutpaste=3,fracture-line=1".parse().unwrap();
        let settings = Settings { mechanisms, count: 8000, ..Settings::default() };
        let draws: Vec<SamplePlan> = (0..8000).map(|i| settings.draw(5, i)).collect();
        // binomial(8000, 1/4): mean 2000, standard deviation 38.7
        let cracks = draws.iter().filter(|d| d.share == 1).count();
        assert!((1850..2150).contains(&cracks), "{cracks}");
        for photo in 0..5 {
            let of_photo: Vec<_> = draws.iter().filter(|d| d.source == photo).collect();
            assert_eq!(of_photo.len(), 1600);
            let cracks = of_photo.iter().filter(|d| d.share == 1).count(); // 400, deviation 17.3
            assert!((320..480).contains(&cracks), "the mechanism does not follow the photo: {cracks}");
        }
    }

    #[test]
    fn every_block_has_one_shard() {
        for (of, offset) in [(1, 0), (3, 0), (3, 7), (5, 2)] {
            for block in 0..40 {
                let takers = (0..of).filter(|&part| Shard { part, of, offset }.has(block)).count();
                assert_eq!(takers, 1);
            }
        }
        assert!("3/3".parse::<Shard>().is_err() && "1".parse::<Shard>().is_err());
    }
}
