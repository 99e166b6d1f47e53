//! PL, pitting loss: stochastic nucleation and growth of corrosion pits.
//!
//! The paper names the mechanism and publishes one line on it (random polygons in the foreground, boundary expansions,
//! Perlin noise): that line is [`PaperPolygon`]. Everything else here is this project's own formulation,
//! [`PittingLoss`]: a Poisson process of births, diffusion-controlled growth, outlines by an eikonal front through
//! grains of different speed, and Faraday's law for the mass.

mod calibrate;
mod eikonal;
mod grains;
mod kinetics;
mod nucleation;
mod paper_polygon;
mod params;
mod product;

use imgkit::Rect;
use ndarray::Array2;
use rand::{Rng, RngCore};
use rand_distr::{Distribution, StandardNormal};

pub use eikonal::{Front, Seed, fast_march};
pub use kinetics::{FARADAY, Metal, PitShape, PowerLaw};
pub use nucleation::{Interaction, Nucleation, Nucleus, Susceptibility};
pub use paper_polygon::{PaperPolygon, PolygonParams};
pub use params::PittingParams;
pub use product::Product;

use crate::noise::Perlin;
use crate::params::{built_from, severity as check_severity};
use crate::{Defect, Domain, Error, Measures, Mechanism, MechanismKind, Tint};
use grains::Grains;

const MODEL: &str = "pitting-loss";
/// Smallest domain on which a colony is more than a dot.
const LEAST_AREA: usize = 64;
/// Sets the facets of the floors apart from the grains that the outline grows through.
const FACETS: u64 = 0x9e37_79b9_7f4a_7c15;
/// Share of the floor's change of reflectance a pixel inside the outline.
const RIM: f64 = 0.7;
/// Where the stain's exponential is cut, in stain lengths.
const STAIN_REACH: f64 = 3.0;
/// Tint weight above which a stained pixel is fully part of the defect.
const VISIBLE_WEIGHT: f32 = 0.05;

/// Pitting corrosion as a physical process; **severity is exposure time**.
///
/// One call samples every birth of the longest exposure once; severity then only decides how long the surface was
/// exposed. Longer exposure lets more pits be born and each spread and deepen, so the lost volume (`volume_px3`, the
/// size measure) can never fall with severity.
///
/// - Births: [`Nucleation`], rate(x, t) = r0 s(x) exp(-t / tau).
/// - Outline: arrival time T of |grad T| F = 1 from all nuclei ([`fast_march`]), F = F0 (1 + d eta) with eta constant
///   on each Voronoi grain; pits that meet coalesce by themselves. Pixels outside the domain are walls.
/// - Depth: k (t - T)^n, or an ASTM G46 cross-section ([`PitShape`]) of center depth k (t - t0)^n. k is log-normal
///   between pits and speeds up the pit's outline by the same factor, which keeps its aspect. The step where two pits
///   met is rounded, at constant volume.
/// - Floor: facets of depth and reflectance that vary by `roughness`, darker by `floor_reflectance`: what is rougher
///   than a pixel shows traps light.
/// - Deposit on the rim and stain around it: [`Product`].
/// - Mass by Faraday's law if the pixel pitch is given.
///
/// Lengths are fractions of the domain's scale (square root of its area), so that one setting fits every resolution.
///
/// Measures: `volume_px3` (visible loss), `hidden_volume_px3` (under an overhang), `max_depth_px`, `area_px2` (pitted),
/// `stain_area_px2`, `pit_count` (pits that reached a pixel), `exposure_years`, `depth_exponent`, and with a pixel
/// pitch `mass_loss_mg` and `charge_c`.
///
/// ```
/// use physdefect::pitting::{PittingLoss, PittingParams};
/// use physdefect::{Domain, Mechanism, SampleKey};
///
/// let domain = Domain::full(256, 256)?;
/// let model = PittingLoss::new(PittingParams::default().with_exponent(0.4))?;
/// let defect = model.generate(&domain, 0.7, &mut SampleKey { seed: 1, index: 0 }.rng())?;
/// assert!(defect.height.iter().all(|&h| h <= 0.0));
/// assert!(defect.measures["volume_px3"] > 0.0);
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "PittingParams", into = "PittingParams"))]
pub struct PittingLoss {
    params: PittingParams,
}

