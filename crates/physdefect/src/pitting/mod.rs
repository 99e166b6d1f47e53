//! PL, pitting loss: stochastic nucleation and growth of corrosion pits.
//!
//! The paper names the mechanism and publishes one line on it (random polygons in the foreground, boundary expansions,
//! Perlin noise): that line is [`PaperPolygon`]. Everything else here is this project's own formulation, [`PittingLoss`]:
//! a Poisson process of births, diffusion-controlled growth, outlines by an eikonal front through grains of different
//! speed, and Faraday's law for the mass.

mod calibrate;
mod eikonal;
mod grains;
mod kinetics;
mod nucleation;
mod paper_polygon;
mod product;

use ndarray::Array2;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

pub use eikonal::{Front, Seed, fast_march};
pub use kinetics::{FARADAY, Metal, PitShape, PowerLaw};
pub use nucleation::{Interaction, Nucleation, Nucleus, Susceptibility};
pub use paper_polygon::PaperPolygon;
pub use product::Product;

use crate::noise::Perlin;
use crate::{Bbox, Defect, Domain, Error, Measures, Mechanism, MechanismKind, Tint, params};
use grains::Grains;

const MODEL: &str = "pitting-loss";
/// Smallest domain on which a colony is more than a dot.
const LEAST_AREA: usize = 64;
/// Where the stain's exponential is cut, in stain lengths.
const STAIN_REACH: f64 = 3.0;
/// Tint weight above which a stained pixel is fully part of the defect.
const VISIBLE_WEIGHT: f32 = 0.05;

/// Refuses a value outside its range, NaN included.
pub(crate) fn require(
    ok: bool,
    model: &'static str,
    name: &'static str,
    value: f64,
    expected: &'static str,
) -> Result<(), Error> {
    if ok && value.is_finite() { Ok(()) } else { Err(Error::Parameter { model, name, value, expected }) }
}

/// Pitting corrosion as a physical process; **severity is exposure time**.
///
/// One call draws every birth of the longest exposure once; severity then only decides how long the surface was exposed.
/// Longer exposure lets more pits be born and each spread and deepen, so the lost volume (`volume_px3`, the size measure)
/// can never fall with severity.
///
/// - Births: [`Nucleation`], rate(x, t) = r0 s(x) exp(-t / tau).
/// - Outline: arrival time T of |grad T| F = 1 from all nuclei ([`fast_march`]), F = F0 (1 + d eta) with eta constant on
///   each Voronoi grain; pits that meet coalesce by themselves. Pixels outside the domain are walls.
/// - Depth: k (t - T)^n, or an ASTM G46 cross-section ([`PitShape`]) of center depth k (t - t0)^n. k is log-normal between
///   pits and speeds up the pit's outline by the same factor, which keeps its aspect. The step where two pits met
///   is rounded, at constant volume.
/// - Deposit on the rim and stain around it: [`Product`].
/// - Mass by Faraday's law if the pixel pitch is given.
///
/// Lengths are fractions of the domain's scale (square root of its area), so that one setting fits every resolution.
///
/// Measures: `volume_px3` (visible loss), `hidden_volume_px3` (under an overhang), `max_depth_px`, `area_px2` (pitted),
/// `stain_area_px2`, `pit_count` (pits that reached a pixel), `exposure_years`, `depth_exponent`, and with a pixel pitch
/// `mass_loss_mg` and `charge_c`.
///
/// ```
/// use physdefect::{Mechanism, Domain, SampleKey, pitting::PittingLoss};
/// let domain = Domain::full(256, 256)?;
/// let model = PittingLoss::default().with_exponent(0.4)?;
/// let defect = model.generate(&domain, 0.7, &mut SampleKey { seed: 1, index: 0 }.rng())?;
/// assert!(defect.height.iter().all(|&h| h <= 0.0));
/// assert!(defect.measures["volume_px3"] > 0.0);
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PittingLoss {
    nucleation: Nucleation,
    exposure_years: (f64, f64),
    spread_rate: f64,
    grain_size: f64,
    grain_contrast: f64,
    exponent: f64,
    rate_spread: f64,
    shape: PitShape,
    product: Product,
    deposit: f64,
    stain: f64,
    pixel_pitch_mm: Option<f64>,
}

impl Default for PittingLoss {
    /// A colony of iron pits that covers about 0.2 % (severity 0) to 6 % (severity 1) of the domain.
    fn default() -> Self {
        Self {
            nucleation: Nucleation {
                rate: 11.0,
                decay: 2.5,
                susceptibility: Susceptibility::Patch { radius: 0.10 },
                interaction: Interaction::Independent,
            },
            exposure_years: (1.0, 4.0),
            spread_rate: 0.012,
            grain_size: 0.018,
            grain_contrast: 0.4,
            exponent: 0.5,
            rate_spread: 0.35,
            shape: PitShape::Front,
            product: Product::IronOxides,
            deposit: 0.8,
            stain: 0.003,
            pixel_pitch_mm: None,
        }
    }
}

