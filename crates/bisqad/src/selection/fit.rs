//! Fit of the evidence detector: choice, then fit to all normal images.

use std::sync::Arc;

use frozen_backbone::Backbone;
use imgkit::ParameterError;
use imgkit::rng::keyed_stream;
use ndarray::{Array2, Array3};
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::detectors::Prediction;
use crate::detectors::evidence::{EvidenceDetector, NormalImage};
use crate::detectors::outliers::Outliers;
use crate::detectors::provenance::image_hash;
use crate::error::Error;
use crate::evidence::level::Level;
use crate::features::gaussians::FOLDS;
use crate::features::patches::to_image;
use crate::features::statistics::{ensure_different, shorter_side};
use crate::selection::budget::within_budget;
use crate::selection::candidate::EvidenceSum;
use crate::selection::criterion::{Reduction, Separation, mean_by_mechanism, simplest_within_error, standard_error};
use crate::selection::cross_fit::{Choosing, CrossFit, Maps, scale};
use crate::selection::drawn::{head_slots, validation_slots};
use crate::selection::images::{Images, Reading};
use crate::selection::params::EvidenceParams;
use crate::selection::report::{CandidateFigures, LeftOutMechanism, SelectionReport, Suspect};
use crate::selection::validation::{REAL, Validation, choose_weight};
use crate::training::anomaly_source::AnomalySource;
use crate::training::observer::{Observe, Progress};
use crate::training::validation_anomalies::FewShotSet;
use crate::views::copies::{FEW, View, in_other_light, with_copies};
use crate::views::registration::Registration;

/// Normal images that are enough to validate on: the choice uses as few folds as hold them.
const VALIDATED: usize = 40;
/// Weights of the heads that are tried, the last two where real defects can justify them.
const HEAD_WEIGHTS: [f32; 6] = [0.0, 0.25, 0.5, 1.0, 2.0, 4.0];
const WITHOUT_REAL: usize = 4;
/// Normal images of highest score that the report names.
const MOST_UNUSUAL: usize = 5;
/// Reductions that are tried beside the default.
const REDUCTIONS: [Reduction; 5] = [
    Reduction::DEFAULT,
    Reduction { smoothing: 0.5, ..Reduction::DEFAULT },
    Reduction { smoothing: 1.5, ..Reduction::DEFAULT },
    Reduction { share: 0.003, ..Reduction::DEFAULT },
    Reduction { share: 0.03, ..Reduction::DEFAULT },
];
/// Detector and report, as [`EvidenceDetector::fit`] returns them.
#[derive(Debug)]
pub struct EvidenceOutcome {
    /// Detector, calibrated on normal images that were held out in turn.
    pub detector: EvidenceDetector,
    /// Candidates, their validation figures and the choice.
    pub report: SelectionReport,
}

impl EvidenceDetector {
    /// Chooses evidence for the product of `normals` `(H, W, C)` by defects that `source` draws on them, and fits it to
    /// all of them.
    ///
    /// Each normal image is scored by what was fitted without it (4-fold cross-fitting, fewer for fewer images), with
    /// and without defects. The candidates, in three steps at each of several sizes of the image: sums of evidence at
    /// sets of levels; the weight of the heads, where a defect is scored without the head of its own mechanism; the
    /// reduction to an image score. A candidate's figure is the mean over mechanisms of image and patch AUROC. Of
    /// candidates within one standard error, over mechanisms, of the best the one is taken that departs least from the
    /// safe sums (a kind by place and one of banks at all levels, [`EvidenceSum::departures`]). Thresholds rest on the
    /// held-out scores of all normal images. One to eight normal images are joined by copies
    /// ([`EvidenceParams::copies`]); with [`EvidenceParams::alignment`] every size is tried with aligned photos, too,
    /// and with [`EvidenceParams::lighting`] with photos in other light.
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the ranges and for a source without mechanisms; [`Error::TooFewNormals`] and
    /// [`Error::TooFewDifferent`] for no image, for images that are all alike, and for one image without
    /// [`EvidenceParams::copies`]; [`Error::Budget`] if no side is within it; [`Error::Backbone`] for images that the
    /// backbone rejects; [`Error::Shape`] and [`Error::Length`] for anomalies that do not fit their image.
    pub fn fit(
        backbone: Arc<dyn Backbone>,
        normals: &[Array3<f32>],
        source: &dyn AnomalySource,
        params: &EvidenceParams,
        observer: &mut dyn Observe,
    ) -> Result<EvidenceOutcome, Error> {
        Self::fit_with(backbone, normals, source, None, params, observer)
    }

