//! The report's figures against hand-derived ones and against the metrics, and what it refuses.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use adbench::metrics::{BootstrapParams, au_pro, auroc, average_precision, bootstrap, f1_max};
use adbench::metrics::{MetricError, PixelPool};
use adbench::report::{Outcome, Report, ReportBuilder, ReportError};
use ndarray::{Array2, Array3, ArrayView2, arr2};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn widget() -> ReportBuilder {
    let clear = Array2::from_elem((1, 2), false);
    let mut builder = ReportBuilder::new("widget").with_training_images(7);
    for (i, score) in [0.1, 0.2, 0.3, 0.4].into_iter().enumerate() {
        let map = if i == 0 { arr2(&[[0.0, 0.5]]) } else { arr2(&[[-1.0, -1.0]]) };
        let id = format!("good/{i}");
        builder.push(&Outcome::new(&id, None, score).with_map(map.view(), clear.view())).unwrap();
    }
    for (id, kind, score, map, mask) in [
        ("stain/0", "stain", 0.25, [[0.1, 0.4]], [[false, true]]),
        ("crack/0", "crack, deep", 0.35, [[0.9, 0.1]], [[true, false]]),
        ("crack/1", "crack, deep", 0.9, [[0.95, 0.0]], [[true, false]]),
    ] {
        let (map, mask) = (arr2(&map), arr2(&mask));
        builder.push(&Outcome::new(id, Some(kind), score).with_map(map.view(), mask.view())).unwrap();
    }
    builder
}

#[test]
fn each_kind_is_compared_with_all_good_images() {
    let report = widget().finish().unwrap();
    let [crack, stain] = report.kinds.as_slice() else { panic!("{report}") };
    assert_eq!((crack.name.as_str(), crack.normal, crack.anomalous), ("crack, deep", 4, 2));
    assert_eq!(crack.image_auroc.unwrap().value, 7.0 / 8.0);
    assert_eq!((stain.normal, stain.anomalous, stain.image_auroc.unwrap().value), (4, 1, 0.5));
    assert_eq!(report.overall.image_auroc.unwrap().value, 9.0 / 12.0);
    assert_eq!(report.mean_of_kinds(|r| r.image_auroc.map(|f| f.value)), Some((7.0 / 8.0 + 0.5) / 2.0));
    assert_eq!(stain.prevalence(), 0.2);
    // Pixels of the stain's own image and of the good ones only: 0.4 against 0.1, 0.0, 0.5 and six of -1.
    assert_eq!(stain.pixels.unwrap().auroc.value, 8.0 / 9.0);
    assert_eq!(crack.pixels.unwrap().auroc.value, 1.0);
    assert_eq!(report.overall.pixels.unwrap().prevalence, 3.0 / 14.0);
    assert_eq!(report.training_images, Some(7));
    // The stain is below good images 0.3 and 0.4; the good image 0.4 is above the stain and above 0.35.
    let misranked = |id: &str| report.images.iter().find(|i| i.id == id).unwrap().misranked;
    assert_eq!((misranked("stain/0"), misranked("good/3"), misranked("crack/1")), (0.5, 2.0 / 3.0, 0.0));
}

#[test]
fn the_table_is_aligned() {
    let table = widget().finish().unwrap().to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 5);
    assert!(lines.iter().all(|l| l.len() == lines[0].len()), "{table}");
    assert!(lines[1].starts_with("crack, deep ") && lines[1].contains("0.8750"), "{table}");
}

#[test]
fn without_maps_there_are_no_pixel_figures() {
    let mut builder = ReportBuilder::new("widget");
    builder.push(&Outcome::new("a", None, 0.0)).unwrap();
    builder.push(&Outcome::new("b", Some("crack"), 1.0)).unwrap();
    let report = builder.finish().unwrap();
    assert_eq!(report.overall.pixels, None);
    assert_eq!(report.mean_of_kinds(|r| r.pixels.map(|p| p.auroc.value)), None);
    assert!(report.curves.pro.is_empty() && report.pixel_scores.is_none());
}

/// Images of a detector that sees some of the defects: scores, labels, maps and masks.
struct Images {
    scores: Vec<f32>,
    labels: Vec<bool>,
    maps: Vec<Array2<f32>>,
    masks: Vec<Array2<bool>>,
}

