//! A mechanism with an appearance: something that can be put on a photo.

use ndarray::ArrayView3;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::shade::{Relief, Scratch, Shader};
use super::srgb::Tables;
use super::{Light, LightSource, Material, warp};
use crate::finalize::{self, Provenance, UncheckedSample};
use crate::params::{self, parameters};
use crate::visibility::{OutOfReach, Threshold, Visibility, visibility};
use crate::{Defect, Domain, Error, Measures, Mechanism, MechanismKind, Sample, SampleKey, Synthesizer};

/// Places tried before a defect is given up.
const ATTEMPTS: u32 = 6;
/// Strengths that a defect is scaled by to meet a visibility: its physical range.
const STRENGTH: (f64, f64) = (0.02, 12.0);
/// Renderings of one defect at most.
const STEPS: usize = 5;

parameters! {
    /// Material of the surface, and the light on it.
    #[derive(Copy)]
    pub struct Appearance {
        /// Reflectance of the surface.
        material / with_material: Material = Material::MATTE,
        /// Where the light comes from.
        light / with_light: LightSource = LightSource::Estimated,
    }
}

impl Appearance {
    /// Creates the appearance of a material under a light that is estimated from each photo.
    #[must_use]
    pub fn new(material: Material) -> Self {
        Self { material, light: LightSource::Estimated }
    }

    /// Sets a known light.
    #[must_use]
    pub fn lit(self, light: Light) -> Self {
        Self { light: LightSource::Given(light), ..self }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        self.material.check()?;
        if let LightSource::Given(light) = self.light { light.check() } else { Ok(()) }
    }

    /// Renders `defect` on `photo`; `strength` scales its relief, shift, tint and change of reflectance. Changes only
    /// pixels with opacity inside the domain.
    pub(crate) fn draft(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        defect: &Defect,
        strength: f32,
    ) -> Result<UncheckedSample, Error> {
        let (h, w) = (defect.bbox.height(), defect.bbox.width());
        check_defect(defect, domain)?;
        let mut patch = finalize::crop(photo, defect.bbox)?;
        let channels = patch.dim().2;
        if let Some(shift) = &defect.displacement {
            let shift = shift.mapv(|v| v * strength);
            warp::warp(photo, defect.bbox, shift.view(), defect.opacity.view(), &mut patch);
        }
        let light = match self.light {
            LightSource::Given(light) => light,
            LightSource::Estimated => Light::estimate(photo, domain),
        };
        let shader = Shader::new(&light, &self.material);
        // A bend moves the old surface and keeps its gloss; a crack or a pit lays open a new one.
        let relief = Relief::new(defect.height.view(), strength).roughened(defect.displacement.is_none());
        let tables = Tables::get();
        let tint = defect.tint.as_ref().map(|tint| {
            let mean = patch.iter().map(|&v| tables.linear(v)).sum::<f32>() / patch.len().max(1) as f32;
            let illumination = (mean / self.material.albedo as f32).clamp(0.02, 1.0);
            let gray = (tint.color[0] + tint.color[1] + tint.color[2]) / 3.0;
            let color: Vec<f32> =
                (0..channels).map(|k| illumination * if channels == 3 { tint.color[k] } else { gray }).collect();
            (&tint.weight, color)
        });
        let (opacity, reflectance) = (defect.opacity.as_standard_layout(), defect.reflectance.as_ref());
        let domain_mask = domain.mask();
        let mut support = ndarray::Array2::from_elem((h, w), false);
        let mut scratch = Scratch::default();
        let Some(pixels) = patch.as_slice_mut() else {
            return Err(Error::Invisible { model: "appearance", reason: "the patch is not contiguous" });
        };
        pulp::Arch::new().dispatch(|| {
            for y in 0..h {
                let row = opacity.row(y);
                let Some(first) = row.iter().position(|&a| a > 0.0) else { continue };
                let last = row.iter().rposition(|&a| a > 0.0).unwrap_or(first);
                shader.row(&relief, y, first, last + 1 - first, &mut scratch);
                for (x, &factor) in (first..=last).zip(&scratch.factor) {
                    let inside = domain_mask[[defect.bbox.top + y, defect.bbox.left + x]];
                    let a = if inside && row[x] > 0.0 { row[x].min(1.0) } else { continue };
                    support[[y, x]] = true;
                    let at = (y * w + x) * channels;
                    let paint = reflectance.map_or(1.0, |factor| factor[[y, x]].max(0.0).powf(strength));
                    let gain = 1.0 + a * (factor * paint - 1.0);
                    let covered = |weight: f32| 1.0 - (1.0 - weight.clamp(0.0, 1.0)).powf(strength);
                    let stain = tint.as_ref().map(|(weight, color)| (covered(weight[[y, x]]), color));
                    for (k, v) in pixels[at..at + channels].iter_mut().enumerate() {
                        let mut light = tables.linear(*v) * gain;
                        if let Some((t, color)) = &stain {
                            light += t * (color[k] * gain - light);
                        }
                        *v = tables.encoded(light);
                    }
                }
            }
        });
        Ok(UncheckedSample { bbox: defect.bbox, patch, support })
    }
}

