//! Abrasion: scratches plowed by a hard asperity. Not a mechanism of the paper: this project's own.

mod calibrate;
mod chain;
mod groove;
mod params;

use std::f64::consts::{PI, TAU};

use imgkit::Rect;
use ndarray::Array2;
use rand::{Rng, RngCore};
use rand_distr::{Distribution, StandardNormal};

pub use chain::worm_like_chain;
pub use groove::CrossSection;
pub use params::AbrasionParams;

use crate::noise::GaussianField;
use crate::outline::{smoothstep, support_box};
use crate::params::{built_from, severity as check_severity};
use crate::{Defect, Domain, Error, Measures, Mechanism, MechanismKind};
use chain::between;
use groove::Raster;

const MODEL: &str = "abrasion";
/// Smallest domain on which a scratch is more than a dot.
const LEAST_AREA: usize = 64;
/// Shortest scratch that is asked for, and of which so much must lie inside, px.
const SHORTEST: f64 = 8.0;
const LEAST_LENGTH: f64 = 6.0;
/// Widest groove, fraction of the scale: wider ones are no scratches.
const WIDEST: f64 = 0.25;
/// Most scratches of a stroke.
const MOST: usize = 6;
/// Places that a stroke may lie at; the one with the most room is taken.
const PLACES: usize = 8;
/// Step along the path, px.
const STEP: f64 = 1.0;

/// Groove width of a hard cone or sphere under a load, mm: w^2 = 8 W / (pi H).
///
/// The load W (N) is borne by the front half of the contact, pi w^2 / 8, at the hardness H (MPa) (Archard, J. Appl.
/// Phys. 24 (1953) 981; Rabinowicz 1965).
#[must_use]
pub fn groove_width(load: f64, hardness: f64) -> f64 {
    (8.0 * load / (PI * hardness)).sqrt()
}

/// Scratch of a hard asperity, or several of one stroke.
///
/// Not a mechanism of the paper: this project's own.
///
/// - Groove: width by Archard's law ([`groove_width`]) of the local load, a V of depth (w / 2) tan(attack angle),
///   between two ridges that hold the share `pile_up` of its volume ([`CrossSection`]).
/// - Load along the path: comes in and goes out over `fade` of the length, varies slowly, and is modulated by
///   stick-slip, a sawtooth of wandering phase that rises while the asperity sticks and drops when it slips.
/// - Path: a worm-like chain ([`worm_like_chain`]). It ends where it leaves the domain.
/// - More scratches of the stroke run beside it, at lesser loads and over a part of the length each.
/// - The bare groove reflects more or less than the old surface by a factor that is drawn per stroke.
///
/// **Severity** sets length and load geometrically between their ends. Each point of a path bears no less load at a
/// larger severity, so the volume of the grooves, the size measure, never falls.
///
/// Lengths are fractions of the domain's scale; the groove's width follows from load, hardness and the size of a pixel.
/// What is narrower than a pixel is drawn with its mean height over the pixel and a support of twice its share of it.
///
/// Measures: `volume_px3` (of the grooves), `ridge_volume_px3`, `length_px` (of the first scratch inside the domain),
/// `width_px` and `depth_px` (largest), `ridge_height_px`, `area_px2` (covered), `load_n`, `scratches`, `bare_factor`,
/// `pixel_pitch_mm`.
///
/// ```
/// use physdefect::abrasion::{Abrasion, AbrasionParams};
/// use physdefect::{Domain, Mechanism, SampleKey};
///
/// let domain = Domain::full(256, 256)?;
/// let model = Abrasion::new(AbrasionParams::default().with_hardness(150.0))?;
/// let defect = model.generate(&domain, 0.7, &mut SampleKey { seed: 1, index: 0 }.rng())?;
/// assert!(defect.height.iter().any(|&h| h < 0.0) && defect.height.iter().any(|&h| h > 0.0));
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "AbrasionParams", into = "AbrasionParams"))]
pub struct Abrasion {
    params: AbrasionParams,
}

built_from!(Abrasion, AbrasionParams, mechanism MODEL);

/// One scratch of a stroke.
struct Scratch {
    /// Share of the load.
    load: f64,
    /// Distance from the first scratch, px.
    offset: f64,
    /// Parts of the half length before and behind the middle, in \[0.4, 1\].
    ends: (f64, f64),
    /// Phase of stick-slip, and the slow variation of the load.
    noise: GaussianField,
}

