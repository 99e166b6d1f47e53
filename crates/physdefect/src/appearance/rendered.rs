//! A mechanism with an appearance: something that can be put on a photo.

use ndarray::{Array2, Array3, ArrayView3};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Appearance, Conditions};
use crate::finalize::{self, Measured, Provenance, UncheckedSample};
use crate::params;
use crate::texture;
use crate::visibility::{OutOfReach, Prediction, Threshold, Visibility, visibility};
use crate::{Defect, Domain, Error, Measures, Mechanism, MechanismKind, Sample, SampleKey, Synthesizer};

/// Places tried before a defect is given up.
const ATTEMPTS: u32 = 6;
/// Places that cannot give the visibility before it is given up: most places of a surface are alike.
const OUT_OF_REACH: u32 = 3;
/// Strengths that a defect is scaled by to meet a visibility: its physical range.
const STRENGTH: (f64, f64) = (0.02, 12.0);
/// Steepest slope of a bend.
const STEEPEST: f64 = 0.5;
/// Steepest slope of waviness over its root mean square.
const CREST: f64 = 1.5;
/// Largest logarithm of a change of reflectance.
const LARGEST_CHANGE: f64 = 0.7;
/// Largest exponent with which a change grows with the strength: reflections come on late.
const STEEPER: f64 = 1.4;
/// Share of a darkening that counts towards it.
const LIGHTER: f32 = 0.35;
/// Logarithm of a ratio of visibilities that drawing the mask cannot mend.
const HOPELESS: f64 = 0.4;
/// Renderings of one defect at most.
const STEPS: usize = 5;

/// A draft at the strength that was solved for.
struct Solved {
    draft: UncheckedSample,
    strength: f64,
    /// Its visibility.
    reached: f64,
    measured: Measured,
}

/// Synthesizer that renders a mechanism onto photos: `M` generates the geometry, the [`Appearance`] lights it.
///
/// Each sample's severity, its size, is sampled uniformly from a range (default 0 to 1), and its visibility from
/// that of the appearance ([`Visibility`](crate::visibility::Visibility)). The strength of the relief, the shift, the
/// tint and the change of reflectance is then solved for, by the secant rule on the logarithms, until the rendered
/// patch has that visibility: a dent on porcelain and one on grass are equally hard to see. Where a place cannot give
/// that visibility the nearest one is taken if it lies in the range. A defect that finds no room, stays invisible or
/// cannot be brought into the range is drawn again at another place, at most six times, three of them for its
/// visibility.
///
/// ```
/// use ndarray::Array3;
/// use physdefect::{Domain, SampleKey, Synthesizer};
/// use physdefect::appearance::{Appearance, Material, Rendered};
/// use physdefect::fracture::FractureLine;
///
/// # fn main() -> Result<(), physdefect::Error> {
/// let photo = Array3::from_elem((128, 128, 3), 0.6f32);
/// let crack = Rendered::new(FractureLine::default(), Appearance::new(Material::METAL))?.with_severity(0.3, 0.6)?;
/// let sample = crack.synthesize(photo.view(), &Domain::full(128, 128)?, SampleKey { seed: 1, index: 0 })?;
/// let image = sample.paste(photo.view())?;
/// let mask = sample.full_mask(128, 128)?;
/// assert!(mask.iter().any(|&m| m) && image.dim() == (128, 128, 3));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Rendered<M> {
    model: M,
    name: &'static str,
    appearance: Appearance,
    severity: (f64, f64),
}

impl<M: Mechanism> Rendered<M> {
    /// Creates a synthesizer of `model` with `appearance`, severities from 0 to 1.
    ///
    /// # Errors
    /// [`Error::Parameter`] from [`Appearance::check`].
    pub fn new(model: M, appearance: Appearance) -> Result<Self, Error> {
        appearance.check()?;
        let name = model.name();
        Ok(Self { model, name, appearance, severity: (0.0, 1.0) })
    }

    /// Sets the range `low..=high` that severities are sampled from, within \[0, 1\].
    ///
    /// # Errors
    /// [`Error::Parameter`] if a bound is outside \[0, 1\] or `low > high`.
    pub fn with_severity(mut self, low: f64, high: f64) -> Result<Self, Error> {
        params::severity_range(self.name, (low, high))?;
        self.severity = (low, high);
        Ok(self)
    }

    /// Sets the name in records, for example to distinguish two parameter sets.
    #[must_use]
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Mechanism that is rendered.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// Light and material.
    pub fn appearance(&self) -> Appearance {
        self.appearance
    }

