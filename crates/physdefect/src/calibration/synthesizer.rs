//! A synthesizer whose defects follow measured priors.

use imgkit::Rect;
use ndarray::{Array2, Array3, ArrayView3};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::measure::{self, Course, Part};
use super::statistics::{Z95, cut_normal};
use super::{Calibration, contrast};
use crate::appearance::Appearance;
use crate::finalize::{self, Provenance};
use crate::{Defect, Domain, Error, Measures, Mechanism, MechanismKind, Sample, SampleKey, Synthesizer};

/// Whole tries before a sample is given up, and places tried for one defect.
const ATTEMPTS: usize = 4;
const PLACES: usize = 8;
/// Passes that solve a defect for its measured size, and the relative error at which they stop.
const PASSES: usize = 4;
const CLOSE: f64 = 0.02;
/// Relative error at which another place is tried, for example where the domain's edge cuts a crack.
const TOO_FAR: f64 = 0.1;
/// Standard deviation of the noise added to a sampled direction, radians.
const SHAKE: f64 = 0.1;
/// Largest pit or dent, share of the domain's scale: some surround must be left.
const MOST_OF_DOMAIN: f64 = 0.7;
/// Defects of one sample keep this distance, px: nearer ones would be counted as one.
const APART: usize = 4;

/// Synthesizer of cracks, pits or dents whose number, size, width and contrast follow a [`Calibration`].
///
/// Each defect's size is sampled from its prior within the central 95 %; the record's `severity` is where the first one
/// lies between those two quantiles, on the log scale. The model behind it is solved until its visible support measures
/// the sampled size and width, then rendered, then given the sampled contrast. Measures: those of the first defect, and
/// `count`, `target_size_px`, `target_width_px`, `target_log_contrast`, `log_contrast`.
///
/// Where the domain has no room for all defects, fewer are made (at least one).
#[derive(Debug, Clone)]
pub struct Calibrated {
    calibration: Calibration,
    appearance: Appearance,
    name: &'static str,
    mechanism: fn(&Target) -> Result<Box<dyn Mechanism>, Error>,
}

/// A mechanism whose size and width can be set: what lets it follow a [`Calibration`].
pub trait Calibrate: Mechanism + Sized + 'static {
    /// Name of the calibrated synthesizer, in records.
    const CALIBRATED_NAME: &'static str;
    /// Builds the mechanism for one defect.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    fn with_target(target: &Target) -> Result<Self, Error>;
}

/// Nominal size and shape of one defect, for [`Calibrate::with_target`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Target {
    /// Length of a crack or diameter of anything else over the domain's scale; not clamped to a mechanism's range.
    pub size: f64,
    /// Width of a crack over the domain's scale; not clamped.
    pub width: f64,
    /// Depth over width.
    pub aspect: f64,
    /// Share of defects that start at the domain's edge.
    pub edge_share: f64,
    /// Axis and waviness of a crack, where they were measured.
    pub course: Option<Course>,
}

/// One defect as wanted.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    size: f64,
    width: f64,
    /// Opacity from which a pixel will be seen.
    visible: f32,
    /// A crack's axis and waviness, where they were measured.
    course: Option<Course>,
}

