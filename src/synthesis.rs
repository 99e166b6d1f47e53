//! The synthesis pipeline: a mechanism renders a defect into a photo, npcF and npcF++ refine it.

use bisqad::{Anomaly, AnomalySource, SourceError};
use ndarray::{Array2, Array3, ArrayView3, Zip};
use pde_refine::{CoarseToFine, Refine, RefineStats};
use physdefect::appearance::{Appearance, Material};
use physdefect::registry::Registry;
use physdefect::visibility::{OutOfReach, Visibility};
use physdefect::{Domain, Record, Sample, SampleKey, Synthesizer};

use crate::error::Error;
use crate::foreground::SetForeground;

/// Names of the three mechanisms that the paper names: fracture line, pitting loss, plastic warpage.
pub const PHYSICAL: [&str; 3] = ["fracture-line", "pitting-loss", "plastic-warpage"];

/// Names of the mechanisms that a detector is trained with: those of the paper, and three of this project.
pub const MECHANISMS: [&str; 6] =
    ["fracture-line", "pitting-loss", "plastic-warpage", "abrasion", "surface-unevenness", "edge-loss"];

/// Default range of severities of a data set. Milder defects are hard to see even for people who know where they are.
pub const SEVERITY: (f64, f64) = (0.25, 1.0);

/// Default materials. Used when the product's material is unknown; the set covers most products.
pub const MATERIALS: [Material; 3] = [Material::MATTE, Material::GLOSSY_PLASTIC, Material::METAL];

/// Stages of one defect, at rising fidelity. All images have the photo's shape `(H, W, C)`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Stages {
    /// As rendered.
    pub raw: Array3<f32>,
    /// After npcF.
    pub coarse: Array3<f32>,
    /// After npcF++.
    pub fine: Array3<f32>,
    /// Mask `(H, W)` as a person would draw it: outside it all three images equal the photo bit for bit.
    pub mask: Array2<bool>,
    /// Pixels `(H, W)` at which `fine` differs from the photo; inside the mask.
    pub changed: Array2<bool>,
    /// Visibility of each pixel of `fine` `(H, W)` in \[0, 1\]; 0 outside the mask.
    pub soft: Array2<f32>,
    /// How the defect was made.
    pub record: Record,
    /// Statistics of the refinement: the solve of npcF, the boxes and the strength of npcF++.
    pub stats: RefineStats,
}

/// Synthesized defect, as the last stage of a [`Pipeline`] leaves it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SynthesizedDefect {
    /// The photo with the defect `(H, W, C)`.
    pub image: Array3<f32>,
    /// Mask `(H, W)` as a person would draw it: outside it the image equals the photo bit for bit.
    pub mask: Array2<bool>,
    /// Pixels `(H, W)` at which the image differs from the photo; inside the mask.
    pub changed: Array2<bool>,
    /// Visibility of each pixel `(H, W)` in \[0, 1\]; 0 outside the mask.
    pub soft: Array2<f32>,
    /// How the defect was made.
    pub record: Record,
    /// Statistics of the refinement; `None` if the pipeline ends at [`Stage::Raw`], which solves nothing.
    pub stats: Option<RefineStats>,
}

/// Last stage of a [`Pipeline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Stage {
    /// As rendered: no equation is solved.
    Raw,
    /// After npcF.
    Coarse,
    /// After npcF++.
    #[default]
    Fine,
}

/// Groups of interchangeable synthesizers (a mechanism in several materials) and the refinement that they share.
///
/// ```
/// use maphc2f::physdefect::{Domain, SampleKey};
/// use maphc2f::{MATERIALS, Pipeline, Stage};
/// use ndarray::Array3;
///
/// let photo = Array3::from_shape_fn((96, 96, 3), |(y, x, _)| 0.5 + ((y * 7 + x * 5) % 11) as f32 / 100.0);
/// let domain = Domain::full(96, 96)?;
/// let pipeline = Pipeline::physical(&MATERIALS)?.up_to(Stage::Raw);
/// let made = pipeline.synthesize(photo.view(), &domain, 0, SampleKey { seed: 1, index: 0 })?;
/// assert!(made.mask.iter().any(|&m| m) && made.stats.is_none());
/// # Ok::<(), maphc2f::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Pipeline {
    groups: Vec<Vec<Box<dyn Synthesizer>>>,
    /// Of each group; `None` where it is that of its first synthesizer.
    names: Vec<Option<String>>,
    refine: CoarseToFine,
    last: Stage,
}

