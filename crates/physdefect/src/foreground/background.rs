//! The background of a set: up to three tones, each a smooth surface of color and texture over the frame.
//!
//! Every photo sees the tones through its own exposure: one offset a feature, found again on each photo.

pub(super) use super::cells::FEATURES;
use super::cells::{Feature, Plane};
use super::small_matrix::{inverse, median, solve};

/// Terms of the surface: 1, x, y, x^2, x y, y^2 with x and y in \[-1, 1\].
pub(super) const TERMS: usize = 6;
/// Smallest spread of luma, two chroma axes and texture: two to five 8-bit levels of a mid gray.
const FLOOR: [f64; FEATURES] = [0.02, 0.02, 0.02, 0.05];
/// Largest offset that exposure and white balance of one photo may have.
const EXPOSURE: [f64; FEATURES] = [0.6, 0.12, 0.12, 0.25];
/// Two border parts within this distance have one tone.
const SAME_TONE: f64 = 0.35;
/// Distance up to which a cell is explained by the background.
pub(super) const EXPLAINED: f64 = 4.0;
/// Parts of the border: four corners, then two a side.
const PARTS: usize = 12;
/// Border cells of a photo that are looked at.
const BORDER_CELLS: usize = 480;
/// Largest spread of log luma of a plain tone.
const PLAIN: f64 = 0.15;
/// Most tones.
pub(super) const TONES: usize = 3;

type Terms = [f64; TERMS];
pub(super) type Values = [f64; FEATURES];

/// One tone of the background.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tone {
    pub(super) surface: [Terms; FEATURES],
    pub(super) spread: Values,
    /// Inverse covariance of the residuals over the spread.
    pub(super) precision: [[f64; FEATURES]; FEATURES],
}

/// The background of a set.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Background {
    pub(super) tones: Vec<Tone>,
}

/// Where a sample was taken, and its features.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    terms: Terms,
    values: Values,
    part: usize,
}

pub(super) fn terms(plane_h: usize, plane_w: usize, i: usize) -> Terms {
    let y = 2.0 * ((i / plane_w) as f64 + 0.5) / plane_h as f64 - 1.0;
    let x = 2.0 * ((i % plane_w) as f64 + 0.5) / plane_w as f64 - 1.0;
    [1.0, x, y, x * x, x * y, y * y]
}

pub(super) fn wide(f: &Feature) -> Values {
    f.map(f64::from)
}

/// Width of the border ring, cells.
pub(super) fn ring_width(h: usize, w: usize) -> usize {
    ((h.min(w) as f64 * 0.04).round() as usize).max(2)
}

/// Samples of the border ring.
pub(super) fn border(features: &Plane<Feature>) -> Vec<Sample> {
    let (h, w) = (features.h, features.w);
    let ring = ring_width(h, w);
    let cells: Vec<usize> = (0..h * w)
        .filter(|i| {
            let (y, x) = (i / w, i % w);
            y.min(h - 1 - y).min(x).min(w - 1 - x) < ring
        })
        .collect();
    let step = cells.len().div_ceil(BORDER_CELLS).max(1);
    cells.iter().step_by(step).map(|&i| sample(features, i)).collect()
}

/// The sample of cell `i`.
pub(super) fn sample(features: &Plane<Feature>, i: usize) -> Sample {
    let terms = terms(features.h, features.w, i);
    let (x, y) = (terms[1], terms[2]);
    let part = match (x.abs() > 0.5, y.abs() > 0.5) {
        (true, true) => usize::from(x > 0.0) + 2 * usize::from(y > 0.0),
        (false, _) => 4 + 2 * usize::from(y > 0.0) + usize::from(x > 0.0),
        (true, false) => 8 + 2 * usize::from(x > 0.0) + usize::from(y > 0.0),
    };
    Sample { terms, values: wide(&features.data[i]), part }
}

/// Median and spread of a part of a border.
#[derive(Debug, Clone, Copy)]
struct Part {
    median: Values,
    /// 1 for a plain part, towards 0 for a busy one.
    plain: f64,
}

