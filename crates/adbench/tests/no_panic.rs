//! Odd arguments of every public function: a result or a typed error, never a panic.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use std::cell::Cell;

use adbench::metrics::{
    AnomalousPixels, BootstrapParams, HistogramPixels, PixelPool, Reducer, au_pro, aupimo, auroc, average_precision,
    bootstrap, f1_max, over_seeds, pixel_auroc_of_anomalous_images, recall_at_false_positive_rate,
    specificity_at_miss_rate,
};
use imgkit::components::label_components;
use ndarray::{Array2, ArrayView2};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{TestCaseError, TestRunner};

/// Results seen of each sort, so that a test which sees only one of them fails.
#[derive(Default)]
struct Seen {
    ok: Cell<usize>,
    err: Cell<usize>,
}

impl Seen {
    fn note<T, E: std::error::Error>(&self, result: Result<T, E>) {
        match result {
            Ok(_) => self.ok.set(self.ok.get() + 1),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                self.err.set(self.err.get() + 1);
            }
        }
    }
}

/// Runs a property, which must have seen both sorts of results in the end.
fn check<S: Strategy>(strategy: S, property: impl Fn(S::Value, &Seen)) {
    let seen = Seen::default();
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    let run = TestRunner::new(config).run(&strategy, |value| {
        property(value, &seen);
        Ok::<(), TestCaseError>(())
    });
    run.unwrap();
    assert!(seen.ok.get() > 0 && seen.err.get() > 0, "{} results, {} errors", seen.ok.get(), seen.err.get());
}

fn odd_f64() -> impl Strategy<Value = f64> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, -1.0, 1.0, 2.0, f64::MIN_POSITIVE, f64::MAX];
    prop_oneof![select(odd.to_vec()), 0.0..1.0]
}

fn odd_f32() -> impl Strategy<Value = f32> {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MIN, f32::MAX, f32::MIN_POSITIVE];
    prop_oneof![1 => select(odd.to_vec()), 40 => -1.0..1.0_f32, 10 => select(vec![0.0_f32, 0.5])]
}

fn odd_count() -> impl Strategy<Value = usize> {
    prop_oneof![select(vec![0, 1, 2, usize::MAX - 1, usize::MAX]), 0..64_usize]
}

fn labels() -> impl Strategy<Value = Vec<bool>> {
    let any_labels = prop::collection::vec(any::<bool>(), 0..12);
    prop_oneof![1 => Just(vec![]), 1 => Just(vec![true; 3]), 1 => Just(vec![false; 3]), 4 => any_labels]
}

/// A map and a mask, which mostly have the same shape; sides may be 0.
fn image() -> impl Strategy<Value = (Array2<f32>, Array2<bool>)> {
    (0..5_usize, 0..5_usize, prop::bool::weighted(0.05)).prop_flat_map(|(height, width, is_other)| {
        let pixels = prop::collection::vec((odd_f32(), prop::bool::weighted(0.3)), height * width);
        pixels.prop_map(move |pixels| {
            let map = Array2::from_shape_vec((height, width), pixels.iter().map(|p| p.0).collect()).unwrap();
            let mask = Array2::from_shape_vec((height, width), pixels.iter().map(|p| p.1).collect()).unwrap();
            (map, if is_other { Array2::from_elem((width + 1, height), true) } else { mask })
        })
    })
}

fn views<T>(images: &[Array2<T>]) -> Vec<ArrayView2<'_, T>> {
    images.iter().map(|image| image.view()).collect()
}

#[test]
fn metrics_of_scores() {
    let scores = prop::collection::vec(odd_f64(), 0..12);
    check((scores, labels(), odd_f64(), any::<bool>()), |(mut scores, labels, rate, is_equal), seen| {
        if is_equal {
            scores.resize(labels.len(), 0.5);
        }
        let narrow: Vec<f32> = scores.iter().map(|&s| s as f32).collect();
        seen.note(auroc(&scores, &labels));
        seen.note(auroc(&narrow, &labels));
        seen.note(average_precision(&scores, &labels));
        seen.note(f1_max(&narrow, &labels));
        seen.note(specificity_at_miss_rate(&scores, &labels, rate));
        seen.note(recall_at_false_positive_rate(&narrow, &labels, rate));
        seen.note(over_seeds(&scores));
    });
}