    /// Fits as [`Self::fit`] does, with marked real defects, if there are any.
    ///
    /// Each kind of them joins the head of the mechanism of the source that is called like it, where the real examples
    /// weigh three times as much as the drawn ones together; of other kinds those with two defects or more get a head
    /// of their own. They choose, too, as one more mechanism, scored by heads that were fitted without them (in five
    /// groups): the heads' weight moves to where they are found best, but for the standard error. Their held-out scores
    /// raise the threshold of [`Threshold::of`](crate::Threshold::of) where that costs none of them.
    /// They are recorded in the [`Provenance`](crate::Provenance), so that a test refuses them.
    ///
    /// # Errors
    /// As [`Self::fit`], and [`Error::TestLeak`] for a real defect among the normal images.
    pub fn fit_with(
        backbone: Arc<dyn Backbone>,
        normals: &[Array3<f32>],
        source: &dyn AnomalySource,
        real: Option<&FewShotSet>,
        params: &EvidenceParams,
        observer: &mut dyn Observe,
    ) -> Result<EvidenceOutcome, Error> {
        params.check()?;
        real.map_or(Ok(()), |real| real.check_apart(normals))?;
        if source.mechanisms() == 0 {
            return Err(ParameterError::new("anomaly source", "mechanisms", 0, "at least 1").into());
        }
        let is_few = params.copies() && normals.len() <= FEW;
        ensure_different(normals, if is_few { normals.len().clamp(1, 2) } else { 2 })?;
        let order = order(normals.len(), params);
        let views = if is_few { with_copies(normals, &order) } else { View::photos(&order) };
        let folds = folds(views.len());
        let relit = if params.lighting() { in_other_light(&views, params.seed()) } else { Vec::new() };
        let examples = head_slots(source.mechanisms(), params.head_defects(), views.len());
        let slots = validation_slots(source.mechanisms(), params.validation_defects(), views.len(), folds);
        let from = Reading {
            backbone: backbone.as_ref(),
            normals,
            views: &views,
            relit: &relit,
            fits_relit: false,
            source,
            real,
            params,
            registration: None,
        };
        let sides = within_budget(from, params.sides(shorter_side(normals)))?;
        let registration = params.alignment().then(|| reference(normals, &order)).flatten();
        let ways: &[Option<&Registration>] =
            if registration.is_some() { &[None, registration.as_ref()] } else { &[None] };
        let lights: &[bool] = if relit.is_empty() { &[false] } else { &[false, true] };
        let tries: Vec<(usize, Option<&Registration>, bool)> = (sides.iter())
            .flat_map(|&side| ways.iter().flat_map(move |&way| lights.iter().map(move |&light| (side, way, light))))
            .collect();
        let reals = real.map_or(0, |real| real.defects().len());
        let total = tries.len() * (views.len() + relit.len() + examples.len() + slots.len() + reals);
        let mut best: Option<(usize, Side)> = None;
        let mut last = None;
        let mut candidates = Vec::new();
        for (k, &(side, registration, fits_relit)) in tries.iter().enumerate() {
            drop(last.take()); // features of one try at a time are held
            let mut done = k * total / tries.len();
            let mut step = |n: usize| {
                done += n;
                observer.progress(Progress::Features { done, total });
            };
            let from = Reading { registration, fits_relit, ..from };
            let images = Images::read(from, side, &examples, &mut step)?;
            let levels = evidence_levels(backbone.as_ref(), side);
            let fitted = images.fit_for_choice(&levels, Choosing { from, slots: &slots, done: &mut step }, folds)?;
            observer.progress(Progress::Selection { side });
            let found = Side::choose(&images, &fitted, &levels, params);
            candidates.extend(found.candidates.iter().cloned());
            if best.as_ref().is_none_or(|(_, other)| found.is_better(other)) {
                best = Some((k, found));
            }
            last = Some((k, images));
        }
        let none = || Error::TooFewNormals { found: 0, needed: 2 };
        let (chosen_try, chosen) = best.ok_or_else(none)?;
        let (side, registration, fits_relit) = *tries.get(chosen_try).ok_or_else(none)?;
        let images = match last {
            Some((k, images)) if k == chosen_try => images,
            _ => Images::read(Reading { registration, fits_relit, ..from }, side, &examples, &mut |_| ())?,
        };
        observer.progress(Progress::Calibration);
        let explained_by_place = images.explained_by_place(&evidence_levels(backbone.as_ref(), chosen.side));
        let mut detector = finish(backbone, normals, &images, &chosen, params)?;
        detector.defect_hashes = real.map(|real| real.hashes().to_vec()).unwrap_or_default();
        detector.registration = registration.cloned();
        let (mut most_unusual, bound) = by_unlikeness(&detector.normal_scores, &order);
        let suspects = most_unusual.iter().filter(|s| s.score > bound).copied().collect();
        most_unusual.truncate(MOST_UNUSUAL);
        let report = SelectionReport {
            candidates,
            choice: chosen.figures.clone(),
            normals: order.len(),
            copies: views.len() - order.len(),
            validated_on: (0..order.len()).filter(|i| i % FOLDS < folds).count(),
            left_out: chosen.left_out,
            real_defects: chosen.real_defects,
            aligned: images.aligned,
            relit: images.relit,
            explained_by_place,
            suspects,
            most_unusual,
        };
        Ok(EvidenceOutcome { detector, report })
    }
}