impl Pipeline {
    /// Creates a pipeline without groups.
    #[must_use]
    pub fn new(refine: CoarseToFine) -> Self {
        Self { groups: Vec::new(), names: Vec::new(), refine, last: Stage::Fine }
    }

    /// Creates a pipeline of the mechanisms [`PHYSICAL`], each in every one of `materials`, severities in \[0, 1\].
    /// Without materials it has no group.
    ///
    /// # Errors
    /// [`Error::Defect`] for a material out of range.
    pub fn physical(materials: &[Material]) -> Result<Self, Error> {
        Self::from_registry(&Registry::standard(), &PHYSICAL, materials, (0.0, 1.0))
    }

    /// Creates a pipeline of all [`MECHANISMS`], each in every one of `materials`, severities of [`SEVERITY`]: what a
    /// detector is trained with. Without materials it has no group.
    ///
    /// # Errors
    /// [`Error::Defect`] for a material out of range.
    pub fn standard(materials: &[Material]) -> Result<Self, Error> {
        Self::from_registry(&Registry::standard(), &MECHANISMS, materials, SEVERITY)
    }

    /// Creates a pipeline of mechanisms by name: one group for each, in every one of `materials`, with severities from
    /// the range `severity` within \[0, 1\]. Where a photo cannot show a defect as visibly as drawn it is as visible as
    /// it can be, so that training on a busy surface finds samples; [`Self::from_appearances`] can refuse such ones.
    ///
    /// # Errors
    /// [`Error::Defect`] for a name that is not in the registry, a material or a severity out of range.
    pub fn from_registry(
        registry: &Registry,
        names: &[&str],
        materials: &[Material],
        severity: (f64, f64),
    ) -> Result<Self, Error> {
        let visibility = Visibility::default().with_out_of_reach(OutOfReach::Nearest);
        let look = |&material: &Material| Appearance::new(material).with_visibility(Some(visibility));
        let appearances: Vec<Appearance> = materials.iter().map(look).collect();
        Self::from_appearances(registry, names, &appearances, severity)
    }

    /// Creates a pipeline of mechanisms by name, each in every one of `appearances`: material, light, camera and
    /// visibility.
    ///
    /// # Errors
    /// As [`Self::from_registry`].
    pub fn from_appearances(
        registry: &Registry,
        names: &[&str],
        appearances: &[Appearance],
        severity: (f64, f64),
    ) -> Result<Self, Error> {
        let mut pipeline = Self::default();
        for name in names {
            let entry = registry.by_name(name)?;
            let build = |&appearance: &Appearance| entry.synthesizer(appearance, severity);
            pipeline.push(appearances.iter().map(build).collect::<Result<_, _>>()?);
        }
        Ok(pipeline)
    }

    /// Adds a group of anything that implements [`Synthesizer`]; an empty one is left out.
    pub fn push(&mut self, group: Vec<Box<dyn Synthesizer>>) {
        if !group.is_empty() {
            self.groups.push(group);
            self.names.push(None);
        }
    }

    /// Adds a group as [`Self::push`] does, with a name of its own, such as that of a kind of defects.
    pub fn push_named(&mut self, name: &str, group: Vec<Box<dyn Synthesizer>>) {
        if !group.is_empty() {
            self.groups.push(group);
            self.names.push(Some(name.to_owned()));
        }
    }

    /// Sets the stage at which [`Self::synthesize`] ends, for ablations.
    #[must_use]
    pub fn up_to(self, last: Stage) -> Self {
        Self { last, ..self }
    }

