//! The published recipe for corrosion, as a comparison model.

use imgkit::Rect;
use std::f32::consts::TAU;

use ndarray::Array2;
use rand::{Rng, RngCore};

use crate::noise::{Perlin, hash2, unit};
use crate::params::{self, built_from, parameters, require};
use crate::pitting::Product;
use crate::{Defect, Domain, Error, Measures, Mechanism, MechanismKind, Tint};

const MODEL: &str = "paper-polygon";
const LEAST_AREA: usize = 64;

parameters! {
    /// Parameters of [`PaperPolygon`]. All default values are this project's.
    pub struct PolygonParams {
        /// Number of polygons, 1 to 1000. Default 4.
        polygons / with_polygons: usize = 4,
        /// Mean radius of a polygon, fraction of the scale, in (0, 0.5\]. Default 0.014.
        radius / with_radius: f64 = 0.014,
        /// How far expansions move a boundary at severity 1 where every pixel joins, fraction of the scale, in \[0,
        /// 1\]. Default 0.075.
        growth / with_growth: f64 = 0.075,
        /// Mean probability that a boundary pixel joins in one expansion, in \[0.01, 1\]. Default 0.5.
        probability / with_probability: f64 = 0.5,
        /// Wavelength of the Perlin noise, fraction of the scale, in \[0.0001, 1\]. Default 0.06.
        noise_scale / with_noise_scale: f64 = 0.06,
        /// Contrast c of the noise, in \[0, 1\]. Default 0.8.
        noise_contrast / with_noise_contrast: f64 = 0.8,
        /// Depth of the oldest pixels at severity 1, fraction of the scale, in \[0.0001, 1\]. Default 0.02.
        depth / with_depth: f64 = 0.02,
        /// Corrosion product. Default iron oxides.
        product / with_product: Product = Product::IronOxides,
    }
}

impl PolygonParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        let fraction =
            |name, v: f64| require((1e-4..=1.0).contains(&v), MODEL, name, v, "in [0.0001, 1] domain scales");
        require((1..=1000).contains(&self.polygons), MODEL, "polygons", self.polygons as f64, "in 1..=1000")?;
        require(self.radius > 0.0 && self.radius <= 0.5, MODEL, "radius", self.radius, "in (0, 0.5] domain scales")?;
        require((0.0..=1.0).contains(&self.growth), MODEL, "growth", self.growth, "in [0, 1] domain scales")?;
        let p = self.probability;
        require((0.01..=1.0).contains(&p), MODEL, "probability", p, "in [0.01, 1]")?;
        fraction("noise_scale", self.noise_scale)?;
        let c = self.noise_contrast;
        require((0.0..=1.0).contains(&c), MODEL, "noise_contrast", c, "in [0, 1]")?;
        fraction("depth", self.depth)
    }
}

/// Published corrosion recipe: random polygons inside the foreground, grown by boundary expansions and modulated by
/// Perlin noise: what is publicly known of the paper's corrosion masks (arXiv 2504.12970, from secondary summaries;
/// numbers and the relief are ours).
///
/// Each expansion adds a pixel next to the blob with probability p (1 + c nu), nu the Perlin noise at that pixel. A
/// pixel's depth grows with the number of expansions since it joined, modulated by the same noise. **Severity is the
/// number of expansions**; the lost volume (`volume_px3`) never falls with it.
///
/// Measures: `volume_px3`, `max_depth_px`, `area_px2`, `polygon_count`, `expansions`.
///
/// ```
/// use physdefect::{Mechanism, Domain, SampleKey, pitting::PaperPolygon};
/// let domain = Domain::full(128, 128)?;
/// let defect = PaperPolygon::default().generate(&domain, 0.5, &mut SampleKey { seed: 1, index: 0 }.rng())?;
/// assert!(defect.measures["area_px2"] > 0.0);
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "PolygonParams", into = "PolygonParams"))]
pub struct PaperPolygon {
    params: PolygonParams,
}

built_from!(PaperPolygon, PolygonParams, mechanism MODEL);

/// Perlin noise at pixels, in \[-1, 1\].
struct Noise {
    perlin: Perlin,
    per_px: f64,
}

impl Noise {
    fn at(&self, y: usize, x: usize) -> f64 {
        self.perlin.at(y as f64 * self.per_px, x as f64 * self.per_px).clamp(-1.0, 1.0)
    }
}

