//! Nucleation of pits: a random process in time and space.

use rand::{Rng, RngCore};
use rand_distr::{Distribution, Normal, Poisson};

use crate::Domain;

/// Birth of a pit: time and place.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Nucleus {
    /// Row (px); a pixel center.
    pub y: usize,
    /// Column (px); a pixel center.
    pub x: usize,
    /// Time of birth, years after the start of exposure.
    pub time: f64,
}

/// Susceptibility s(x) of the surface to pitting.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Susceptibility {
    /// The same everywhere in the domain.
    Uniform,
    /// A wetted or damaged patch: s(x) = exp(-|x - c|^2 / (2 r^2)) around a random place c.
    Patch {
        /// r, as a fraction of the domain's scale, in \[0.0001, 1\].
        radius: f64,
    },
}

/// Interaction of pits: how one influences the birth of others.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Interaction {
    /// None: a Poisson process.
    Independent,
    /// Thomas process: Poisson parents (not pits themselves), each with a Poisson number of pits, Gaussian about it.
    Thomas {
        /// Mean pits of a parent, in \[0.001, 10000\].
        pits_per_cluster: f64,
        /// Standard deviation of a pit about its parent, fraction of the domain's scale, in \[0.0001, 1\].
        spread: f64,
    },
    /// Cathodic protection: no pit is born within this distance of an older one.
    Inhibition {
        /// Radius, fraction of the domain's scale, in \[0.0001, 1\].
        radius: f64,
    },
}

/// Inhomogeneous Poisson process in time and space, rate(x, t) = r0 s(x) exp(-t / tau), conditioned on a pit at time
/// zero.
///
/// s is normalized over the domain, so r0 is the initial rate of the whole domain. By Slivnyak's theorem the other pits
/// of a Poisson process conditioned in this way are the same Poisson process.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Nucleation {
    /// r0, births per year at the start (>= 0).
    pub rate: f64,
    /// tau, years in which the surface's weak sites are used up (> 0).
    pub decay: f64,
    /// s(x).
    pub susceptibility: Susceptibility,
    /// Clustering or inhibition.
    pub interaction: Interaction,
}

/// More births than this never matter on a photo and would only burn time.
pub(super) const MOST_PITS: f64 = 10_000.0;

impl Nucleation {
    /// Expected number of births in `years`, not counting the first.
    #[must_use]
    pub fn expected(&self, years: f64) -> f64 {
        self.rate * self.decay * -(-years / self.decay).exp_m1()
    }

    /// Samples all births in `years`, in order of time; the first is at time zero.
    ///
    /// The list for a shorter time is the beginning of the list for a longer one only if it is cut from it: sample once
    /// for the longest exposure and keep the births before the exposure wanted.
    pub fn sample(&self, domain: &Domain, years: f64, rng: &mut dyn RngCore) -> Vec<Nucleus> {
        let scale = domain.scale();
        let center = domain.pick(rng);
        let place = |rng: &mut dyn RngCore| match self.susceptibility {
            Susceptibility::Uniform => domain.pick(rng),
            Susceptibility::Patch { radius } => near(domain, center, radius * scale, rng),
        };
        let first = match self.susceptibility {
            Susceptibility::Uniform => place(rng),
            Susceptibility::Patch { .. } => center,
        };
        let mean = at_most_pits(self.expected(years));
        let mut sites = Vec::new();
        match self.interaction {
            Interaction::Thomas { pits_per_cluster, spread } => {
                let offspring = at_most_pits(pits_per_cluster).max(1e-3);
                for _ in 0..poisson((mean / offspring).min(MOST_PITS), rng) {
                    if sites.len() as f64 >= 2.0 * MOST_PITS {
                        break; // several large clusters where one was expected
                    }
                    let parent = place(rng);
                    for _ in 0..poisson(offspring, rng) {
                        sites.push(near(domain, parent, spread * scale, rng));
                    }
                }
            }
            _ => sites.extend((0..poisson(mean, rng)).map(|_| place(rng))),
        }
        // Inverse of the distribution function 1 - exp(-t / tau), cut off at `years`.
        let used_up = -(-years / self.decay).exp_m1();
        let mut nuclei: Vec<Nucleus> = sites
            .into_iter()
            .map(|(y, x)| Nucleus { y, x, time: -self.decay * (-rng.random::<f64>() * used_up).ln_1p() })
            .collect();
        nuclei.push(Nucleus { y: first.0, x: first.1, time: 0.0 });
        nuclei.sort_by(|a, b| a.time.total_cmp(&b.time));
        if let Interaction::Inhibition { radius } = self.interaction {
            let reach = (radius * scale).powi(2);
            let mut kept: Vec<Nucleus> = Vec::with_capacity(nuclei.len());
            for n in nuclei {
                let protects = |k: &Nucleus| {
                    let (dy, dx) = (k.y as f64 - n.y as f64, k.x as f64 - n.x as f64);
                    dy * dy + dx * dx < reach
                };
                if !kept.iter().any(protects) {
                    kept.push(n);
                }
            }
            nuclei = kept;
        }
        nuclei
    }
}

/// Within 0 and [`MOST_PITS`]; 0 for NaN, which `clamp` would let through.
fn at_most_pits(n: f64) -> f64 {
    if n > 0.0 { n.min(MOST_PITS) } else { 0.0 }
}

fn poisson(mean: f64, rng: &mut dyn RngCore) -> usize {
    Poisson::new(mean).map_or(0, |p| p.sample(rng) as usize)
}

/// A domain pixel normally distributed about `center`, by rejection; the center itself if the domain is too thin there.
fn near(domain: &Domain, center: (usize, usize), sigma: f64, rng: &mut dyn RngCore) -> (usize, usize) {
    let Ok(normal) = Normal::new(0.0, sigma) else { return center };
    for _ in 0..64 {
        let y = (center.0 as f64 + normal.sample(rng)).round();
        let x = (center.1 as f64 + normal.sample(rng)).round();
        if domain.contains(y, x) && domain.is_site(y as usize, x as usize) {
            return (y as usize, x as usize);
        }
    }
    center
}