    /// Renders a given defect, as strong as it is and without retries.
    ///
    /// # Errors
    /// [`Error::Shape`] if photo, domain and defect do not fit, [`Error::NotFinite`], [`Error::Invisible`].
    pub fn render(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        defect: Defect,
        severity: f64,
        key: SampleKey,
    ) -> Result<Sample, Error> {
        finalize::check_photo(photo, domain)?;
        let around = self.appearance.surroundings(photo, domain, defect.bbox);
        let conditions = Conditions::new(photo, domain, &defect, around)?;
        let changed = domain.uncovering(&defect);
        let draft = self.appearance.draft(photo, &changed, &defect, &conditions, 1.0)?;
        let label = self.label(key, severity, defect.measures, 1.0, None);
        finalize::finalize(photo, &changed, draft, label)
    }

    fn label(
        &self,
        key: SampleKey,
        severity: f64,
        mut measures: Measures,
        strength: f64,
        visibility_target: Option<f64>,
    ) -> Provenance {
        measures.insert("relief_gain".to_owned(), strength);
        Provenance { name: self.name, mechanism: self.model.kind(), key, severity, visibility_target, measures }
    }

    /// Renders with the strength at which the patch has the visibility `wanted`, or comes nearest to it. Stops where
    /// even the largest strength would not do for the least visibility of `range`.
    fn solve(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        defect: &Defect,
        (wanted, range): (f64, Visibility),
    ) -> Result<Solved, Error> {
        let around = self.appearance.surroundings(photo, domain, defect.bbox);
        let conditions = Conditions::new(photo, domain, defect, around)?;
        let mut measured: Option<(Threshold, Array3<f32>)> = None;
        let mut best: Option<(UncheckedSample, Array2<f32>, f64, f64)> = None;
        let mut before: Option<(f64, f64)> = None;
        let most = strongest(defect);
        let mut strength = most.min(1.0);
        for _ in 0..STEPS {
            let draft = self.appearance.draft(photo, domain, defect, &conditions, strength as f32)?;
            let (threshold, original) = match &mut measured {
                Some(known) => known,
                none => none.insert((Threshold::of(photo, draft.bbox), finalize::crop(photo, draft.bbox)?)),
            };
            // Over all that can be seen, as in the end: the mask takes in what the eye's blur shows beside the change.
            let ratios = threshold.ratios(original, &draft.patch);
            let allowed = draft.bbox.crop(domain.mask());
            let reached = visibility(&ratios, allowed);
            let prediction = before.is_none().then(|| Prediction::of(&ratios, allowed));
            let off = |v: f64| (v.max(1e-6) / wanted).ln().abs();
            if best.as_ref().is_none_or(|b| off(reached) < off(b.3)) {
                best = Some((draft, ratios, strength, reached));
            }
            if off(reached) < 0.5 * finalize::TOLERANCE {
                break;
            }
            let here = (strength.ln(), reached.max(1e-6).ln());
            let next = match (prediction, before) {
                // At first the change is taken for proportional to the strength,
                (Some(prediction), _) => {
                    let hopeless = prediction.at((most / strength).powf(STEEPER)) < range.from();
                    if hopeless && range.out_of_reach() == OutOfReach::Refuse {
                        break;
                    }
                    strength * prediction.factor(wanted, (STRENGTH.0 / strength, most / strength))
                }
                // then the secant rule on logarithms is followed.
                (None, Some((x, v))) => {
                    let slope = ((here.1 - v) / (here.0 - x)).clamp(0.25, 3.0);
                    (here.0 + (wanted.ln() - here.1) / slope).exp()
                }
                (None, None) => break,
            };
            before = Some(here);
            let next = next.clamp(STRENGTH.0, most);
            if (next / strength).ln().abs() < 1e-3 {
                break;
            }
            strength = next;
        }
        let ((draft, ratios, strength, reached), (threshold, original)) =
            best.zip(measured).ok_or(Error::Invisible { model: self.name, reason: "no strength was tried" })?;
        let measured = Measured { threshold, original, ratios };
        Ok(Solved { draft, strength, reached, measured })
    }

