//! Oracles of the diffusion filters: closed forms, symmetries, golden data of MedPy, edges kept and noise taken off.

#![allow(clippy::unwrap_used)] // helpers of tests, which the lint's own exception for tests does not reach

use imgkit::ParameterError;
use ndarray::{Array2, Array3, ArrayView3, Axis, s};
use pde_refine::Error;
use pde_refine::filters::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

fn perona_malik(kappa: f64, edge_stop: EdgeStop, step: f64) -> PeronaMalik {
    PeronaMalik::new(PeronaMalikParams::default().with_kappa(kappa).with_edge_stop(edge_stop).with_time_step(step))
        .unwrap()
}

fn enhancing(params: EdgeEnhancingParams) -> EdgeEnhancing {
    EdgeEnhancing::new(params).unwrap()
}

/// Every kind of filter, with strong edge stopping.
fn filters() -> Vec<Box<dyn Diffuse>> {
    let base = EdgeEnhancingParams::default().with_kappa(0.05).with_time_step(0.25);
    vec![
        Box::new(perona_malik(0.1, EdgeStop::Exponential, 0.25)),
        Box::new(perona_malik(0.1, EdgeStop::Rational, 0.25)),
        Box::new(perona_malik(0.1, EdgeStop::Constant, 0.25)),
        Box::new(enhancing(base)),
        Box::new(enhancing(base.with_integration_scale(1.5))),
        Box::new(enhancing(base.with_noise_scale(0.0).with_power(1))),
    ]
}

fn noise(h: usize, w: usize, c: usize, seed: u64) -> Array3<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array3::from_shape_simple_fn((h, w, c), || rng.random::<f32>())
}

/// Distance from a line of slope 2.
fn from_edge(y: usize, x: usize) -> f64 {
    ((2 * x + y) as f64 - 144.5) / 5f64.sqrt()
}

/// A slanted step from 0.25 to 0.75, as sharp as a lens makes it, under noise of standard deviation 0.03; and the clean
/// step.
fn slanted_step() -> (Array3<f32>, Array3<f32>) {
    let clean = Array3::from_shape_fn((96, 96, 3), |(y, x, _)| 0.5 + 0.25 * from_edge(y, x).tanh() as f32);
    let grain = noise(96, 96, 3, 5).mapv(|v| 0.03 * 12f32.sqrt() * (v - 0.5));
    (&clean + &grain, clean)
}

fn worst(a: &Array3<f32>, b: &Array3<f32>) -> f32 {
    assert!(a.iter().chain(b).all(|v| v.is_finite())); // a maximum passes over NaN
    (a - b).mapv(f32::abs).into_iter().fold(0.0, f32::max)
}

fn mean(a: ArrayView3<'_, f32>) -> f64 {
    a.iter().map(|&v| f64::from(v)).sum::<f64>() / a.len() as f64
}

fn range(a: &Array3<f32>) -> (f32, f32) {
    assert!(a.iter().all(|v| v.is_finite()));
    a.iter().fold((f32::MAX, f32::MIN), |(lo, hi), &v| (lo.min(v), hi.max(v)))
}

#[test]
fn the_mean_of_each_channel_is_conserved() {
    let image = noise(53, 70, 3, 1);
    for (i, filter) in filters().iter().enumerate() {
        let out = filter.filter(image.view(), 100).unwrap();
        for k in 0..3 {
            let drift = mean(out.slice(s![.., .., k..k + 1])) - mean(image.slice(s![.., .., k..k + 1]));
            assert!(drift.abs() < 1e-6, "filter {i}, channel {k}: {drift:e}");
        }
    }
}

#[test]
fn linear_diffusion_lets_a_cosine_mode_decay_as_the_closed_form_says() {
    // cos(pi k (x + 1/2) / n) is a mode of the insulated frame: each step multiplies it by 1 - tau lambda
    let (h, w, steps) = (24, 40, 60);
    let mode = |i: usize, k: f64, n: usize| (std::f64::consts::PI * k * (i as f64 + 0.5) / n as f64).cos();
    let lambda = |k: f64, n: usize| 4.0 * (std::f64::consts::FRAC_PI_2 * k / n as f64).sin().powi(2);
    for (ky, kx) in [(0.0, 3.0), (2.0, 0.0), (3.0, 5.0)] {
        let exact = |f: f64| Array3::from_shape_fn((h, w, 1), |(y, x, _)| (f * mode(y, ky, h) * mode(x, kx, w)) as f32);
        let out = perona_malik(1.0, EdgeStop::Constant, 0.2).filter(exact(1.0).view(), steps).unwrap();
        let factor = (1.0 - 0.2 * (lambda(ky, h) + lambda(kx, w))).powi(steps as i32);
        assert!(worst(&out, &exact(factor)) < 2e-6, "{}", worst(&out, &exact(factor)));
        // and within the step's error of the heat equation's exp(-lambda t)
        let heat = (-(lambda(ky, h) + lambda(kx, w)) * 0.2 * steps as f64).exp();
        assert!((factor - heat).abs() < 0.03, "{factor} {heat}");
    }
}

