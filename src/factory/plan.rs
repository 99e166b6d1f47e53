//! The plan of a run: which photo, mechanism and material an index gets, and which process makes it.

use std::ops::Range;
use std::str::FromStr;

use physdefect::SampleKey;
use rand::Rng;

use super::error::Error;
use super::params::DatasetParams;
use super::text_list::refuse;

/// Number of samples in a block, the smallest amount of work that is finished or not. Part of the format: independent
/// of the shards.
pub const BLOCK: u64 = 256;

/// First random stream of the plan; those of the defects lie below.
const STREAM: u64 = 1 << 62;

/// Plan of one sample: its photo, mechanism and material.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SamplePlan {
    /// Photo, counted in the order of [`PhotoSet`](super::PhotoSet). Every photo carries equally many samples (to
    /// within one), and they follow each other, so that it is decoded once.
    pub photo: usize,
    /// Position in [`DatasetParams::mechanisms`].
    pub mechanism: usize,
    /// Position in [`DatasetParams::materials`].
    pub material: usize,
}

impl DatasetParams {
    /// Plans sample `index` of a run over this many photos. A pure function.
    #[must_use]
    pub fn plan(&self, photos: usize, index: u64) -> SamplePlan {
        let mut rng = SampleKey { seed: self.seed(), index: STREAM.wrapping_add(index) }.rng();
        let entries = self.mechanisms().entries();
        let total: f64 = entries.iter().map(|entry| entry.weight()).sum();
        let mut left = rng.random::<f64>() * total;
        let mut mechanism = 0;
        while mechanism + 1 < entries.len() && left >= entries[mechanism].weight() {
            left -= entries[mechanism].weight();
            mechanism += 1;
        }
        let material = rng.random_range(0..self.materials().names().len());
        SamplePlan { photo: self.photo_of(photos, index), mechanism, material }
    }

    /// What a sample is tried with, one after another: as planned, in the other materials, by the other mechanisms in
    /// the planned material.
    pub(super) fn tries(&self, plan: SamplePlan) -> impl Iterator<Item = SamplePlan> + use<> {
        let (mechanisms, materials) = (self.mechanisms().entries().len(), self.materials().names().len());
        let others = |from: usize, n: usize| (1..n).map(move |k| (from + k) % n);
        let in_others = others(plan.material, materials).map(move |material| SamplePlan { material, ..plan });
        let by_others = others(plan.mechanism, mechanisms).map(move |mechanism| SamplePlan { mechanism, ..plan });
        std::iter::once(plan).chain(in_others).chain(by_others)
    }

    /// Photo of an index.
    pub(super) fn photo_of(&self, photos: usize, index: u64) -> usize {
        (u128::from(index) * photos as u128 / u128::from(self.count().max(1))) as usize
    }

    /// Whether `index` is the first on its photo.
    pub(super) fn is_first_of_photo(&self, photos: usize, index: u64) -> bool {
        index == 0 || self.photo_of(photos, index - 1) != self.photo_of(photos, index)
    }

    /// Number of blocks of the run.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.count().div_ceil(BLOCK)
    }

    /// Indices of a block; empty beyond the last.
    #[must_use]
    pub fn indices(&self, block: u64) -> Range<u64> {
        let first = block.saturating_mul(BLOCK).min(self.count());
        first..first.saturating_add(BLOCK).min(self.count())
    }

    /// Blocks that a shard makes.
    pub(super) fn blocks_of(&self, shard: Shard) -> impl Iterator<Item = u64> + use<> {
        (shard.first()..self.blocks()).step_by(usize::try_from(shard.of).unwrap_or(usize::MAX))
    }

    /// Number of samples that a shard makes.
    #[must_use]
    pub fn samples_of(&self, shard: Shard) -> u64 {
        let (first, blocks) = (shard.first(), self.blocks());
        if first >= blocks {
            return 0;
        }
        let whole = ((blocks - 1 - first) / shard.of + 1) * BLOCK;
        let lacking = if shard.has(blocks - 1) { blocks * BLOCK - self.count() } else { 0 };
        whole - lacking
    }
}