built_from!(PittingLoss, PittingParams, mechanism MODEL);

impl PittingLoss {
    /// Growth law of the median pit on a domain of this scale (px).
    ///
    /// k is set so that a pit born at the start has the shape's aspect at the longest exposure.
    #[must_use]
    pub fn median_law(&self, scale: f64) -> PowerLaw {
        let last = self.params.exposure_years.1;
        let width = 2.0 * self.params.spread_rate * scale * last;
        PowerLaw {
            rate: self.params.shape.aspect() * width / last.powf(self.params.exponent),
            exponent: self.params.exponent,
        }
    }

    /// Exposure in years at a severity in \[0, 1\].
    #[must_use]
    pub fn exposure(&self, severity: f64) -> f64 {
        let (first, last) = self.params.exposure_years;
        first * (last / first).powf(severity)
    }
}

/// One pit with its own growth.
struct Pit {
    born: f64,
    law: PowerLaw,
    /// Final center depth at the exposure wanted, px.
    depth: f64,
}

impl Mechanism for PittingLoss {
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
        check_severity(MODEL, severity)?;
        if domain.area() < LEAST_AREA {
            return Err(Error::DomainTooSmall { model: MODEL, found: domain.area(), needed: LEAST_AREA });
        }
        // Everything random is sampled for the longest exposure, so that severity only cuts it in time.
        let scale = domain.scale();
        let grain_key: u64 = rng.random();
        let mottle = Perlin::from_rng(rng);
        let nuclei = self.params.nucleation.sample(domain, self.params.exposure_years.1, rng);
        let median = self.median_law(scale);
        let now = self.exposure(severity);
        let speed = self.params.spread_rate * scale;
        let mut pits = Vec::with_capacity(nuclei.len());
        let mut seeds = Vec::with_capacity(nuclei.len());
        for nucleus in &nuclei {
            let z: f64 = StandardNormal.sample(rng);
            let factor = (self.params.rate_spread * z).exp();
            if nucleus.time > now {
                continue;
            }
            let law = PowerLaw { rate: median.rate * factor, ..median };
            pits.push(Pit { born: nucleus.time, law, depth: law.depth(now - nucleus.time) });
            seeds.push(Seed { y: nucleus.y as f64, x: nucleus.x as f64, time: nucleus.time, speed_factor: factor });
        }
        let stain_px = match self.params.product {
            Product::None => 0.0,
            _ => self.params.stain * scale,
        };
        let stop = now + STAIN_REACH * stain_px / speed;
        let reach = box_of(domain, &seeds, stop, speed * (1.0 + self.params.grain_contrast * 3f64.sqrt()));
        for seed in &mut seeds {
            seed.y -= reach.top as f64;
            seed.x -= reach.left as f64;
        }
        let grains = Grains::new(grain_key, self.params.grain_size * scale, reach);
        let mask = domain.mask();
        let (f0, d) = (speed as f32, self.params.grain_contrast as f32);
        let front = fast_march((reach.height(), reach.width()), &seeds, stop, |y, x| {
            let (y, x) = (y + reach.top, x + reach.left);
            if mask[[y, x]] { f0 * (1.0 + d * grains.value(y, x)) } else { 0.0 }
        })?;
        let facets = Grains::new(grain_key ^ FACETS, self.params.grain_size * scale / 3.0, reach);
        Ok(self.relief(&front, &pits, reach, now, speed, &mottle, &facets))
    }
}

