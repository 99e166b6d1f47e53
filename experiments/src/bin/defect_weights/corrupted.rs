//! Drawn defects of which a share is corrupted.

use experiments::network::Network;
use experiments::paired::mean;
use experiments::program::{Result, say};
use experiments::runs::RunLog;
use experiments::sets::ImageSet;
use maphc2f::adbench::metrics::auroc;
use maphc2f::bilevel::{ConjugateGradient, Implicit, UpperParams, WeightModel, learn_weights};
use maphc2f::bisqad::{DefectPatches, HeadProblem, PatchRows, RowExpansion};
use maphc2f::imgkit::rng::keyed_stream;
use maphc2f::sqe::mean_one_weights;
use maphc2f::{MATERIALS, Pipeline, PipelineSource, learn_faults};
use ndarray::{Array2, ArrayView2};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde_json::json;

use crate::Options;
use crate::features::{Drawn, Features, Figures, RIDGE, Rows, Test, Weighted, measure};
use crate::table::{differences, figures_of, rows_of};

/// Passes of the network over all patches.
const PASSES: usize = 12;
/// Defects that are trained on, trusted, and measured on, each on photos of their own.
const TRAINED: usize = 480;
const TRUSTED: usize = 20;
const HELD_OUT: usize = 120;
/// Defects that the estimator of faults learns from.
const RATED: usize = 48;
pub(crate) const ARMS: [&str; 8] = ["clean", "uniform", "oracle", "quality", "filter", "bi-level", "both", "shuffled"];

/// Parts of the photos.
struct Parts {
    drawn: [Vec<Drawn>; 2],
}

pub(crate) fn run(set: &str, images: &ImageSet, options: &Options, log: &mut RunLog) -> Result<()> {
    let mut features = None;
    for seed in 0..options.seeds {
        let mut parts: Option<Parts> = None;
        for &rate in &options.rates {
            let key = json!({ "setting": "corrupted", "set": set, "rate": rate, "seed": seed });
            if log.find(&key).is_some() {
                continue;
            }
            let features = match &features {
                Some(features) => features,
                None => features.insert(Features::read(images)?),
            };
            let parts = match &parts {
                Some(parts) => parts,
                None => parts.insert(draw(features, images, seed)?),
            };
            let mut run = key;
            for (name, value) in one(features, parts, rate, seed)? {
                run[name] = value;
            }
            let ap: Vec<String> = ARMS.iter().map(|arm| format!("{arm} {:.3}", run[*arm][0])).collect();
            say(&format!("{set} {rate} seed {seed}: {}; found {}", ap.join(", "), run["found"]));
            log.push(run)?;
        }
    }
    Ok(())
}

/// Draws on three parts of the photos; the estimator of faults knows the photos of the first alone.
fn draw(features: &Features, images: &ImageSet, seed: u64) -> Result<Parts> {
    let mut photos: Vec<usize> = (0..images.normals.len()).collect();
    photos.shuffle(&mut keyed_stream(seed, 2));
    let n = photos.len();
    let (first, second) = photos.split_at(n * 7 / 10);
    let pipeline = Pipeline::standard(&MATERIALS)?;
    let source = PipelineSource::new(&pipeline, &images.normals, &images.names, seed)?;
    let known: Vec<_> = first.iter().map(|&i| images.normals[i].clone()).collect();
    let known_source = PipelineSource::new(&pipeline, &known, &[], seed)?;
    let (estimator, _) = learn_faults(&known, &known_source, &MATERIALS, RATED, seed)?;
    let of = |on: &[usize], count: usize, salt: u64, rated: bool| {
        let key = (count, 3 * seed + salt);
        features.draw(images, on, (&pipeline, &source), key, rated.then_some(&estimator))
    };
    Ok(Parts { drawn: [of(first, TRAINED, 0, true)?, of(second, HELD_OUT, 1, false)?] })
}