/// Numbers of the images that are used, shuffled.
fn order(images: usize, params: &EvidenceParams) -> Vec<usize> {
    let mut order: Vec<usize> = (0..images).collect();
    order.shuffle(&mut keyed_stream(params.seed(), 0));
    order.truncate(params.images());
    order
}

/// What photos are aligned by, made of those that are used; `None` if they show nothing.
fn reference(normals: &[Array3<f32>], order: &[usize]) -> Option<Registration> {
    let photos: Vec<_> = order.iter().map(|&i| normals[i].view()).collect();
    Registration::fit(&photos)
}

/// Number of folds that the choice is validated on.
fn folds(images: usize) -> usize {
    let count = |folds: usize| (0..images).filter(|i| i % FOLDS < folds).count();
    (1..=FOLDS).find(|&f| count(f) >= VALIDATED).unwrap_or(FOLDS).min(images)
}

/// Levels of stride 8 and more with four patches along the shorter side `side` at least: the others are for heads
/// alone. All if there is none.
fn evidence_levels(backbone: &dyn Backbone, side: usize) -> Vec<usize> {
    let levels = backbone.levels();
    let is_usable = |&l: &usize| levels[l].stride >= 8 && 4 * levels[l].stride <= side;
    let usable: Vec<usize> = (0..levels.len()).filter(is_usable).collect();
    if usable.is_empty() { (0..levels.len()).collect() } else { usable }
}

/// Choice at one side.
struct Side {
    side: usize,
    aligned: bool,
    relit: bool,
    sum: EvidenceSum,
    head_weight: f32,
    reduction: Reduction,
    figures: Option<CandidateFigures>,
    candidates: Vec<CandidateFigures>,
    left_out: Vec<LeftOutMechanism>,
    real_defects: Option<LeftOutMechanism>,
    /// Slot, mechanism and separation of each defect by the choice.
    separations: Vec<(usize, usize, f64)>,
}

