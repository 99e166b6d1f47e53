//! The `PaperFrontier` model: the published crack recipe, for comparison.

use rand::{Rng, RngCore};
use rand_distr::{Distribution, StandardNormal};

use super::relief::{self, Branch};
use crate::noise::Perlin;
use crate::params::{self, built_from, parameters};
use crate::{Defect, Domain, Error, Measures, Mechanism, MechanismKind, Place};

const NAME: &str = "paper-frontier";
const MIN_AREA: usize = 64;
const TRIES: usize = 6;
const MAX_FRONTIERS: usize = 24;

parameters! {
    /// Parameters of [`PaperFrontier`]. The recipe (arXiv 2504.12970, section on fracture lines) publishes the formulas
    /// but not their values: every default here is this project's.
    #[derive(Copy)]
    pub struct FrontierParams {
        /// Steps of the first frontier at severity 0 and 1, px, as a share of the domain's scale in \[0.01, 1\].
        /// Default (0.05, 0.60).
        length / with_length: (f64, f64) = (0.05, 0.60),
        /// Chance per step that a frontier branches, in \[0, 0.5\]. Default 0.012.
        branch / with_branch: f64 = 0.012,
        /// Branch angle bounds, radians in \[0, 2\]; the sign is random. Default (0.35, 1.05).
        branch_angle / with_branch_angle: (f64, f64) = (0.35, 1.05),
        /// Standard deviation of the heading's change per step, radians in \[0, 1\]. Default 0.12.
        wander / with_wander: f64 = 0.12,
        /// Thickness `w0` of `w_t = w0 exp(-alpha dist) + eps`, px at a scale of 256, in \[0.1, 20\]. Default 4.
        w0 / with_w0: f64 = 4.0,
        /// Decay `alpha`, 1/px at a scale of 256, in \[0.01, 5\]. Default 0.35.
        alpha / with_alpha: f64 = 0.35,
        /// Floor `eps`, px at a scale of 256, in \[0.05, 5\]. Default 0.8.
        eps / with_eps: f64 = 0.8,
        /// Amplitude of the Perlin modulation, in \[0, 0.9\]. Default 0.4.
        noise_scale / with_noise_scale: f64 = 0.4,
        /// Perlin cells across the image, in \[1, 64\]. Default 12.
        noise_cells / with_noise_cells: f64 = 12.0,
        /// Depth over opening, in \[0.1, 20\]. Default 3.
        aspect / with_aspect: f64 = 3.0,
    }
}

impl FrontierParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        let p = self;
        let check = |name, value, range, expected| params::within(NAME, name, value, range, expected);
        check("length.0", p.length.0, (0.01, 1.0), "in [0.01, 1] of the domain's scale")?;
        check("length.1", p.length.1, (p.length.0, 1.0), "in [length.0, 1] of the domain's scale")?;
        check("branch", p.branch, (0.0, 0.5), "in [0, 0.5]")?;
        check("branch_angle.0", p.branch_angle.0, (0.0, 2.0), "in [0, 2] radians")?;
        check("branch_angle.1", p.branch_angle.1, (p.branch_angle.0, 2.0), "in [branch_angle.0, 2] radians")?;
        check("wander", p.wander, (0.0, 1.0), "in [0, 1] radians")?;
        check("w0", p.w0, (0.1, 20.0), "in [0.1, 20] px")?;
        check("alpha", p.alpha, (0.01, 5.0), "in [0.01, 5] 1/px")?;
        check("eps", p.eps, (0.05, 5.0), "in [0.05, 5] px")?;
        check("noise_scale", p.noise_scale, (0.0, 0.9), "in [0, 0.9]")?;
        check("noise_cells", p.noise_cells, (1.0, 64.0), "in [1, 64]")?;
        check("aspect", p.aspect, (0.1, 20.0), "in [0.1, 20]")
    }
}