/// Refuses a defect whose arrays disagree with its box or whose box leaves the photo.
fn check_defect(defect: &Defect, domain: &Domain) -> Result<(), Error> {
    let ((height, width), b) = (domain.dim(), defect.bbox);
    let shape = |what, found: &[usize], expected: &[usize]| {
        Err(Error::Shape { what, found: found.to_vec(), expected: expected.to_vec() })
    };
    if b.is_empty() || b.bottom > height || b.right > width {
        return shape(
            "defect box (top, left, bottom, right)",
            &[b.top, b.left, b.bottom, b.right],
            &[0, 0, height, width],
        );
    }
    let size = [b.height(), b.width()];
    for (what, found) in [("defect height", defect.height.shape()), ("defect opacity", defect.opacity.shape())] {
        if found != size {
            return shape(what, found, &size);
        }
    }
    if let Some(shift) = &defect.displacement
        && shift.shape() != [size[0], size[1], 2]
    {
        return shape("defect displacement", shift.shape(), &[size[0], size[1], 2]);
    }
    if let Some(reflectance) = defect.reflectance.as_ref().filter(|factor| factor.shape() != size) {
        return shape("defect reflectance", reflectance.shape(), &size);
    }
    match &defect.tint {
        Some(tint) if tint.weight.shape() != size => shape("defect tint", tint.weight.shape(), &size),
        _ => Ok(()),
    }
}

/// Synthesizer that renders a mechanism onto photos: `M` generates the geometry, the [`Appearance`] lights it.
///
/// Each sample's severity, its size, is sampled uniformly from a range (default 0 to 1), and its visibility from
/// another (default [`Visibility`]). The strength of the relief, the shift, the tint and the change of reflectance is
/// then solved for, by the secant rule on the logarithms, until the rendered patch has that visibility: a dent on
/// porcelain and one on grass are equally hard to see. A defect that finds no room, stays invisible or cannot be
/// brought to its visibility is drawn again at another place, at most six times.
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
    visibility: Option<Visibility>,
}

