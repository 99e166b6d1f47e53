//! Surface unevenness: soft shading over a large part of a surface. Not a mechanism of the paper: this project's own.
//!
//! [`Unevenness`] lists the kinds: a zone ground otherwise than the rest, waviness, a stain, a water mark. They share
//! band-limited Gaussian fields ([`WaveField`]), a random outline, and how their size and contrast follow severity.

mod calibrate;
mod drop;
mod params;
mod waves;

use std::f64::consts::{FRAC_PI_2, TAU};

use imgkit::Rect;
use ndarray::Array2;
use rand::{Rng, RngCore};
use rand_distr::{Distribution, StandardNormal};

pub use params::UnevennessParams;
pub use waves::{Spectrum, WaveField};

use crate::outline::{Outline, smoothstep, support_box};
use crate::params::{built_from, severity as check_severity};
use crate::{Defect, Domain, Error, Measures, Mechanism, MechanismKind, Place, Tint};

const MODEL: &str = "surface-unevenness";
/// Smallest domain on which shading means anything.
const LEAST_AREA: usize = 64;
/// Fewest pixels of a defect.
const LEAST_VISIBLE: usize = 16;
/// Shortest wavelength that pixels can show, px.
const SHORTEST: f64 = 2.5;

/// Size of a drop and deviation of its outline, which surface tension keeps round, in units of those of a blotch.
const DROP: f64 = 0.6;

/// Kind of unevenness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Unevenness {
    /// End zone ground otherwise than the rest: streaks along the grain and another brightness.
    Grinding,
    /// Waves of the surface itself: soft relief.
    Waviness,
    /// Smooth blotch of another brightness and color.
    Stain,
    /// Residue of a drop that has spread and dried: a ring.
    WaterMark,
}

impl Unevenness {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Grinding, Self::Waviness, Self::Stain, Self::WaterMark];
}

/// Soft shading over a large part of the surface: uneven grinding, waviness, a stain or a water mark.
///
/// Not a mechanism of the paper: this project's own. With A the contrast and s the sign of the change, the reflectance
/// factor is
///
/// ```text
/// grinding    ln rho = A (0.8 s + f/2)    f: Gaussian field, power k^-slope in a band, stretched along the grain
/// waviness    rho = 1; relief = (slope / rms slope of f) f
/// stain       ln rho = s A (1 + f / 4)    f: isotropic; and a tint
/// water mark  ln rho = s c                c: density of the residue (Beer and Lambert)
/// ```
///
/// A drop spreads by imbibition: its front stands at R = sqrt(4 D t) until it dries at the time t, with D such that the
/// longest time, t = 1, gives the largest size. The residue of a uniform film of density m is carried outward by the
/// share `transport` and left at the contact line (coffee ring: Deegan et al., Nature 389 (1997) 827), where the line
/// stuck while it receded also once or twice inside; sum(c) = m x area, whatever the transport. m is set so that the
/// ring's crest is 1.5 A.
///
/// The patch is a star-shaped blotch around a random place; a drop is 0.6 of its size, and rounder. A ground zone is
/// all that lies within some depth of the domain's end along the grain, up to a wavy line across it; the depth is
/// relative to the scale or, if that is less, to the domain's length along the grain.
///
/// **Severity** sets the size (geometrically) and the contrast or slope (linearly) between their ends. The patch of a
/// larger severity holds that of a smaller one, so `area_px2`, the size measure, never falls.
///
/// Measures: `area_px2` (support at least one half), `size_px` (width asked for), `contrast` (A), `grain_rad`,
/// `kind_index` (place in [`Unevenness::ALL`]); for waviness `rms_slope`; for a water mark `front_px` (R),
/// `drying_time` (t over the longest) and `residue_px2` (sum of c).
///
/// ```
/// use physdefect::unevenness::{SurfaceUnevenness, Unevenness, UnevennessParams};
/// use physdefect::{Domain, Mechanism, SampleKey};
///
/// let domain = Domain::full(256, 256)?;
/// let model = SurfaceUnevenness::new(UnevennessParams::default().with_kinds(vec![Unevenness::Stain]))?;
/// let defect = model.generate(&domain, 0.5, &mut SampleKey { seed: 1, index: 0 }.rng())?;
/// assert!(defect.reflectance.is_some() && defect.measures["area_px2"] > 1000.0);
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "UnevennessParams", into = "UnevennessParams"))]
pub struct SurfaceUnevenness {
    params: UnevennessParams,
}

