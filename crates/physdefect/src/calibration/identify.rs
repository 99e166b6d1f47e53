//! Which mechanism marked defects look like.
//!
//! Ten descriptors of a photo's marked parts are looked up in how often defects drawn by each mechanism at its
//! defaults, on plain photos, have them (the tables of [`reference`](super::reference)): the score is the mean of the
//! logarithms, as if descriptors were independent (naive Bayes, all mechanisms equally likely before). Nothing is
//! learned from real defects.

use std::fmt;

use super::fit::measure_all;
#[cfg(test)]
use super::measure::measure;
use super::measure::{Marked, Measured};
use super::reference::{EDGES, REFERENCES, Reference};
use super::shape::{form, sizes};
use crate::{Error, MechanismKind};

/// Number of descriptors.
pub(super) const DESCRIPTORS: usize = 10;
/// Bins of a descriptor.
pub(super) const BINS: usize = 6;
/// Score of what cannot be: that of shares of 1 in 10 000.
const IMPOSSIBLE: f64 = -9.2;
/// Names of the descriptors.
pub const DESCRIPTOR_NAMES: [&str; DESCRIPTORS] = [
    "elongation",
    "solidity",
    "width variation",
    "waviness",
    "darker or brighter",
    "one-sidedness",
    "size",
    "at the outline",
    "texture",
    "softness",
];

/// How well one mechanism fits.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Score {
    /// Mechanism.
    pub mechanism: MechanismKind,
    /// Mean over the descriptors of ln of how often drawn defects of the mechanism have what was measured.
    pub score: f64,
    /// Score that 95 % of the mechanism's own drawn defects exceed.
    pub threshold: f64,
}

/// Mechanisms in the order of how well they fit.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Ranking {
    /// All calibrated mechanisms, best first.
    pub scores: Vec<Score>,
}

impl Ranking {
    /// The mechanism that fits best; `None` if even that one looks otherwise than 95 % of its own drawn defects.
    #[must_use]
    pub fn best(&self) -> Option<MechanismKind> {
        self.scores.first().filter(|s| s.score >= s.threshold).map(|s| s.mechanism)
    }

    /// Score of the best over that of the next: 0 for a tie, above 0.3 is clear.
    #[must_use]
    pub fn margin(&self) -> f64 {
        match self.scores[..] {
            [best, next, ..] => best.score - next.score,
            _ => 0.0,
        }
    }

    fn of(score: impl Fn(&Reference) -> f64) -> Self {
        let mut scores: Vec<Score> = REFERENCES
            .iter()
            .map(|r| Score { mechanism: r.mechanism, score: score(r), threshold: r.threshold })
            .collect();
        scores.sort_by(|a, b| b.score.total_cmp(&a.score));
        Self { scores }
    }
}

impl fmt::Display for Ranking {
    /// Writes the best three as `FL -1.20, AB -1.45, PL -2.10`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, s) in self.scores.iter().take(3).enumerate() {
            write!(f, "{}{} {:.2}", if i > 0 { ", " } else { "" }, s.mechanism.abbreviation(), s.score)?;
        }
        Ok(())
    }
}

/// What marked defects look like: for each photo and for the set.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Identification {
    /// One ranking a photo, in their order.
    pub photos: Vec<Ranking>,
    /// Ranking by the mean score over the photos.
    pub set: Ranking,
}

/// Ranks all mechanisms by how well each explains the marked defects of 3 to 64 photos.
///
/// # Errors
/// As [`fit`](super::fit).
pub fn identify(samples: &[Marked<'_>]) -> Result<Identification, Error> {
    let described: Vec<Descriptors> = measure_all(false, samples)?.iter().map(describe).collect();
    // Nothing breaks off an outline that the photo does not show.
    let possible = |r: &Reference, sample: &Marked<'_>| r.mechanism != MechanismKind::EdgeLoss || sample.has_outline();
    let score = |r: &Reference, (d, sample): (&Descriptors, &Marked<'_>)| {
        if possible(r, sample) { r.score(d) } else { IMPOSSIBLE }
    };
    let photos = described.iter().zip(samples).map(|photo| Ranking::of(|r| score(r, photo))).collect();
    let n = described.len() as f64;
    let set = Ranking::of(|r| described.iter().zip(samples).map(|photo| score(r, photo)).sum::<f64>() / n);
    Ok(Identification { photos, set })
}

/// Descriptors of one photo, in the order of [`DESCRIPTOR_NAMES`].
pub(super) type Descriptors = [f64; DESCRIPTORS];

/// Describes one photo.
#[cfg(test)]
pub(super) fn describe_sample(sample: &Marked<'_>) -> Result<Descriptors, Error> {
    Ok(describe(&measure(false, sample)?))
}

/// Means over the parts, weighted by the square root of their area: neither specks nor the largest part decide.
fn describe(photo: &Measured) -> Descriptors {
    let (mut sums, mut weight) = ([0.0; DESCRIPTORS], 0.0);
    for part in &photo.parts {
        let Some(look) = &part.look else { continue };
        let (form, long) = (form(&part.pixels, part.bbox), sizes(true, &part.pixels, part.bbox));
        let area = part.pixels.len() as f64;
        let own = [
            form.elongation.max(0.1).ln(),
            form.solidity,
            form.width_variation,
            long.course.waviness,
            look.polarity,
            look.polarity.abs(),
            (area.sqrt() / photo.scale).ln(),
            f64::from(u8::from(part.touches)),
            look.texture.max(0.01).ln(),
            look.softness.clamp(0.0, 3.0),
        ];
        let w = area.sqrt();
        weight += w;
        sums.iter_mut().zip(own).for_each(|(sum, v)| *sum += w * v);
    }
    sums.map(|sum| sum / f64::max(weight, 1e-9))
}

/// Bin of each descriptor.
pub(super) fn bins(descriptors: &Descriptors, edges: &[[f64; BINS - 1]; DESCRIPTORS]) -> [usize; DESCRIPTORS] {
    std::array::from_fn(|k| edges[k].iter().take_while(|edge| descriptors[k] >= **edge).count())
}

impl Reference {
    /// Mean of the logarithms of the shares.
    pub(super) fn score(&self, descriptors: &Descriptors) -> f64 {
        self.score_in(descriptors, &EDGES)
    }

    pub(super) fn score_in(&self, descriptors: &Descriptors, edges: &[[f64; BINS - 1]; DESCRIPTORS]) -> f64 {
        let bins = bins(descriptors, edges);
        bins.iter().zip(&self.shares).map(|(&bin, shares)| shares[bin].ln()).sum::<f64>() / DESCRIPTORS as f64
    }
}