/// `levels` distinct scores, so that there are many ties when there are few.
fn images(side: usize, levels: f32) -> Images {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let labels: Vec<bool> = (0..16).map(|i| i % 3 != 0).collect();
    let mut round = |mean: f32| ((mean + rng.random_range(-1.0..1.0_f32)) * levels).round() / levels;
    let masks: Vec<Array2<bool>> = labels
        .iter()
        .enumerate()
        .map(|(i, &l)| {
            Array2::from_shape_fn((side, side), |(y, x)| l && (y < 3 + i / 3 && x < side / 2 || y == x && y > side - 3))
        })
        .collect();
    let scores = labels.iter().map(|&l| round(if l { 0.5 } else { 0.0 })).collect();
    let maps = masks.iter().map(|m| m.mapv(|m| round(if m { 0.6 } else { 0.0 }))).collect();
    Images { scores, labels, maps, masks }
}

fn report(images: &Images, settings: BootstrapParams) -> Report {
    let mut builder = ReportBuilder::new("random").with_bootstrap(settings);
    for (i, (map, mask)) in images.maps.iter().zip(&images.masks).enumerate() {
        let (id, kind) = (i.to_string(), images.labels[i].then_some("bad"));
        builder.push(&Outcome::new(&id, kind, images.scores[i]).with_map(map.view(), mask.view())).unwrap();
    }
    builder.finish().unwrap()
}

/// Good images first, as the report counts them.
fn order(images: &Images) -> Vec<usize> {
    let of = |class: bool| (0..images.labels.len()).filter(move |&i| images.labels[i] == class);
    of(false).chain(of(true)).collect()
}

fn views<'a, T>(all: &'a [Array2<T>], drawn: impl Iterator<Item = usize>) -> Vec<ArrayView2<'a, T>> {
    drawn.map(|i| all[i].view()).collect()
}

#[test]
fn intervals_are_those_of_the_exact_metrics_drawn_anew() {
    // Few scores: every one is a threshold. Many: some 300 of 20 000 are.
    check_intervals(&images(12, 40.0), 1e-12);
    check_intervals(&images(96, 1e6), 1e-3);
}

fn check_intervals(images: &Images, tolerance: f64) {
    let settings = BootstrapParams::default().with_resamples(60).with_seed(3);
    let report = report(images, settings);
    let order = order(images);
    let labels: Vec<bool> = order.iter().map(|&i| images.labels[i]).collect();
    let close = |a: adbench::metrics::Interval, b: Option<adbench::metrics::Interval>| {
        let b = b.unwrap();
        assert!((a.low - b.low).abs() < tolerance && (a.high - b.high).abs() < tolerance, "{a:?} {b:?}");
        assert!(a.high - a.low > 5.0 * tolerance, "{a:?}");
    };
    let of_images = |metric: fn(&[f32], &[bool]) -> Result<f64, MetricError>| {
        let draw = |drawn: &[usize]| {
            let scores: Vec<f32> = drawn.iter().map(|&i| images.scores[order[i]]).collect();
            metric(&scores, &drawn.iter().map(|&i| labels[i]).collect::<Vec<_>>())
        };
        bootstrap(&labels, settings, draw).unwrap()
    };
    close(of_images(auroc), report.overall.image_auroc.unwrap().interval);
    close(of_images(average_precision), report.overall.image_average_precision.unwrap().interval);
    close(of_images(|s, l| Ok(f1_max(s, l)?.f1)), report.overall.image_f1_max.unwrap().interval);
    let of_pixels = |metric: &(dyn Fn(&adbench::metrics::RankedPixels) -> f64 + Sync)| {
        let draw = |drawn: &[usize]| {
            let mut pool = PixelPool::new();
            for &i in drawn {
                pool.push(images.maps[order[i]].view(), images.masks[order[i]].view())?;
            }
            Ok(metric(&pool.rank()?))
        };
        bootstrap(&labels, settings, draw).unwrap()
    };
    let pixels = report.overall.pixels.unwrap();
    close(of_pixels(&|r| r.auroc()), pixels.auroc.interval);
    close(of_pixels(&|r| r.average_precision()), pixels.average_precision.interval);
    close(of_pixels(&|r| r.f1_max().f1), pixels.f1_max.interval);
    close(of_pixels(&|r| r.au_pro(0.3).unwrap()), pixels.au_pro.interval);
    close(of_pixels(&|r| r.au_pro(0.05).unwrap()), pixels.au_pro_05.interval);
}

/// Area under a polyline up to `limit`, divided by it.
fn area(points: &[(f64, f64)], limit: f64) -> f64 {
    let pairs = points.windows(2).map(|p| (p[0], p[1]));
    let cut = |((x0, y0), (x1, y1)): ((f64, f64), (f64, f64))| {
        let inside = (x1.min(limit) - x0).max(0.0);
        if inside == 0.0 { 0.0 } else { inside * (y0 + (y1 - y0) * inside / (x1 - x0) / 2.0) }
    };
    pairs.map(cut).sum::<f64>() / limit
}