fn parts(samples: &[Sample]) -> Vec<Option<Part>> {
    (0..PARTS)
        .map(|part| {
            let own: Vec<&Sample> = samples.iter().filter(|s| s.part == part).collect();
            (own.len() >= 3).then(|| {
                let median: Values =
                    std::array::from_fn(|k| self::median(&mut own.iter().map(|s| s.values[k]).collect::<Vec<_>>()));
                let spread: Values = std::array::from_fn(|k| {
                    1.4826 * self::median(&mut own.iter().map(|s| (s.values[k] - median[k]).abs()).collect::<Vec<_>>())
                });
                let squared: f64 = spread[..3].iter().map(|s| s * s).sum();
                Part { median, plain: 1.0 / (1.0 + squared / (0.12 * 0.12)) }
            })
        })
        .collect()
}

/// Whether the parts of a border are too busy or too different to be one plain background.
pub(super) fn busy(border: &[Sample]) -> bool {
    let parts: Vec<Part> = parts(border).into_iter().flatten().collect();
    let plain = parts.iter().filter(|p| p.plain > 0.5).count();
    let weighted: Vec<(Values, f64)> = parts.iter().map(|p| (p.median, p.plain)).collect();
    let Some(mode) = densest(&weighted) else { return true };
    let alike = parts.iter().filter(|p| p.plain > 0.5 && likeness(&p.median, &mode) > 0.3).count();
    let most = |n: usize| 10 * n >= 7 * parts.len();
    !(most(plain) && most(alike))
}

fn squared_difference(a: &Values, b: &Values) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// 1 for equal tones, falling to 1/2 at [`SAME_TONE`].
fn likeness(a: &Values, b: &Values) -> f64 {
    1.0 / (1.0 + squared_difference(a, b) / (SAME_TONE * SAME_TONE))
}

/// The value that most of the weighted values are like.
fn densest(values: &[(Values, f64)]) -> Option<Values> {
    let support = |v: &Values| values.iter().map(|(o, weight)| weight * likeness(v, o).powi(2)).sum::<f64>();
    values.iter().map(|(v, weight)| (v, weight * support(v))).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(v, _)| *v)
}

impl Tone {
    fn flat(center: &Values) -> Self {
        let mut surface = [[0.0; TERMS]; FEATURES];
        for (s, c) in surface.iter_mut().zip(center) {
            s[0] = *c;
        }
        let mut precision = [[0.0; FEATURES]; FEATURES];
        for (k, row) in precision.iter_mut().enumerate() {
            row[k] = 1.0;
        }
        Self { surface, spread: [0.15, 0.08, 0.08, 0.3], precision }
    }

    pub(super) fn at(&self, terms: &Terms) -> Values {
        std::array::from_fn(|k| self.surface[k].iter().zip(terms).map(|(c, t)| c * t).sum())
    }

    /// Mahalanobis distance, squared, of a residual.
    pub(super) fn squared(&self, residual: &Values) -> f64 {
        let z: Values = std::array::from_fn(|k| residual[k] / self.spread[k]);
        let mut sum = 0.0;
        for (row, a) in self.precision.iter().zip(&z) {
            sum += a * row.iter().zip(&z).map(|(p, b)| p * b).sum::<f64>();
        }
        sum.max(0.0)
    }
}

pub(super) fn residual(values: &Values, mean: &Values, offset: &Values) -> Values {
    std::array::from_fn(|k| values[k] - mean[k] - offset[k])
}

/// Cauchy-like weight that falls fast beyond distance 3.
fn weight(squared: f64) -> f64 {
    1.0 / (1.0 + (squared / 9.0).powi(2))
}

