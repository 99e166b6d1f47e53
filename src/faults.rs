//! Defects spoiled on purpose, from which the quality estimator learns what a fault looks like.

use imgkit::ensure;
use ndarray::{Array3, ArrayView2, ArrayView3, Zip};
use physdefect::appearance::{Appearance, Light, Material};
use physdefect::registry::Registry;
use physdefect::visibility::{OutOfReach, Visibility};
use physdefect::{Domain, SampleKey};
use rayon::prelude::*;
use sqe::{
    Composite, Fault, FaultEstimator, FaultParams, FaultReport, FaultSet, LocalStatistics, Spoiled, SpoiledDefect,
};

use crate::error::Error;
use crate::synthesis::{Pipeline, PipelineSource, SEVERITY, Stages};

/// Strengths at which each fault is made for the estimator that ships with `sqe`.
pub const STRENGTHS: [f64; 3] = [0.35, 0.65, 1.0];
/// Strengths at which it is made on the photos of one product.
const OF_PRODUCT: [f64; 2] = [0.5, 1.0];
/// Contrasts at which a defect has the same quality, over its own.
const GAINS: [f64; 4] = [0.5, 0.7, 1.4, 2.0];
/// Turn of the light, degrees, at strengths 0 and 1.
const TURN: (f64, f64) = (20.0, 90.0);
/// Least change by the turned light, over the defect's own: less is no fault.
const LEAST_CHANGE: f64 = 0.5;
/// Passes over the pairs of the defects of one product.
const EPOCHS: usize = 15;
/// First index of the samples: training of detectors uses lower ones.
const FIRST: u64 = 1 << 61;

/// A defect, and the same with faults.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FaultySample {
    /// The defect as it was made.
    pub stages: Stages,
    /// With each fault, at each strength.
    pub spoiled: Vec<(Fault, f64, Spoiled)>,
}

/// Source of defects with known faults: what a pipeline makes, spoiled by every [`Fault`] at known strengths.
///
/// ```no_run
/// use maphc2f::physdefect::{Domain, SampleKey};
/// use maphc2f::{FaultSource, MATERIALS, Pipeline};
/// # let photo = ndarray::Array3::<f32>::zeros((96, 96, 3));
///
/// let pipeline = Pipeline::standard(&MATERIALS)?;
/// let source = FaultSource::new(&pipeline, &MATERIALS);
/// let domain = Domain::full(96, 96)?;
/// let key = SampleKey { seed: 1, index: 0 };
/// if let Some(made) = source.make(photo.view(), &domain, 0, key, &[0.5, 1.0])? {
///     for (fault, strength, spoiled) in made.spoiled {
///         println!("{} at {strength}: {} px", fault.name(), spoiled.mask.iter().filter(|m| **m).count());
///     }
/// }
/// # Ok::<(), maphc2f::Error>(())
/// ```
#[derive(Debug)]
pub struct FaultSource<'a> {
    pipeline: &'a Pipeline,
    materials: &'a [Material],
    registry: Registry,
}

impl<'a> FaultSource<'a> {
    /// Spoils what `pipeline` makes. Light from another side is rendered by the mechanism of a group's name in each of
    /// `materials`, which are those that the pipeline was made of; groups with other names have no such fault.
    #[must_use]
    pub fn new(pipeline: &'a Pipeline, materials: &'a [Material]) -> Self {
        Self { pipeline, materials, registry: Registry::standard() }
    }

    /// Makes sample `key` of `group` on `photo` `(H, W, C)`, and spoils it by every fault that can be made there, at
    /// each of `strengths` in \[0, 1\], at its own contrast and area. `None` if the defect cannot be made. A pure
    /// function of its arguments.
    ///
    /// # Errors
    /// [`Error::Quality`] for a strength out of range.
    pub fn make(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        group: usize,
        key: SampleKey,
        strengths: &[f64],
    ) -> Result<Option<FaultySample>, Error> {
        let Ok(made) = self.pipeline.stages(photo, domain, group, key) else { return Ok(None) };
        let (image, mask, object) = (made.fine.view(), made.mask.view(), Some(domain.mask()));
        let defect = Composite { photo, image, mask, object };
        let mut all = Vec::new();
        for (number, fault) in Fault::ALL.into_iter().enumerate() {
            for (step, &strength) in strengths.iter().enumerate() {
                // streams of their own: the sample's own generator has the same seed and index
                let stream = key.index.wrapping_mul(64).wrapping_add((8 * number + step % 8) as u64);
                let spoiled = match fault {
                    Fault::Light => self.lit(&defect, domain, group, key, strength)?,
                    _ => fault.spoil(&defect, strength, !key.seed, stream)?,
                };
                all.extend(spoiled.map(|spoiled| (fault, strength, spoiled)));
            }
        }
        Ok(Some(FaultySample { stages: made, spoiled: all }))
    }