impl PittingLoss {
    /// The defaults: see each setter.
    pub fn new() -> Self {
        Self::default()
    }

    fn checked(self) -> Result<Self, Error> {
        self.validate()?;
        Ok(self)
    }

    /// Birth process; default 11 births a year, used up in 2.5 years, on a patch of 0.10 scale, independent (chosen so that
    /// the default severities cover 0.2 % to 6 % of the domain).
    ///
    /// # Errors
    /// [`Error::Parameter`] for a negative rate or one that gives more than 10 000 births, a decay outside \[1e-6, 1e6\]
    /// years, or a length outside \[0.0001, 1\].
    pub fn with_nucleation(mut self, nucleation: Nucleation) -> Result<Self, Error> {
        self.nucleation = nucleation;
        self.checked()
    }

    /// Exposure at severity 0 and at severity 1, years; between them it grows geometrically. Default 1 to 4.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless 0.001 <= first <= last <= 1000.
    pub fn with_exposure_years(mut self, first: f64, last: f64) -> Result<Self, Error> {
        self.exposure_years = (first, last);
        self.checked()
    }

    /// F0, speed of the outline, domain scales a year, in \[1e-6, 1\]. Default 0.012 (3 px a year on 256 px).
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the range.
    pub fn with_spread_rate(mut self, scales_per_year: f64) -> Result<Self, Error> {
        self.spread_rate = scales_per_year;
        self.checked()
    }

    /// Mean grain diameter (fraction of the scale, \[0.0001, 1\]; default 0.018) and d, the standard deviation of the speed
    /// between grains over its mean (\[0, 0.55\]; default 0.4): every grain keeps a positive speed.
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the ranges.
    pub fn with_grains(mut self, size: f64, contrast: f64) -> Result<Self, Error> {
        self.grain_size = size;
        self.grain_contrast = contrast;
        self.checked()
    }

    /// n of d = k t^n, in \[1/3, 1/2\] for diffusion control. Default 1/2 (salt film).
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the range.
    pub fn with_exponent(mut self, n: f64) -> Result<Self, Error> {
        self.exponent = n;
        self.checked()
    }

    /// Standard deviation of ln k between pits, in \[0, 1.5\]. Default 0.35.
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the range.
    pub fn with_rate_spread(mut self, sigma: f64) -> Result<Self, Error> {
        self.rate_spread = sigma;
        self.checked()
    }

    /// Cross-section; default [`PitShape::Front`].
    #[must_use]
    pub fn with_shape(mut self, shape: PitShape) -> Self {
        self.shape = shape;
        self
    }

    /// Corrosion product, tint weight of the rim deposit (\[0, 1\]; default 0.8) and length over which the stain fades outside
    /// the pit (fraction of the scale, \[0, 0.5\]; default 0.003). Default iron oxides.
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the ranges.
    pub fn with_product(mut self, product: Product, deposit: f64, stain: f64) -> Result<Self, Error> {
        self.product = product;
        self.deposit = deposit;
        self.stain = stain;
        self.checked()
    }