    /// Number of groups.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Name of a group: its own, or that of its first synthesizer.
    #[must_use]
    pub fn name(&self, group: usize) -> Option<&str> {
        let first = || self.groups.get(group).and_then(|g| g.first()).map(|s| s.name());
        self.names.get(group).and_then(Option::as_deref).or_else(first)
    }

    /// Synthesizes sample `key` of `group` on `photo` `(H, W, C)`, f32 in \[0, 1\], inside `domain`, with all its
    /// stages. Which of the group's synthesizers makes it follows from the key.
    ///
    /// # Errors
    /// [`Error::NoSuchGroup`]; [`Error::Defect`] if no defect could be made there; [`Error::Refine`].
    pub fn stages(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        group: usize,
        key: SampleKey,
    ) -> Result<Stages, Error> {
        let (h, w, _) = photo.dim();
        let sample = self.render(photo, domain, group, key)?;
        let (mut raw, drawn) = (sample.paste(photo)?, sample.full_mask(h, w)?);
        let refined = self.refine.stages(photo, raw.view(), drawn.view())?;
        let mut stats = refined.fine.stats;
        stats.solve = refined.coarse.stats.solve;
        let (mut coarse, fine) = (refined.coarse.image, sample.refined(photo, refined.fine.image.view())?);
        check_place(&fine, domain)?;
        let mask = fine.full_mask(h, w)?;
        // What the final mask leaves out is the photo in the earlier stages too.
        for image in [&mut raw, &mut coarse] {
            Zip::from(image.rows_mut()).and(photo.rows()).and(&mask).and(&drawn).for_each(|mut v, p, &now, &before| {
                if before && !now {
                    v.assign(&p);
                }
            });
        }
        let (changed, soft) = (fine.full_changed(h, w)?, fine.full_soft(h, w)?);
        Ok(Stages { raw, coarse, fine: fine.paste(photo)?, mask, changed, soft, record: fine.record, stats })
    }

    /// Synthesizes sample `key` of `group` up to the pipeline's last stage; stages beyond that are not computed.
    ///
    /// # Errors
    /// As [`Self::stages`].
    pub fn synthesize(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        group: usize,
        key: SampleKey,
    ) -> Result<SynthesizedDefect, Error> {
        let (h, w, _) = photo.dim();
        let (sample, stats) = self.sample(photo, domain, group, key)?;
        let (mask, changed, soft) = (sample.full_mask(h, w)?, sample.full_changed(h, w)?, sample.full_soft(h, w)?);
        Ok(SynthesizedDefect { image: sample.paste(photo)?, mask, changed, soft, record: sample.record, stats })
    }

    /// Synthesizes as [`Self::synthesize`] does; the sample is a box, so that little of a large photo is touched.
    pub(crate) fn sample(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        group: usize,
        key: SampleKey,
    ) -> Result<(Sample, Option<RefineStats>), Error> {
        let (h, w, _) = photo.dim();
        let sample = self.render(photo, domain, group, key)?;
        let (sample, stats) = if self.last == Stage::Raw {
            (sample, None)
        } else {
            let near = self.refine.window(sample.bbox, (h, w));
            let (photo_near, within) = (near.crop(photo), sample.bbox.relative_to(near));
            let (mut raw, mut mask) = (photo_near.to_owned(), Array2::from_elem((near.height(), near.width()), false));
            within.put(sample.patch.view(), raw.view_mut());
            within.put(sample.mask.view(), mask.view_mut());
            let refined = match self.last {
                Stage::Coarse => self.refine.coarse.refine(photo_near, raw.view(), mask.view())?,
                _ => self.refine.refine(photo_near, raw.view(), mask.view())?,
            };
            (sample.refined_patch(photo, within.crop(refined.image.view()))?, Some(refined.stats))
        };
        check_place(&sample, domain)?;
        Ok((sample, stats))
    }