impl Background {
    /// Fits the tones to the borders of all photos; none if no border has a part of three cells.
    pub(super) fn of_borders(borders: &[Vec<Sample>]) -> Option<Self> {
        let parts: Vec<Vec<Option<Part>>> = borders.iter().map(|b| self::parts(b)).collect();
        // The tone that most parts of a photo's border have, then the one that most photos have.
        let modes: Vec<(Values, f64)> = parts
            .iter()
            .filter_map(|photo| {
                let weighted: Vec<(Values, f64)> = photo.iter().flatten().map(|p| (p.median, p.plain)).collect();
                densest(&weighted).map(|mode| (mode, 1.0))
            })
            .collect();
        let center = densest(&modes)?;
        let mut seed = Self { tones: vec![Tone::flat(&center)] };
        let mut best = seed.clone();
        best.refine(borders, 10);
        let mut explained = best.explained(borders);
        // A step between two tones cannot be told from a gradient by one surface that was bent to fit both: further
        // tones start from flat ones, and stay if they explain more of the border.
        while seed.tones.len() < TONES {
            let Some(center) = seed.missing_tone(borders, &parts) else { break };
            seed.tones.push(Tone::flat(&center));
            let mut more = seed.clone();
            more.refine(borders, 10);
            let gained = more.explained(borders);
            if gained > explained + 0.06 && more.tones.iter().all(|t| t.spread[0] < PLAIN) {
                (best, explained) = (more, gained);
            }
        }
        Some(best)
    }

    /// Median over the photos of the share of the border that is explained.
    fn explained(&self, borders: &[Vec<Sample>]) -> f64 {
        median(&mut borders.iter().map(|border| self.share_explained(border)).collect::<Vec<_>>())
    }

    /// Share of a border that is explained.
    pub(super) fn share_explained(&self, border: &[Sample]) -> f64 {
        self.share_explained_at(border, &self.offset(border))
    }

    /// Share of a border that is explained at a given offset of the exposure.
    pub(super) fn share_explained_at(&self, border: &[Sample], offset: &Values) -> f64 {
        let near = border.iter().filter(|s| self.squared(s, offset).0 < EXPLAINED * EXPLAINED).count();
        near as f64 / border.len().max(1) as f64
    }

    /// A tone that the background lacks: plain, in at least two corners of most photos.
    fn missing_tone(&self, borders: &[Vec<Sample>], parts: &[Vec<Option<Part>>]) -> Option<Values> {
        let mut corners: Vec<(usize, Values, f64)> = Vec::new();
        for (border, parts) in borders.iter().zip(parts) {
            let offset = self.offset(border);
            for (corner, part) in parts.iter().enumerate().take(4) {
                let Some(part) = part else { continue };
                let own = border.iter().filter(|s| s.part == corner);
                let (mut n, mut explained) = (0.0, 0.0);
                for s in own {
                    n += 1.0;
                    explained += f64::from(self.squared(s, &offset).0 < EXPLAINED * EXPLAINED);
                }
                if explained < 0.3 * n && part.plain > 0.4 {
                    corners.push((corner, std::array::from_fn(|k| part.median[k] - offset[k]), part.plain));
                }
            }
        }
        let center = densest(&corners.iter().map(|(_, v, w)| (*v, *w)).collect::<Vec<_>>())?;
        let mut alike = [0usize; 4];
        for (corner, v, _) in &corners {
            alike[*corner] += usize::from(likeness(v, &center) > 0.5);
        }
        (alike.iter().filter(|&&n| n as f64 >= 0.6 * borders.len() as f64).count() >= 2).then_some(center)
    }

    /// Squared distance to the nearest tone, and which that is.
    pub(super) fn squared(&self, sample: &Sample, offset: &Values) -> (f64, usize) {
        let mut best = (f64::INFINITY, 0);
        for (t, tone) in self.tones.iter().enumerate() {
            let d = tone.squared(&residual(&sample.values, &tone.at(&sample.terms), offset));
            if d < best.0 {
                best = (d, t);
            }
        }
        best
    }