#[test]
fn a_large_kappa_makes_every_filter_linear() {
    let image = noise(31, 45, 3, 2);
    let linear = perona_malik(1.0, EdgeStop::Constant, 0.2).filter(image.view(), 20).unwrap();
    let tensor = EdgeEnhancingParams::default().with_kappa(1e3);
    let others: [Box<dyn Diffuse>; 4] = [
        Box::new(perona_malik(1e6, EdgeStop::Exponential, 0.2)),
        Box::new(perona_malik(1e6, EdgeStop::Rational, 0.2)),
        Box::new(enhancing(tensor)),
        Box::new(enhancing(tensor.with_integration_scale(2.0))),
    ];
    for other in others {
        assert!(worst(&other.filter(image.view(), 20).unwrap(), &linear) < 1e-6);
    }
}

#[test]
fn values_stay_in_their_range() {
    let image = noise(40, 50, 3, 3).mapv(|v| v.round());
    let (lo, hi) = range(&image);
    let strict = EdgeEnhancingParams::default().with_kappa(0.02).with_floor(0.172).with_time_step(0.25);
    let scalar = [EdgeStop::Exponential, EdgeStop::Rational].map(|e| perona_malik(0.3, e, 0.25));
    let tensor = [0.0, 1.5].map(|r| enhancing(strict.with_integration_scale(r)));
    let all = scalar.iter().map(|f| f as &dyn Diffuse).chain(tensor.iter().map(|f| f as &dyn Diffuse));
    for (i, filter) in all.enumerate() {
        let mut last = image.clone();
        for _ in 0..20 {
            let next = filter.filter(last.view(), 1).unwrap();
            let ((a, b), (c, d)) = (range(&last), range(&next));
            assert!(c >= a - 1e-6 && d <= b + 1e-6, "filter {i}: {a}..{b} to {c}..{d}");
            last = next;
        }
        assert!(lo == 0.0 && hi == 1.0 && range(&last) != (lo, hi));
    }
}

#[test]
fn without_a_floor_the_tensor_overshoots_by_little_and_never_raises_the_sum_of_squares() {
    let (image, _) = slanted_step();
    let filter = enhancing(EdgeEnhancingParams::default().with_time_step(0.25));
    let squares = |u: &Array3<f32>| u.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    let (lo, hi) = range(&image);
    let mut last = image.clone();
    for _ in 0..40 {
        let next = filter.filter(last.view(), 1).unwrap();
        assert!(squares(&next) <= squares(&last) * (1.0 + 1e-7));
        let (c, d) = range(&next);
        assert!(c > lo - 0.03 && d < hi + 0.03, "{lo}..{hi} to {c}..{d}");
        last = next;
    }
}

#[test]
fn steps_are_kept_while_noise_falls() {
    let (image, clean) = slanted_step();
    // the mean over strips two pixels wide at the edge, and the deviation in flats beyond ten
    let side = |u: &Array3<f32>, lo: f64, hi: f64| {
        let values: Vec<f64> = u
            .indexed_iter()
            .filter(|((y, x, _), _)| (lo..hi).contains(&from_edge(*y, *x)))
            .map(|(_, &v)| v.into())
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt())
    };
    let step = |u: &Array3<f32>| side(u, 0.0, 2.0).0 - side(u, -2.0, 0.0).0;
    let contrast = |u: &Array3<f32>| step(u) / step(&clean);
    let deviation = |u: &Array3<f32>| side(u, 10.0, 30.0).1;
    let error_at_edge = |u: &Array3<f32>| side(&(u - &clean), -2.0, 2.0).1;
    let steps = 30;
    let linear = perona_malik(1.0, EdgeStop::Constant, 0.2).filter(image.view(), steps).unwrap();
    let scalar = perona_malik(0.12, EdgeStop::Exponential, 0.2).filter(image.view(), steps).unwrap();
    let tensor = enhancing(EdgeEnhancingParams::default()).filter(image.view(), steps).unwrap();
    println!("contrast, noise, error at the edge");
    for (name, u) in [("input", &image), ("linear", &linear), ("scalar", &scalar), ("tensor", &tensor)] {
        println!("{name}: {:.3} {:.4} {:.4}", contrast(u), deviation(u), error_at_edge(u));
    }
    assert!(contrast(&linear) < 0.5);
    for u in [&scalar, &tensor] {
        assert!(contrast(u) > 0.95 && deviation(u) < 0.2 * deviation(&image));
        assert!(error_at_edge(u) < 0.9 * error_at_edge(&linear));
    }
    // what the tensor is for: the edge keeps its profile and loses its noise, where Perona and Malik's breaks into
    // steps
    assert!(contrast(&tensor) < 1.0 && contrast(&scalar) > 1.1);
    assert!(error_at_edge(&tensor) < 0.6 * error_at_edge(&image));
    assert!(error_at_edge(&tensor) < 0.3 * error_at_edge(&scalar));
}

