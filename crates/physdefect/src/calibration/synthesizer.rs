//! A synthesizer whose defects follow measured priors.

use std::marker::PhantomData;

use ndarray::ArrayView3;
use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::measure::Places;
use super::priors::Calibration;
use super::shape::Course;
use super::solve::{Solver, Wanted, merged, near};
use super::statistics::central;
use super::target::Calibrate;
use crate::appearance::{Appearance, Conditions};
use crate::finalize::{self, Provenance};
use crate::params::severity_range;
use crate::texture;
use crate::visibility::OutOfReach;
use crate::{Defect, Domain, Error, Measures, MechanismKind, Place, Sample, SampleKey, Synthesizer};

/// Whole tries before a sample is given up, and places tried for one defect.
const ATTEMPTS: usize = 4;
const PLACES: usize = 6;
/// Error at which another place is tried, for example where the domain's edge cuts a crack.
const TOO_FAR: f64 = 0.35;
/// Standard deviation of the noise added to a sampled direction, radians.
const SHAKE: f64 = 0.1;
/// Largest size of a compact defect, share of the domain's scale: some surround must be left.
const MOST_OF_DOMAIN: f64 = 0.7;
/// Least visibility that is drawn.
const FAINTEST: f64 = 0.8;
/// Ratio of the visibility reached to the one asked for that is accepted.
const ACCEPTED: f64 = 1.6;

/// Contrasts that are drawn: what 8 bits show, and all but black.
const CONTRASTS: (f64, f64) = (0.02, 3.0);
/// Deviations of the visibility that count as one of the contrast.
const OWN: f64 = 3.0;
/// Polarity below which a defect is brighter and darker at once.
const BIPOLAR: f64 = 0.5;

/// What the defects of one photo share.
#[derive(Debug, Clone, Copy)]
struct Shared {
    visibility: f64,
    contrast: f64,
    polarity: f64,
}

/// Synthesizer of defects whose number, size, width, place, darkness and visibility follow a [`Calibration`].
///
/// Each defect's size is sampled from its prior within the central 95 %; the record's `severity` is the quantile of the
/// first one. The mechanism behind it is solved until the mask that an annotator would draw measures the sampled size
/// and width, its relief until it has the sampled visibility and contrast (weighted by how little each varied over the
/// real photos, where a photo cannot give both), and one factor on its reflectance until it is as one-sided
/// (darker or brighter) as the real ones; all of it passes light and camera of the appearance. Places are tried until
/// the defect touches the outline, or keeps its distance, as asked.
///
/// Of the appearance's visibility only what becomes of a defect that cannot be made as visible counts, and whether
/// there is one: `None` leaves defects as strong as their parameters make them.
///
/// Measures: those of the first defect, and `count`, `target_size_px`, `target_width_px`, `target_visibility`,
/// `target_darker` (1 or 0), `relief_gain`, `reflectance_factor`.
///
/// Where the domain has no room for all defects, fewer are made (at least one).
#[derive(Debug, Clone)]
pub struct Calibrated<M> {
    calibration: Calibration,
    appearance: Appearance,
    severity: (f64, f64),
    mechanism: PhantomData<fn() -> M>,
}

impl<M: Calibrate> Calibrated<M> {
    /// Creates a synthesizer of `M` that follows `calibration`.
    ///
    /// # Errors
    /// [`Error::Parameter`] from the appearance or the calibration; [`Error::WrongMechanism`] if the calibration is of
    /// another kind.
    pub fn new(calibration: &Calibration, appearance: Appearance) -> Result<Self, Error> {
        appearance.check()?;
        if calibration.mechanism != M::KIND {
            return Err(Error::WrongMechanism { wanted: M::KIND, found: calibration.mechanism });
        }
        calibration.check()?;
        Ok(Self { calibration: calibration.clone(), appearance, severity: (0.0, 1.0), mechanism: PhantomData })
    }

    /// Sets the range `low..=high` of severities, within \[0, 1\]: the quantiles that sizes are sampled from.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a bound is outside \[0, 1\] or `low > high`.
    pub fn with_severity(mut self, low: f64, high: f64) -> Result<Self, Error> {
        severity_range(M::NAME, (low, high))?;
        self.severity = (low, high);
        Ok(self)
    }

    /// Priors that the defects follow.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// One of the measured courses, its direction shaken a little; `None` if none was measured.
    fn course(&self, rng: &mut ChaCha8Rng) -> Option<Course> {
        let courses = &self.calibration.courses;
        if courses.is_empty() {
            return None;
        }
        let course = courses[rng.random_range(0..courses.len())];
        let shake: f64 = StandardNormal.sample(rng);
        Some(Course { direction: course.direction + SHAKE * shake, ..course })
    }