/// Vertices of a star-shaped polygon about a pixel: sorted angles with jittered radii.
struct Polygon {
    y: f32,
    x: f32,
    radii: Vec<f32>,
    turn: f32,
}

impl Polygon {
    fn draw(center: (usize, usize), radius: f32, rng: &mut dyn RngCore) -> Self {
        let corners = rng.random_range(5..=9);
        let radii = (0..corners).map(|_| radius * rng.random_range(0.6..1.4)).collect();
        Self { y: center.0 as f32, x: center.1 as f32, radii, turn: rng.random_range(0.0..TAU) }
    }

    fn reach(&self) -> f32 {
        self.radii.iter().fold(0.0, |a, &r| a.max(r))
    }

    /// The pixels it may cover, grown by `margin` and clipped to an image of `(height, width)`.
    fn covers(&self, margin: usize, size: (usize, usize)) -> Rect {
        Rect::pixel((self.y as usize, self.x as usize)).grow(self.reach() as usize + margin, size)
    }

    /// Whether a point lies inside: in its sector, on the center's side of the chord between two corners.
    fn contains(&self, y: f32, x: f32) -> bool {
        let (dy, dx) = (y - self.y, x - self.x);
        let sector = TAU / self.radii.len() as f32;
        let angle = (dy.atan2(dx) - self.turn).rem_euclid(TAU);
        let i = ((angle / sector) as usize).min(self.radii.len() - 1);
        let (p, q) = (self.radii[i], self.radii[(i + 1) % self.radii.len()]);
        // Chord between (p, 0) and (q, sector) in polar form, met at `angle - i sector`.
        let a = angle - i as f32 * sector;
        let chord = p * q * sector.sin() / (p * a.sin() + q * (sector - a).sin());
        dy.hypot(dx) <= chord
    }
}

impl Mechanism for PaperPolygon {
    fn name(&self) -> &'static str {
        MODEL
    }

    fn kind(&self) -> MechanismKind {
        MechanismKind::PittingLoss
    }

    fn size_measure(&self) -> &'static str {
        "volume_px3"
    }

    fn generate(&self, domain: &Domain, severity: f64, rng: &mut dyn RngCore) -> Result<Defect, Error> {
        params::severity(MODEL, severity)?;
        if domain.area() < LEAST_AREA {
            return Err(Error::DomainTooSmall { model: MODEL, found: domain.area(), needed: LEAST_AREA });
        }
        let scale = domain.scale();
        let noise = Noise { perlin: Perlin::from_rng(rng), per_px: 1.0 / (self.params.noise_scale * scale) };
        let chance_key: u64 = rng.random();
        let (height, width) = domain.dim();
        // The blobs aggregate: every polygon after the first lies within a few radii of an earlier one.
        let mut polygons: Vec<Polygon> = Vec::with_capacity(self.params.polygons);
        for i in 0..self.params.polygons {
            let mut center = domain.pick(rng);
            if i > 0 {
                let near = &polygons[rng.random_range(0..i)];
                let reach = 0.12 * scale as f32;
                let (y, x) = (near.y + rng.random_range(-reach..=reach), near.x + rng.random_range(-reach..=reach));
                if domain.contains(f64::from(y), f64::from(x)) && domain.is_site(y as usize, x as usize) {
                    center = (y as usize, x as usize);
                } else {
                    center = (near.y as usize, near.x as usize);
                }
            }
            let radius = (self.params.radius * scale).max(1.0) as f32;
            polygons.push(Polygon::draw(center, radius, rng));
        }
        let most = (self.params.growth * scale / self.params.probability).ceil().max(1.0);
        let steps = (severity * most).round() as usize;
        let b = polygons.iter().map(|p| p.covers(1 + steps, (height, width))).reduce(Rect::union).unwrap_or_default();
        let joined = self.grow(domain, &polygons, b, steps, &noise, chance_key);
        Ok(self.relief(&joined, b, (steps, most), self.params.depth * scale, &noise))
    }
}

const NEVER: u32 = u32::MAX;