#[test]
fn quarter_turns_and_transposition_commute_with_every_filter() {
    let image = noise(33, 52, 2, 4);
    let turns: [fn(Array3<f32>) -> Array3<f32>; 3] = [
        |a| a.permuted_axes([1, 0, 2]),
        |mut a| {
            a.invert_axis(Axis(1));
            a
        },
        |a| {
            let mut a = a.permuted_axes([1, 0, 2]);
            a.invert_axis(Axis(0));
            a
        },
    ];
    for (i, filter) in filters().iter().enumerate() {
        for (j, turn) in turns.iter().enumerate() {
            let one = turn(filter.filter(image.view(), 8).unwrap());
            let other = filter.filter(turn(image.clone()).view(), 8).unwrap();
            assert!(worst(&one, &other) < 2e-5, "filter {i}, turn {j}: {}", worst(&one, &other));
        }
    }
}

#[test]
fn perona_malik_treats_channels_alone_and_the_tensor_joins_them() {
    let mut image = noise(30, 30, 2, 6);
    image.slice_mut(s![.., .., 0]).mapv_inplace(|v| 0.1 * v);
    let alone = image.slice(s![.., .., ..1]);
    for filter in filters().into_iter().take(3) {
        let both = filter.filter(image.view(), 5).unwrap();
        assert_eq!(both.slice(s![.., .., ..1]), filter.filter(alone, 5).unwrap());
    }
    // an edge of the second channel stops the first; equal channels behave as one
    let filter = enhancing(EdgeEnhancingParams::default().with_kappa(0.05));
    let gray = Array3::from_shape_fn((30, 30, 3), |(y, x, _)| image[(y, x, 1)]);
    let one = filter.filter(gray.slice(s![.., .., ..1]), 5).unwrap();
    let three = filter.filter(gray.view(), 5).unwrap();
    assert!((0..3).all(|k| worst(&three.slice(s![.., .., k..k + 1]).to_owned(), &one) < 1e-5));
    let joined = filter.filter(image.view(), 5).unwrap().slice(s![.., .., ..1]).to_owned();
    assert!(worst(&joined, &filter.filter(alone, 5).unwrap()) > 1e-3);
}

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/diffusion.json")).unwrap()
}