#[test]
fn curves_enclose_the_exact_areas() {
    // Few scores: every one is a threshold. Many: some 300 of 7000 are.
    for (side, levels, tolerance) in [(12, 40.0, 1e-12), (64, 1e6, 2e-4)] {
        let images = images(side, levels);
        let report = report(&images, BootstrapParams::default().with_resamples(20));
        let pixels = report.overall.pixels.unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() < tolerance, "{a} {b}");
        close(area(&report.curves.image_roc[0].points, 1.0), auroc(&images.scores, &images.labels).unwrap());
        close(area(&report.curves.pixel_roc[0].points, 1.0), pixels.auroc.value);
        let all = || 0..images.maps.len();
        for (limit, value) in [(0.3, pixels.au_pro), (0.05, pixels.au_pro_05), (0.01, pixels.au_pro_01)] {
            let exact = au_pro(&views(&images.maps, all()), &views(&images.masks, all()), limit).unwrap();
            assert_eq!(value.value, exact);
            close(area(&report.curves.pro[0].points, limit), exact);
        }
        for curve in [&report.curves.image_roc[1], &report.curves.pixel_roc[1], &report.curves.pro[1]] {
            assert_eq!(curve.name, "bad");
            assert_eq!((curve.points.first(), curve.points.last()), (Some(&(0.0, 0.0)), Some(&(1.0, 1.0))));
            assert!(curve.points.windows(2).all(|p| p[0].0 <= p[1].0 && p[0].1 <= p[1].1));
        }
    }
}

#[test]
fn histograms_count_every_score_once() {
    let report = widget().finish().unwrap();
    let pixels = report.pixel_scores.unwrap();
    assert_eq!((pixels.low, pixels.high), (-1.0, 0.95_f32.into()));
    assert_eq!((pixels.good.iter().sum::<u64>(), pixels.anomalous.iter().sum::<u64>()), (11, 3));
    // -1 six times in the first cell; the highest score belongs to the last one.
    assert_eq!((pixels.good[0], pixels.anomalous.last()), (6, Some(&1)));
    assert_eq!(report.image_scores.good.iter().sum::<u64>(), 4);
    let mut builder = ReportBuilder::new("constant");
    builder.push(&Outcome::new("a", None, 2.0)).unwrap();
    builder.push(&Outcome::new("b", Some("x"), 2.0)).unwrap();
    let constant = builder.finish().unwrap();
    assert_eq!((constant.image_scores.low, constant.image_scores.high), (1.5, 2.5));
}