impl PaperPolygon {
    /// The expansion at which each pixel of the box joined; [`NEVER`] if it did not.
    fn grow(
        &self,
        domain: &Domain,
        polygons: &[Polygon],
        b: Rect,
        steps: usize,
        noise: &Noise,
        key: u64,
    ) -> Array2<u32> {
        let mask = domain.mask();
        let mut joined = Array2::from_elem((b.height(), b.width()), NEVER);
        let mut frontier: Vec<(usize, usize)> = Vec::new();
        for p in polygons {
            let one = p.covers(1, domain.dim());
            for y in one.top..one.bottom {
                for x in one.left..one.right {
                    let cell = &mut joined[[y - b.top, x - b.left]];
                    if *cell == NEVER && mask[[y, x]] && p.contains(y as f32, x as f32) {
                        *cell = 0;
                        frontier.push((y, x));
                    }
                }
            }
        }
        for step in 1..=steps as u32 {
            let mut next = Vec::with_capacity(frontier.len() + 16);
            for &(y, x) in &frontier {
                let mut open = false;
                for (dy, dx) in [(-1i64, 0i64), (0, -1), (0, 1), (1, 0)] {
                    let (v, u) = (y as i64 + dy, x as i64 + dx);
                    if v < b.top as i64 || u < b.left as i64 || v >= b.bottom as i64 || u >= b.right as i64 {
                        continue;
                    }
                    let (v, u) = (v as usize, u as usize);
                    let cell = &mut joined[[v - b.top, u - b.left]];
                    if *cell != NEVER || !mask[[v, u]] {
                        continue;
                    }
                    let nu = noise.at(v, u);
                    let p = self.params.probability * (1.0 + self.params.noise_contrast * nu);
                    if unit(hash2(key ^ (u64::from(step) << 40), v as i64, u as i64)) < p {
                        *cell = step;
                        next.push((v, u));
                    } else {
                        open = true;
                    }
                }
                if open {
                    next.push((y, x));
                }
            }
            frontier = next;
        }
        joined
    }