impl<M: Mechanism> Rendered<M> {
    /// Creates a synthesizer of `model` with `appearance`, severities from 0 to 1.
    ///
    /// # Errors
    /// [`Error::Parameter`] from [`Appearance::check`].
    pub fn new(model: M, appearance: Appearance) -> Result<Self, Error> {
        appearance.check()?;
        let name = model.name();
        Ok(Self { model, name, appearance, severity: (0.0, 1.0), visibility: Some(Visibility::default()) })
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

    /// Sets the range of visibilities; `None` leaves defects as strong as their parameters make them.
    ///
    /// # Errors
    /// [`Error::Parameter`] from [`Visibility::check`].
    pub fn with_visibility(mut self, visibility: Option<Visibility>) -> Result<Self, Error> {
        if let Some(range) = &visibility {
            range.check()?;
        }
        self.visibility = visibility;
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
        let draft = self.appearance.draft(photo, domain, &defect, 1.0)?;
        let label = self.label(key, severity, defect.measures, 1.0, None);
        finalize::finalize(photo, domain, draft, label)
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

    /// Renders with the strength at which the patch has the visibility `wanted`: draft, strength, visibility.
    fn solve(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        defect: &Defect,
        wanted: f64,
    ) -> Result<(UncheckedSample, f64, f64), Error> {
        let original = finalize::crop(photo, defect.bbox)?;
        let threshold = Threshold::of(photo, defect.bbox);
        let mut best: Option<(UncheckedSample, f64, f64)> = None;
        let mut strength = 1.0f64;
        let mut before: Option<(f64, f64)> = None;
        for _ in 0..STEPS {
            let draft = self.appearance.draft(photo, domain, defect, strength as f32)?;
            let reached = visibility(&threshold.ratios(&original, &draft.patch), &draft.support);
            let off = |v: f64| (v.max(1e-6) / wanted).ln().abs();
            if best.as_ref().is_none_or(|b| off(reached) < off(b.2)) {
                best = Some((draft, strength, reached));
            }
            if off(reached) < 0.5 * finalize::TOLERANCE {
                break;
            }
            // The secant rule on logarithms; the first step takes visibility for proportional to strength.
            let here = (strength.ln(), reached.max(1e-6).ln());
            let slope = before.map_or(1.0, |(x, v)| ((here.1 - v) / (here.0 - x)).clamp(0.25, 3.0));
            before = Some(here);
            let next = (here.0 + (wanted.ln() - here.1) / slope).exp().clamp(STRENGTH.0, STRENGTH.1);
            if (next / strength).ln().abs() < 1e-3 {
                break;
            }
            strength = next;
        }
        best.ok_or(Error::Invisible { model: self.name, reason: "no strength was tried" })
    }

    /// One try at one place.
    fn attempt(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        key: SampleKey,
        (severity, wanted): (f64, Option<(f64, OutOfReach)>),
        rng: &mut ChaCha8Rng,
    ) -> Result<Sample, Error> {
        let domain = domain.pick_object(rng);
        let defect = self.model.generate(domain, severity, rng)?;
        let Some((wanted, policy)) = wanted else {
            return self.render(photo, domain, defect, severity, key);
        };
        let (draft, strength, reached) = self.solve(photo, domain, &defect, wanted)?;
        let nearest = policy == OutOfReach::Nearest;
        let target = if nearest { reached } else { wanted };
        let label = self.label(key, severity, defect.measures, strength, Some(target));
        let mut sample = finalize::finalize(photo, domain, draft, label)?;
        let reached = sample.record.visibility;
        if nearest {
            sample.record.visibility_target = Some(reached);
        } else if (reached / wanted - 1.0).abs() > 1.5 * finalize::TOLERANCE {
            return Err(Error::VisibilityOutOfReach { model: self.name, wanted, reached });
        }
        Ok(sample)
    }
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
        let mut rng = key.rng();
        let severity = self.severity.0 + (self.severity.1 - self.severity.0) * rng.random::<f64>();
        let quantile = rng.random::<f64>();
        let wanted = self.visibility.map(|range| (range.at(quantile), range.out_of_reach()));
        let mut failure = Error::Invisible { model: self.name, reason: "no attempt was made" };
        for _ in 0..ATTEMPTS {
            match self.attempt(photo, domain, key, (severity, wanted), &mut rng) {
                // Another place may find room, or show it.
                Err(
                    error @ (Error::DomainTooSmall { .. }
                    | Error::Invisible { .. }
                    | Error::VisibilityOutOfReach { .. }),
                ) => failure = error,
                done => return done,
            }
        }
        Err(failure)
    }
}