#[test]
fn metrics_of_pixels() {
    check(
        (prop::collection::vec(image(), 0..4), odd_f64(), odd_f64(), 0..40_u32),
        |(images, low, high, bits), seen| {
            let (maps, masks): (Vec<_>, Vec<_>) = images.into_iter().unzip();
            let (maps, masks) = (views(&maps), views(&masks));
            seen.note(au_pro(&maps, &masks, high));
            seen.note(au_pro(&maps, &[], high));
            seen.note(aupimo(&maps, &maps, &masks, (low, high)));
            seen.note(pixel_auroc_of_anomalous_images(&maps, &masks));
            let (mut pool, mut first) = (PixelPool::new(), AnomalousPixels::new());
            for (map, mask) in maps.iter().zip(&masks) {
                seen.note(pool.push(*map, *mask));
                seen.note(first.push(*map, *mask));
                assert_eq!(label_components(*mask).sizes.iter().sum::<usize>(), mask.iter().filter(|&&m| m).count());
            }
            let ranked = pool.rank();
            seen.note(ranked.as_ref().map_err(Clone::clone).and_then(|ranked| ranked.au_pro(high)));
            if let Ok(mut second) = first.into_counting() {
                for (map, mask) in maps.iter().zip(&masks) {
                    seen.note(second.push(*map, *mask));
                }
                seen.note(second.rank());
            }
            if let Ok(mut histogram) = HistogramPixels::new(bits.min(12)) {
                for (map, mask) in maps.iter().zip(&masks) {
                    seen.note(histogram.push(*map, *mask));
                }
                seen.note(histogram.auroc());
                seen.note(histogram.au_pro(low));
            }
            seen.note(HistogramPixels::new(bits.saturating_mul(u32::MAX)));
        },
    );
}

#[test]
fn reducers() {
    check((image(), odd_f64(), odd_count()), |((map, _), fraction, k), seen| {
        for reducer in
            [Reducer::Max, Reducer::MeanTopFraction(fraction), Reducer::MeanTopK(k), Reducer::MaxOfAvgPool(k)]
        {
            seen.note(reducer.reduce(map.view()));
        }
    });
}

#[test]
fn bootstraps() {
    check(
        (labels(), odd_count(), odd_f64(), any::<u64>(), odd_f64()),
        |(labels, resamples, level, seed, figure), seen| {
            let params = BootstrapParams::default().with_resamples(resamples).with_level(level).with_seed(seed);
            assert_eq!((params.resamples(), params.seed()), (resamples, seed));
            seen.note(bootstrap(&labels, params, |_| Ok(figure)));
        },
    );
}

#[cfg(feature = "protocols")]
#[test]
fn protocols() {
    use adbench::protocol::{PROTOCOLS, ResizeRule, TruthRule};
    use adbench::smoothing::Smoothing;
    let rules = vec![
        TruthRule::Original,
        TruthRule::BilinearTruncated,
        TruthRule::BilinearAny,
        TruthRule::CvLinearTruncated,
        TruthRule::Nearest,
    ];
    let sides = (odd_count(), odd_count(), odd_count(), 0..3_usize, odd_f64(), select(rules));
    check((image(), sides), |((map, mask), (side, crop, evaluation, rule, sigma, truth)), seen| {
        let mut protocol = PROTOCOLS[0];
        protocol.resize = [ResizeRule::Original, ResizeRule::ShortSide(side), ResizeRule::Square(side)][rule];
        (protocol.crop, protocol.evaluation, protocol.truth) = (Some(crop), Some(evaluation), truth);
        protocol.smoothing =
            [Smoothing::None, Smoothing::ScipyGaussian { sigma }, Smoothing::ZeroPadded { sigma, side: crop }][rule];
        let _ = (protocol.resized(mask.dim()), protocol.cropped_away(mask.view()));
        seen.note(protocol.truth(mask.view()));
        if map.iter().all(|v| v.is_finite()) {
            seen.note(protocol.map(map.view(), mask.dim()));
        }
    });
}