    /// Weight of the visibility against the contrast where a photo cannot give both. A defect takes its contrast along
    /// to a photo of another grain, so that its visibility counts by as much as it varies less over the real photos, as
    /// inverse variances of three times its deviation; and alone for defects that are brighter and darker at once,
    /// whose mean contrast says nothing.
    fn trust(&self) -> f64 {
        let c = &self.calibration;
        if c.mechanism == MechanismKind::PlasticWarpage || c.polarity.median() < BIPOLAR {
            return 1.0;
        }
        let (v, k) = (OWN * c.visibility.deviation.max(1e-6), c.contrast.deviation.max(1e-6));
        k * k / (v * v + k * k)
    }

    /// What the defects of a sample share, and one of them.
    fn wanted(&self, domain: &Domain, shared: Shared, quantile: f64, rng: &mut ChaCha8Rng) -> Wanted {
        let c = &self.calibration;
        let scale = domain.scale();
        let most = match c.mechanism {
            MechanismKind::FractureLine | MechanismKind::Abrasion => 1.5,
            MechanismKind::SurfaceUnevenness => 1.1 * (domain.area() as f64).sqrt() / scale,
            _ => MOST_OF_DOMAIN,
        };
        // What was asked for goes before what was measured.
        let measured = c.at_edge.sample(rng);
        let at_edge = match domain.place() {
            Place::Anywhere => measured,
            place => place == Place::Edge,
        };
        let inset = c.inset.map(|prior| prior.sample(rng).clamp(0.0, 1.0));
        Wanted {
            size: c.size.predicted(central(quantile)).min(most) * scale,
            width: c.width.sample(rng) * scale,
            visibility: shared.visibility,
            polarity: shared.polarity,
            darker: c.darker.sample(rng),
            contrast: shared.contrast,
            trust: self.trust(),
            mottle: c.mottle.median() / c.contrast.median().max(1e-3),
            aspect: c.aspect(),
            solidity: c.solidity.median().clamp(0.0, 1.0),
            at_edge,
            inset: inset.filter(|_| !at_edge),
            course: self.course(rng),
        }
    }

    fn attempt(
        &self,
        photo: ArrayView3<'_, f32>,
        whole: &Domain,
        key: SampleKey,
        rng: &mut ChaCha8Rng,
    ) -> Result<Sample, Error> {
        let c = &self.calibration;
        let domain = whole.pick_object(rng);
        let count = c.count.sample(rng);
        // Fainter ones leave no mask of which three fifths can be seen.
        let strength = central(rng.random());
        // What decides little keeps to what is known best.
        let trust = self.trust();
        let contrast = c.contrast.predicted(strength).max(1e-6).powf(1.0 - trust) * c.contrast.median().powf(trust);
        let shared = Shared {
            visibility: c.visibility.predicted(strength).max(FAINTEST),
            contrast: contrast.clamp(CONTRASTS.0, CONTRASTS.1),
            polarity: c.polarity.sample(rng).clamp(0.0, 1.0),
        };
        let places = Places::of(domain);
        // Half as strong is where the border of anything blurred is.
        let level = c.level.median().clamp(0.0, 0.5) as f32;
        let mut solver = Solver::<M>::new(photo, domain, whole.scale(), &places, self.appearance, level);
        let mut severity = 0.5;
        let mut measures = Measures::new();
        let mut placed: Vec<Defect> = Vec::new();
        let mut failure = None;
        for k in 0..count {
            let quantile = self.severity.0 + (self.severity.1 - self.severity.0) * rng.random::<f64>();
            let wanted = self.wanted(whole, shared, quantile, rng);
            let mut best: Option<(f64, Defect)> = None;
            for _ in 0..PLACES {
                let (off, defect) = match solver.solve(&wanted, rng.next_u64()) {
                    Err(error @ (Error::DomainTooSmall { .. } | Error::Invisible { .. })) => {
                        failure = Some(error);
                        continue;
                    }
                    solved => solved?,
                };
                if best.as_ref().is_none_or(|b| off < b.0) && !placed.iter().any(|old| near(old, &defect)) {
                    best = Some((off, defect));
                    if off < TOO_FAR {
                        break;
                    }
                }
            }
            if let Some((_, defect)) = best {
                if placed.is_empty() {
                    severity = quantile;
                    measures.extend(defect.measures.iter().map(|(k, v)| (k.clone(), *v)));
                    for (name, value) in [
                        ("target_size_px", wanted.size),
                        ("target_width_px", wanted.width),
                        ("target_visibility", wanted.visibility),
                        ("target_darker", f64::from(u8::from(wanted.darker))),
                    ] {
                        measures.insert(name.to_owned(), value);
                    }
                }
                placed.push(defect);
            }
            if k == 0 && placed.is_empty() {
                break;
            }
        }
        measures.insert("count".to_owned(), placed.len() as f64);
        let (Some(defect), Some(around)) = (merged(placed), solver.around()) else {
            return Err(failure.unwrap_or(Error::Invisible { model: M::NAME, reason: "no place was found" }));
        };
        let fixed = defect.shows_background;
        let conditions = Conditions::new(photo, domain, &defect, around)?;
        let draft = self.appearance.draft(photo, &domain.uncovering(&defect), &defect, &conditions, 1.0)?;
        let label = Provenance { name: M::NAME, mechanism: M::KIND, key, severity, visibility_target: None, measures };
        let mut sample = finalize::finalize_at(photo, &whole.uncovering(&defect), draft, label, level)?;
        if let Some(range) = self.appearance.visibility().filter(|_| !fixed) {
            // Where the contrast decides, the visibility is the photo's.
            let (wanted, reached) = (shared.visibility, sample.record.visibility);
            let off = (reached / wanted).ln().abs() * self.trust();
            if range.out_of_reach() == OutOfReach::Refuse && (off > ACCEPTED.ln() || reached < 0.5 * FAINTEST) {
                return Err(Error::VisibilityOutOfReach { model: M::NAME, wanted, reached });
            }
        }
        sample.record.visibility_target = self.appearance.visibility().map(|_| sample.record.visibility);
        Ok(sample)
    }
}

