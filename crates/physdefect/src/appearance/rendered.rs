//! A mechanism with an appearance: something that can be put on a photo.

use ndarray::ArrayView3;
use rand::Rng;

use super::shade::{Relief, Scratch, Shader};
use super::srgb::Tables;
use super::{Light, LightSource, Material, warp};
use crate::finalize::{self, Provenance, UncheckedSample};
use crate::params::{self, parameters};
use crate::{Defect, Domain, Error, Mechanism, MechanismKind, Sample, SampleKey, Synthesizer};

/// Tries before a defect is given up as invisible.
const ATTEMPTS: u32 = 6;

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

    /// Renders `defect` on `photo`; `boost` scales the relief. Changes only pixels with opacity inside the domain.
    pub(crate) fn draft(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        defect: &Defect,
        boost: f32,
    ) -> Result<UncheckedSample, Error> {
        let (h, w) = (defect.bbox.height(), defect.bbox.width());
        check_defect(defect, domain)?;
        let mut patch = finalize::crop(photo, defect.bbox)?;
        let channels = patch.dim().2;
        if let Some(shift) = &defect.displacement {
            warp::warp(photo, defect.bbox, shift.view(), defect.opacity.view(), &mut patch);
        }
        let light = match self.light {
            LightSource::Given(light) => light,
            LightSource::Estimated => Light::estimate(photo, domain),
        };
        let shader = Shader::new(&light, &self.material);
        // A bend moves the old surface and keeps its gloss; a crack or a pit lays open a new one.
        let relief = Relief::new(defect.height.view(), boost).roughened(defect.displacement.is_none());
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
                    let paint = reflectance.map_or(1.0, |factor| factor[[y, x]].max(0.0));
                    let gain = 1.0 + a * (factor * paint - 1.0);
                    let stain = tint.as_ref().map(|(weight, color)| (weight[[y, x]].clamp(0.0, 1.0), color));
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
/// The severity of each sample is sampled uniformly from a range (default 0 to 1). A defect that stays invisible is
/// drawn again at another place with a relief that is half as deep again, at most six times; then [`Error::Invisible`].
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

    /// Renders a given defect, without retries.
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
        self.render_boosted(photo, domain, defect, severity, key, 1.0)
    }

    fn render_boosted(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        defect: Defect,
        severity: f64,
        key: SampleKey,
        boost: f32,
    ) -> Result<Sample, Error> {
        let draft = self.appearance.draft(photo, domain, &defect, boost)?;
        let mut measures = defect.measures;
        measures.insert("relief_gain".to_owned(), f64::from(boost));
        let mechanism = self.model.kind();
        finalize::finalize(photo, draft, Provenance { name: self.name, mechanism, key, severity, measures })
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
        let mut failure = Error::Invisible { model: self.name, reason: "no attempt was made" };
        for attempt in 0..ATTEMPTS {
            let defect = match self.model.generate(domain, severity, &mut rng) {
                // Another draw may find room.
                Err(error @ Error::DomainTooSmall { .. }) => {
                    failure = error;
                    continue;
                }
                defect => defect?,
            };
            let boost = 1.0 + 0.5 * attempt as f32;
            match self.render_boosted(photo, domain, defect, severity, key, boost) {
                Err(error @ Error::Invisible { .. }) => failure = error,
                done => return done,
            }
        }
        Err(failure)
    }
}
