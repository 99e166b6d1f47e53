//! A mix of mechanisms that a few real defects steer.

use bilevel::{ConjugateGradient, Implicit, UpperParams, WeightModel, learn_weights};
use bisqad::{DefectPatches, FewShotSet, HeadProblem, PatchRows, RowExpansion, image_hash};
use frozen_backbone::EfficientNetLite0;
use imgkit::rank::thirds;
use ndarray::{Array2, Array3, ArrayView3, Axis, concatenate};
use physdefect::SampleKey;
use rayon::prelude::*;

use crate::error::Error;
use crate::synthesis::PipelineSource;

/// Shorter side at which images are seen, px.
const SIDE: usize = 288;
/// Normal photos that are read at most, and patches of all of them.
const PHOTOS: usize = 96;
const NORMAL: usize = 6_000;
/// Marked and unmarked patches of a drawn and of a real defect.
const DRAWN: (usize, usize) = (40, 20);
const REAL: (usize, usize) = (60, 200);
/// Ridge penalty of the head.
const RIDGE: f64 = 3e-3;
/// First index of the samples: training of detectors uses lower ones.
const FIRST: u64 = 3 << 60;

/// Weights of mechanisms as [`steer_mix`] learns them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SteeredMix {
    /// Name of each mechanism of which a defect could be drawn, with the mean weight of its defects; 1 is that of all.
    pub mechanisms: Vec<(String, f64)>,
    /// Drawn defects.
    pub drawn: usize,
    /// Effective samples among them (Kish), as a share.
    pub effective_share: f64,
    /// Loss on the real defects with equal weights, and at the last step. It is that of the defects which steered, so
    /// it says nothing about others.
    pub loss: (f64, f64),
}