#[cfg(feature = "report")]
#[test]
fn reports() {
    use adbench::protocol::PROTOCOLS;
    use adbench::report::{Document, Format, Outcome, Provenance, ReportBuilder};
    let outcome = (image(), odd_f64(), select(vec![None, Some("crack"), Some("")]), 0..6_usize);
    let params = (select(vec![2_usize, 5]), select(vec![0.5, 0.95, 2.0]));
    check((prop::collection::vec(outcome, 0..4), params), |(outcomes, (resamples, level)), seen| {
        let params = BootstrapParams::default().with_resamples(resamples).with_level(level);
        let mut builder = ReportBuilder::new("").with_bootstrap(params);
        for (i, ((map, mask), score, kind, channels)) in outcomes.iter().enumerate() {
            let photo = ndarray::Array3::from_elem((map.dim().0, map.dim().1, *channels), f32::NAN);
            let id = (i / 2 * 2).to_string();
            let outcome = Outcome::new(&id, *kind, *score);
            seen.note(builder.push(&outcome.with_map(map.view(), mask.view()).with_photo(photo.view())));
            let id = i.to_string();
            seen.note(builder.push(&Outcome::new(&id, *kind, *score).with_map(map.view(), mask.view())));
        }
        let report = builder.finish();
        if let Ok(report) = &report {
            let provenance = Provenance::new("", "", PROTOCOLS[0], "");
            let document = Document::new("", provenance, vec![report.clone()]).unwrap();
            assert!(Format::ALL.iter().all(|&format| !document.render(format).is_empty()));
        }
        seen.note(report);
    });
}

#[cfg(feature = "loaders")]
#[test]
fn loaders() {
    use adbench::dataset::{Policy, Split, Test, Train};
    use adbench::loaders::{Folder, LAYOUTS, Table, by_name, detect};
    use std::fs;
    let names = vec![
        "train/good/a.png",
        "test/good/a.png",
        "test/crack/a.png",
        "test/crack/a.bmp",
        "ground_truth/crack/a_mask.png",
        "bottle/train/good/a.png",
        "bottle/test/good/a.png",
        "1cls/candle/train/ok/b.JPG",
        "split_csv/1cls.csv",
        "split_csv/2cls_fewshot.csv",
        "BTech_Dataset_transformed/01/train/ok/0.bmp",
        "bottle/ground_truth/crack/a/000.png",
        "bottle/test_public/good/000_regular.png",
        "bottle/test_private/000.png",
        "bottle/defects_config.json",
        "realiad_jsons/bottle.json",
        ".hidden",
        "list.csv",
    ];
    let categories = select(vec![None, Some(""), Some("."), Some("bottle"), Some("candle"), Some("\0"), Some("../x")]);
    check((prop::collection::btree_set(select(names), 0..8), categories, odd_count(), odd_f64()), |input, seen| {
        let (files, category, k, q) = input;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for file in files {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            let text = "object,split,label,image,mask\r\ncandle,train,normal,train/good/a.png,\r\nx,\"";
            fs::write(root.join(file), text).unwrap();
        }
        let list = root.join("realiad_jsons/bottle.json");
        for root in [root, &root.join("list.csv"), &list, &root.join("absent"), std::path::Path::new("")] {
            seen.note(detect(root));
            for layout in LAYOUTS {
                assert!(by_name(layout.name()).is_some());
                seen.note(layout.categories(root));
                for policy in [Policy::Strict, Policy::Skip] {
                    seen.note(layout.index(root, category, policy).and_then(|data| data.validate()));
                }
            }
        }
        let data = Folder::new("", root).with_train("train/good").with_good("").with_defect("", "absent", None);
        seen.note(data.index(Policy::Skip));
        seen.note(Table::new(root.join("list.csv")).with_root("").with_category("").index(Policy::Strict));
        let samples: Vec<_> = Split::<Train>::new(vec![]).samples().to_vec();
        seen.note(Split::<Train>::new(samples.clone()).hold_out_every(k));
        let scores = Split::<Train>::new(samples.clone()).with_scores(vec![]).unwrap();
        seen.note(scores.threshold_at_quantile(q));
        seen.note(Split::<Test>::new(samples).with_scores(vec![q as f32]).and_then(|scores| scores.auroc()));
    });
}