    /// Millimeters a pixel (> 0): adds `mass_loss_mg` and `charge_c` to the measures. Default unset.
    ///
    /// # Errors
    /// [`Error::Parameter`] if not positive.
    pub fn with_pixel_pitch_mm(mut self, pitch: f64) -> Result<Self, Error> {
        self.pixel_pitch_mm = Some(pitch);
        self.checked()
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        let fraction =
            |name, v: f64| require((1e-4..=1.0).contains(&v), MODEL, name, v, "in [0.0001, 1] domain scales");
        let n = &self.nucleation;
        require((0.0..=1e6).contains(&n.rate), MODEL, "nucleation.rate", n.rate, "in [0, 1e6] births a year")?;
        require((1e-6..=1e6).contains(&n.decay), MODEL, "nucleation.decay", n.decay, "in [1e-6, 1e6] years")?;
        if let Susceptibility::Patch { radius } = n.susceptibility {
            fraction("nucleation.susceptibility.radius", radius)?;
        }
        match n.interaction {
            Interaction::Independent => {}
            Interaction::Thomas { pits_per_cluster: p, spread } => {
                require(
                    (1e-3..=1e4).contains(&p),
                    MODEL,
                    "nucleation.interaction.pits_per_cluster",
                    p,
                    "in [0.001, 1e4]",
                )?;
                fraction("nucleation.interaction.spread", spread)?;
            }
            Interaction::Inhibition { radius } => fraction("nucleation.interaction.radius", radius)?,
        }
        let (first, last) = self.exposure_years;
        require((1e-3..=1e3).contains(&first), MODEL, "exposure_years.0", first, "in [0.001, 1000] years")?;
        require(last >= first && last <= 1e3, MODEL, "exposure_years.1", last, "at least the first and at most 1000")?;
        let births = n.expected(last);
        require(
            births <= nucleation::MOST_PITS,
            MODEL,
            "nucleation.rate",
            n.rate,
            "low enough for at most 10000 births in the longest exposure",
        )?;
        let f = self.spread_rate;
        require((1e-6..=1.0).contains(&f), MODEL, "spread_rate", f, "in [1e-6, 1] domain scales a year")?;
        fraction("grain_size", self.grain_size)?;
        let d = self.grain_contrast;
        require((0.0..=0.55).contains(&d), MODEL, "grain_contrast", d, "in [0, 0.55]")?;
        let third = 1.0 / 3.0 - 1e-9;
        require((third..=0.5).contains(&self.exponent), MODEL, "exponent", self.exponent, "in [1/3, 1/2]")?;
        require((0.0..=1.5).contains(&self.rate_spread), MODEL, "rate_spread", self.rate_spread, "in [0, 1.5]")?;
        require((0.0..=1.0).contains(&self.deposit), MODEL, "deposit", self.deposit, "in [0, 1]")?;
        require((0.0..=0.5).contains(&self.stain), MODEL, "stain", self.stain, "in [0, 0.5] domain scales")?;
        match self.pixel_pitch_mm {
            Some(p) => require(p > 0.0, MODEL, "pixel_pitch_mm", p, "greater than 0 mm"),
            None => Ok(()),
        }
    }

    /// Growth law of the median pit on a domain of this scale (px).
    ///
    /// k is set so that a pit born at the start has the shape's aspect at the longest exposure.
    pub fn median_law(&self, scale: f64) -> PowerLaw {
        let last = self.exposure_years.1;
        let width = 2.0 * self.spread_rate * scale * last;
        PowerLaw { rate: self.shape.aspect() * width / last.powf(self.exponent), exponent: self.exponent }
    }

