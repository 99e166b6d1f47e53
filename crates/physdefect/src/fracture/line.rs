//! The FractureLine model.

use std::f64::consts::PI;

use rand::{Rng, RngCore};

use super::lefm::{self, RemoteStress};
use super::params::FractureParams;
use super::relief::{self, Branch};
use super::toughness::{Toughness, ToughnessField};
use super::walk::{Arm, Medium, Start, grow, ray};
use crate::noise::{hash2, unit};
use crate::params::built_from;
use crate::{Defect, Domain, Error, Measures, Mechanism, MechanismKind, Place, params};

pub(super) const NAME: &str = "fracture-line";
/// Fewest domain pixels.
const MIN_AREA: usize = 64;
/// Candidate sites for the weakest link, and whole tries for a site with room.
const SITES: usize = 8;
const TRIES: usize = 12;
/// Branch generations and branches in all.
const MAX_GENERATION: u32 = 2;
const MAX_BRANCHES: usize = 12;
/// Distance over which a tip outruns the shadow of the branch it left behind, grains.
const SHADOW: f64 = 4.0;
/// An arm may outrun the homogeneous solid's arrest length by this factor where grains are weak.
const OVERRUN: f64 = 1.5;

/// FL: a quasi-static crack in a heterogeneous elastic solid.
///
/// A flaw sits at the weakest of some random sites. Its tips see `K = (s_n, t) F(a)` with the traction on the chord
/// from the center to the tip and [`lefm::zone_factor`] F; a step goes where `G(theta)/G_c` is largest in a cone around
/// the direction of maximum tangential stress, with [`lefm::kinked`] factors. The load is the one that a crack of the
/// wanted length in the homogeneous solid (K_c = 1) just balances; growth stops where no direction has G >= G_c or at
/// the domain's edge. Where G >= 2 G_c (1 + noise) a tip may branch: one tip turns by half the branch angle to one
/// side, one by half to the other (a branch that branches again keeps its way, the new one takes the whole angle). Both
/// are shielded; the dominant one outruns that shadow within some grains, the other stays in it. The opening is
/// elliptic along each arm, the relief a V-groove.
///
/// A weaker load shields the main tip where the strongest one (severity 1) would have branched: it takes the same turns
/// and stops no later, or else a slightly stronger load could make a shorter crack.
///
/// The path does not depend on the load's magnitude, only how far it is driven does; so a larger severity extends the
/// same crack.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "FractureParams", into = "FractureParams"))]
pub struct FractureLine {
    params: FractureParams,
}

built_from!(FractureLine, FractureParams, mechanism NAME);

/// Crack as grown, before it is rendered.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Crack {
    /// First the one or two arms of the main crack, then branches.
    pub branches: Vec<Branch>,
    /// How many of them are arms of the main crack.
    pub arms: usize,
    /// Resolved load, px and radians.
    pub measures: Measures,
}