/// Half-width of `{dist <= w0 exp(-alpha dist) + eps}`: the root of `r = w0 exp(-alpha r) + eps`, that is
/// `eps + W(alpha w0 exp(-alpha eps))/alpha` with Lambert's W.
///
/// If `dist` is the distance to the skeleton, the published threshold has this *constant* half-width; a taper must come
/// from elsewhere.
///
/// ```
/// # use physdefect::fracture::frontier_half_width;
/// assert!((frontier_half_width(4.0, 0.35, 0.8) - 2.479).abs() < 1e-3);
/// ```
#[must_use]
pub fn frontier_half_width(w0: f64, alpha: f64, eps: f64) -> f64 {
    // Newton on a convex, increasing function from the left: monotone, quadratic.
    let mut r = eps;
    for _ in 0..60 {
        let e = w0 * (-alpha * r).exp();
        let step = (r - e - eps) / (1.0 + alpha * e);
        r -= step;
        if step.abs() < 1e-12 {
            break;
        }
    }
    r
}

/// Published crack recipe: frontiers that step through the domain, branch at random and are thickened by an exponential
/// threshold.
///
/// Published: frontier update (dy, dx), branching probability with a rotation by a sampled angle, skeleton, threshold
/// of the distance to it, Perlin noise. Ours: the heading's random walk, the taper along the arc, and that noise
/// multiplies the thickness.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "FrontierParams", into = "FrontierParams"))]
pub struct PaperFrontier {
    params: FrontierParams,
}

built_from!(PaperFrontier, FrontierParams, mechanism NAME);

impl PaperFrontier {
    /// The skeleton: one polyline per frontier, the first one first. Stops at the domain's edge. The walk is always the
    /// longest one, cut to `steps`: so that neither path nor random stream depends on the severity.
    fn skeleton(&self, domain: &Domain, steps: usize, longest: usize, rng: &mut dyn RngCore) -> Vec<Vec<[f64; 2]>> {
        let p = &self.params;
        let mut best: Vec<(usize, Vec<[f64; 2]>)> = Vec::new();
        for _ in 0..TRIES {
            let (y, x) = domain.pick(rng);
            let mut heading = rng.random_range(-std::f64::consts::PI..std::f64::consts::PI);
            let mut start = [y as f64, x as f64];
            if domain.place() == Place::Edge
                && let Some((edge, out)) = domain.onto_edge((y, x))
            {
                // From the outline inwards, within 60 degrees.
                (start, heading) = (edge, out + std::f64::consts::PI + heading / 3.0);
            }
            let mut frontiers = vec![(start, heading, 0usize)];
            let mut lines: Vec<(usize, Vec<[f64; 2]>)> = Vec::new();
            let mut next = 0;
            while next < frontiers.len() {
                let (mut at, mut heading, from) = frontiers[next];
                next += 1;
                let mut line = vec![at];
                for i in from..longest {
                    let turn: f64 = StandardNormal.sample(rng);
                    let (fork, angle, sign) = (rng.random::<f64>(), rng.random::<f64>(), rng.random::<bool>());
                    heading += p.wander * turn;
                    let to = [at[0] + heading.sin(), at[1] + heading.cos()];
                    if !domain.contains(to[0] + 0.5, to[1] + 0.5) {
                        break;
                    }
                    at = to;
                    line.push(at);
                    if fork < p.branch && frontiers.len() < MAX_FRONTIERS {
                        let rotated = p.branch_angle.0 + (p.branch_angle.1 - p.branch_angle.0) * angle;
                        frontiers.push((at, heading + if sign { rotated } else { -rotated }, i + 1));
                    }
                }
                lines.push((from, line));
            }
            if best.first().is_none_or(|b| lines[0].1.len() > b.1.len()) {
                best = lines;
            }
            if best[0].1.len() > (longest * 2) / 3 {
                break;
            }
        }
        best.into_iter()
            .filter(|(from, line)| *from < steps && line.len() > 1)
            .map(|(from, mut line)| {
                line.truncate(steps - from + 1);
                line
            })
            .collect()
    }
}