    /// The statistics of what [`Self::make`] makes, and of the defect at other contrasts; `photo_number` is known to
    /// the estimator as [`FaultSet::photo`].
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn set(
        &self,
        photo_number: usize,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        group: usize,
        key: SampleKey,
        strengths: &[f64],
    ) -> Result<Option<FaultSet>, Error> {
        let Some(sample) = self.make(photo, domain, group, key, strengths)? else { return Ok(None) };
        let FaultySample { stages: made, spoiled } = sample;
        let measure = |image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>| LocalStatistics::measure(image, mask);
        let defect = Composite { photo, image: made.fine.view(), mask: made.mask.view(), object: None };
        let at_gain = |gain| measure(defect.at_gain(gain)?.view(), defect.mask);
        let of_fault = |(fault, strength, spoiled): (Fault, f64, Spoiled)| -> Result<SpoiledDefect, sqe::Error> {
            let statistics = measure(spoiled.image.view(), spoiled.mask.view())?;
            Ok(SpoiledDefect { fault, strength, statistics })
        };
        Ok(Some(FaultSet {
            photo: photo_number,
            clean: measure(defect.image, defect.mask)?,
            visibility: made.record.visibility,
            area: made.record.area_fraction,
            at_gains: GAINS.into_iter().map(at_gain).collect::<Result<_, _>>()?,
            spoiled: spoiled.into_iter().map(of_fault).collect::<Result<_, _>>()?,
        }))
    }

    /// The defect in light from another side, at its own contrast; `None` where that changes little.
    fn lit(
        &self,
        defect: &Composite<'_>,
        domain: &Domain,
        group: usize,
        key: SampleKey,
        strength: f64,
    ) -> Result<Option<Spoiled>, Error> {
        let Some(name) = self.pipeline.name(group).filter(|name| self.registry.by_name(name).is_ok()) else {
            return Ok(None);
        };
        // to either side alike, whatever the order of mechanisms and materials
        let side = if key.index.count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
        let turn = side * (TURN.0 + (TURN.1 - TURN.0) * strength).to_radians();
        let own = Light::estimate(defect.photo, domain);
        let light = own.with_azimuth(own.azimuth() + turn);
        let visibility = Some(Visibility::default().with_out_of_reach(OutOfReach::Nearest));
        let appearance = |&material: &Material| Appearance::new(material).with_visibility(visibility).lit(light);
        let appearances: Vec<Appearance> = self.materials.iter().map(appearance).collect();
        let pipeline = Pipeline::from_appearances(&self.registry, &[name], &appearances, SEVERITY)?;
        let Ok(made) = pipeline.stages(defect.photo, domain, 0, key) else { return Ok(None) };
        let own = distance(defect.image, defect.photo);
        let image = defect.at_contrast(made.fine.view(), made.mask.view())?;
        let by = distance(image.view(), defect.image) / own.max(1e-9);
        Ok((by >= LEAST_CHANGE).then_some(Spoiled { image, mask: made.mask }))
    }
}

/// Root of the summed squares of a difference.
fn distance(a: ArrayView3<'_, f32>, b: ArrayView3<'_, f32>) -> f64 {
    let mut sum = 0.0;
    Zip::from(a).and(b).for_each(|a, b| sum += f64::from(a - b).powi(2));
    sum.sqrt()
}