    /// Offset of a photo's exposure from its border: the one, among the border's own parts, that explains most of it.
    pub(super) fn offset(&self, border: &[Sample]) -> Values {
        let parts = parts(border);
        let mut candidates = vec![[0.0; FEATURES]];
        for (part, p) in parts.iter().enumerate().filter_map(|(i, p)| p.map(|p| (i, p))) {
            let Some(middle) =
                border.iter().filter(|s| s.part == part).nth(border.iter().filter(|s| s.part == part).count() / 2)
            else {
                continue;
            };
            for tone in &self.tones {
                let mean = tone.at(&middle.terms);
                let offset: Values = std::array::from_fn(|k| p.median[k] - mean[k]);
                if offset.iter().zip(&EXPOSURE).all(|(o, most)| o.abs() <= *most) {
                    candidates.push(offset);
                }
            }
        }
        let score =
            |offset: &Values| border.iter().step_by(2).map(|s| weight(self.squared(s, offset).0 / 4.0)).sum::<f64>();
        let mut best = ([0.0; FEATURES], f64::NEG_INFINITY);
        for c in candidates {
            let s = score(&c);
            if s > best.1 {
                best = (c, s);
            }
        }
        let mut offset = best.0;
        for _ in 0..4 {
            let (mut sum, mut total) = ([0.0; FEATURES], 1e-9);
            for s in border {
                let (d, t) = self.squared(s, &offset);
                let w = weight(d);
                let mean = self.tones[t].at(&s.terms);
                total += w;
                for k in 0..FEATURES {
                    sum[k] += w * (s.values[k] - mean[k]);
                }
            }
            offset = std::array::from_fn(|k| (sum[k] / total).clamp(-EXPOSURE[k], EXPOSURE[k]));
        }
        offset
    }

    /// Fits surfaces, spreads and offsets to samples in turn, by iterated reweighting.
    pub(super) fn refine(&mut self, groups: &[Vec<Sample>], rounds: usize) {
        for round in 0..rounds {
            let offsets: Vec<Values> = groups.iter().map(|g| self.offset(g)).collect();
            self.refit(groups, &offsets, round + 1 == rounds);
        }
    }

    /// One weighted least-squares fit of each tone to the samples that are nearest to it.
    pub(super) fn refit(&mut self, groups: &[Vec<Sample>], offsets: &[Values], covariance: bool) {
        for t in 0..self.tones.len() {
            let mut normal = [[0.0; TERMS]; TERMS];
            let mut right = [[0.0; TERMS]; FEATURES];
            let mut own: Vec<(&Sample, &Values, f64)> = Vec::new();
            for (group, offset) in groups.iter().zip(offsets) {
                for s in group {
                    let (d, nearest) = self.squared(s, offset);
                    if nearest == t {
                        own.push((s, offset, weight(d)));
                    }
                }
            }
            let total: f64 = own.iter().map(|o| o.2).sum();
            if total < 20.0 {
                continue;
            }
            for (s, offset, w) in &own {
                for (row, a) in normal.iter_mut().zip(&s.terms) {
                    row.iter_mut().zip(&s.terms).for_each(|(sum, b)| *sum += w * a * b);
                }
                for (k, row) in right.iter_mut().enumerate() {
                    let value = s.values[k] - offset[k];
                    row.iter_mut().zip(&s.terms).for_each(|(sum, a)| *sum += w * a * value);
                }
            }
            // A surface that is seen on one side only is not bent further than needed.
            for (i, row) in normal.iter_mut().enumerate().skip(1) {
                row[i] += total * if i < 3 { 1e-3 } else { 5e-3 };
            }
            let surface = right.map(|r| solve(&normal, &r));
            let tone = &mut self.tones[t];
            tone.surface = surface;
            let residuals: Vec<(Values, f64)> =
                own.iter().map(|(s, o, w)| (residual(&s.values, &tone.at(&s.terms), o), *w)).collect();
            tone.spread = std::array::from_fn(|k| {
                let mut sizes: Vec<f64> = residuals.iter().filter(|(_, w)| *w > 0.3).map(|(r, _)| r[k].abs()).collect();
                (1.4826 * median(&mut sizes)).max(FLOOR[k])
            });
            if covariance {
                let mut sum = [[0.0; FEATURES]; FEATURES];
                let mut n = 0.0;
                for (r, _) in residuals.iter().filter(|(_, w)| *w > 0.1) {
                    n += 1.0;
                    for i in 0..FEATURES {
                        for j in 0..FEATURES {
                            sum[i][j] += r[i] * r[j] / (tone.spread[i] * tone.spread[j]);
                        }
                    }
                }
                for (i, row) in sum.iter_mut().enumerate() {
                    row.iter_mut().for_each(|v| *v /= f64::max(n, 1.0));
                    row[i] += 0.3;
                }
                tone.precision = inverse(&sum);
            }
        }
    }
}