impl FractureLine {
    /// Grows a crack without rendering it.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the severity, [`Error::DomainTooSmall`] if the domain has fewer than 64 px or no site
    /// has room for a crack of 4 px.
    pub fn trace(&self, domain: &Domain, severity: f64, rng: &mut dyn RngCore) -> Result<Crack, Error> {
        params::severity(NAME, severity)?;
        let p = &self.params;
        let scale = domain.scale();
        let small = Err(Error::DomainTooSmall { model: NAME, found: domain.area(), needed: MIN_AREA });
        if domain.area() < MIN_AREA {
            return small;
        }
        let half = |s: f64| (0.5 * scale * p.length.0 * (p.length.1 / p.length.0).powf(s)).max(3.0);
        let (target, shortest, longest) = (half(severity), half(0.0), half(1.0));
        let grain = (p.grain * scale).max(2.0);
        let step = (0.5 * grain).min(0.25 * longest);
        let field = ToughnessField::new(p.toughness, grain, rng.next_u64());

        // The site with the most room along the plane across the load; the same one at every severity.
        let mut best: Option<(f64, Seed)> = None;
        for _ in 0..TRIES {
            let seed = self.seed(domain, &field, rng);
            let flaw = 0.3 * shortest + 2.0 * step;
            let way = |side: f64| {
                // An arm needs room for its half of the flaw first.
                let along = seed.heading + (side - 1.0) * 0.5 * PI;
                let fits = ray(domain, seed.at, along, flaw.ceil()) >= flaw.floor();
                let plane = seed.angle + side * 0.5 * PI;
                if fits { ray(domain, seed.at, plane, longest * seed.reach) } else { 0.0 }
            };
            let room = (way(1.0) + way(-1.0)).min(2.0 * longest);
            if best.is_none_or(|b| room > b.0) {
                best = Some((room, seed));
            }
            if room >= longest {
                break;
            }
        }
        let Some((room, seed)) = best else { return small };
        let mut medium = self.medium(domain, &field, seed.angle, p.zone * shortest, step, grain);
        medium.cone *= p.wander.0 + (p.wander.1 - p.wander.0) * rng.random::<f64>();
        // The strongest load decides where the main tip may branch, so that its path is the same at every severity.
        let (load, top) = (load(target * seed.reach, &medium), load(longest * seed.reach, &medium));
        let arms: [Arm; 2] = [0u64, 1].map(|side| {
            let start = Start {
                at: seed.at,
                heading: seed.heading + side as f64 * PI,
                behind: 0.0,
                flaw: 0.3 * shortest,
                max_length: if p.driven { target * seed.reach } else { OVERRUN * longest * seed.reach },
                share: 1.0,
                load: if p.driven { f64::INFINITY } else { load },
            };
            let mut arm = grow(&medium, start, |i, drive| {
                self.event(seed.hash ^ side, i, drive * top * top).map(|e| -e.side * 0.5 * e.angle)
            });
            if p.driven {
                arm.cut(target * seed.reach);
            }
            arm
        });
        if arms.iter().all(|arm| arm.points.len() < 3) {
            return small;
        }
        // A crack that the domain cuts short opens less, by its share of the length it would have had.
        let room = (room / (2.0 * longest)).clamp(0.4, 1.0);
        let width = (room * scale * p.opening.0 * (p.opening.1 / p.opening.0).powf(severity)).max(0.8);

        let mut branches = Vec::new();
        let mut pending = Vec::new();
        for (side, arm) in arms.into_iter().enumerate() {
            if arm.points.len() > 1 {
                branches.push(opened(&arm, width, &field, p.toughness));
            }
            pending.push((arm, width, seed.hash ^ side as u64, 0u32, 0.0));
        }
        let main = branches.len();
        let mut next = 0;
        while next < pending.len() && branches.len() < MAX_BRANCHES {
            let (arm, width, hash, generation, behind) = std::mem::take(&mut pending[next]);
            next += 1;
            if generation >= MAX_GENERATION {
                continue;
            }
            let total = (arm.points.len() - 1) as f64 * step;
            for i in 1..arm.points.len() {
                // The flaw was there before the load: no tip ran through its vertices.
                let ratio = if arm.drive[i].is_finite() { arm.drive[i] * load * load } else { 0.0 };
                let Some(event) = self.event(hash, i, ratio) else { continue };
                let run = i as f64 * step;
                let left = (total - run).max(0.0);
                let start = Start {
                    at: arm.points[i - 1],
                    heading: arm.headings[i] + event.side * event.angle,
                    behind: behind + run,
                    // The first step leaves by the branch angle; only then the field of the main crack turns the tip.
                    flaw: step,
                    max_length: left,
                    share: arm.share[i] * p.shielding,
                    load,
                };
                let own = hash2(hash, i as i64, 1);
                let child = grow(&medium, start, |j, drive| {
                    // The last generation does not branch, nor is it shielded.
                    (generation + 1 < MAX_GENERATION).then(|| self.event(own, j, drive * top * top).map(|_| 0.0))?
                });
                // A branch opens no wider than the crack behind it leaves room for.
                let open = 0.7 * width * (1.0 - (run / total.max(step)).powi(2)).max(0.0).sqrt();
                if child.points.len() > 2 && branches.len() < MAX_BRANCHES {
                    branches.push(opened(&child, open, &field, p.toughness));
                    pending.push((child, open, own, generation + 1, behind + run));
                }
            }
        }
        let lengths: Vec<f64> = branches.iter().map(Branch::length).collect();
        let length: f64 = lengths[..main].iter().sum();
        let area: f64 = branches.iter().map(Branch::area).sum();
        let measures = Measures::from([
            ("length_px".to_owned(), length),
            ("total_length_px".to_owned(), lengths.iter().sum()),
            ("max_opening_px".to_owned(), width),
            ("area_px2".to_owned(), area),
            ("depth_px".to_owned(), width * p.aspect),
            ("branches".to_owned(), (branches.len() - main) as f64),
            ("grain_px".to_owned(), grain),
            ("stress_angle_rad".to_owned(), seed.angle),
            ("load_over_toughness".to_owned(), load),
            ("elastic_strain".to_owned(), width / (2.0 * length.max(step))),
        ]);
        Ok(Crack { branches, arms: main, measures })
    }