/// Trains the estimator that ships with `sqe` on ([`FaultEstimator::learn_on`]), on `defects` defects that the pipeline
/// of `source` makes on its photos, of every mechanism in turn. Defects that cannot be made are left out.
///
/// # Errors
/// [`Error::Parameter`] without photos, mechanisms or defects; [`Error::Quality`], above all
/// [`sqe::Error::TooFewRankings`].
pub fn learn_faults(
    photos: &[Array3<f32>],
    source: &PipelineSource<'_>,
    materials: &[Material],
    defects: usize,
    seed: u64,
) -> Result<(FaultEstimator, FaultReport), Error> {
    const WHAT: &str = "learn_faults";
    let pipeline = source.pipeline();
    ensure(!photos.is_empty(), WHAT, "photos", photos.len(), "at least one photo")?;
    ensure(pipeline.groups() > 0, WHAT, "groups", pipeline.groups(), "at least one mechanism in the pipeline")?;
    ensure(defects > 0, WHAT, "defects", defects, "at least 1")?;
    let faults = FaultSource::new(pipeline, materials);
    let set = |i: usize| -> Result<Option<FaultSet>, Error> {
        let image = (i * 7919) % photos.len();
        let Some(domain) = source.domain(image) else { return Ok(None) };
        let key = SampleKey { seed, index: FIRST + i as u64 };
        faults.set(image, photos[image].view(), domain, i % pipeline.groups(), key, &OF_PRODUCT)
    };
    let sets: Vec<Option<FaultSet>> = (0..defects).into_par_iter().map(set).collect::<Result<_, _>>()?;
    let sets: Vec<FaultSet> = sets.into_iter().flatten().collect();
    let params = FaultParams::default().with_epochs(EPOCHS).with_seed(seed);
    Ok(FaultEstimator::pretrained()?.learn_on(&sets, &params)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MATERIALS;

    fn photo() -> Array3<f32> {
        Array3::from_shape_fn((96, 96, 3), |(y, x, c)| {
            0.35 + 0.002 * x as f32 + 0.03 * (((y * y * 31 + x * x * 17 + y * x) % 13) as f32 / 13.0) + 0.02 * c as f32
        })
    }

    #[test]
    fn every_fault_that_can_be_is_made_at_the_contrast_of_the_defect_and_the_same_way_twice() {
        let photo = photo();
        let domain = Domain::full(96, 96).unwrap();
        let pipeline = Pipeline::physical(&MATERIALS).unwrap();
        let source = FaultSource::new(&pipeline, &MATERIALS);
        let of = |index: u64| source.make(photo.view(), &domain, 2, SampleKey { seed: 5, index }, &[0.4, 1.0]).unwrap();
        let (index, made) = (0..20).find_map(|i| Some((i, of(i)?))).unwrap();
        let contrast = |image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>| {
            distance(image, photo.view()) / (mask.iter().filter(|m| **m).count() as f64).sqrt()
        };
        let own = contrast(made.stages.fine.view(), made.stages.mask.view());
        for (fault, _, spoiled) in made.spoiled.iter().filter(|(fault, ..)| *fault != Fault::MaskMisfit) {
            let found = contrast(spoiled.image.view(), spoiled.mask.view());
            assert!((found - own).abs() < 0.05 * own, "{}: {found} {own}", fault.name());
        }
        let kinds = |made: &FaultySample| made.spoiled.iter().map(|(fault, ..)| *fault).collect::<Vec<_>>();
        assert!(kinds(&made).contains(&Fault::Light), "a dent is shaded: {:?}", kinds(&made));
        assert!(!kinds(&made).contains(&Fault::OffObject), "there is no background");
        assert_eq!(of(index).unwrap().spoiled, made.spoiled);
    }

    #[test]
    fn an_estimator_is_learned_from_photos_and_their_pipeline() {
        let photos = vec![photo(), photo().mapv(|v| v + 0.1)];
        let pipeline = Pipeline::physical(&MATERIALS).unwrap();
        let source = PipelineSource::new(&pipeline, &photos, &[], 0).unwrap();
        let learn = |defects| learn_faults(&photos, &source, &MATERIALS, defects, 3);
        let (estimator, report) = learn(12).unwrap();
        assert!(report.training_accuracy > 0.6, "{report:?}");
        assert_eq!(learn(12).unwrap(), (estimator, report));
        assert!(matches!(learn(0), Err(Error::Parameter(p)) if p.name == "defects"));
    }
}
