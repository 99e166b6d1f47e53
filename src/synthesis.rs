//! Mechanism, then npcF, then npcF++: one photo in, one defect at three fidelities out.

use bisqad::{Anomaly, AnomalySource, SourceError};
use ndarray::{Array2, Array3, ArrayView3};
use pde_refine::CoarseToFine;
use physdefect::appearance::{Appearance, Material, Rendered};
use physdefect::fracture::FractureLine;
use physdefect::pitting::PittingLoss;
use physdefect::warpage::PlasticWarpage;
use physdefect::{Domain, Record, SampleKey, Synthesizer, estimate_foreground};

use crate::Error;
use crate::spoil::spoil;

/// Severities of [`Pipeline::physical`]: milder defects than these are hard to see even for people who know where they are.
pub const SEVERITY: (f64, f64) = (0.25, 1.0);

/// What surfaces are taken for where nothing is known of them: between them they look like most products.
pub const MATERIALS: [Material; 3] = [Material::MATTE, Material::GLOSSY_PLASTIC, Material::METAL];

/// One defect at rising fidelity, all of the photo's shape `(H, W, C)`.
#[derive(Debug, Clone)]
pub struct Stages {
    /// As rendered.
    pub raw: Array3<f32>,
    /// After npcF.
    pub coarse: Array3<f32>,
    /// After npcF++.
    pub fine: Array3<f32>,
    /// Exact mask `(H, W)`: outside it all three equal the photo bit for bit.
    pub mask: Array2<bool>,
    /// How it was made.
    pub record: Record,
}

/// How far a [`Pipeline`] goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// As rendered.
    Raw,
    /// To npcF.
    Coarse,
    /// To npcF++.
    #[default]
    Fine,
}

/// Groups of interchangeable synthesisers (a mechanism in several materials) and the refinement they share.
#[derive(Debug, Default)]
pub struct Pipeline {
    groups: Vec<Vec<Box<dyn Synthesizer>>>,
    refine: CoarseToFine,
    last: Stage,
}

impl Pipeline {
    /// No group yet.
    pub fn new(refine: CoarseToFine) -> Self {
        Self { groups: Vec::new(), refine, last: Stage::Fine }
    }

    /// The three mechanisms (FL, PL, PW), each in every one of `materials`, severities drawn from [`SEVERITY`].
    ///
    /// # Errors
    /// [`Error::Defect`] for a material out of range.
    pub fn physical(materials: &[Material]) -> Result<Self, Error> {
        let looks: Vec<Appearance> = materials.iter().map(|&m| Appearance::new(m)).collect();
        let mut pipeline = Self::default();
        pipeline.push(rendered::<FractureLine>(&looks)?);
        pipeline.push(rendered::<PittingLoss>(&looks)?);
        pipeline.push(rendered::<PlasticWarpage>(&looks)?);
        Ok(pipeline)
    }

    /// Adds a group: anything that implements [`Synthesizer`].
    pub fn push(&mut self, group: Vec<Box<dyn Synthesizer>>) {
        if !group.is_empty() {
            self.groups.push(group);
        }
    }

    /// The same with [`Self::refined`] ending at another stage: control arms.
    #[must_use]
    pub fn up_to(self, last: Stage) -> Self {
        Self { last, ..self }
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Name of a group: that of its first synthesiser.
    pub fn name(&self, group: usize) -> Option<&'static str> {
        self.groups.get(group).and_then(|g| g.first()).map(|s| s.name())
    }

    /// Sample `key` of `group` on `photo` `(H, W, C)`, f32 in \[0, 1\], inside `domain`. Which of the group's synthesisers makes it
    /// follows from the key.
    ///
    /// # Errors
    /// [`Error::Defect`] if no defect could be made there, [`Error::Refine`].
    pub fn stages(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        group: usize,
        key: SampleKey,
    ) -> Result<Stages, Error> {
        let (h, w, _) = photo.dim();
        let group = &self.groups[group.min(self.groups.len().saturating_sub(1))];
        let sample = group[key.index as usize % group.len()].synthesize(photo, domain, key)?;
        let (raw, mask) = (sample.paste(photo)?, sample.full_mask(h, w)?);
        let refined = self.refine.stages(photo, raw.view(), mask.view())?;
        Ok(Stages { raw, coarse: refined.coarse.image, fine: refined.fine.image, mask, record: sample.record })
    }

    /// The image after the last stage, and its mask.
    ///
    /// # Errors
    /// As [`Self::stages`].
    pub fn refined(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        group: usize,
        key: SampleKey,
    ) -> Result<Anomaly, Error> {
        let stages = self.stages(photo, domain, group, key)?;
        let image = match self.last {
            Stage::Raw => stages.raw,
            Stage::Coarse => stages.coarse,
            Stage::Fine => stages.fine,
        };
        Ok(Anomaly { image, mask: stages.mask, severity: Some(stages.record.severity) })
    }
}

fn rendered<M>(looks: &[Appearance]) -> Result<Vec<Box<dyn Synthesizer>>, Error>
where
    M: physdefect::Mechanism + Default + 'static,
{
    looks.iter().map(|&look| Ok(Box::new(Rendered::new(M::default(), look)?) as Box<dyn Synthesizer>)).collect()
}

/// A [`Pipeline`] on a fixed set of photos, as the detector's training wants it.
#[derive(Debug)]
pub struct PipelineSource<'a> {
    pipeline: &'a Pipeline,
    domains: Vec<Domain>,
    seed: u64,
    spoilt: f64,
}

impl<'a> PipelineSource<'a> {
    /// Estimates the foreground of each photo; `names` are for messages.
    ///
    /// # Errors
    /// [`Error::Foreground`] naming the first photo without one.
    pub fn new(pipeline: &'a Pipeline, photos: &[Array3<f32>], names: &[String], seed: u64) -> Result<Self, Error> {
        let domain = |(i, photo): (usize, &Array3<f32>)| {
            estimate_foreground(photo.view()).and_then(physdefect::Foreground::into_domain).map_err(|source| {
                Error::Foreground { name: names.get(i).cloned().unwrap_or_else(|| format!("photo {i}")), source }
            })
        };
        let domains = photos.iter().enumerate().map(domain).collect::<Result<_, _>>()?;
        Ok(Self { pipeline, domains, seed, spoilt: 0.0 })
    }

    /// Makes a share of its anomalies deliberately bad: a wrong mask, a seam or a wrong place, and no severity. To see what a training
    /// makes of them; the mechanism that is left out for the meta set is spoilt as well, for it comes from here too.
    #[must_use]
    pub fn spoilt(self, share: f64) -> Self {
        Self { spoilt: share, ..self }
    }

    /// The pipeline it draws from.
    pub fn pipeline(&self) -> &Pipeline {
        self.pipeline
    }

    /// Where defects may lie on photo `i`.
    pub fn domain(&self, i: usize) -> Option<&Domain> {
        self.domains.get(i)
    }
}

impl AnomalySource for PipelineSource<'_> {
    fn mechanisms(&self) -> usize {
        self.pipeline.groups()
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
        let anomaly = self.pipeline.refined(normal, domain, group, key)?;
        Ok(spoil(anomaly, normal, self.spoilt, self.seed, index)?)
    }
}