impl<M: Calibrate> Synthesizer for Calibrated<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }
    fn kind(&self) -> MechanismKind {
        M::KIND
    }
    fn synthesize(&self, photo: ArrayView3<'_, f32>, domain: &Domain, key: SampleKey) -> Result<Sample, Error> {
        finalize::check_photo(photo, domain)?;
        // What is ground or drawn is so along the grain of the photo.
        let grained = (M::FOLLOWS_GRAIN && domain.grain().is_none())
            .then(|| domain.clone().with_grain(texture::grain(photo, domain)));
        let domain = grained.as_ref().unwrap_or(domain);
        let mut rng = key.rng();
        let mut failure = Error::Invisible { model: M::NAME, reason: "no attempt was made" };
        for _ in 0..ATTEMPTS {
            let tried = self.attempt(photo, domain, key, &mut rng);
            match tried.and_then(|sample| domain.admit(M::NAME, sample)) {
                Err(
                    error @ (Error::Invisible { .. }
                    | Error::OffPlace { .. }
                    | Error::DomainTooSmall { .. }
                    | Error::VisibilityOutOfReach { .. }),
                ) => failure = error,
                done => return done,
            }
        }
        Err(failure)
    }
}

#[cfg(feature = "serde")]
mod config {
    use super::{Appearance, Calibrate, Calibrated, Calibration, Error};
    use crate::replay::{ConfigData, Replayable};

    /// Plain data of a calibrated synthesizer: its priors, material and light, and severities.
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct CalibratedConfig {
        calibration: Calibration,
        #[serde(default)]
        appearance: Appearance,
        #[serde(default = "all")]
        severity: (f64, f64),
    }

    fn all() -> (f64, f64) {
        (0.0, 1.0)
    }

    impl CalibratedConfig {
        /// Takes a calibration; with the default appearance and all severities.
        #[must_use]
        pub fn new(calibration: Calibration) -> Self {
            Self { calibration, appearance: Appearance::default(), severity: all() }
        }

        /// Priors.
        #[must_use]
        pub fn calibration(&self) -> &Calibration {
            &self.calibration
        }
    }

    impl ConfigData for CalibratedConfig {
        fn severity(&self) -> (f64, f64) {
            self.severity
        }
        fn set_severity(&mut self, severity: (f64, f64)) {
            self.severity = severity;
        }
        fn appearance(&self) -> Option<Appearance> {
            Some(self.appearance)
        }
        fn set_appearance(&mut self, appearance: Appearance) {
            self.appearance = appearance;
        }
    }

    impl<M: Calibrate> Replayable for Calibrated<M> {
        const NAME: &'static str = M::NAME;
        type Config = CalibratedConfig;
        fn from_config(config: Self::Config) -> Result<Self, Error> {
            Self::new(&config.calibration, config.appearance)?.with_severity(config.severity.0, config.severity.1)
        }
    }
}
#[cfg(feature = "serde")]
pub use config::CalibratedConfig;