impl PittingLoss {
    /// Turns arrival times into depth, support and deposit, in the tight box of what was reached.
    #[allow(clippy::too_many_arguments)] // one call: what generation computed, each once
    fn relief(
        &self,
        front: &Front,
        pits: &[Pit],
        reach: Rect,
        now: f64,
        speed: f64,
        mottle: &Perlin,
        facets: &Grains,
    ) -> Defect {
        let tight = reached(front, reach);
        let dim = (tight.height(), tight.width());
        let (oy, ox) = (tight.top - reach.top, tight.left - reach.left);
        let mut height = Array2::<f32>::zeros(dim);
        let mut opacity = Array2::<f32>::zeros(dim);
        let mut weight = Array2::<f32>::zeros(dim);
        let color = self.params.product.reflectance();
        let per_mottle = self.params.spread_rate / (1.5 * self.params.grain_size * speed);
        let mut reflectance = Array2::<f32>::ones(dim);
        let (floor, roughness) = (self.params.floor_reflectance.ln(), self.params.roughness);
        let stain_px = self.params.stain / self.params.spread_rate * speed;
        let (mut volume, mut area, mut stained) = (0.0f64, 0usize, 0usize);
        let mut alive = vec![false; pits.len()];
        for y in 0..dim.0 {
            for x in 0..dim.1 {
                let owner = front.owner[[y + oy, x + ox]];
                if owner == Front::UNREACHED {
                    continue;
                }
                let pit = &pits[owner as usize];
                let t = f64::from(front.time[[y + oy, x + ox]]);
                let inside_px = (now - t) * speed;
                let mut support = 0.0f32;
                let mut deposit = 0.0f32;
                if t < now {
                    let u = (now - t) / (now - pit.born);
                    // The same at every severity, so that no pixel gets shallower.
                    let facet = roughness * f64::from(facets.value(y + tight.top, x + tight.left));
                    let depth = pit.depth * self.params.shape.profile(u, pit.law.exponent) * (1.0 + facet);
                    reflectance[[y, x]] = ((inside_px * RIM).min(1.0) * (floor + facet)).exp() as f32;
                    height[[y, x]] = -depth as f32;
                    volume += depth;
                    area += 1;
                    alive[owner as usize] = true;
                    support = inside_px.min(1.0) as f32;
                    deposit = (self.params.deposit * (1.0 - 0.4 * u)) as f32;
                } else if stain_px > 0.0 {
                    let d = -inside_px / stain_px;
                    deposit = (self.params.deposit * (-d).exp() * (1.0 - d / STAIN_REACH).max(0.0)) as f32;
                }
                if color.is_some() {
                    let (py, px) = ((y + tight.top) as f64 * per_mottle, (x + tight.left) as f64 * per_mottle);
                    deposit *= (0.8 + 0.2 * mottle.at(py, px).clamp(-1.0, 1.0)) as f32;
                    weight[[y, x]] = deposit;
                    support = support.max((deposit / VISIBLE_WEIGHT).min(1.0));
                    stained += usize::from(deposit >= VISIBLE_WEIGHT);
                }
                opacity[[y, x]] = support;
            }
        }
        relax_seams(&mut height, |y, x| front.owner[[y + oy, x + ox]]);
        let deepest = height.iter().fold(0.0f64, |a, &z| a.max(-f64::from(z)));
        let mut measures = Measures::new();
        let hidden = volume * self.params.shape.hidden_volume_ratio();
        measures.insert("volume_px3".into(), volume);
        measures.insert("hidden_volume_px3".into(), hidden);
        measures.insert("max_depth_px".into(), deepest);
        measures.insert("area_px2".into(), area as f64);
        measures.insert("stain_area_px2".into(), stained as f64);
        measures.insert("pit_count".into(), alive.iter().filter(|&&a| a).count() as f64);
        measures.insert("exposure_years".into(), now);
        measures.insert("depth_exponent".into(), self.params.exponent);
        if let Some(pitch) = self.params.pixel_pitch_mm {
            let metal = self.params.product.metal();
            let grams = (volume + hidden) * (pitch / 10.0).powi(3) * metal.density;
            measures.insert("mass_loss_mg".into(), grams * 1e3);
            measures.insert("charge_c".into(), metal.charge_c(grams));
        }
        let tint = color.map(|color| Tint { weight, color });
        let reflectance = Some(reflectance).filter(|_| floor != 0.0 || roughness != 0.0);
        Defect { tint, reflectance, ..Defect::new(tight, height, opacity, measures) }
    }
}