    /// One try at one place.
    fn attempt(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        key: SampleKey,
        (severity, wanted): (f64, Option<f64>),
        rng: &mut ChaCha8Rng,
    ) -> Result<Sample, Error> {
        let domain = domain.pick_object(rng);
        let defect = self.model.generate(domain, severity, rng)?;
        let (Some(wanted), Some(range)) = (wanted, self.appearance.visibility()) else {
            return self.render(photo, domain, defect, severity, key);
        };
        if defect.shows_background {
            // What lies behind decides how visible it is; only what nobody would see is refused.
            let sample = self.render(photo, domain, defect, severity, key)?;
            let reached = sample.record.visibility;
            let refused = range.out_of_reach() == OutOfReach::Refuse && reached < range.from();
            let error = Error::VisibilityOutOfReach { model: self.name, wanted: range.from(), reached };
            return if refused { Err(error) } else { Ok(sample) };
        }
        let Solved { draft, strength, reached, measured } = self.solve(photo, domain, &defect, (wanted, range))?;
        // What the place cannot give is drawn as strong, or as faint, as it can be.
        let within = |v: f64| v >= range.from() && v <= range.to();
        let meets = |v: f64| (v / wanted - 1.0).abs() <= finalize::TOLERANCE;
        let nearest = !meets(reached) && (range.out_of_reach() == OutOfReach::Nearest || within(reached));
        if !nearest && reached > 0.0 && (reached / wanted).ln().abs() > HOPELESS {
            return Err(Error::VisibilityOutOfReach { model: self.name, wanted, reached });
        }
        let target = if nearest { reached } else { wanted };
        let label = self.label(key, severity, defect.measures, strength, Some(target));
        let mut sample = finalize::finalize_measured(photo, domain, draft, label, &measured, 0.0)?;
        let reached = sample.record.visibility;
        let missed = (reached / wanted - 1.0).abs() > 1.5 * finalize::TOLERANCE;
        if (nearest && within(reached)) || ((nearest || missed) && range.out_of_reach() == OutOfReach::Nearest) {
            sample.record.visibility_target = Some(reached);
        } else if missed {
            return Err(Error::VisibilityOutOfReach { model: self.name, wanted, reached });
        }
        Ok(sample)
    }
}

/// Largest strength of a defect: a bend and waviness keep their slopes below [`STEEPEST`], a change of reflectance its
/// logarithm within [`LARGEST_CHANGE`] at all but a hundredth of its pixels.
fn strongest(defect: &Defect) -> f64 {
    let bends = defect.displacement.is_some() && !defect.shows_background;
    let steepest = defect.measures.get("max_slope").filter(|_| bends).copied();
    let slope = steepest.or(defect.measures.get("rms_slope").map(|slope| CREST * slope));
    let slope = slope.map(|slope| STEEPEST / slope.max(1e-9));
    let change = defect.reflectance.as_ref().map(|factor| {
        let inside = factor.iter().zip(&defect.opacity).filter(|(_, a)| **a > 0.5);
        // A surface gets darker more easily than brighter.
        let size = |log: f32| if log > 0.0 { log } else { -LIGHTER * log };
        let mut logs: Vec<f32> = inside.map(|(r, _)| size(r.max(1e-3).ln())).collect();
        let at = logs.len() * 99 / 100;
        if logs.is_empty() {
            return STRENGTH.1;
        }
        let (_, v, _) = logs.select_nth_unstable_by(at, f32::total_cmp);
        LARGEST_CHANGE / f64::from(v.max(1e-6))
    });
    let most = slope.unwrap_or(f64::INFINITY).min(change.unwrap_or(f64::INFINITY));
    most.clamp(0.5, STRENGTH.1)
}

impl<M: Mechanism> Synthesizer for Rendered<M> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn kind(&self) -> MechanismKind {
        self.model.kind()
    }
    fn synthesize(&self, photo: ArrayView3<'_, f32>, domain: &Domain, key: SampleKey) -> Result<Sample, Error> {
        finalize::check_photo(photo, domain)?;
        let grained = (self.model.follows_grain() && domain.grain().is_none())
            .then(|| domain.clone().with_grain(texture::grain(photo, domain)));
        let domain = grained.as_ref().unwrap_or(domain);
        let mut rng = key.rng();
        let severity = self.severity.0 + (self.severity.1 - self.severity.0) * rng.random::<f64>();
        let quantile = rng.random::<f64>();
        let wanted = self.appearance.visibility().map(|range| range.at(quantile));
        let mut failure = Error::Invisible { model: self.name, reason: "no attempt was made" };
        let mut out_of_reach = 0;
        for _ in 0..ATTEMPTS {
            if out_of_reach == OUT_OF_REACH {
                break;
            }
            let tried = self.attempt(photo, domain, key, (severity, wanted), &mut rng);
            match tried.and_then(|sample| domain.admit(self.name, sample)) {
                // Another place may find room, or show it.
                Err(
                    error @ (Error::DomainTooSmall { .. }
                    | Error::Invisible { .. }
                    | Error::OffPlace { .. }
                    | Error::VisibilityOutOfReach { .. }),
                ) => {
                    out_of_reach += u32::from(matches!(error, Error::VisibilityOutOfReach { .. }));
                    failure = error;
                }
                done => return done,
            }
        }
        Err(failure)
    }
}