impl Side {
    fn choose(images: &Images, fitted: &CrossFit, levels: &[usize], params: &EvidenceParams) -> Self {
        let mechanisms = images.mechanisms();
        let validation = Validation::new(fitted, images, levels);
        let mut side = Self {
            side: images.side,
            aligned: images.aligned,
            relit: images.relit,
            sum: EvidenceSum::safe(levels),
            head_weight: 0.0,
            reduction: Reduction::DEFAULT,
            figures: None,
            candidates: Vec::new(),
            left_out: Vec::new(),
            real_defects: None,
            separations: Vec::new(),
        };
        if validation.mechanisms.is_empty() {
            return side;
        }
        let sums = EvidenceSum::all(levels);
        let by_sum: Vec<Vec<Separation>> =
            sums.par_iter().map(|sum| validation.separations(sum, 0.0, Reduction::DEFAULT)).collect();
        let values = |s: &[Separation]| s.iter().map(|s| s.mean()).collect::<Vec<f64>>();
        let ranked: Vec<(Vec<f64>, usize)> =
            by_sum.iter().zip(&sums).map(|(s, sum)| (values(s), sum.departures())).collect();
        let best = simplest_within_error(&ranked, &validation.mechanisms).unwrap_or(0);
        side.sum = sums[best].clone();
        let tried = sums.iter().map(|sum| (sum, 0.0, Reduction::DEFAULT));
        side.note(&validation, tried.collect(), &by_sum, best);

        let given = params.head_weight().map(|weight| [weight as f32]);
        let weights: &[f32] = match &given {
            Some(given) => given,
            None if !fitted.real.is_empty() => &HEAD_WEIGHTS,
            // a mechanism can only be left out where there is another
            None if mechanisms.len() > 1 => &HEAD_WEIGHTS[..WITHOUT_REAL],
            None => &HEAD_WEIGHTS[..1],
        };
        let without_heads = &by_sum[best];
        let by_weight: Vec<Vec<Separation>> = (weights.par_iter())
            .map(|&w| match w {
                0.0 => without_heads.clone(),
                w => validation.separations(&side.sum, w, Reduction::DEFAULT),
            })
            .collect();
        let best = choose_weight(
            &by_weight.iter().map(|s| values(s)).collect::<Vec<_>>(),
            &validation.mechanisms,
            WITHOUT_REAL,
        );
        side.head_weight = weights[best];
        let sum = side.sum.clone();
        let tried = weights.iter().map(|&w| (&sum, w, Reduction::DEFAULT));
        side.note(&validation, tried.collect(), &by_weight, best);
        let use_of_heads = |mechanism: usize, name: &str| {
            let of: Vec<usize> =
                (0..validation.mechanisms.len()).filter(|&d| validation.mechanisms[d] == mechanism).collect();
            let mean = |s: &[Separation]| of.iter().map(|&d| s[d].mean()).sum::<f64>() / of.len().max(1) as f64;
            (!of.is_empty()).then(|| LeftOutMechanism {
                name: name.to_owned(),
                defects: of.len(),
                without_heads: mean(without_heads),
                with_heads: mean(&by_weight[best]),
            })
        };
        side.left_out = mechanisms.iter().filter_map(|(mechanism, name)| use_of_heads(*mechanism, name)).collect();
        side.real_defects = use_of_heads(REAL, "real defects");

        let weight = side.head_weight;
        let by_default = &by_weight[best];
        let by_reduction: Vec<Vec<Separation>> = (REDUCTIONS.par_iter())
            .map(|&r| match r {
                r if r == Reduction::DEFAULT => by_default.clone(),
                r => validation.separations(&sum, weight, r),
            })
            .collect();
        let ranked: Vec<(Vec<f64>, usize)> =
            by_reduction.iter().enumerate().map(|(i, s)| (values(s), usize::from(i > 0))).collect();
        let best = simplest_within_error(&ranked, &validation.mechanisms).unwrap_or(0);
        side.reduction = REDUCTIONS[best];
        let tried = REDUCTIONS.iter().map(|&r| (&sum, weight, r));
        side.note(&validation, tried.collect(), &by_reduction, best);
        side.separations = (validation.slots.iter().zip(&validation.mechanisms).zip(&by_reduction[best]))
            .map(|((slot, m), s)| (*slot, *m, s.mean()))
            .collect();
        side.figures = side.candidates.iter().rev().find(|c| c.chosen).cloned();
        side
    }

    /// Notes the figures of a step's candidates.
    fn note(
        &mut self,
        validation: &Validation<'_>,
        tried: Vec<(&EvidenceSum, f32, Reduction)>,
        found: &[Vec<Separation>],
        chosen: usize,
    ) {
        let mechanisms = &validation.mechanisms;
        let mean = |s: &[Separation], of: fn(&Separation) -> f64| {
            mean_by_mechanism(&s.iter().map(of).collect::<Vec<f64>>(), mechanisms)
        };
        let both = |s: &[Separation]| s.iter().map(|s| s.mean()).collect::<Vec<f64>>();
        for (i, ((sum, head_weight, reduction), s)) in tried.into_iter().zip(found).enumerate() {
            self.candidates.push(CandidateFigures {
                side: self.side,
                aligned: self.aligned,
                relit: self.relit,
                sum: sum.clone(),
                head_weight,
                smoothing: reduction.smoothing,
                share: reduction.share,
                image_auroc: mean(s, |s| s.image),
                pixel_auroc: mean(s, |s| s.pixel),
                standard_error: standard_error(&both(s), &both(&found[chosen]), mechanisms),
                chosen: i == chosen,
            });
        }
    }

    /// Whether it is better than the choice at a smaller side, without alignment or in still light, by more than the
    /// standard error, on the defects that were drawn at both.
    fn is_better(&self, other: &Self) -> bool {
        let pairs: Vec<(usize, f64, f64)> = (self.separations.iter())
            .filter_map(|(slot, mechanism, value)| {
                let same = other.separations.iter().find(|(s, m, _)| (s, m) == (slot, mechanism))?;
                Some((*mechanism, *value, same.2))
            })
            .collect();
        let (mechanisms, (ours, theirs)): (Vec<usize>, (Vec<f64>, Vec<f64>)) =
            pairs.into_iter().map(|(m, a, b)| (m, (a, b))).unzip();
        let gain = mean_by_mechanism(&ours, &mechanisms) - mean_by_mechanism(&theirs, &mechanisms);
        gain > standard_error(&ours, &theirs, &mechanisms)
    }
}