    /// Exposure in years at a severity in \[0, 1\].
    pub fn exposure(&self, severity: f64) -> f64 {
        let (first, last) = self.exposure_years;
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

#[cfg(feature = "serde")]
impl crate::replay::FromParams for PittingLoss {
    const NAME: &'static str = MODEL;
    type Params = Self;
    fn from_params(params: Self) -> Result<Self, Error> {
        params.checked()
    }
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

    fn generate(&self, domain: &Domain, severity: f64, rng: &mut ChaCha8Rng) -> Result<Defect, Error> {
        self.validate()?;
        params::severity(MODEL, severity)?;
        if domain.area() < LEAST_AREA {
            return Err(Error::DomainTooSmall { model: MODEL, found: domain.area(), needed: LEAST_AREA });
        }
        // Everything random is drawn for the longest exposure, so that severity only cuts it in time.
        let scale = domain.scale();
        let grain_key: u64 = rng.random();
        let mottle = Perlin::draw(rng);
        let nuclei = self.nucleation.sample(domain, self.exposure_years.1, rng);
        let median = self.median_law(scale);
        let now = self.exposure(severity);
        let speed = self.spread_rate * scale;
        let mut pits = Vec::with_capacity(nuclei.len());
        let mut seeds = Vec::with_capacity(nuclei.len());
        for nucleus in &nuclei {
            let z: f64 = StandardNormal.sample(rng);
            let factor = (self.rate_spread * z).exp();
            if nucleus.time > now {
                continue;
            }
            let law = PowerLaw { rate: median.rate * factor, ..median };
            pits.push(Pit { born: nucleus.time, law, depth: law.depth(now - nucleus.time) });
            seeds.push(Seed { y: nucleus.y as f64, x: nucleus.x as f64, time: nucleus.time, speed_factor: factor });
        }
        let stain_px = match self.product {
            Product::None => 0.0,
            _ => self.stain * scale,
        };
        let stop = now + STAIN_REACH * stain_px / speed;
        let reach = box_of(domain, &seeds, stop, speed * (1.0 + self.grain_contrast * 3f64.sqrt()));
        for seed in &mut seeds {
            seed.y -= reach.y0 as f64;
            seed.x -= reach.x0 as f64;
        }
        let grains = Grains::new(grain_key, self.grain_size * scale, reach);
        let mask = domain.mask();
        let (f0, d) = (speed as f32, self.grain_contrast as f32);
        let front = fast_march((reach.height(), reach.width()), &seeds, stop, |y, x| {
            let (y, x) = (y + reach.y0, x + reach.x0);
            if mask[[y, x]] { f0 * (1.0 + d * grains.value(y, x)) } else { 0.0 }
        });
        Ok(self.relief(&front, &pits, reach, now, speed, &mottle))
    }
}

impl PittingLoss {
    /// Turns arrival times into depth, support and deposit, in the tight box of what was reached.
    fn relief(&self, front: &Front, pits: &[Pit], reach: Bbox, now: f64, speed: f64, mottle: &Perlin) -> Defect {
        let tight = reached(front, reach);
        let dim = (tight.height(), tight.width());
        let (oy, ox) = (tight.y0 - reach.y0, tight.x0 - reach.x0);
        let mut height = Array2::<f32>::zeros(dim);
        let mut opacity = Array2::<f32>::zeros(dim);
        let mut weight = Array2::<f32>::zeros(dim);
        let color = self.product.reflectance();
        let per_mottle = self.spread_rate / (1.5 * self.grain_size * speed);
        let stain_px = self.stain / self.spread_rate * speed;
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
                    let depth = pit.depth * self.shape.profile(u, pit.law.exponent);
                    height[[y, x]] = -depth as f32;
                    volume += depth;
                    area += 1;
                    alive[owner as usize] = true;
                    support = inside_px.min(1.0) as f32;
                    deposit = (self.deposit * (1.0 - 0.4 * u)) as f32;
                } else if stain_px > 0.0 {
                    let d = -inside_px / stain_px;
                    deposit = (self.deposit * (-d).exp() * (1.0 - d / STAIN_REACH).max(0.0)) as f32;
                }
                if color.is_some() {
                    let (py, px) = ((y + tight.y0) as f64 * per_mottle, (x + tight.x0) as f64 * per_mottle);
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
        let hidden = volume * self.shape.hidden_volume_ratio();
        measures.insert("volume_px3".into(), volume);
        measures.insert("hidden_volume_px3".into(), hidden);
        measures.insert("max_depth_px".into(), deepest);
        measures.insert("area_px2".into(), area as f64);
        measures.insert("stain_area_px2".into(), stained as f64);
        measures.insert("pit_count".into(), alive.iter().filter(|&&a| a).count() as f64);
        measures.insert("exposure_years".into(), now);
        measures.insert("depth_exponent".into(), self.exponent);
        if let Some(pitch) = self.pixel_pitch_mm {
            let metal = self.product.metal();
            let grams = (volume + hidden) * (pitch / 10.0).powi(3) * metal.density;
            measures.insert("mass_loss_mg".into(), grams * 1e3);
            measures.insert("charge_c".into(), metal.charge_c(grams));
        }
        let tint = color.map(|color| Tint { weight, color });
        Defect { bbox: tight, height, displacement: None, opacity, tint, measures }
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
fn box_of(domain: &Domain, seeds: &[Seed], stop: f64, fastest: f64) -> Bbox {
    let whole = domain.bbox();
    let mut b = Bbox { y0: whole.y1, x0: whole.x1, y1: whole.y0, x1: whole.x0 };
    for s in seeds {
        let r = (stop - s.time).max(0.0) * fastest * s.speed_factor + 2.0;
        b.y0 = b.y0.min((s.y - r).floor().max(whole.y0 as f64) as usize);
        b.x0 = b.x0.min((s.x - r).floor().max(whole.x0 as f64) as usize);
        b.y1 = b.y1.max((s.y + r).ceil().min(whole.y1 as f64) as usize);
        b.x1 = b.x1.max((s.x + r).ceil().min(whole.x1 as f64) as usize);
    }
    b
}

/// The part of `reach` that a front came to.
fn reached(front: &Front, reach: Bbox) -> Bbox {
    let mut b = Bbox { y0: reach.y1, x0: reach.x1, y1: reach.y0, x1: reach.x0 };
    for (y, row) in front.owner.rows().into_iter().enumerate() {
        let known = |owner: &u32| *owner != Front::UNREACHED;
        let Some(first) = row.iter().position(known) else { continue };
        let last = row.iter().rposition(known).unwrap_or(first);
        b.y0 = b.y0.min(y + reach.y0);
        b.y1 = y + reach.y0 + 1;
        b.x0 = b.x0.min(first + reach.x0);
        b.x1 = b.x1.max(last + reach.x0 + 1);
    }
    b
}
