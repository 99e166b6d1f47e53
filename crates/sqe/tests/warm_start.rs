//! Warm start of both heads on discs whose order is known.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use common::{Other, mask, pasted, texture, trained};
use frozen_backbone::EfficientNetLite0;
use sqe::{Degradation, Error, Head, QualityFeatures, RankedVersions, Sqe, WarmStartParams, spearman};

/// Spearman correlation of the quality of ten discs of one unseen seed with their strength.
fn correlation(sqe: &Sqe) -> f64 {
    let strengths: Vec<f64> = (0..10).map(|i| f64::from(i) / 9.0).collect();
    let features: Vec<QualityFeatures> = strengths.iter().map(|&s| pasted(40, s as f32)).collect();
    let q = sqe.score(&features.iter().collect::<Vec<_>>()).unwrap();
    assert!(q.iter().all(|q| *q > 0.0 && *q < 1.0), "{q:?}");
    spearman(&q, &strengths).unwrap_or(0.0)
}

#[test]
fn the_masked_head_ranks_held_out_discs_and_strengths_it_never_saw() {
    let (sqe, report) = trained(Head::default());
    assert!(report.held_out_accuracy > 0.9 && report.training_accuracy > 0.9, "{report:?}");
    let rho = correlation(&sqe);
    assert!(rho < -0.8, "quality must fall as the step grows, got {rho}");
}

/// The published form: one linear unit on the pooled features. An untrained one, and one taught the reverse order, must
/// not rank.
#[test]
fn the_global_head_ranks_held_out_discs_and_strengths_it_never_saw() {
    let (sqe, report) = trained(Head::Global);
    assert_eq!(sqe.input_width(), 256);
    assert!(report.held_out_accuracy > 0.9 && report.loss < 2f64.ln(), "{report:?}");
    let rho = correlation(&sqe);
    assert!(rho < -0.8, "quality must fall as the step grows, got {rho}");

    let net = EfficientNetLite0::pretrained().unwrap();
    let mut reversed = Sqe::new(&net, Head::Global, 7).unwrap();
    assert_eq!(correlation(&reversed), 0.0, "before training");
    let ranked = |seed| RankedVersions::worst_first(vec![pasted(seed, 0.0), pasted(seed, 1.0)]);
    let rankings: Vec<RankedVersions> = (0..8).map(ranked).collect();
    reversed.warm_start(&rankings, &WarmStartParams::default().with_epochs(30)).unwrap();
    assert!(correlation(&reversed) > 0.8, "the reverse order");
}

#[test]
fn quality_falls_with_outlines_it_never_saw_and_the_report_says_so() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let (sqe, _) = trained(Head::default());
    let samples: Vec<_> = (40..46).map(|seed| (texture(seed), mask(seed))).collect();
    let views: Vec<_> = samples.iter().map(|(i, m)| (i.view(), m.view())).collect();
    let found = sqe.measure_monotonicity(&net, &views, 5).unwrap();
    assert_eq!(found.iter().map(|c| c.degradation).collect::<Vec<_>>(), Degradation::ALL);
    let seam = &found[2];
    assert!(seam.spearman < -0.8, "{seam:?}");
    assert!(seam.levels[0].1 > seam.levels[4].1 && seam.levels[2].0 == 0.5);
    let undecided = Sqe::new(&net, Head::default(), 1).unwrap().measure_monotonicity(&net, &views[..1], 3).unwrap();
    assert!(undecided.iter().all(|c| c.spearman == 0.0), "{undecided:?}");
    assert!(matches!(sqe.measure_monotonicity(&net, &[], 5), Err(Error::Parameter(p)) if p.name == "samples"));
    for levels in [0, 1, usize::MAX] {
        let error = sqe.measure_monotonicity(&net, &views, levels).unwrap_err();
        assert!(matches!(error, Error::Parameter(p) if p.name == "levels"), "{levels}");
    }
    assert!(matches!(sqe.measure_monotonicity(&Other(net), &views, 3), Err(Error::OtherBackbone { .. })));
}

#[test]
fn an_estimator_is_a_pure_function_of_its_seed() {
    let (a, b) = (trained(Head::default()).0, trained(Head::default()).0);
    let e = pasted(50, 0.4);
    assert_eq!(a.score(&[&e]).unwrap(), b.score(&[&e]).unwrap());
}