impl Calibrated {
    /// Creates a synthesizer of `M` that follows `calibration`.
    ///
    /// # Errors
    /// [`Error::Parameter`] from the appearance; [`Error::WrongMechanism`] if the calibration is of another kind.
    pub fn new<M: Calibrate>(calibration: &Calibration, appearance: Appearance) -> Result<Self, Error> {
        appearance.check()?;
        let mechanism =
            |target: &Target| -> Result<Box<dyn Mechanism>, Error> { Ok(Box::new(M::with_target(target)?)) };
        Ok(Self { calibration: calibration.clone(), appearance, name: M::CALIBRATED_NAME, mechanism })
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

    /// Draws one defect and adjusts the model until its support measures what is wanted: the best of the passes and its
    /// relative error.
    fn solve(&self, domain: &Domain, wanted: Wanted, seed: u64) -> Result<(f64, Defect), Error> {
        let crack = self.calibration.mechanism == MechanismKind::FractureLine;
        let (mut size, mut width) = (wanted.size, wanted.width);
        if crack {
            // A pixel counts as soon as the crack touches it, and the opening is elliptic along the crack.
            width = (width - 0.9).max(0.3) * 4.0 / std::f64::consts::PI;
        }
        let mut best: Option<(f64, Defect)> = None;
        for _ in 0..PASSES {
            let target = Target {
                size: size / domain.scale(),
                width: width / domain.scale(),
                aspect: self.calibration.aspect(),
                edge_share: self.calibration.edge_share,
                course: wanted.course,
            };
            let model = (self.mechanism)(&target)?;
            let defect = model.generate(domain, 0.5, &mut ChaCha8Rng::seed_from_u64(seed))?;
            let Some(found) = largest_part(self.calibration.mechanism, &defect, wanted.visible) else {
                (size, width) = (1.3 * size, 1.3 * width);
                continue;
            };
            let (ds, dw) = (wanted.size / found.size, wanted.width / found.width);
            let off = if crack { ds.ln().abs() + 0.5 * dw.ln().abs() } else { ds.ln().abs() };
            if best.as_ref().is_none_or(|b| off < b.0) {
                best = Some((off, defect));
            }
            if off < CLOSE {
                break;
            }
            size = (size * ds).clamp(0.5 * wanted.size, 1.6 * wanted.size);
            width = (width + (wanted.width - found.width) * 4.0 / std::f64::consts::PI).max(0.2);
        }
        let small = Error::DomainTooSmall {
            model: self.name,
            found: domain.area(),
            needed: (wanted.size * wanted.width).ceil() as usize,
        };
        best.ok_or(small)
    }

    fn attempt(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        key: SampleKey,
        rng: &mut ChaCha8Rng,
    ) -> Result<Sample, Error> {
        let c = &self.calibration;
        let bends = c.mechanism == MechanismKind::PlasticWarpage;
        let count = if bends { 1 } else { c.count.sample(rng) };
        let target = c.log_contrast.sample(rng);
        // An 8-bit level on mid gray (encoded slope 0.2 per unit of relative light) over the full change of the defect.
        let visible = if bends { 0.5 } else { (0.02 / target.exp_m1().abs()).clamp(0.02, 0.5) as f32 };
        let mut severity = 0.5;
        let mut measures = Measures::new();
        let mut placed: Vec<Defect> = Vec::new();
        let mut failure = None;
        for k in 0..count {
            let z = cut_normal(rng);
            let most = if c.mechanism == MechanismKind::FractureLine { 1.0 } else { MOST_OF_DOMAIN } * domain.scale();
            let course = self.course(rng);
            let wanted = Wanted { size: c.size.quantile(z).min(most), width: c.width.sample(rng), visible, course };
            let mut best: Option<(f64, Defect)> = None;
            for _ in 0..PLACES {
                let (off, defect) = match self.solve(domain, wanted, rng.next_u64()) {
                    Err(error @ Error::DomainTooSmall { .. }) => {
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
                    severity = (0.5 * (z / Z95 + 1.0)).clamp(0.0, 1.0);
                    measures.extend(defect.measures.iter().map(|(k, v)| (k.clone(), *v)));
                    measures.insert("target_size_px".to_owned(), wanted.size);
                    measures.insert("target_width_px".to_owned(), wanted.width);
                }
                placed.push(defect);
            }
            if k == 0 && placed.is_empty() {
                break;
            }
        }
        measures.insert("count".to_owned(), placed.len() as f64);
        let Some(defect) = merged(placed) else {
            return Err(failure.unwrap_or(Error::Invisible { model: self.name, reason: "no place was found" }));
        };
        let conditions = self.appearance.conditions(photo, domain, &defect)?;
        let mut draft = self.appearance.draft(photo, domain, &defect, &conditions, 1.0)?;
        if !bends {
            let original = finalize::crop(photo, draft.bbox)?;
            // The camera spreads the change beyond the defect's own box.
            let mut opacity = Array2::zeros((draft.bbox.height(), draft.bbox.width()));
            defect.bbox.relative_to(draft.bbox).crop_mut(opacity.view_mut()).assign(&defect.opacity);
            let reached =
                contrast::set_contrast(&original, &mut draft.patch, &draft.support, (&opacity, visible), target);
            measures.insert("target_log_contrast".to_owned(), target);
            measures.insert("log_contrast".to_owned(), reached);
        }
        let (name, mechanism) = (self.name, c.mechanism);
        let label = Provenance { name, mechanism, key, severity, visibility_target: None, measures };
        finalize::finalize(photo, domain, draft, label)
    }
}

impl Synthesizer for Calibrated {
    fn name(&self) -> &'static str {
        self.name
    }
    fn kind(&self) -> MechanismKind {
        self.calibration.mechanism
    }
    fn synthesize(&self, photo: ArrayView3<'_, f32>, domain: &Domain, key: SampleKey) -> Result<Sample, Error> {
        finalize::check_photo(photo, domain)?;
        let mut rng = key.rng();
        let mut failure = Error::Invisible { model: self.name, reason: "no attempt was made" };
        for _ in 0..ATTEMPTS {
            match self.attempt(photo, domain, key, &mut rng) {
                Err(error @ (Error::Invisible { .. } | Error::DomainTooSmall { .. })) => failure = error,
                done => return done,
            }
        }
        Err(failure)
    }
}

/// What [`super::fit`] would measure on the visible support.
fn largest_part(mechanism: MechanismKind, defect: &Defect, visible: f32) -> Option<Part> {
    let mask = defect.opacity.mapv(|a| a >= visible);
    let parts = measure::components(mask.view());
    let pixels = parts.iter().max_by_key(|p| p.len())?;
    Some(measure::part(mechanism, pixels, Rect::around(pixels.iter().copied())?, false))
}

/// Whether two defects come nearer than [`APART`].
fn near(a: &Defect, b: &Defect) -> bool {
    let (p, q) = (a.bbox, b.bbox);
    if p.top >= q.bottom + APART || q.top >= p.bottom + APART || p.left >= q.right + APART || q.left >= p.right + APART
    {
        return false;
    }
    b.opacity.indexed_iter().filter(|&(_, &v)| v > 0.0).any(|((y, x), _)| {
        let (y, x) = (y + q.top, x + q.left);
        let rows = y.saturating_sub(APART).max(p.top)..(y + APART + 1).min(p.bottom);
        rows.into_iter().any(|v| {
            let mut columns = x.saturating_sub(APART).max(p.left)..(x + APART + 1).min(p.right);
            columns.any(|u| a.opacity[[v - p.top, u - p.left]] > 0.0)
        })
    })
}

/// Defects that do not overlap as one; `None` for none.
fn merged(mut all: Vec<Defect>) -> Option<Defect> {
    if all.len() < 2 {
        return all.pop();
    }
    let bbox = all.iter().map(|d| d.bbox).reduce(Rect::union)?;
    let dim = (bbox.height(), bbox.width());
    let (mut height, mut opacity) = (Array2::zeros(dim), Array2::zeros(dim));
    let mut displacement: Option<Array3<f32>> = None;
    for defect in &all {
        let (oy, ox) = (defect.bbox.top - bbox.top, defect.bbox.left - bbox.left);
        for ((y, x), &a) in defect.opacity.indexed_iter().filter(|&(_, &a)| a > 0.0) {
            let at = [y + oy, x + ox];
            opacity[at] = a;
            height[at] = defect.height[[y, x]];
            if let Some(shift) = &defect.displacement {
                let all = displacement.get_or_insert_with(|| Array3::zeros((dim.0, dim.1, 2)));
                (0..2).for_each(|k| all[[at[0], at[1], k]] = shift[[y, x, k]]);
            }
        }
    }
    Some(Defect { displacement, ..Defect::new(bbox, height, opacity, Measures::new()) })
}