/// Rounds the steps where pits of different depth met: the sharp edge between two pits dissolves first.
///
/// Depth flows between neighboring pitted pixels near a seam, a few explicit diffusion steps; what one loses the other
/// gains, so the volume stays, and a pit that met no other keeps its depth exactly.
fn relax_seams(height: &mut Array2<f32>, owner: impl Fn(usize, usize) -> u32) {
    const STEPS: usize = 4;
    let (h, w) = height.dim();
    let mut near = vec![false; h * w];
    let mut any = false;
    let pitted = |height: &Array2<f32>, y: usize, x: usize| height[[y, x]] < 0.0;
    for y in 0..h {
        for x in 0..w {
            if !pitted(height, y, x) {
                continue;
            }
            for (v, u) in [(y + 1, x), (y, x + 1)] {
                if v < h && u < w && pitted(height, v, u) && owner(v, u) != owner(y, x) {
                    any = true;
                    for (cy, cx) in [(y, x), (v, u)] {
                        for ny in cy.saturating_sub(1)..(cy + 2).min(h) {
                            near[ny * w + cx.saturating_sub(1)..ny * w + (cx + 2).min(w)].fill(true);
                        }
                    }
                }
            }
        }
    }
    if !any {
        return;
    }
    let mut edges = Vec::new();
    for y in 0..h {
        for x in 0..w {
            if near[y * w + x] && pitted(height, y, x) {
                for (v, u) in [(y + 1, x), (y, x + 1)] {
                    if v < h && u < w && near[v * w + u] && pitted(height, v, u) {
                        edges.push(((y, x), (v, u)));
                    }
                }
            }
        }
    }
    for _ in 0..STEPS {
        for &(p, q) in &edges {
            let flow = 0.25 * (height[p] - height[q]);
            height[p] -= flow;
            height[q] += flow;
        }
    }
}

/// Smallest box that holds every pixel a front can reach before `stop`, within the domain's box.
fn box_of(domain: &Domain, seeds: &[Seed], stop: f64, fastest: f64) -> Rect {
    let whole = domain.bbox();
    let mut b = Rect { top: whole.bottom, left: whole.right, bottom: whole.top, right: whole.left };
    for s in seeds {
        let r = (stop - s.time).max(0.0) * fastest * s.speed_factor + 2.0;
        b.top = b.top.min((s.y - r).floor().max(whole.top as f64) as usize);
        b.left = b.left.min((s.x - r).floor().max(whole.left as f64) as usize);
        b.bottom = b.bottom.max((s.y + r).ceil().min(whole.bottom as f64) as usize);
        b.right = b.right.max((s.x + r).ceil().min(whole.right as f64) as usize);
    }
    b
}

/// The part of `reach` that a front came to.
fn reached(front: &Front, reach: Rect) -> Rect {
    let mut b = Rect { top: reach.bottom, left: reach.right, bottom: reach.top, right: reach.left };
    for (y, row) in front.owner.rows().into_iter().enumerate() {
        let known = |owner: &u32| *owner != Front::UNREACHED;
        let Some(first) = row.iter().position(known) else { continue };
        let last = row.iter().rposition(known).unwrap_or(first);
        b.top = b.top.min(y + reach.top);
        b.bottom = y + reach.top + 1;
        b.left = b.left.min(first + reach.left);
        b.right = b.right.max(last + reach.left + 1);
    }
    b
}