fn one(features: &Features, parts: &Parts, rate: f64, seed: u64) -> Result<Vec<(&'static str, serde_json::Value)>> {
    let [trained, held_out] = &parts.drawn;
    let marked = |t: &Test| t.mask.as_ref().is_some_and(|m| m.iter().any(|m| *m));
    let mut real: Vec<usize> = (0..features.tests.len()).filter(|&i| marked(&features.tests[i])).collect();
    real.shuffle(&mut keyed_stream(seed, 5));
    real.truncate(TRUSTED);
    let trusted: Vec<DefectPatches> = real.iter().filter_map(|i| features.real(*i)).collect();
    let mut order: Vec<usize> = (0..trained.len()).collect();
    order.shuffle(&mut keyed_stream(seed, 3));
    let count = (rate * trained.len() as f64).round() as usize;
    let mut bad = vec![false; trained.len()];
    order[..count].iter().for_each(|&i| bad[i] = true);
    let pick = |(d, bad): (&Drawn, &bool)| match &d.corrupted {
        Some((patches, quality)) if *bad => (patches.clone(), *quality),
        _ => (d.patches.clone(), d.quality),
    };
    let (patches, quality): (Vec<DefectPatches>, Vec<f64>) = trained.iter().zip(&bad).map(pick).unzip();
    let clean: Vec<DefectPatches> = trained.iter().map(|d| d.patches.clone()).collect();
    let normal = features.normal.view();
    let expansion = RowExpansion::fit(normal, None, 0)?;
    let problem = HeadProblem::new(&patches, normal, &trusted, &expansion, RIDGE)?;
    let method = Implicit::new(ConjugateGradient::new(10, 1e-4)?, 1e-2)?;
    let learn = |model: &WeightModel| {
        let params = UpperParams::default().with_steps(20).with_rate(0.25);
        learn_weights(&problem, model, &method, &params, None, &mut |_, _| ()).map(|l| l.weights)
    };
    let logit = |q: &f64| {
        let q = q.clamp(0.01, 0.99);
        (q / (1.0 - q)).ln()
    };
    let by_level = learn(&WeightModel::per_sample(vec![0.0; patches.len()])?)?;
    // quality is where the weights start from
    let both = learn(&WeightModel::per_sample(quality.iter().map(|q| 2.0 * logit(q)).collect())?)?;
    let mut shuffled = both.clone();
    shuffled.shuffle(&mut keyed_stream(seed, 4));

    let tests: Vec<(&PatchRows, Option<&Array2<bool>>, bool)> =
        (features.tests.iter().enumerate().filter(|(i, _)| !real.contains(i)))
            .map(|(_, t)| (&t.rows, t.mask.as_ref(), t.kind.is_some()))
            .collect();
    let drawn: Vec<(&PatchRows, Option<&Array2<bool>>, bool)> =
        held_out.iter().map(|d| (&d.rows, Some(&d.mask), true)).collect();
    let test = |defects: &[Weighted<'_>]| -> Result<Figures> {
        let rows = Rows::new(defects, normal, &expansion)?;
        let weights: Vec<f32> = rows.weights.iter().map(|w| *w as f32).collect();
        let net = Network::fit(rows.inputs.view(), &rows.labels, &weights, PASSES, seed);
        let scores = |rows: ArrayView2<'_, f32>| net.scores(expansion.apply(rows).view());
        let [held_out, ..] = measure(&drawn, &scores)?;
        let [ap, _, image] = measure(&tests, &scores)?;
        Ok([ap, held_out, image])
    };
    let ones = vec![1.0; patches.len()];
    let truth: Vec<f64> = bad.iter().map(|bad| f64::from(u8::from(!bad))).collect();
    let sharp: Vec<f64> = quality.iter().map(|q| f64::from(u8::from(*q >= 0.5))).collect();
    let of_mean_one = |quality: &[f64]| mean_one_weights(quality).ok_or("no defect has a weight");
    let arms = [
        ("clean", &clean, ones.clone()),
        ("uniform", &patches, ones),
        ("oracle", &patches, of_mean_one(&truth)?),
        ("quality", &patches, of_mean_one(&quality)?),
        ("filter", &patches, of_mean_one(&sharp)?),
        ("bi-level", &patches, by_level.clone()),
        ("both", &patches, both.clone()),
        ("shuffled", &patches, shuffled),
    ];
    let figures = |(arm, patches, weights): &(&'static str, &Vec<DefectPatches>, Vec<f64>)| {
        let defects: Vec<Weighted<'_>> = patches.iter().zip(weights).map(|(p, w)| (p, *w, *w)).collect();
        test(&defects).map(|figures| (*arm, json!(figures))).map_err(|e| e.to_string())
    };
    let mut out: Vec<_> = arms.par_iter().map(figures).collect::<std::result::Result<_, String>>()?;
    let found = |weights: &[f64]| -> Result<f64> {
        Ok(auroc(&weights.iter().map(|w| -*w as f32).collect::<Vec<f32>>(), &bad)?)
    };
    out.push(("found", json!([found(&quality)?, found(&by_level)?, found(&both)?])));
    Ok(out)
}

/// Prints the tables; returns the share of the loss at the second rate that the weights by both win back on real
/// defects.
pub(crate) fn tables(log: &RunLog, options: &Options) -> Result<f64> {
    let mut recovered = f64::NAN;
    for (i, rate) in options.rates.iter().enumerate() {
        let runs = rows_of(log, &json!({ "setting": "corrupted", "rate": rate }));
        if runs.is_empty() {
            continue;
        }
        say(&format!(
            "\nCorrupted, {:.0} %: pixel AP of real defects, of clean drawn ones on other photos, image AUROC.\n",
            100.0 * rate
        ));
        figures_of(&runs, &["set"], &ARMS);
        let claims = [
            ("uniform", "clean"),
            ("quality", "uniform"),
            ("bi-level", "uniform"),
            ("both", "uniform"),
            ("both", "shuffled"),
            ("both", "filter"),
            ("oracle", "uniform"),
        ];
        differences(&runs, &claims);
        let found = |i: usize| mean(&runs.iter().filter_map(|r| r["found"][i].as_f64()).collect::<Vec<f64>>());
        say(&format!(
            "\nAUROC of corrupted defects by low weight: quality {:.3}, bi-level {:.3}, both {:.3}",
            found(0),
            found(1),
            found(2)
        ));
        let of = |arm: &str, i: usize| mean(&runs.iter().filter_map(|r| r[arm][i].as_f64()).collect::<Vec<f64>>());
        for (i, on) in [(0, "real"), (1, "drawn")] {
            let loss = of("clean", i) - of("uniform", i);
            let back = |arm: &str| (of(arm, i) - of("uniform", i)) / loss;
            say(&format!(
                "on {on} defects uniform loses {loss:.4}; won back: quality {:.2}, filter {:.2}, bi-level {:.2}, both {:.2}, oracle \
                 {:.2}",
                back("quality"),
                back("filter"),
                back("bi-level"),
                back("both"),
                back("oracle")
            ));
        }
        if i == 1.min(options.rates.len() - 1) {
            recovered = (of("both", 0) - of("uniform", 0)) / (of("clean", 0) - of("uniform", 0));
        }
    }
    Ok(recovered)
}