/// Fits the chosen sum to all normal images, and scales it by images that were held out in turn.
fn finish(
    backbone: Arc<dyn Backbone>,
    normals: &[Array3<f32>],
    images: &Images,
    chosen: &Side,
    params: &EvidenceParams,
) -> Result<EvidenceDetector, Error> {
    let mut kinds = chosen.sum.kinds().to_vec();
    kinds.sort_unstable();
    let measured = images.measure(chosen.sum.levels(), params)?;
    let mechanisms = if chosen.head_weight > 0.0 { images.mechanisms() } else { Vec::new() };
    let fitted = images.cross_fit(&measured, &kinds, &mechanisms, params, FOLDS, None)?;
    let all: Vec<usize> = (0..fitted.term_scales.len()).collect();
    let sums: Vec<Array2<f32>> = fitted.normals.iter().map(|(_, maps)| fitted.sum(maps, &all)).collect();
    let largest: Vec<Array2<f32>> = fitted.normals.iter().map(|(_, maps)| fitted.heads(maps, &[])).collect();
    let fitted_levels: Vec<Level> =
        measured.iter().map(|level| level.fit(&kinds, None)).collect::<Result<_, Error>>()?;
    let mut heads = if mechanisms.is_empty() { Vec::new() } else { images.heads(&mechanisms, params, None, None)? };
    heads.iter_mut().zip(&fitted.head_scales).for_each(|(head, scale)| head.scale = *scale);
    let mut real = images.real_maps(&fitted_levels, &mechanisms, params)?;
    real.iter_mut().for_each(|maps| maps.scale_heads(&fitted.head_scales));
    let mut detector = EvidenceDetector {
        backbone,
        side: chosen.side,
        registration: None,
        training_side: shorter_side(normals),
        levels: fitted_levels,
        term_scales: fitted.term_scales.clone(),
        sum_scale: scale(sums.iter().flatten().copied()),
        heads,
        head_scale: scale(largest.iter().flatten().copied()),
        head_weight: chosen.head_weight,
        reduction: chosen.reduction,
        normals: Vec::new(),
        normal_scores: Vec::new(),
        defect_scores: Vec::new(),
        defect_hashes: Vec::new(),
    };
    let score = |maps: &Maps, seen: (usize, usize)| {
        let map = to_image(detector.patch_map(maps).view(), seen, seen);
        Prediction::of_share(map, detector.reduction.share).score
    };
    let defect_scores = real.iter().zip(&images.real.seen).map(|(maps, seen)| score(maps, seen.size)).collect();
    let mut known: Vec<(usize, NormalImage)> = (fitted.normals.par_iter())
        .filter(|(i, _)| !images.views[*i].is_copy())
        .map(|(i, maps)| {
            let score = score(maps, images.size(*i));
            (*i, NormalImage { hash: image_hash(normals[images.views[*i].photo].view()), score, removed: false })
        })
        .collect();
    known.sort_by_key(|(i, _)| *i);
    detector.defect_scores = defect_scores;
    detector.normals = known.into_iter().map(|(_, normal)| normal).collect();
    detector.collect_scores();
    Ok(detector)
}

/// Normal images by their held-out score, highest first, and the score beyond which one is an outlier.
fn by_unlikeness(scores: &[f64], order: &[usize]) -> (Vec<Suspect>, f64) {
    let Some(outliers) = Outliers::above(scores) else { return (Vec::new(), f64::INFINITY) };
    let one = |(i, &score): (usize, &f64)| Suspect {
        image: order[i],
        score,
        median: outliers.median,
        weight: outliers.weight(score),
    };
    let mut all: Vec<Suspect> = scores.iter().enumerate().map(one).collect();
    all.sort_by(|a, b| b.score.total_cmp(&a.score));
    (all, outliers.bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_of_levels_with_places() {
        let net = frozen_backbone::EfficientNetLite0::pretrained_s32().unwrap();
        let of = |side: usize| evidence_levels(&net, side);
        assert_eq!([of(288), of(128), of(127), of(63)], [vec![1, 2, 3, 4], vec![1, 2, 3, 4], vec![1, 2, 3], vec![1]]);
        assert_eq!(of(31), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn as_few_folds_as_hold_enough_images_validate() {
        assert_eq!([2, 3, 10, 100, 160, 1000].map(folds), [2, 3, 4, 2, 1, 1]);
    }
}
