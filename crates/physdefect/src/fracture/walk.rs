//! Quasi-static growth of one crack tip.

use super::lefm::{self, RemoteStress};
use super::toughness::ToughnessField;
use crate::Domain;

/// Directions tried on each side of the cone's axis.
const FAN: usize = 7;

/// What a tip grows in. Stress is in units of its own; toughness is relative to K_c0 = 1.
pub(super) struct Medium<'a> {
    pub(super) domain: &'a Domain,
    pub(super) field: &'a ToughnessField,
    pub(super) stress: RemoteStress,
    /// Half-width of the loaded zone, px.
    pub(super) zone: f64,
    /// Step, px.
    pub(super) step: f64,
    /// Half-angle of the cone around the maximum-tangential-stress direction, radians.
    pub(super) cone: f64,
    /// Share of the tip's heading that survives a step: exp(-step / process zone).
    pub(super) keep: f64,
    /// Largest turn per step from the tip's own heading, radians.
    pub(super) turn: f64,
    /// Share of K that either tip keeps at a branching.
    pub(super) shielding: f64,
    /// Share of a shadow that is left a step later: exp(-step / shadow).
    pub(super) shadow: f64,
}

/// Where a tip starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// (row, column).
    pub(super) at: [f64; 2],
    pub(super) heading: f64,
    /// Crack length that already lies behind the start, px.
    pub(super) behind: f64,
    /// Length of the straight beginning, px: the flaw that is there before any load, or a branch's first step.
    pub(super) flaw: f64,
    pub(super) max_length: f64,
    /// Share of K that the tips around leave it.
    pub(super) share: f64,
    /// Load, a factor on the unit stress.
    pub(super) load: f64,
}

/// One grown arm.
#[derive(Debug, Clone, Default)]
pub(super) struct Arm {
    /// Vertices (row, column), first the start.
    pub(super) points: Vec<[f64; 2]>,
    /// Heading of the step that reached each vertex.
    pub(super) headings: Vec<f64>,
    /// E' G / K_c^2 under unit load when each vertex was reached, in the shadow of the branches behind it.
    pub(super) drive: Vec<f64>,
    /// Share of K that the tip kept when it reached each vertex.
    pub(super) share: Vec<f64>,
}