    fn medium<'a>(
        &self,
        domain: &'a Domain,
        field: &'a ToughnessField,
        angle: f64,
        zone: f64,
        step: f64,
        grain: f64,
    ) -> Medium<'a> {
        let p = &self.params;
        let stress = RemoteStress { s1: 1.0, s2: p.stress_ratio, angle };
        // Steps are half a grain (shorter only in domains a few grains wide).
        let keep = if p.process_zone > 0.0 { (-0.5 / p.process_zone).exp() } else { 0.0 };
        let shadow = (-step / (SHADOW * grain)).exp();
        Medium { domain, field, stress, zone, step, cone: p.cone, keep, turn: 1.0, shielding: p.shielding, shadow }
    }

    /// The weakest of some sites, inside or at the edge, with the load's direction.
    fn seed(&self, domain: &Domain, field: &ToughnessField, rng: &mut dyn RngCore) -> Seed {
        let p = &self.params;
        let at_edge = rng.random::<f64>() < p.edge_start;
        let mut at_edge = match domain.place() {
            Place::Anywhere => at_edge,
            place => place == Place::Edge,
        };
        let mut site = ([0.0; 2], f64::INFINITY);
        for _ in 0..SITES {
            let (y, x) = domain.pick(rng);
            let toughness = field.at(y as f64, x as f64);
            if toughness < site.1 {
                site = ([y as f64, x as f64], toughness);
            }
        }
        let mut march = rng.random_range(-PI..PI);
        let mut angle = rng.random_range(-PI..PI);
        if let Some(given) = p.stress_angle {
            // to the edge that a crack across the given load would start from
            march = given + if march > 0.0 { 0.5 * PI } else { -0.5 * PI };
        }
        let tilt = p.flaw_tilt * rng.random_range(-1.0..=1.0);
        let hash = rng.next_u64();
        let (weak, lean) = (unit(hash2(hash, 1, 6)) < p.along_grain, 0.42 * (unit(hash2(hash, 1, 7)) - 0.5));
        let grain = domain.grain().filter(|_| weak && p.stress_angle.is_none());
        if let Some(grain) = grain {
            // The largest stress lies across the plane that opens; from an edge the crack runs along the grain, too.
            angle = grain + 0.5 * PI + lean;
            march = if march > 0.0 { grain } else { grain + PI };
        }
        let mut at = site.0;
        let asked = domain.place() == Place::Edge;
        if let Some((edge, out)) = domain.onto_edge((at[0] as usize, at[1] as usize)).filter(|_| asked) {
            (at, march) = (edge, out);
        } else if at_edge {
            let (s, c) = march.sin_cos();
            while domain.contains(at[0] + s + 0.5, at[1] + c + 0.5) {
                at = [at[0] + s, at[1] + c];
            }
            // Not where it may not start: then it stays inside.
            if !domain.is_site((at[0] + 0.5) as usize, (at[1] + 0.5) as usize) {
                (at, at_edge) = (site.0, false);
            }
        }
        if at_edge {
            // A free edge carries only stress along itself, so the crack runs inward: across the edge, up to a lean.
            angle = march + 0.5 * PI + 0.35 * (unit(hash) * 2.0 - 1.0);
        }
        let angle = p.stress_angle.unwrap_or(angle);
        // An edge crack is the half of a symmetric one: its single arm has the whole length.
        let reach = if at_edge { 2.0 } else { 1.0 };
        Seed { at, angle, heading: angle + 0.5 * PI + tilt, hash, reach }
    }

    /// Whether a tip branches at step `i`, given `ratio` = G/G_c there.
    fn event(&self, hash: u64, i: usize, ratio: f64) -> Option<Event> {
        let p = &self.params;
        let draw = |k| unit(hash2(hash, i as i64, k));
        if i < 3 || draw(2) >= p.branching || ratio < 2.0 * (1.0 + 0.2 * (2.0 * draw(3) - 1.0)) {
            return None;
        }
        let angle = p.branch_angle.0 + (p.branch_angle.1 - p.branch_angle.0) * draw(4);
        Some(Event { angle, side: if draw(5) < 0.5 { -1.0 } else { 1.0 } })
    }
}