    fn relief(&self, joined: &Array2<u32>, b: Rect, (steps, most): (usize, f64), full: f64, noise: &Noise) -> Defect {
        let ever = joined.indexed_iter().filter(|&(_, &j)| j != NEVER).map(|(at, _)| at);
        let tight = Rect::around(ever).unwrap_or_default().offset_by(b);
        let dim = (tight.height(), tight.width());
        let (mut height, mut opacity) = (Array2::<f32>::zeros(dim), Array2::<f32>::zeros(dim));
        let mut weight = Array2::<f32>::zeros(dim);
        let (mut volume, mut deepest, mut area) = (0.0f64, 0.0f64, 0usize);
        for y in 0..dim.0 {
            for x in 0..dim.1 {
                let j = joined[[y + tight.top - b.top, x + tight.left - b.left]];
                if j == NEVER {
                    continue;
                }
                let nu = noise.at(y + tight.top, x + tight.left);
                // Expansions since it joined, over the most there can be; the first already counts.
                let age = (steps as f64 + 1.0 - f64::from(j)) / (most + 1.0);
                let depth = full * age.sqrt() * (1.0 + 0.4 * nu);
                height[[y, x]] = -depth as f32;
                opacity[[y, x]] = 1.0;
                weight[[y, x]] = (0.6 + 0.3 * nu) as f32;
                volume += depth;
                deepest = deepest.max(depth);
                area += 1;
            }
        }
        let mut measures = Measures::new();
        measures.insert("volume_px3".into(), volume);
        measures.insert("max_depth_px".into(), deepest);
        measures.insert("area_px2".into(), area as f64);
        measures.insert("polygon_count".into(), self.params.polygons as f64);
        measures.insert("expansions".into(), steps as f64);
        let tint = self.params.product.reflectance().map(|color| Tint { weight, color });
        Defect { tint, ..Defect::new(tight, height, opacity, measures) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SampleKey;

    #[test]
    fn a_polygon_holds_its_shoelace_area() {
        for index in 0..20 {
            let polygon = Polygon::draw((200, 200), 80.0, &mut SampleKey { seed: 1, index }.rng());
            let n = polygon.radii.len();
            let corner = |i: usize| {
                let (s, c) = (polygon.turn + TAU * i as f32 / n as f32).sin_cos();
                (f64::from(polygon.radii[i % n] * s), f64::from(polygon.radii[i % n] * c))
            };
            let shoelace: f64 = (0..n)
                .map(|i| {
                    let ((y0, x0), (y1, x1)) = (corner(i), corner(i + 1));
                    0.5 * (x0 * y1 - x1 * y0)
                })
                .sum();
            let inside = (0..400 * 400).filter(|p| polygon.contains((p / 400) as f32, (p % 400) as f32)).count();
            assert!((inside as f64 / shoelace - 1.0).abs() < 0.01, "{inside} px for {shoelace}");
        }
    }

    #[test]
    fn boundaries_expand_as_dilations_and_slower_where_fewer_pixels_join() {
        let domain = Domain::full(256, 256).unwrap();
        let grown = |probability: f64, severity: f64, seed: u64| {
            let params = PolygonParams::default()
                .with_polygons(1)
                .with_radius(0.05)
                .with_growth(0.06)
                .with_probability(probability);
            let model = PaperPolygon::new(params.with_noise_scale(0.06).with_noise_contrast(0.0)).unwrap();
            model.generate(&domain, severity, &mut SampleKey { seed, index: 0 }.rng()).unwrap()
        };
        let full = |d: &Defect| {
            let mut mask = Array2::from_elem(domain.dim(), false);
            for ((y, x), &o) in d.opacity.indexed_iter() {
                mask[[y + d.bbox.top, x + d.bbox.left]] = o > 0.0;
            }
            mask
        };
        for seed in 0..5 {
            // Every neighbor joins: n expansions are n dilations by the cross of four neighbors.
            let last = grown(1.0, 1.0, seed);
            let mut mask = full(&grown(1.0, 0.0, seed));
            assert_eq!(last.measures["expansions"], 16.0); // 0.06 * 256 px, rounded up
            for _ in 0..16 {
                let before = mask.clone();
                let joined = |y: i64, x: i64| before.get([y as usize, x as usize]).is_some_and(|&m| m);
                mask.indexed_iter_mut().for_each(|((y, x), m)| {
                    let (y, x) = (y as i64, x as i64);
                    *m |= joined(y - 1, x) || joined(y + 1, x) || joined(y, x - 1) || joined(y, x + 1);
                });
            }
            assert_eq!(full(&last), mask, "seed {seed}");
        }
        // With noise, pixels join where it is high: its mean over those that joined leans up, over the rest down.
        let params = PolygonParams::default().with_polygons(1).with_radius(0.02).with_growth(0.1).with_probability(0.2);
        let model = PaperPolygon::new(params.with_noise_scale(0.1).with_noise_contrast(1.0)).unwrap();
        let lean: f64 = (0..20)
            .map(|seed| {
                let key = SampleKey { seed, index: 0 };
                let d = model.generate(&domain, 1.0, &mut key.rng()).unwrap();
                let noise = Noise { perlin: Perlin::from_rng(&mut key.rng()), per_px: 1.0 / (0.1 * 256.0) };
                let mean = |joined: bool| {
                    let on = d.opacity.indexed_iter().filter(|(_, o)| (**o > 0.0) == joined);
                    let nu: Vec<f64> = on.map(|((y, x), _)| noise.at(y + d.bbox.top, x + d.bbox.left)).collect();
                    nu.iter().sum::<f64>() / nu.len().max(1) as f64
                };
                (mean(true) - mean(false)) / 20.0
            })
            .sum();
        assert!(lean > 0.1, "noise where pixels joined less noise where not: {lean}");
        // One neighbor, one chance: along a line of pixels the boundary moves p a step (negative binomial).
        let line = Domain::full(1, 20_000).unwrap();
        let probability = 0.3;
        let params =
            PolygonParams::default().with_polygons(1).with_radius(0.001).with_growth(1.0).with_probability(probability);
        let model = PaperPolygon::new(params.with_noise_scale(0.5).with_noise_contrast(0.0)).unwrap();
        let (mut moved, mut steps) = (0.0, 0.0);
        for seed in 0..60 {
            let d = model.generate(&line, 1.0, &mut SampleKey { seed, index: 0 }.rng()).unwrap();
            if d.bbox.left > 0 && d.bbox.right < 20_000 {
                moved += d.measures["area_px2"] - 1.0;
                steps += 2.0 * d.measures["expansions"];
            }
        }
        let rate: f64 = moved / steps;
        let error = (probability * (1.0 - probability) / steps).sqrt();
        // The polygon itself is a pixel or three.
        assert!((rate - probability).abs() < 4.0 * error + 2.0 * 60.0 / steps, "{rate} px a step for {probability}");
    }
}