impl Arm {
    /// Moves the last vertex back so that the arm is at most `length` px long.
    pub(super) fn cut(&mut self, length: f64) {
        let mut run = 0.0;
        for i in 1..self.points.len() {
            let (a, b) = (self.points[i - 1], self.points[i]);
            let step = (b[0] - a[0]).hypot(b[1] - a[1]);
            if run + step > length {
                let t = (length - run).max(0.0) / step;
                self.points[i] = [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
                self.points.truncate(i + 1);
                self.headings.truncate(i + 1);
                self.drive.truncate(i + 1);
                self.share.truncate(i + 1);
                return;
            }
            run += step;
        }
    }
}

/// Grows a tip while G >= G_c, at most to `max_length` or the domain's edge.
///
/// Each step takes the direction in the cone that maximizes G(theta)/G_c(x + ds). The load's magnitude cancels in that
/// choice, so the path of a weak load is the beginning of the path of a strong one. `kink` is asked at each step
/// (vertex, drive) for a turn to add: where the tip branches, and from where on it is shielded.
pub(super) fn grow(medium: &Medium<'_>, start: Start, mut kink: impl FnMut(usize, f64) -> Option<f64>) -> Arm {
    let steps = (start.max_length / medium.step).ceil() as usize;
    let mut arm = Arm {
        points: vec![start.at],
        headings: vec![start.heading],
        drive: vec![f64::INFINITY],
        share: vec![start.share],
    };
    let fan: Vec<(f64, f64, f64)> = (0..=2 * FAN)
        .map(|i| {
            let delta = medium.cone * (i as f64 - FAN as f64) / FAN as f64;
            let (s, c) = (0.5 * delta).sin_cos();
            (delta, s, c)
        })
        .collect();
    let (mut at, mut heading) = (start.at, start.heading);
    // What the tip lacks of its K since it branched: it outruns the branch's shadow.
    let mut shaded = 0.0;
    let arrest = 1.0 / (start.load * start.load);
    let flawed = (start.flaw / medium.step).ceil() as usize;
    for i in 1..=steps {
        if i <= flawed {
            let next = [at[0] + medium.step * heading.sin(), at[1] + medium.step * heading.cos()];
            if !medium.domain.contains(next[0] + 0.5, next[1] + 0.5) {
                break;
            }
            at = next;
            arm.points.push(at);
            arm.headings.push(heading);
            arm.drive.push(f64::INFINITY);
            arm.share.push(start.share);
            continue;
        }
        // The main crack is the chord from its center to the tip; the kink factors are taken from there.
        let (dy, dx) = (at[0] - start.at[0], at[1] - start.at[1]);
        let run = (dy * dy + dx * dx).sqrt();
        let chord = if run < medium.step { start.heading } else { dy.atan2(dx) };
        let factor = lefm::zone_factor((start.behind + run).max(0.5 * medium.step), medium.zone);
        let (normal, shear) = medium.stress.traction(chord);
        let (k1, k2) = (normal * factor, shear * factor);
        let kink_axis = lefm::kink_angle(k1.max(0.0), k2);
        // A tip that has grown, and so a branch of one, keeps part of its heading; one that leaves the flaw kinks at
        // once.
        let keep = if i > flawed + 1 || start.behind > 0.0 { medium.keep } else { 0.0 };
        let axis = kink_axis + keep * wrapped(heading - chord - kink_axis);
        // Memory turns the frame; within it the kink factors are those of a kink by kink_axis + delta.
        let (axis_s, axis_c) = (0.5 * kink_axis).sin_cos();
        let (abs_s, abs_c) = (0.5 * (chord + axis)).sin_cos();
        let mut best: Option<(f64, f64, [f64; 2])> = None;
        for j in 0..fan.len() {
            // Center first, then outwards: a tie keeps the direction nearest to the axis.
            let k = if j % 2 == 0 { FAN + j / 2 } else { FAN - j.div_ceil(2) };
            let (delta, s, c) = fan[k];
            let toward = chord + axis + delta;
            if wrapped(toward - heading).abs() > medium.turn {
                continue;
            }
            let (t1, t2) = lefm::kinked_half(k1, k2, axis_s * c + axis_c * s, axis_c * c - axis_s * s);
            // sin and cos of the absolute direction from its half angle.
            let (hs, hc) = (abs_s * c + abs_c * s, abs_c * c - abs_s * s);
            let next = [at[0] + medium.step * 2.0 * hs * hc, at[1] + medium.step * (hc * hc - hs * hs)];
            let toughness = medium.field.at(next[0], next[1]);
            let drive = lefm::release(t1, t2) / (toughness * toughness);
            if best.is_none_or(|b| drive > b.0 * (1.0 + 1e-12)) {
                best = Some((drive, toward, next));
            }
        }
        let (drive, mut toward, mut next) = best.unwrap_or_else(|| {
            // The cone lies wholly beyond the largest turn: turn as far as allowed.
            let toward = heading + wrapped(chord + axis - heading).clamp(-medium.turn, medium.turn);
            let (t1, t2) = lefm::kinked(k1, k2, wrapped(toward - chord));
            let next = [at[0] + medium.step * toward.sin(), at[1] + medium.step * toward.cos()];
            (lefm::release(t1, t2) / medium.field.at(next[0], next[1]).powi(2), toward, next)
        });
        let share = start.share * (1.0 - shaded);
        let drive = drive * share * share;
        shaded *= medium.shadow;
        if let Some(turned) = kink(i, drive) {
            toward += turned;
            next = [at[0] + medium.step * toward.sin(), at[1] + medium.step * toward.cos()];
            shaded = 1.0 - (1.0 - shaded) * medium.shielding;
        }
        if drive < arrest || drive.is_nan() || !medium.domain.contains(next[0] + 0.5, next[1] + 0.5) {
            break;
        }
        (at, heading) = (next, toward);
        arm.points.push(at);
        arm.headings.push(heading);
        arm.drive.push(drive);
        arm.share.push(share);
    }
    arm
}

/// Length of the straight way from `at` along `heading` to the domain's edge, at most `longest`.
pub(super) fn ray(domain: &Domain, at: [f64; 2], heading: f64, longest: f64) -> f64 {
    let (s, c) = heading.sin_cos();
    let mut run = 0.0;
    while run < longest && domain.contains(at[0] + (run + 1.0) * s + 0.5, at[1] + (run + 1.0) * c + 0.5) {
        run += 1.0;
    }
    run
}

/// Angle in (-pi, pi].
pub(super) fn wrapped(angle: f64) -> f64 {
    let turn = std::f64::consts::TAU;
    angle - turn * (angle / turn).round()
}