impl Mechanism for PaperFrontier {
    fn name(&self) -> &'static str {
        NAME
    }
    fn kind(&self) -> MechanismKind {
        MechanismKind::FractureLine
    }
    fn size_measure(&self) -> &'static str {
        "length_px"
    }
    fn generate(&self, domain: &Domain, severity: f64, rng: &mut dyn RngCore) -> Result<Defect, Error> {
        params::severity(NAME, severity)?;
        let p = &self.params;
        let small = || Error::DomainTooSmall { model: NAME, found: domain.area(), needed: MIN_AREA };
        if domain.area() < MIN_AREA {
            return Err(small());
        }
        let scale = domain.scale();
        let length = |s: f64| (scale * p.length.0 * (p.length.1 / p.length.0).powf(s)).max(6.0) as usize;
        let (steps, longest) = (length(severity), length(1.0));
        let perlin = Perlin::from_rng(rng);
        let lines = self.skeleton(domain, steps, longest, rng);
        if lines.is_empty() {
            return Err(small());
        }
        let zoom = scale / 256.0;
        let r = (frontier_half_width(p.w0, p.alpha, p.eps) * zoom * (0.35 + 0.65 * severity)).max(0.6);
        let (height, width) = domain.dim();
        let branches: Vec<Branch> = lines
            .into_iter()
            .enumerate()
            .map(|(k, points)| {
                let n = points.len() as f64;
                let opening = points
                    .iter()
                    .enumerate()
                    .map(|(i, q)| {
                        let (v, u) = (q[0] / height as f64, q[1] / width as f64);
                        let nu = p.noise_scale * perlin.fractal(v * p.noise_cells, u * p.noise_cells, 3);
                        let taper = (1.0 - (i as f64 / n).powi(2)).sqrt() * if k == 0 { 1.0 } else { 0.6 };
                        2.0 * r * taper * (1.0 + nu)
                    })
                    .collect();
                Branch { points, opening }
            })
            .collect();
        let measures = Measures::from([
            ("length_px".to_owned(), branches[0].length()),
            ("total_length_px".to_owned(), branches.iter().map(Branch::length).sum()),
            ("area_px2".to_owned(), branches.iter().map(Branch::area).sum()),
            ("max_opening_px".to_owned(), 2.0 * r),
            ("branches".to_owned(), (branches.len() - 1) as f64),
        ]);
        let (bbox, height, opacity) = relief::rasterize(&branches, p.aspect, domain).ok_or_else(small)?;
        Ok(Defect::new(bbox, height, opacity, measures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SampleKey;

    #[test]
    fn frontiers_branch_at_their_rate_and_by_their_angle() {
        let (rate, angle) = (0.01, (0.5, 0.9));
        let params = FrontierParams { branch: rate, branch_angle: angle, wander: 0.0, ..Default::default() };
        let model = PaperFrontier::new(params).unwrap();
        let domain = Domain::full(512, 512).unwrap();
        let heading = |line: &[[f64; 2]], i: usize| (line[i + 1][0] - line[i][0]).atan2(line[i + 1][1] - line[i][1]);
        let (mut steps, mut branches, mut left, mut turned) = (0usize, 0u32, 0u32, 0.0);
        for index in 0..400 {
            let lines = model.skeleton(&domain, 150, 150, &mut SampleKey { seed: 1, index }.rng());
            steps += lines.iter().map(|l| l.len() - 1).sum::<usize>();
            for branch in &lines[1..] {
                let turns = lines.iter().filter_map(|parent| {
                    let at = parent[1..].iter().position(|p| *p == branch[0])?;
                    (*parent != *branch).then(|| heading(branch, 0) - heading(parent, at))
                });
                let turn = turns.map(|t| (t + 3.0 * std::f64::consts::PI).rem_euclid(std::f64::consts::TAU)).next();
                let turn = turn.unwrap() - std::f64::consts::PI;
                assert!((angle.0 - 1e-9..angle.1 + 1e-9).contains(&turn.abs()), "turned by {turn}");
                turned += turn.abs();
                branches += 1;
                left += u32::from(turn < 0.0);
            }
        }
        // Uniform between the bounds.
        let (mean, error) = (turned / f64::from(branches), 0.4 / (12.0 * f64::from(branches)).sqrt());
        assert!((mean - 0.7).abs() < 4.0 * error, "mean turn {mean}");
        // One Bernoulli trial a step; the last step's branch has no length left.
        let expected = rate * steps as f64;
        assert!((f64::from(branches) - expected).abs() < 4.0 * expected.sqrt(), "{branches} branches for {expected}");
        assert!(
            (f64::from(left) - 0.5 * f64::from(branches)).abs() < 4.0 * 0.5 * f64::from(branches).sqrt(),
            "{left} left"
        );
    }
}