built_from!(SurfaceUnevenness, UnevennessParams, mechanism MODEL);

/// Everything random about a patch, drawn alike for every kind and severity.
struct Draw {
    kind: Unevenness,
    grain: f64,
    /// Length that sizes are fractions of, px.
    reach: f64,
    /// Which end of the domain is ground otherwise: 1 or -1.
    end: f64,
    /// Angle of the zone's edge to the line across the grain.
    tilt: f64,
    center: (usize, usize),
    outline: Outline,
    /// Sign of the change.
    sign: f64,
    field: WaveField,
    /// Where the contact line stuck, and the share of residue left there.
    lines: Vec<(f64, f64)>,
}

impl Mechanism for SurfaceUnevenness {
    fn name(&self) -> &'static str {
        MODEL
    }

    fn kind(&self) -> MechanismKind {
        MechanismKind::SurfaceUnevenness
    }

    fn size_measure(&self) -> &'static str {
        "area_px2"
    }

    fn follows_grain(&self) -> bool {
        true
    }

    fn generate(&self, domain: &Domain, severity: f64, rng: &mut dyn RngCore) -> Result<Defect, Error> {
        check_severity(MODEL, severity)?;
        if domain.area() < LEAST_AREA {
            return Err(Error::DomainTooSmall { model: MODEL, found: domain.area(), needed: LEAST_AREA });
        }
        let draw = self.draw(domain, rng)?;
        let p = &self.params;
        let mix = |(a, b): (f64, f64)| a + severity * (b - a);
        let width = p.size.0 * (p.size.1 / p.size.0).powf(severity) * draw.reach;
        let contrast = mix(p.contrast);
        let (area, place, support) = self.patch(domain, &draw, width);
        let field = draw.field.on(area);

        let dim = support.dim();
        let mut height = Array2::<f32>::zeros(dim);
        let mut reflectance = None;
        let mut tint = None;
        let mut measures = Measures::new();
        match draw.kind {
            Unevenness::Waviness => {
                let slope = mix(p.waviness);
                let gain = (slope / draw.field.rms_slope()) as f32;
                height = Array2::from_shape_fn(dim, |at| gain * field[at] * support[at] as f32);
                measures.insert("rms_slope".into(), slope);
            }
            Unevenness::Grinding => {
                let factor = |f: f32| (contrast * (0.8 * draw.sign + 0.5 * f64::from(f).clamp(-3.0, 3.0))).exp() as f32;
                reflectance = Some(field.mapv(factor));
            }
            Unevenness::Stain => {
                let factor = |f: f32| (draw.sign * contrast * (1.0 + f64::from(f).clamp(-2.0, 2.0) / 4.0)).exp() as f32;
                reflectance = Some(field.mapv(factor));
                if draw.sign < 0.0 && p.color_weight > 0.0 {
                    let weight = p.color_weight * contrast / p.contrast.1.max(f64::MIN_POSITIVE);
                    let weight = support.mapv(|s| (weight * s) as f32);
                    tint = Some(Tint { weight, color: p.color.map(|c| c as f32) });
                }
            }
            Unevenness::WaterMark => {
                let film = 1.5 * contrast / drop::crest(p.transport, p.ring_width);
                let (place, wet) = (place.view(), support.view());
                let density = drop::residue(place, wet, film, p.transport, &draw.lines, p.ring_width);
                let residue: f64 = density.iter().zip(&support).map(|(c, s)| c * s).sum();
                reflectance = Some(density.mapv(|c| (draw.sign * c).exp() as f32));
                measures.insert("front_px".into(), 0.5 * width);
                measures.insert("drying_time".into(), (width / (p.size.1 * draw.reach)).powi(2));
                measures.insert("residue_px2".into(), residue);
            }
        }
        measures.insert("area_px2".into(), support.iter().filter(|&&s| s >= 0.5).count() as f64);
        measures.insert("size_px".into(), width);
        measures.insert("contrast".into(), contrast);
        measures.insert("grain_rad".into(), draw.grain);
        let index = Unevenness::ALL.iter().position(|&k| k == draw.kind);
        measures.insert("kind_index".into(), index.unwrap_or_default() as f64);
        crop(Defect { tint, reflectance, ..Defect::new(area, height, support.mapv(|s| s as f32), measures) })
    }
}