#[derive(Debug, Clone, Copy)]
struct Seed {
    at: [f64; 2],
    angle: f64,
    heading: f64,
    hash: u64,
    /// Arm length over half-length.
    reach: f64,
}

struct Event {
    angle: f64,
    side: f64,
}

/// Load (stress over K_c0, px^-1/2) that a straight crack of half-length `a` in the homogeneous solid just balances.
fn load(a: f64, medium: &Medium<'_>) -> f64 {
    1.0 / lefm::zone_factor(a, medium.zone)
}

/// The arm with the elliptic opening, roughened by the toughness field.
fn opened(arm: &Arm, width: f64, field: &ToughnessField, toughness: Toughness) -> Branch {
    let points = arm.points.clone();
    let arcs: Vec<f64> = std::iter::once(0.0)
        .chain(points.windows(2).scan(0.0, |sum, p| {
            *sum += (p[1][0] - p[0][0]).hypot(p[1][1] - p[0][1]);
            Some(*sum)
        }))
        .collect();
    let a = arcs.last().copied().unwrap_or(0.0).max(1e-9);
    let rough = toughness != Toughness::Gaussian { disorder: 0.0 };
    let opening = points
        .iter()
        .zip(&arcs)
        .map(|(p, &s)| {
            let smooth = lefm::opening(s, a, width / (4.0 * a));
            // Weak grains crumble: the mouth is wider there.
            if rough { smooth * (1.35 - 0.35 * field.at(p[0], p[1])).clamp(0.6, 1.4) } else { smooth }
        })
        .collect();
    Branch { points, opening }
}

impl Mechanism for FractureLine {
    fn name(&self) -> &'static str {
        NAME
    }
    fn kind(&self) -> MechanismKind {
        MechanismKind::FractureLine
    }
    fn follows_grain(&self) -> bool {
        true
    }
    fn size_measure(&self) -> &'static str {
        "length_px"
    }
    fn generate(&self, domain: &Domain, severity: f64, rng: &mut dyn RngCore) -> Result<Defect, Error> {
        let crack = self.trace(domain, severity, rng)?;
        let small = Error::DomainTooSmall { model: NAME, found: domain.area(), needed: MIN_AREA };
        let (bbox, height, opacity) = relief::rasterize(&crack.branches, self.params.aspect, domain).ok_or(small)?;
        Ok(Defect::new(bbox, height, opacity, crack.measures))
    }
}
