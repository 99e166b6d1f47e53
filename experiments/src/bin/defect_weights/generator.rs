//! Bins of the generator, steered by real defects.

use std::collections::BTreeSet;

use experiments::paired::mean;
use experiments::program::{Result, say};
use experiments::runs::RunLog;
use experiments::sets::ImageSet;
use maphc2f::bilevel::{ConjugateGradient, Implicit, UpperParams, WeightModel, learn_weights};
use maphc2f::bisqad::{DefectPatches, HeadProblem, PatchRows, RowExpansion};
use maphc2f::imgkit::rank::thirds;
use maphc2f::imgkit::rng::keyed_stream;
use maphc2f::sqe::{DensityRatio, Descriptors, mean_one_weights, temper_to_ess};
use maphc2f::{MATERIALS, Pipeline, PipelineSource};
use ndarray::{Array2, ArrayView2};
use rand::seq::SliceRandom;
use serde_json::json;

use crate::Options;
use crate::features::{Drawn, Features, Figures, RIDGE, Rows, Weighted, measure};
use crate::table::{differences, figures_of, rows_of};

/// Kinds that the mechanisms draw.
const KINDS: [&str; 4] = ["crack", "blowhole", "pitting", "defect"];
/// Fewest defects of a kind that must be left to test on.
const LEFT: usize = 8;
/// Weight of all real defects beside all drawn ones, in the arms that train on both.
const REAL: f64 = 3.0;
/// Ridge penalty of the density ratio: with five real defects it must stay near 1.
const RATIO_RIDGE: f64 = 0.02;
pub(crate) const ARMS: [&str; 8] =
    ["uniform", "learned", "density ratio", "shuffled", "mechanism", "real", "uniform + real", "learned + real"];

pub(crate) fn run(set: &str, images: &ImageSet, options: &Options, log: &mut RunLog) -> Result<()> {
    let kinds: BTreeSet<&String> = images.tests.iter().filter_map(|t| t.kind.as_ref()).collect();
    let kinds: Vec<&String> = kinds.into_iter().filter(|kind| KINDS.contains(&kind.as_str())).collect();
    let mut features = None;
    for seed in 0..options.seeds {
        let mut drawn: Option<Vec<Drawn>> = None;
        for kind in &kinds {
            let marked = |t: &maphc2f::TestImage| t.mask.as_ref().is_some_and(|m| m.iter().any(|m| *m));
            let all = images.tests.iter().enumerate();
            let mut of_kind: Vec<usize> =
                all.filter(|(_, t)| t.kind.as_ref() == Some(*kind) && marked(t)).map(|(i, _)| i).collect();
            of_kind.shuffle(&mut keyed_stream(seed, 0));
            for &count in &options.counts {
                let key = json!({ "setting": "generator", "set": set, "kind": kind, "count": count, "seed": seed,
                    "defects": options.defects });
                if of_kind.len() < count + LEFT || log.find(&key).is_some() {
                    continue;
                }
                let features = match &features {
                    Some(features) => features,
                    None => features.insert(Features::read(images)?),
                };
                let drawn = match &drawn {
                    Some(drawn) => drawn,
                    None => {
                        let pipeline = Pipeline::standard(&MATERIALS)?;
                        let source = PipelineSource::new(&pipeline, &images.normals, &images.names, seed)?;
                        let on: Vec<usize> = (0..images.normals.len()).collect();
                        let from = (&pipeline, &source);
                        drawn.insert(features.draw(images, &on, from, (options.defects, seed), None)?)
                    }
                };
                let (taken, rest) = of_kind.split_at(count);
                let mut run = key;
                let found = one(features, drawn, taken, rest, seed)?;
                let text: Vec<String> = found.arms.iter().map(|(arm, f)| format!("{arm} {:.3}", f[0])).collect();
                say(&format!("{set} {kind} {count} seed {seed}: {}", text.join(", ")));
                for (arm, figures) in &found.arms {
                    run[*arm] = json!(figures);
                }
                run["effective_share"] = json!(found.effective_share);
                run["upper_loss"] = json!(found.upper_loss);
                run["mechanisms"] = json!(found.mechanisms);
                log.push(run)?;
            }
        }
    }
    Ok(())
}