/// What is defined is given: image figures without masks, pixel figures without good images, and the rest of the kinds
/// where one lacks what it needs; notes name what is not.
#[test]
fn figures_that_are_defined_are_given_and_notes_name_the_others() {
    assert!(widget().finish().unwrap().notes().is_empty());
    let is_noted = |report: &Report, words: &[&str]| {
        let notes = report.notes();
        assert_eq!(notes.len(), words.len(), "{notes:?}");
        notes.iter().zip(words).for_each(|(note, word)| assert!(note.contains(word), "{note}: {word}"));
    };
    let (map, mask) = (arr2(&[[0.0_f32, 0.5, 0.2]]), arr2(&[[false, true, false]]));

    // no anomalous image: scores and counts
    let mut builder = ReportBuilder::new("widget");
    builder.push(&Outcome::new("a", None, 0.25).with_map(map.view(), mask.mapv(|_| false).view())).unwrap();
    let report = builder.finish().unwrap();
    assert_eq!((report.overall.normal, report.overall.image_auroc, report.overall.pixels), (1, None, None));
    assert_eq!((report.images[0].score, report.images[0].misranked), (0.25, 0.0));
    is_noted(&report, &["no anomalous test image"]);

    // no good image: pixel figures, with every pixel of the anomalous ones
    let mut builder = ReportBuilder::new("widget");
    builder.push(&Outcome::new("a", Some("crack"), 0.0).with_map(map.view(), mask.view())).unwrap();
    let report = builder.finish().unwrap();
    assert_eq!(report.overall.image_auroc, None);
    assert_eq!(report.overall.pixels.unwrap().auroc.value, 1.0);
    is_noted(&report, &["no good test image"]);

    // no masks at all: image figures
    let mut builder = ReportBuilder::new("widget");
    for (id, kind) in [("a", None), ("b", Some("crack"))] {
        builder.push(&Outcome::new(id, kind, f32::from(u8::from(kind.is_some()))).with_map_alone(map.view())).unwrap();
    }
    let report = builder.finish().unwrap();
    assert_eq!((report.overall.image_auroc.unwrap().value, report.overall.pixels), (1.0, None));
    assert!(report.pixel_scores.is_none() && report.curves.pro.is_empty());
    is_noted(&report, &["crack: 1 of 1"]);

    // one kind without masks: its image figures, and pixel figures of the other kinds and of all with a mask
    let mut builder = widget();
    builder.push(&Outcome::new("dent/0", Some("dent"), 0.5).with_map_alone(arr2(&[[9.0_f32]]).view())).unwrap();
    let (report, before) = (builder.finish().unwrap(), widget().finish().unwrap());
    let [crack, dent, stain] = report.kinds.as_slice() else { panic!("{report}") };
    assert_eq!((dent.without_mask, dent.image_auroc.unwrap().value, dent.pixels), (1, 1.0, None));
    assert_eq!((crack, stain), (&before.kinds[0], &before.kinds[1]));
    assert_eq!(report.overall.pixels.unwrap().auroc.value, before.overall.pixels.unwrap().auroc.value);
    assert_eq!((report.overall.anomalous, report.overall.without_mask), (4, 1));
    is_noted(&report, &["dent: 1 of 1"]);

    // a kind whose mask is empty
    let mut builder = widget();
    let (map, mask) = (arr2(&[[0.0_f32]]), arr2(&[[false]]));
    builder.push(&Outcome::new("dent/0", Some("dent"), 0.0).with_map(map.view(), mask.view())).unwrap();
    let report = builder.finish().unwrap();
    assert_eq!((report.kinds[1].image_auroc.unwrap().value, report.kinds[1].pixels), (0.0, None));
    is_noted(&report, &["dent: no mask marks a pixel"]);

    // nothing at all
    let error = ReportBuilder::new("widget").finish().unwrap_err();
    assert!(matches!(error, ReportError::Figure { source: MetricError::MissingClass { count: 0, .. }, .. }), "{error}");
}

fn refused(builder: &mut ReportBuilder, outcome: Outcome<'_>) -> ReportError {
    builder.push(&outcome).unwrap_err()
}

#[test]
fn unusable_images_are_refused_by_name_and_leave_the_report_as_it_was() {
    let mut builder = widget();
    let before = builder.clone().finish().unwrap();
    let (map, mask) = (arr2(&[[0.0_f32, 1.0]]), arr2(&[[false, true]]));
    let outcome = || Outcome::new("new", None, 0.0);
    let (hole, empty) = (arr2(&[[0.0, f32::NAN]]), (Array2::zeros((0, 2)), Array2::from_elem((0, 2), false)));
    for bad in [f32::NAN, f32::INFINITY] {
        let error = refused(&mut builder, Outcome::new("new", None, bad).with_map(map.view(), mask.view()));
        assert!(matches!(&error, ReportError::Image { id, source: MetricError::NotFinite { .. } } if id == "new"));
    }
    let error = refused(&mut builder, outcome().with_map(hole.view(), mask.view()));
    assert!(matches!(error, ReportError::Image { source: MetricError::NotFinite { index: 1, .. }, .. }));
    let error = refused(&mut builder, outcome().with_map(map.view(), mask.t()));
    assert!(matches!(error, ReportError::Image { source: MetricError::Shape { .. }, .. }));
    let error = refused(&mut builder, outcome().with_map(empty.0.view(), empty.1.view()));
    assert!(matches!(error, ReportError::Image { source: MetricError::EmptyMap, .. }));
    let error = refused(&mut builder, outcome());
    assert!(matches!(error, ReportError::MapsOfSome { ref id, has_map: false } if id == "new"), "{error}");
    let again = Outcome::new("good/0", None, 0.0).with_map(map.view(), mask.view());
    assert!(matches!(refused(&mut builder, again), ReportError::Duplicate { ref id } if id == "good/0"));
    for shape in [(2, 1, 3), (1, 2, 4)] {
        let photo = Array3::zeros(shape);
        let error = refused(
            &mut builder,
            Outcome::new("new", None, 0.0).with_map(map.view(), mask.view()).with_photo(photo.view()),
        );
        let ReportError::Photo { expected, found, channels, .. } = error else { panic!("{error}") };
        assert_eq!((expected, found, channels), ((1, 2).into(), (shape.0, shape.1).into(), shape.2));
    }
    assert_eq!(builder.finish().unwrap(), before);
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let images = images(64, 1e6);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| report(&images, BootstrapParams::default().with_resamples(50)))
    };
    assert_eq!(with(1), with(3));
}