impl Mechanism for Abrasion {
    fn name(&self) -> &'static str {
        MODEL
    }

    fn kind(&self) -> MechanismKind {
        MechanismKind::Abrasion
    }

    fn size_measure(&self) -> &'static str {
        "volume_px3"
    }

    fn generate(&self, domain: &Domain, severity: f64, rng: &mut dyn RngCore) -> Result<Defect, Error> {
        check_severity(MODEL, severity)?;
        let small = |found: usize| Error::DomainTooSmall { model: MODEL, found, needed: LEAST_AREA };
        if domain.area() < LEAST_AREA {
            return Err(small(domain.area()));
        }
        let p = &self.params;
        let scale = domain.scale();
        let at = |(a, b): (f64, f64), severity: f64| a * (b / a).powf(severity);
        let (length, longest) = (at(p.length, severity) * scale, p.length.1 * scale);
        let (length, longest) = (length.max(SHORTEST), longest.max(SHORTEST));
        let load = at(p.load, severity);
        let pitch = p.pixel_pitch_mm.unwrap_or(p.extent_mm / scale);
        let width = |load: f64| (groove_width(load, p.hardness) / pitch).min(WIDEST * scale);

        let (place, heading) = roomiest(domain, 0.5 * longest, p.direction, rng);
        let steps = (0.5 * longest / STEP).ceil() as usize;
        let persistence = p.persistence * scale;
        let start = [place.0 as f64, place.1 as f64];
        let ahead = worm_like_chain(start, heading, (steps, STEP), persistence, rng)?;
        let behind = worm_like_chain(start, heading + PI, (steps, STEP), persistence, rng)?;
        let scratches = self.stroke(scale, rng);
        let (change, bright) = (between(rng, p.bare.0, p.bare.1), rng.random::<f64>() < p.brighter);
        let bare = if bright { change.exp() } else { (-change).exp() };

        // Both halves as one path with the arc length from the middle; each ends where it leaves the domain.
        let inside = |q: &[f64; 2]| domain.contains(q[0] + 0.5, q[1] + 0.5);
        let kept = |half: &[[f64; 2]]| half.iter().take_while(|q| inside(q)).count();
        let (back, front) = (kept(&behind), kept(&ahead));
        let path: Vec<([f64; 2], f64)> = (1..back)
            .rev()
            .map(|i| (behind[i], -(i as f64) * STEP))
            .chain((0..front).map(|i| (ahead[i], i as f64 * STEP)))
            .filter(|(_, s)| s.abs() <= 0.5 * length)
            .collect();
        let measured = path.len().saturating_sub(1) as f64 * STEP;
        if measured < LEAST_LENGTH {
            return Err(small(path.len()));
        }
        let section = |width: f64| CrossSection::new(width, p.attack_angle, p.pile_up, p.ridge);
        let spacing = (p.chatter_spacing * width(p.load.1)).max(3.0);
        let (mut lines, mut volume, mut widest) = (Vec::with_capacity(scratches.len()), 0.0, 0.0f64);
        for scratch in &scratches {
            let points = shifted(&path, scratch.offset);
            let widths: Vec<f64> = path
                .iter()
                .map(|&(_, s)| {
                    let (from, to) = (0.5 * scratch.ends.0 * length + s, 0.5 * scratch.ends.1 * length - s);
                    let envelope = smoothstep(from.min(to) / (p.fade * length));
                    let slow = (p.unsteadiness * scratch.noise.at(0.5, 8.0 * s / longest)).exp();
                    let phase = s / spacing + 0.4 * scratch.noise.at(100.5, 0.3 * s / spacing);
                    let stick = 2.0 * (phase - phase.floor()) - 1.0;
                    width(load * scratch.load * envelope * slow * (1.0 + p.chatter * stick))
                })
                .collect();
            for (q, &w) in points.iter().zip(&widths) {
                if inside(q) {
                    volume += section(w).groove_area() * STEP;
                    widest = widest.max(w);
                }
            }
            lines.push((points, widths));
        }
        let margin = section(widest).reach() + 1.0;
        let all = lines.iter().flat_map(|line| &line.0);
        let Some(bbox) = bounds(all, margin, domain) else { return Err(small(0)) };
        let mut raster = Raster::new(bbox);
        for (points, widths) in &lines {
            raster.scratch(points, widths, section);
        }
        let deepest = section(widest);
        let mut measures = Measures::new();
        measures.insert("volume_px3".into(), volume);
        measures.insert("ridge_volume_px3".into(), p.pile_up * volume);
        measures.insert("length_px".into(), measured);
        measures.insert("width_px".into(), widest);
        measures.insert("depth_px".into(), deepest.depth());
        measures.insert("ridge_height_px".into(), deepest.ridge_height());
        measures.insert("load_n".into(), load);
        measures.insert("scratches".into(), scratches.len() as f64);
        measures.insert("bare_factor".into(), bare);
        measures.insert("pixel_pitch_mm".into(), pitch);
        finish(raster, domain, bare as f32, measures).ok_or_else(|| small(0))
    }
}