struct Found {
    arms: Vec<(&'static str, Figures)>,
    effective_share: f64,
    /// Before the first step and at the last.
    upper_loss: [f64; 2],
    /// Mean weight of each mechanism.
    mechanisms: Vec<f64>,
}

fn one(features: &Features, drawn: &[Drawn], taken: &[usize], rest: &[usize], seed: u64) -> Result<Found> {
    let expansion = RowExpansion::fit(features.normal.view(), None, 0)?;
    let real: Vec<DefectPatches> = taken.iter().filter_map(|i| features.real(*i)).collect();
    let patches: Vec<DefectPatches> = drawn.iter().map(|d| d.patches.clone()).collect();
    let problem = HeadProblem::new(&patches, features.normal.view(), &real, &expansion, RIDGE)?;
    let by = |of: fn(&Drawn) -> f64| thirds(&drawn.iter().map(of).collect::<Vec<f64>>());
    // mechanisms of which none could be drawn leave no gap
    let mechanism: Vec<usize> = drawn.iter().map(|d| d.bins.0).collect();
    let known: BTreeSet<usize> = mechanism.iter().copied().collect();
    let mechanism: Vec<usize> = mechanism.iter().map(|m| known.iter().position(|k| k == m).unwrap_or(0)).collect();
    let material = by(|d| d.bins.1 as f64);
    let factors = [mechanism.clone(), by(|d| d.bins.2[0]), by(|d| d.bins.2[1]), material, by(|d| d.bins.2[2])];
    let model = WeightModel::by_factors(&factors)?;
    let method = Implicit::new(ConjugateGradient::new(10, 1e-4)?, 1e-2)?;
    let params = UpperParams::default().with_steps(15).with_rate(0.4);
    let learned = learn_weights(&problem, &model, &method, &params, None, &mut |_, _| ())?;

    let good = features.tests.iter().filter(|t| t.kind.is_none());
    let tests: Vec<(&PatchRows, Option<&Array2<bool>>, bool)> = (rest.iter().map(|&i| (&features.tests[i], true)))
        .chain(good.map(|t| (t, false)))
        .map(|(t, defective)| (&t.rows, t.mask.as_ref(), defective))
        .collect();
    let weighted = |weights: &[f64]| patches.iter().zip(weights).map(|(p, w)| (p, *w, *w)).collect::<Vec<_>>();
    let normal = features.normal.view();
    let test = |defects: &[Weighted<'_>]| -> Result<(Figures, Vec<f64>)> {
        let theta = Rows::new(defects, normal, &expansion)?.head();
        let scores = |rows: ArrayView2<'_, f32>| HeadProblem::scores(&theta, expansion.apply(rows).view());
        Ok((measure(&tests, &scores)?, theta))
    };
    let ones = vec![1.0; patches.len()];
    let mut shuffled = learned.weights.clone();
    shuffled.shuffle(&mut keyed_stream(seed, 1));
    let mut arms = Vec::new();
    let described: Vec<Descriptors> = taken.iter().filter_map(|i| features.tests[*i].descriptors).collect();
    let of_drawn: Vec<Descriptors> = drawn.iter().map(|d| d.descriptors).collect();
    let ratio = DensityRatio::fit(&described, &of_drawn, RATIO_RIDGE)?;
    let ratios: Vec<f64> = of_drawn.iter().map(|d| ratio.of(d)).collect();
    // as spread as the learned ones, so that the arms differ by which defects count
    let share = learned.steps.last().map_or(1.0, |s| s.effective_share);
    let ratios = temper_to_ess(&mean_one_weights(&ratios).unwrap_or_else(|| ones.clone()), share);
    let by = [("uniform", &ones), ("learned", &learned.weights), ("density ratio", &ratios), ("shuffled", &shuffled)];
    for (arm, weights) in by {
        arms.push((arm, test(&weighted(weights))?.0));
    }
    // the mechanism whose head alone finds the real ones best
    let mut best: Option<(f64, Figures)> = None;
    for m in 0..known.len() {
        let own: Vec<Weighted<'_>> =
            patches.iter().zip(&mechanism).filter(|(_, of)| **of == m).map(|(p, _)| (p, 1.0, 1.0)).collect();
        let (figures, theta) = test(&own)?;
        let loss = maphc2f::bilevel::Bilevel::upper(&problem, &theta)?.loss;
        if best.is_none_or(|(least, _)| loss < least) {
            best = Some((loss, figures));
        }
    }
    arms.extend(best.map(|(_, figures)| ("mechanism", figures)));
    let marked = |of: &[DefectPatches]| of.iter().map(|d| d.marked.nrows()).sum::<usize>() as f64;
    let each = REAL * marked(&patches) / marked(&real).max(1.0);
    let real_alone: Vec<Weighted<'_>> = real.iter().map(|r| (r, each, 1.0)).collect();
    arms.push(("real", test(&real_alone)?.0));
    for (arm, weights) in [("uniform + real", &ones), ("learned + real", &learned.weights)] {
        let all: Vec<_> = weighted(weights).into_iter().chain(real_alone.iter().copied()).collect();
        arms.push((arm, test(&all)?.0));
    }
    let of_mechanism = |m: usize| {
        let own = learned.weights.iter().zip(&mechanism).filter(|(_, of)| **of == m).map(|(w, _)| *w);
        mean(&own.collect::<Vec<f64>>())
    };
    let losses: Vec<f64> = learned.steps.iter().map(|s| s.upper_loss).collect();
    Ok(Found {
        arms,
        effective_share: share,
        upper_loss: [losses.first().copied().unwrap_or(f64::NAN), losses.last().copied().unwrap_or(f64::NAN)],
        mechanisms: (0..known.len()).map(of_mechanism).collect(),
    })
}

/// Prints the tables; returns the gain of learned bins at the second count.
pub(crate) fn tables(log: &RunLog, options: &Options) -> Result<f64> {
    let mut gain = f64::NAN;
    for (i, count) in options.counts.iter().enumerate() {
        let key = json!({ "setting": "generator", "count": count, "defects": options.defects });
        let runs = rows_of(log, &key);
        if runs.is_empty() {
            continue;
        }
        say(&format!("\nGenerator, {count} real defects: pixel AP, pixel AUROC, image AUROC.\n"));
        figures_of(&runs, &["set", "kind"], &ARMS);
        let claims = [
            ("learned", "uniform"),
            ("learned", "shuffled"),
            ("learned", "mechanism"),
            ("density ratio", "uniform"),
            ("learned", "density ratio"),
            ("learned + real", "uniform + real"),
            ("learned + real", "real"),
        ];
        differences(&runs, &claims);
        if i == 1.min(options.counts.len() - 1) {
            let of = |arm: &str| runs.iter().filter_map(|r| r[arm][0].as_f64()).collect::<Vec<f64>>();
            gain = mean(&of("learned")) - mean(&of("uniform"));
        }
    }
    Ok(gain)
}