impl SurfaceUnevenness {
    /// One of the kinds. On a surface with a grain, which was ground or turned, grinding and waviness are three times
    /// as likely as the others; on one without there is nothing that was ground, unless no other kind is asked for.
    fn kind(&self, domain: &Domain, rng: &mut dyn RngCore) -> Unevenness {
        let machined = domain.grain().is_some();
        // What is ground otherwise reaches from one end of the object to somewhere: never inside.
        let inside = domain.place() == Place::Inside;
        let weight = |kind: Unevenness| match (kind, machined) {
            (Unevenness::Grinding, false) => 0.0,
            (Unevenness::Grinding, true) if inside => 0.0,
            (Unevenness::Grinding | Unevenness::Waviness, true) => 3.0,
            _ => 1.0,
        };
        let kinds = &self.params.kinds;
        let total: f64 = kinds.iter().map(|&kind| weight(kind)).sum();
        let mut left = rng.random::<f64>() * total;
        for &kind in kinds {
            left -= weight(kind);
            if left < 0.0 {
                return kind;
            }
        }
        kinds.last().copied().unwrap_or(Unevenness::Stain)
    }

    fn draw(&self, domain: &Domain, rng: &mut dyn RngCore) -> Result<Draw, Error> {
        let p = &self.params;
        let scale = domain.scale();
        let kind = self.kind(domain, rng);
        let (across, jitter): (bool, f64) = (rng.random(), StandardNormal.sample(rng));
        let own =
            longer_axis(domain) + if across { FRAC_PI_2 } else { 0.0 } + (1.5 * jitter.clamp(-2.6, 2.6)).to_radians();
        let grain = p.grain.or(domain.grain()).unwrap_or(own);
        let end = if rng.random::<bool>() { 1.0 } else { -1.0 };
        let tilt: f64 = StandardNormal.sample(rng);
        let reach = if kind == Unevenness::Grinding {
            let (sin, cos) = grain.sin_cos();
            let (low, high) = extent(domain, |y, x| y as f64 * sin + x as f64 * cos);
            scale.min(high - low + 1.0)
        } else if kind == Unevenness::WaterMark {
            DROP * scale
        } else {
            scale
        };
        let center = domain.pick(rng);
        let outline = Outline::draw(rng);
        let sign = if rng.random::<f64>() < p.brighter { 1.0 } else { -1.0 };
        let band = |(a, b): (f64, f64)| ((a * scale).max(SHORTEST), (b * scale).max(SHORTEST));
        let spectrum = match kind {
            Unevenness::Grinding => {
                Spectrum { wavelength: band(p.streaks), slope: p.slope, aspect: p.aspect, angle: grain }
            }
            Unevenness::Waviness => {
                Spectrum { wavelength: band(p.waves), slope: p.slope, aspect: p.aspect.cbrt(), angle: grain }
            }
            Unevenness::Stain | Unevenness::WaterMark => {
                let blotches = (3.0 * p.waves.0, 3.0 * p.waves.1);
                Spectrum { wavelength: band(blotches), slope: p.slope, aspect: 1.0, angle: grain }
            }
        };
        let field = WaveField::new(spectrum, rng)?;
        let mut lines = vec![(1.0, 1.0)];
        let stops: usize = rng.random_range(0..=2);
        for k in 0..2 {
            let (radius, share) = (rng.random_range(0.55..0.92), rng.random_range(0.1..0.35));
            if k < stops {
                lines.push((radius, share));
            }
        }
        Ok(Draw {
            kind,
            grain,
            reach,
            end,
            tilt: (8.0 * tilt.clamp(-2.5, 2.5)).to_radians(),
            center,
            outline,
            sign,
            field,
            lines,
        })
    }