    /// The sample as rendered.
    fn render(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        group: usize,
        key: SampleKey,
    ) -> Result<Sample, Error> {
        let no_such_group = || Error::NoSuchGroup { group, groups: self.groups.len() };
        let synthesizers = self.groups.get(group).filter(|g| !g.is_empty()).ok_or_else(no_such_group)?;
        // the remainder is taken in 64 bits, so that 32-bit machines pick the same one
        let which = (key.index % synthesizers.len() as u64) as usize;
        Ok(synthesizers[which].synthesize(photo, domain, key)?)
    }
}

/// Refuses what the refinement left outside the place that was asked for.
fn check_place(sample: &Sample, domain: &Domain) -> Result<(), Error> {
    if domain.admits(sample.bbox, sample.mask.view()) {
        return Ok(());
    }
    let reason = "the refinement left nothing of it at the place that was asked for";
    Err(physdefect::Error::Invisible { model: "refinement", reason }.into())
}

/// A source of anomalies for training: a [`Pipeline`] on a fixed set of photos.
#[derive(Debug)]
pub struct PipelineSource<'a> {
    pipeline: &'a Pipeline,
    domains: Vec<Domain>,
    seed: u64,
}

impl<'a> PipelineSource<'a> {
    /// Finds the foreground of each photo `(H, W, C)` by a model of the set; `names` are used in error messages.
    ///
    /// # Errors
    /// [`Error::Foreground`] naming the first photo that is refused.
    pub fn new(pipeline: &'a Pipeline, photos: &[Array3<f32>], names: &[String], seed: u64) -> Result<Self, Error> {
        let name = |i: usize| names.get(i).cloned().unwrap_or_else(|| format!("photo {i}"));
        let foreground =
            SetForeground::fit(photos.iter().map(|photo| photo.view())).map_err(|source| match source {
                physdefect::Error::SetPhoto { index, source } => {
                    Error::Foreground { name: name(index), source: *source }
                }
                source => Error::Foreground { name: "the set".to_owned(), source },
            })?;
        Self::on(pipeline, photos, names, seed, &foreground)
    }

    /// Finds the foreground of each photo by a model that was fitted before.
    ///
    /// # Errors
    /// As [`Self::new`]: [`Error::Foreground`] for a photo of one color throughout too, which shows no product.
    pub fn on(
        pipeline: &'a Pipeline,
        photos: &[Array3<f32>],
        names: &[String],
        seed: u64,
        foreground: &SetForeground,
    ) -> Result<Self, Error> {
        let domain = |(i, photo): (usize, &Array3<f32>)| {
            let mut pixels = photo.rows().into_iter();
            let found = match pixels.next() {
                Some(first) if pixels.all(|pixel| pixel == first) => {
                    Err(physdefect::Error::NoForeground { reason: "the photo is uniform" })
                }
                _ => foreground.locate(photo.view()).map(|found| found.domain),
            };
            found.map_err(|source| Error::Foreground {
                name: names.get(i).cloned().unwrap_or_else(|| format!("photo {i}")),
                source,
            })
        };
        let domains = photos.iter().enumerate().map(domain).collect::<Result<_, _>>()?;
        Ok(Self { pipeline, domains, seed })
    }

    /// Pipeline that makes the anomalies.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        self.pipeline
    }

    /// Region of photo `i` where defects may lie.
    #[must_use]
    pub fn domain(&self, i: usize) -> Option<&Domain> {
        self.domains.get(i)
    }
}

impl AnomalySource for PipelineSource<'_> {
    fn mechanisms(&self) -> usize {
        self.pipeline.groups()
    }

    fn name(&self, mechanism: usize) -> String {
        self.pipeline.name(mechanism).map_or_else(|| format!("mechanism {mechanism}"), str::to_owned)
    }

    fn anomaly(
        &self,
        normal: ArrayView3<'_, f32>,
        image: usize,
        group: usize,
        index: u64,
    ) -> Result<Anomaly, SourceError> {
        let domain = self.domains.get(image).ok_or_else(|| format!("there is no photo {image}"))?;
        let key = SampleKey { seed: self.seed, index };
        let made = self.pipeline.synthesize(normal, domain, group, key)?;
        Ok(Anomaly { image: made.image, mask: made.mask, severity: Some(made.record.severity) })
    }
}