/// One image, a batch, and the parameters moved to another estimator give the same quality.
#[test]
fn the_ways_to_score_agree() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let (sqe, _) = trained(Head::default());
    let (image, mask) = (texture(41), mask(41));
    let features = QualityFeatures::extract(&net, image.view(), mask.view()).unwrap();
    let quality = sqe.score_image(&net, image.view(), mask.view()).unwrap();
    assert!(quality != 0.5);
    assert_eq!(sqe.score(&[&features]).unwrap(), [quality]);
    let batch = sqe.batch(&[&features, &pasted(42, 1.0)]).unwrap();
    assert_eq!((batch.len(), sqe.score_batch(&batch).unwrap()[0]), (2, quality));
    assert_eq!(sqe.score(&[]).unwrap(), Vec::<f64>::new());
    let other = sqe.score_image(&Other(net.clone()), image.view(), mask.view());
    assert!(matches!(other, Err(Error::OtherBackbone { .. })));

    let mut copy = Sqe::new(&net, Head::default(), 99).unwrap();
    copy.set_parameters(&sqe.parameters().unwrap()).unwrap();
    assert_eq!(copy.score_batch(&batch).unwrap(), sqe.score_batch(&batch).unwrap());
    assert!(matches!(copy.set_parameters(&[0.0]), Err(Error::Parameter(_))));
    let global = Sqe::new(&net, Head::Global, 0).unwrap();
    assert!(matches!(global.score_batch(&batch), Err(Error::Width { found: 519, expected: 256 })));
}

/// The gradient against finite differences of the objective, which is computed here from the scores.
#[test]
fn the_outer_gradient_is_that_of_its_objective() {
    let (mut sqe, _) = trained(Head::Global);
    let features: Vec<QualityFeatures> = (0..4).map(|i| pasted(30 + i, 0.3 * i as f32)).collect();
    let batch = sqe.batch(&features.iter().collect::<Vec<_>>()).unwrap();
    let (slope, penalty) = ([0.3, -0.2, 0.1, 0.5], 0.4);
    let gradient = sqe.objective_gradient(&batch, &slope, penalty).unwrap();
    let start = sqe.parameters().unwrap();
    let mut objective = |at: usize, shift: f64| {
        let mut parameters = start.clone();
        parameters[at] += shift;
        sqe.set_parameters(&parameters).unwrap();
        let w = sqe::mean_one_weights(&sqe.score_batch(&batch).unwrap()).unwrap();
        let first_order: f64 = w.iter().zip(&slope).map(|(w, s)| w * s).sum();
        first_order + penalty * (4.0 / sqe::effective_sample_size(&w) - 1.0)
    };
    let largest = (0..start.len()).max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs())).unwrap();
    assert!(gradient[largest].abs() > 0.05, "{}", gradient[largest]);
    for at in [0, 100, 200, largest, start.len() - 1] {
        let difference = (objective(at, 0.01) - objective(at, -0.01)) / 0.02;
        let error = (gradient[at] - difference).abs();
        assert!(error < 2e-3 * gradient[largest].abs().max(1.0), "{at}: {} {difference}", gradient[at]);
    }
}

#[test]
fn too_few_sets_and_bad_parameters_are_rejected() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let mut sqe = Sqe::new(&net, Head::default(), 7).unwrap();
    let default = WarmStartParams::default();
    assert!(matches!(sqe.warm_start(&[], &default), Err(Error::TooFewRankings { usable: 0 })));
    let single = RankedVersions::worst_first(vec![pasted(1, 0.0)]);
    let pair = RankedVersions::worst_first(vec![pasted(1, 1.0), pasted(1, 0.0)]);
    assert!(matches!(sqe.warm_start(&[single, pair], &default), Err(Error::TooFewRankings { usable: 1 })));
    for (params, name) in [
        (default.with_epochs(0), "epochs"),
        (default.with_held_out(1.0), "held_out"),
        (default.with_held_out(f64::NAN), "held_out"),
        (default.with_learning_rate(f64::NAN), "learning_rate"),
        (default.with_learning_rate(0.0), "learning_rate"),
        (default.with_weight_decay(-1.0), "weight_decay"),
        (default.with_weight_decay(f64::INFINITY), "weight_decay"),
    ] {
        let error = sqe.warm_start(&[], &params).unwrap_err();
        assert!(matches!(&error, Error::Parameter(p) if p.name == name), "{error}");
    }
}