    /// Box, distance from the center over that of the outline, and soft support of a patch of a width, px.
    fn patch(&self, domain: &Domain, draw: &Draw, width: f64) -> (Rect, Array2<f64>, Array2<f64>) {
        let p = &self.params;
        let mask = domain.mask();
        let whole = domain.bbox();
        if draw.kind == Unevenness::Grinding {
            let smallest = p.size.0 * draw.reach;
            let (sin, cos) = (draw.grain + draw.tilt).sin_cos();
            // Depth below the domain's end, and place along the edge.
            let depth = |y: usize, x: usize| -draw.end * (y as f64 * sin + x as f64 * cos);
            let (surface, _) = extent(domain, depth);
            let fade = (p.softness / 16.0 * smallest).max(1.0);
            let wave = 0.5 * p.irregularity * smallest;
            let dim = (whole.height(), whole.width());
            let place = Array2::from_shape_fn(dim, |(y, x)| {
                let (y, x) = (y + whole.top, x + whole.left);
                let along = (x as f64 * sin - y as f64 * cos) / (2.0 * domain.scale());
                let edge = width + wave * draw.outline.at(TAU * along / 2.0);
                (edge - (depth(y, x) - surface)) / fade
            });
            let support = Array2::from_shape_fn(dim, |(y, x)| {
                let inside = mask[[y + whole.top, x + whole.left]];
                if inside { smoothstep(0.5 + 0.5 * place[[y, x]]) } else { 0.0 }
            });
            return (whole, place, support);
        }
        let wild = p.irregularity * if draw.kind == Unevenness::WaterMark { DROP } else { 1.0 };
        let radius = |angle: f64| 0.5 * width * (wild * draw.outline.at(angle)).exp();
        let farthest = 0.5 * width * (2.5 * wild).exp() + 2.0;
        let (cy, cx) = (draw.center.0 as f64, draw.center.1 as f64);
        let low = |c: f64, least: usize| ((c - farthest).floor().max(least as f64)) as usize;
        let high = |c: f64, most: usize| ((c + farthest).ceil() as usize + 1).min(most);
        let area = Rect {
            top: low(cy, whole.top),
            left: low(cx, whole.left),
            bottom: high(cy, whole.bottom),
            right: high(cx, whole.right),
        };
        let dim = (area.height(), area.width());
        let mut place = Array2::<f64>::zeros(dim);
        let mut support = Array2::<f64>::zeros(dim);
        for y in 0..dim.0 {
            for x in 0..dim.1 {
                let (dy, dx) = ((y + area.top) as f64 - cy, (x + area.left) as f64 - cx);
                let (distance, edge) = (dy.hypot(dx), radius(dy.atan2(dx)));
                let g = distance / edge;
                place[[y, x]] = g;
                if mask[[y + area.top, x + area.left]] {
                    support[[y, x]] = if draw.kind == Unevenness::WaterMark {
                        (edge - distance + 0.5).clamp(0.0, 1.0)
                    } else {
                        // Half of it at the outline.
                        smoothstep(0.5 + (1.0 - g) / p.softness)
                    };
                }
            }
        }
        (area, place, support)
    }
}

/// Least and largest value of a function over the domain's pixels.
fn extent(domain: &Domain, value: impl Fn(usize, usize) -> f64) -> (f64, f64) {
    let (b, mask) = (domain.bbox(), domain.mask());
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for y in b.top..b.bottom {
        for x in b.left..b.right {
            if mask[[y, x]] {
                let v = value(y, x);
                low = low.min(v);
                high = high.max(v);
            }
        }
    }
    (low, high)
}

/// Angle of the domain's longer principal axis, from +x towards +y.
fn longer_axis(domain: &Domain) -> f64 {
    let b = domain.bbox();
    let mask = domain.mask();
    let (mut n, mut sy, mut sx, mut syy, mut sxx, mut sxy) = (0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64);
    for y in b.top..b.bottom {
        for x in b.left..b.right {
            if mask[[y, x]] {
                let (v, u) = ((y - b.top) as f64, (x - b.left) as f64);
                n += 1.0;
                sy += v;
                sx += u;
                syy += v * v;
                sxx += u * u;
                sxy += v * u;
            }
        }
    }
    let (my, mx) = (sy / n, sx / n);
    let (vy, vx, c) = (syy / n - my * my, sxx / n - mx * mx, sxy / n - my * mx);
    // A round or square domain has no longer axis: rounding must not choose one.
    if (vx - vy).hypot(2.0 * c) < 1e-3 * (vx + vy) {
        return 0.0;
    }
    0.5 * (2.0 * c).atan2(vx - vy)
}

/// Cuts a defect to the box of its support.
fn crop(defect: Defect) -> Result<Defect, Error> {
    let found = defect.opacity.iter().filter(|&&a| a >= 0.5).count();
    let small = Error::DomainTooSmall { model: MODEL, found, needed: LEAST_VISIBLE };
    let Some(inner) = support_box(defect.opacity.view()).filter(|_| found >= LEAST_VISIBLE) else { return Err(small) };
    let cut = |map: Array2<f32>| inner.cut(map.view());
    let tint = defect.tint.map(|tint| Tint { weight: cut(tint.weight), color: tint.color });
    let reflectance = defect.reflectance.map(cut);
    let bbox = inner.offset_by(defect.bbox);
    Ok(Defect { tint, reflectance, ..Defect::new(bbox, cut(defect.height), cut(defect.opacity), defect.measures) })
}