/// Learns how much drawn defects of each mechanism should count, so that a logistic head on patch features which trains
/// on them finds the real defects `real` ([`HeadProblem`]): `count` defects are drawn on `photos` by the pipeline of
/// `source`, of every mechanism and material in turn, and weighted by a product of factors for mechanism, severity,
/// visibility and material. A pure function of its arguments.
///
/// Where the head finds the real defects with equal weights, so that the loss is small from the start, the weights say
/// little: whatever is easy to tell may then weigh most. This project's own; what it gains is measured in
/// `docs/results.md`.
///
/// # Errors
/// [`Error::Parameter`] without photos, mechanisms or a count; [`Error::Detector`] with
/// [`TestLeak`](bisqad::Error::TestLeak) for a real defect that is among the photos, and with `Parameter` for fewer
/// than two real defects or if none could be drawn; [`Error::Weights`].
pub fn steer_mix(
    photos: &[Array3<f32>],
    source: &PipelineSource<'_>,
    real: &FewShotSet,
    count: usize,
    seed: u64,
) -> Result<SteeredMix, Error> {
    const WHAT: &str = "steer_mix";
    let pipeline = source.pipeline();
    imgkit::ensure(!photos.is_empty(), WHAT, "photos", photos.len(), "at least one photo")?;
    imgkit::ensure(pipeline.groups() > 0, WHAT, "groups", pipeline.groups(), "at least one mechanism")?;
    imgkit::ensure((1..=1 << 20).contains(&count), WHAT, "count", count, "1 to 2^20")?;
    for (defect, hash) in real.defects().iter().zip(real.hashes()) {
        if photos.iter().any(|photo| image_hash(photo.view()) == *hash) {
            let (name, place) = (defect.name.clone(), "among the good photos".to_owned());
            return Err(bisqad::Error::TestLeak { name, place }.into());
        }
    }
    let net = EfficientNetLite0::pretrained_s32()?;
    let read = |image: ArrayView3<'_, f32>| PatchRows::read(&net, SIDE, image);
    let used: Vec<usize> = (0..photos.len().min(PHOTOS)).map(|k| k * photos.len() / photos.len().min(PHOTOS)).collect();
    let each = NORMAL.div_ceil(used.len());
    let normal = |&i: &usize| -> Result<Array2<f32>, Error> {
        let rows = read(photos[i].view())?;
        let n = rows.features().nrows();
        let chosen: Vec<usize> = (0..n.min(each)).map(|k| k * n / n.min(each)).collect();
        Ok(rows.features().select(Axis(0), &chosen))
    };
    let normal: Vec<Array2<f32>> = used.par_iter().map(normal).collect::<Result<_, Error>>()?;
    let few = |_| bisqad::Error::TooFewNormals { found: 0, needed: 1 };
    let normal = concatenate(Axis(0), &normal.iter().map(|n| n.view()).collect::<Vec<_>>()).map_err(few)?;

    let groups = pipeline.groups();
    type Drawn = (usize, u64, f64, f64, DefectPatches);
    let draw = |k: usize| -> Result<Option<Drawn>, Error> {
        let (photo, group) = ((k * 7919) % photos.len(), k % groups);
        // of every mechanism in turn each material in turn, from streams of their own
        let key = SampleKey { seed, index: FIRST + (k / groups) as u64 + 3_000_000 * group as u64 };
        let Some(domain) = source.domain(photo) else { return Ok(None) };
        let Ok(made) = pipeline.synthesize(photos[photo].view(), domain, group, key) else { return Ok(None) };
        let patches = read(made.image.view())?.defect(made.mask.view(), DRAWN, seed, k);
        Ok(patches.map(|p| (group, key.index % 3, made.record.severity, made.record.visibility, p)))
    };
    let drawn: Vec<Option<Drawn>> = (0..count).into_par_iter().map(draw).collect::<Result<_, _>>()?;
    let drawn: Vec<Drawn> = drawn.into_iter().flatten().collect();
    let marked = |(i, defect): (usize, &bisqad::LabeledDefect)| -> Result<Option<DefectPatches>, Error> {
        Ok(read(defect.image.view())?.defect(defect.mask.view(), REAL, seed, i))
    };
    let trusted: Vec<Option<DefectPatches>> =
        real.defects().par_iter().enumerate().map(marked).collect::<Result<_, _>>()?;
    let trusted: Vec<DefectPatches> = trusted.into_iter().flatten().collect();
    let patches: Vec<DefectPatches> = drawn.iter().map(|d| d.4.clone()).collect();
    let expansion = RowExpansion::fit(normal.view(), None, seed)?;
    let problem = HeadProblem::new(&patches, normal.view(), &trusted, &expansion, RIDGE)?;

    // levels without gaps: of some mechanism no defect may have been drawn
    let mut known: Vec<usize> = drawn.iter().map(|d| d.0).collect();
    known.sort_unstable();
    known.dedup();
    let mechanism: Vec<usize> = drawn.iter().map(|d| known.partition_point(|k| *k < d.0)).collect();
    let by = |of: fn(&Drawn) -> f64| thirds(&drawn.iter().map(of).collect::<Vec<f64>>());
    let factors = [mechanism.clone(), by(|d| d.1 as f64), by(|d| d.2), by(|d| d.3)];
    let model = WeightModel::by_factors(&factors)?;
    let method = Implicit::new(ConjugateGradient::new(10, 1e-4)?, 1e-2)?;
    let params = UpperParams::default().with_steps(15).with_rate(0.4);
    let learned = learn_weights(&problem, &model, &method, &params, None, &mut |_, _| ())?;

    let mean = |m: usize| {
        let own: Vec<f64> =
            learned.weights.iter().zip(&mechanism).filter(|(_, of)| **of == m).map(|(w, _)| *w).collect();
        own.iter().sum::<f64>() / own.len().max(1) as f64
    };
    let name = |group: usize| pipeline.name(group).unwrap_or_default().to_owned();
    let losses = (learned.steps.first(), learned.steps.last());
    Ok(SteeredMix {
        mechanisms: known.iter().enumerate().map(|(m, group)| (name(*group), mean(m))).collect(),
        drawn: drawn.len(),
        effective_share: losses.1.map_or(1.0, |step| step.effective_share),
        loss: (losses.0.map_or(0.0, |s| s.upper_loss), losses.1.map_or(0.0, |s| s.upper_loss)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MATERIALS, Pipeline};
    use bisqad::LabeledDefect;

    fn photo(salt: usize) -> Array3<f32> {
        Array3::from_shape_fn((128, 128, 3), |(y, x, _)| {
            0.52 + ((x * 7 + y * 13 + (x * y) % 11 + salt) % 17) as f32 / 400.0
        })
    }

    #[test]
    fn the_loss_on_real_defects_falls_and_the_weights_have_mean_one() {
        let pipeline = Pipeline::standard(&MATERIALS).unwrap();
        let photos: Vec<Array3<f32>> = (0..4).map(photo).collect();
        let source = PipelineSource::new(&pipeline, &photos, &[], 0).unwrap();
        let others: Vec<Array3<f32>> = (50..56).map(photo).collect();
        let other_source = PipelineSource::new(&pipeline, &others, &[], 0).unwrap();
        let pits = |i: usize| {
            let key = SampleKey { seed: 9, index: i as u64 };
            let made = pipeline.synthesize(others[i].view(), other_source.domain(i)?, 1, key).ok()?;
            Some(LabeledDefect { name: i.to_string(), kind: String::new(), image: made.image, mask: made.mask })
        };
        let real = FewShotSet::new((0..6).filter_map(pits).collect()).unwrap();
        let found = steer_mix(&photos, &source, &real, 60, 1).unwrap();
        assert!(found.loss.1 < found.loss.0, "{found:?}");
        assert!(found.mechanisms.len() > 2 && found.mechanisms.iter().any(|(_, weight)| *weight > 1.0), "{found:?}");
        assert!(found.effective_share > 0.1 && found.effective_share < 1.0, "{found:?}");
        assert_eq!(found, steer_mix(&photos, &source, &real, 60, 1).unwrap());
    }

    #[test]
    fn one_real_defect_and_one_among_the_photos_are_refused() {
        let pipeline = Pipeline::standard(&MATERIALS).unwrap();
        let photos: Vec<Array3<f32>> = (0..3).map(photo).collect();
        let source = PipelineSource::new(&pipeline, &photos, &[], 0).unwrap();
        let mask = Array2::from_shape_fn((128, 128), |(y, x)| y.abs_diff(40) < 6 && x.abs_diff(60) < 9);
        let of = |salt: usize| LabeledDefect {
            name: format!("{salt}.png"),
            kind: String::new(),
            image: photo(salt),
            mask: mask.clone(),
        };
        let steer = |salts: &[usize]| {
            let real = FewShotSet::new(salts.iter().map(|s| of(*s)).collect()).unwrap();
            steer_mix(&photos, &source, &real, 12, 0)
        };
        let leak = steer(&[30, 2]);
        assert!(
            matches!(&leak, Err(Error::Detector(bisqad::Error::TestLeak { name, .. })) if name == "2.png"),
            "{leak:?}"
        );
        let one = steer(&[30]);
        let is_trusted = |p: &imgkit::ParameterError| p.name == "trusted";
        assert!(matches!(&one, Err(Error::Detector(bisqad::Error::Parameter(p))) if is_trusted(p)), "{one:?}");
        assert!(matches!(
            steer_mix(&[], &source, &FewShotSet::new(vec![of(30)]).unwrap(), 5, 0),
            Err(Error::Parameter(_))
        ));
    }
}