fn image(value: &Value) -> Array3<f32> {
    let shape: Vec<usize> =
        golden()["shape"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect();
    let values = value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
    Array3::from_shape_vec((shape[0], shape[1], shape[2]), values).unwrap()
}

#[test]
fn perona_malik_agrees_with_medpy() {
    let golden = golden();
    let cases = golden["perona_malik"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let edge_stop = match case["edge_stop"].as_str().unwrap() {
            "exponential" => EdgeStop::Exponential,
            _ => EdgeStop::Rational,
        };
        let number = |name: &str| case[name].as_f64().unwrap();
        let filter = perona_malik(number("kappa"), edge_stop, number("step"));
        let out = filter.filter(image(&golden["image"]).view(), number("steps") as usize).unwrap();
        let error = worst(&out, &image(&case["image"]));
        assert!(error < 1e-6, "{edge_stop:?} kappa {} steps {}: {error:e}", case["kappa"], case["steps"]);
    }
}

#[test]
fn the_tensor_agrees_with_a_direct_reading_in_numpy() {
    let golden = golden();
    let cases = golden["edge_enhancing"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let number = |name: &str| case[name].as_f64().unwrap();
        let filter = enhancing(
            EdgeEnhancingParams::default()
                .with_kappa(number("kappa"))
                .with_noise_scale(number("noise_scale"))
                .with_integration_scale(number("integration_scale"))
                .with_power(number("power") as u32)
                .with_floor(number("floor"))
                .with_time_step(number("step")),
        );
        let out = filter.filter(image(&golden["image"]).view(), number("steps") as usize).unwrap();
        let error = worst(&out, &image(&case["image"]));
        assert!(error < 5e-6, "integration {} steps {}: {error:e}", case["integration_scale"], case["steps"]);
    }
}

#[test]
fn a_step_on_planes_of_any_layout_is_the_filter() {
    let image = noise(17, 29, 3, 7);
    for filter in filters() {
        let expected = filter.filter(image.view(), 2).unwrap();
        let mut scratch = FilterScratch::new();
        let mut planes = image.clone().permuted_axes([2, 0, 1]); // not standard: takes the copy
        let mut standard = planes.as_standard_layout().into_owned();
        for _ in 0..2 {
            filter.step(planes.view_mut(), &mut scratch);
            filter.step(standard.view_mut(), &mut scratch);
        }
        assert_eq!(planes.permuted_axes([1, 2, 0]), expected);
        assert_eq!(standard.permuted_axes([1, 2, 0]), expected);
        // scratch left by a larger image does no harm
        let mut small = Array3::from_elem((1, 3, 5), 0.5f32);
        small[(0, 1, 2)] = 1.0;
        let mut again = small.clone();
        filter.step(small.view_mut(), &mut scratch);
        filter.step(again.view_mut(), &mut FilterScratch::new());
        assert_eq!(small, again);
    }
}

#[test]
fn bad_input_is_refused() {
    let parameter =
        |e: Error, expected: &str| matches!(e, Error::Parameter(ParameterError { name, .. }) if name == expected);
    let good = PeronaMalikParams::default();
    for kappa in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(parameter(PeronaMalik::new(good.with_kappa(kappa)).unwrap_err(), "kappa"));
    }
    for step in [0.0, -0.1, 0.2501, f64::NAN] {
        assert!(parameter(PeronaMalik::new(good.with_time_step(step)).unwrap_err(), "time_step"));
    }
    let good = EdgeEnhancingParams::default();
    let bad = [
        ("kappa", good.with_kappa(0.0)),
        ("noise_scale", good.with_noise_scale(f64::NAN)),
        ("integration_scale", good.with_integration_scale(-1.0)),
        ("power", good.with_power(0)),
        ("power", good.with_power(9)),
        ("floor", good.with_floor(1.1)),
        ("time_step", good.with_time_step(0.3)),
    ];
    for (name, params) in bad {
        assert!(parameter(EdgeEnhancing::new(params).unwrap_err(), name), "{name}");
    }
    let mut image = noise(6, 8, 3, 8);
    image[(4, 7, 1)] = f32::NAN;
    for filter in filters() {
        let error = filter.filter(image.view(), 1).unwrap_err();
        assert_eq!(error, Error::NonFinite { what: "image", row: 4, column: 7 });
        assert!(filter.filter(Array3::zeros((0, 5, 3)).view(), 3).unwrap().is_empty());
        let clean = noise(5, 1, 3, 9);
        assert_eq!(filter.filter(clean.view(), 0).unwrap(), clean);
    }
    let plane = Array2::from_elem((4, 4), f32::INFINITY);
    assert!(perona_malik(0.1, EdgeStop::Rational, 0.2).filter_plane(plane.view(), 1).is_err());
}

proptest! {
    #[test]
    fn any_image_gives_finite_values_with_its_mean(
        h in 1usize..20, w in 1usize..40, c in 1usize..4, which in 0usize..6, exponent in -30i32..37,
        seed in 0u64..1000,
    ) {
        let size = 10f32.powi(exponent);
        let image = noise(h, w, c, seed).mapv(|v| (v - 0.3) * size);
        let out = filters()[which].filter(image.view(), 3).unwrap();
        prop_assert!(out.iter().all(|v| v.is_finite()));
        prop_assert!((mean(out.view()) - mean(image.view())).abs() <= 1e-6 * f64::from(size));
    }

    #[test]
    fn any_parameters_keep_constants_and_finiteness(
        kappa in -6f64..6.0, noise_scale in 0f64..5.0, integration_scale in 0f64..5.0, power in 1u32..=8,
        floor in 0f64..=1.0, step in 0.001f64..=0.25, seed in 0u64..1000,
    ) {
        let params = EdgeEnhancingParams::default()
            .with_kappa(10f64.powf(kappa).clamp(1e-6, 1e6))
            .with_noise_scale(noise_scale)
            .with_integration_scale(integration_scale)
            .with_power(power)
            .with_floor(floor)
            .with_time_step(step);
        let filter = enhancing(params);
        let flat = Array3::from_elem((9, 21, 3), 0.7f32);
        prop_assert!(worst(&filter.filter(flat.view(), 2).unwrap(), &flat) < 1e-6);
        let out = filter.filter(noise(9, 21, 3, seed).view(), 4).unwrap();
        let (lo, hi) = range(&out);
        prop_assert!(lo > -1.0 && hi < 2.0, "{lo}..{hi}");
    }
}