impl Abrasion {
    /// The scratches of a stroke: always as many random numbers.
    fn stroke(&self, scale: f64, rng: &mut dyn RngCore) -> Vec<Scratch> {
        let p = &self.params;
        let mut scratches = Vec::with_capacity(MOST);
        let mut more = true;
        for k in 0..MOST {
            let further = rng.random::<f64>() < p.parallel;
            let z: f64 = StandardNormal.sample(rng);
            let (share, before, behind) = (between(rng, 0.1, 0.8), between(rng, 0.4, 1.0), between(rng, 0.4, 1.0));
            let noise = GaussianField::new(rng.next_u64());
            if k == 0 {
                scratches.push(Scratch { load: 1.0, offset: 0.0, ends: (1.0, 1.0), noise });
            } else if more {
                let offset = p.spread * scale * (0.5 * z).clamp(-1.0, 1.0);
                scratches.push(Scratch { load: share, offset, ends: (before, behind), noise });
            }
            more &= further;
        }
        scratches
    }
}

/// The path moved sideways.
fn shifted(path: &[([f64; 2], f64)], offset: f64) -> Vec<[f64; 2]> {
    if offset == 0.0 {
        return path.iter().map(|q| q.0).collect();
    }
    // The direction over some steps: on the outside of a bend a parallel is no less smooth than the path.
    const REACH: usize = 4;
    let last = path.len() - 1;
    (0..path.len())
        .map(|i| {
            let (a, b) = (path[i.saturating_sub(REACH)].0, path[(i + REACH).min(last)].0);
            let (dy, dx) = (b[0] - a[0], b[1] - a[1]);
            let norm = dy.hypot(dx).max(1e-9);
            [path[i].0[0] + offset * dx / norm, path[i].0[1] - offset * dy / norm]
        })
        .collect()
}

/// Of some random places and headings the one whose straight stroke of half length `half` px lies most inside.
fn roomiest(domain: &Domain, half: f64, given: Option<f64>, rng: &mut dyn RngCore) -> ((usize, usize), f64) {
    let tries: [((usize, usize), f64); PLACES] = std::array::from_fn(|_| {
        let (place, heading) = (domain.pick(rng), TAU * rng.random::<f64>());
        (place, given.unwrap_or(heading))
    });
    let room = |&((y, x), heading): &((usize, usize), f64)| {
        let (sin, cos) = heading.sin_cos();
        let side = |sign: f64| {
            let at = |k: u32| sign * half * f64::from(k) / 16.0;
            (1..=16)
                .take_while(|&k| domain.contains(y as f64 + 0.5 + at(k) * sin, x as f64 + 0.5 + at(k) * cos))
                .count()
        };
        side(1.0) + side(-1.0)
    };
    let mut best = (0, tries[0]);
    for (k, t) in tries.iter().enumerate() {
        let here = room(t);
        if k == 0 || here > best.0 {
            best = (here, *t);
        }
    }
    best.1
}

/// Box of the points with a margin, within the domain's box.
fn bounds<'a>(points: impl Iterator<Item = &'a [f64; 2]>, margin: f64, domain: &Domain) -> Option<Rect> {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for p in points {
        for k in 0..2 {
            low[k] = low[k].min(p[k] - margin);
            high[k] = high[k].max(p[k] + margin);
        }
    }
    let b = domain.bbox();
    let from = |v: f64, least: usize, most: usize| (v.floor().max(least as f64) as usize).min(most);
    let to = |v: f64, least: usize, most: usize| (v.ceil().max(0.0) as usize + 1).clamp(least, most);
    let bbox = Rect {
        top: from(low[0], b.top, b.bottom),
        left: from(low[1], b.left, b.right),
        bottom: to(high[0], b.top, b.bottom),
        right: to(high[1], b.left, b.right),
    };
    (!bbox.is_empty()).then_some(bbox)
}

/// The part of a raster that lies in the domain, cut to its support; `None` if there is none.
fn finish(raster: Raster, domain: &Domain, bare: f32, mut measures: Measures) -> Option<Defect> {
    let Raster { bbox, mut height, bare: mut share, mut cover } = raster;
    let inside = bbox.crop(domain.mask());
    for (at, &inside) in inside.indexed_iter() {
        if !inside {
            (height[at], share[at], cover[at]) = (0.0, 0.0, 0.0);
        }
    }
    let inner = support_box(cover.view())?;
    let cut = |map: &Array2<f32>| inner.cut(map.view());
    measures.insert("area_px2".into(), f64::from(cover.sum()));
    let opacity = cut(&cover).mapv(|c| (2.0 * c).min(1.0));
    let reflectance = Some(cut(&share).mapv(|s| 1.0 + s * (bare - 1.0)));
    Some(Defect { reflectance, ..Defect::new(inner.offset_by(bbox), cut(&height), opacity, measures) })
}