/// One of several equal parts of a run, counted from 0 and written `part/of`: the blocks whose number leaves `part`
/// when divided by `of`.
///
/// ```
/// use maphc2f::factory::Shard;
/// let shard: Shard = "1/4".parse()?;
/// assert_eq!((0..8).filter(|&block| shard.has(block)).collect::<Vec<_>>(), [1, 5]);
/// assert!(Shard::new(0, 0).is_err());
/// # Ok::<(), maphc2f::factory::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    part: u64,
    of: u64,
    offset: u64,
}

impl Default for Shard {
    /// The whole run.
    fn default() -> Self {
        Self { part: 0, of: 1, offset: 0 }
    }
}

impl Shard {
    /// Creates shard number `part` of `of`.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `part` is below `of`.
    pub fn new(part: u64, of: u64) -> Result<Self, Error> {
        if part < of {
            Ok(Self { part, of, offset: 0 })
        } else {
            refuse("shard", format!("{part}/{of}"), "i/n with i from 0 to n - 1, such as 0/4")
        }
    }

    /// Adds `offset` to a block's number first, so that many small runs are shared out evenly.
    #[must_use]
    pub fn with_offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// First block that this shard makes.
    fn first(self) -> u64 {
        (self.part + (self.of - self.offset % self.of)) % self.of
    }

    /// Whether this shard makes `block`.
    #[must_use]
    pub fn has(self, block: u64) -> bool {
        (u128::from(block) + u128::from(self.offset)) % u128::from(self.of) == u128::from(self.part)
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once('/').map(|(a, b)| (a.parse::<u64>(), b.parse::<u64>())) {
            Some((Ok(part), Ok(of))) => Self::new(part, of),
            _ => refuse("shard", text, "i/n with i from 0 to n - 1, such as 0/4"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mechanisms_follow_their_weights_and_photos_carry_equally_many() {
        let params =
            DatasetParams::default().with_count(8000).with_mechanisms("cutpaste=3,fracture-line=1".parse().unwrap());
        let plans: Vec<SamplePlan> = (0..8000).map(|i| params.plan(5, i)).collect();
        // binomial(8000, 1/4): mean 2000, standard deviation 38.7
        let cracks = plans.iter().filter(|d| d.mechanism == 1).count();
        assert!((1850..2150).contains(&cracks), "{cracks}");
        for photo in 0..5 {
            let of_photo: Vec<_> = plans.iter().filter(|d| d.photo == photo).collect();
            assert_eq!(of_photo.len(), 1600);
            let cracks = of_photo.iter().filter(|d| d.mechanism == 1).count(); // 400, deviation 17.3
            assert!((320..480).contains(&cracks), "the mechanism does not follow the photo: {cracks}");
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_tried_otherwise() {
        let params = DatasetParams::default().with_mechanisms("cutpaste,fracture-line,pitting-loss".parse().unwrap());
        let plan = SamplePlan { photo: 4, mechanism: 1, material: 2 };
        let tries: Vec<_> = params.tries(plan).map(|p| (p.photo, p.mechanism, p.material)).collect();
        assert_eq!(tries, [(4, 1, 2), (4, 1, 0), (4, 1, 1), (4, 2, 2), (4, 0, 2)]);
    }

    #[test]
    fn every_block_has_one_shard() {
        for (of, offset) in [(1, 0), (3, 0), (3, 7), (5, 2), (7, u64::MAX)] {
            for block in 0..40 {
                let shards = (0..of).map(|part| Shard::new(part, of).unwrap().with_offset(offset));
                assert_eq!(shards.filter(|shard| shard.has(block)).count(), 1);
            }
            let params = DatasetParams::default().with_count(40 * BLOCK - 100);
            for part in 0..of {
                let shard = Shard::new(part, of).unwrap().with_offset(offset);
                let blocks: Vec<u64> = (0..40).filter(|&block| shard.has(block)).collect();
                assert_eq!(params.blocks_of(shard).collect::<Vec<_>>(), blocks);
                let samples = blocks.iter().map(|&block| params.indices(block)).map(|range| range.end - range.start);
                assert_eq!(params.samples_of(shard), samples.sum::<u64>());
            }
        }
        let largest = DatasetParams::default().with_count(1 << 40);
        assert_eq!(largest.samples_of(Shard::default()), 1 << 40);
        assert!("3/3".parse::<Shard>().is_err() && "1".parse::<Shard>().is_err() && Shard::new(0, 0).is_err());
    }
}
