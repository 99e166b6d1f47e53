//! Oracles of the Allen-Cahn flow: energy, volume, profile, speckle, gaps, discs, curvature.

#![allow(clippy::unwrap_used)] // helpers of tests, which the lint's own exception for tests does not reach

use imgkit::ParameterError;
use ndarray::Array2;
use pde_refine::{AllenCahn, AllenCahnParams, AllenCahnStats, Error};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn relax(params: AllenCahnParams, mask: &Array2<f32>) -> (Array2<f32>, AllenCahnStats) {
    AllenCahn::new(params).unwrap().relax(mask.view()).unwrap()
}

fn indicator(h: usize, w: usize, inside: impl Fn(f64, f64) -> bool) -> Array2<f32> {
    Array2::from_shape_fn((h, w), |(y, x)| if inside(y as f64, x as f64) { 1.0 } else { 0.0 })
}

fn disc(n: usize, r: f64) -> Array2<f32> {
    let c = (n as f64 - 1.0) / 2.0;
    indicator(n, n, |y, x| (y - c).hypot(x - c) < r)
}

fn noise(h: usize, w: usize, seed: u64) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((h, w), || rng.random::<f32>())
}

fn mean(m: &Array2<f32>) -> f64 {
    m.iter().map(|&v| f64::from(v)).sum::<f64>() / m.len() as f64
}

/// Radius of the disc of the same area above 1/2, pixels at the edge counted by linear interpolation along their row.
fn radius(m: &Array2<f32>) -> f64 {
    let mut area = 0.0;
    for row in m.rows() {
        for x in 1..row.len() {
            let (a, b) = (f64::from(row[x - 1]) - 0.5, f64::from(row[x]) - 0.5);
            area += match (a > 0.0, b > 0.0) {
                (true, true) => 1.0,
                (false, false) => 0.0,
                (true, false) => a / (a - b),
                (false, true) => b / (b - a),
            };
        }
    }
    (area / std::f64::consts::PI).sqrt()
}

#[test]
fn the_energy_never_rises_and_the_volume_stays_at_any_step() {
    let masks = [disc(40, 11.0), noise(33, 47, 1), noise(40, 40, 2).mapv(|v| v.round())];
    for mask in &masks {
        for step in [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3] {
            for (width, fidelity, preserve_volume) in
                [(0.6, 0.0, true), (2.0, 0.1, true), (2.0, 0.0, false), (5.0, 1.0, false)]
            {
                let params = AllenCahnParams::default()
                    .with_width(width)
                    .with_fidelity(fidelity)
                    .with_time_step(step)
                    .with_max_steps(50)
                    .with_tolerance(0.0)
                    .with_preserve_volume(preserve_volume);
                let (out, stats) = relax(params, mask);
                assert_eq!((stats.energy.len(), stats.steps), (51, 50));
                for pair in stats.energy.windows(2) {
                    assert!(
                        pair[1] <= pair[0] * (1.0 + 1e-13),
                        "step {step}, width {width}: {} to {}",
                        pair[0],
                        pair[1]
                    );
                }
                assert!(stats.energy[50] < stats.energy[0] * (1.0 - 1e-6));
                if preserve_volume {
                    assert!((mean(&out) - mean(mask)).abs() < 1e-6, "{}", mean(&out) - mean(mask));
                }
            }
        }
    }
}

#[test]
fn the_energy_is_that_of_the_documented_functional() {
    // two pixels, by hand: one face, W at 1/4 and beyond 1, no fidelity at the start
    let mask = ndarray::array![[0.25f32, 1.5]];
    let (_, stats) = relax(AllenCahnParams::default().with_width(2.0).with_max_steps(1), &mask);
    let expected = (0.25f64 * 0.75).powi(2) / 2.0 + 0.5 * 0.5 / 2.0 + 1.25 * 1.25;
    assert!((stats.energy[0] - expected).abs() < 1e-12, "{} {expected}", stats.energy[0]);
}

#[test]
fn a_straight_edge_takes_the_tanh_profile() {
    for eps in [1.5f64, 2.0, 4.0] {
        let mask = indicator(8, 80, |_, x| x < 40.0);
        let params = AllenCahnParams::default()
            .with_width(eps)
            .with_fidelity(0.0)
            .with_time_step(10.0)
            .with_max_steps(4000)
            .with_tolerance(1e-9);
        let (out, stats) = relax(params, &mask);
        assert!(stats.converged, "{}", stats.change);
        let worst = (0..80)
            .map(|x| {
                let exact = 0.5 * (1.0 - ((x as f64 - 39.5) / (2f64.sqrt() * eps)).tanh());
                (f64::from(out[(4, x)]) - exact).abs()
            })
            .fold(0.0, f64::max);
        // the grid's own error falls with the square of eps
        assert!(worst < 0.02 / eps.powi(2), "eps {eps}: {worst}");
        // and the energy is that of the interface, sqrt(2) / 6 a unit of length, the continuum's value
        let tension = stats.energy.last().unwrap() / 8.0;
        assert!((tension * 6.0 / 2f64.sqrt() - 1.0).abs() < 0.02 / eps, "eps {eps}: {tension}");
    }
}

#[test]
fn speckle_goes_gaps_close_and_a_large_disc_stays() {
    let flow = AllenCahnParams::default().with_width(2.0);
    let mut speckled = disc(96, 30.0);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..60 {
        let (y, x) = (rng.random_range(0..96), rng.random_range(0..96));
        speckled[(y, x)] = 1.0 - speckled[(y, x)];
    }
    let (out, stats) = relax(flow, &speckled);
    let c = 47.5;
    for ((y, x), &v) in out.indexed_iter() {
        let r = (y as f64 - c).hypot(x as f64 - c);
        assert!((-0.05..=1.05).contains(&v), "radius {r}: {v}");
        assert!(if r < 27.0 { v > 0.8 } else { r < 33.0 || v < 0.2 }, "{stats:?} radius {r}: {v}");
    }
    assert!((radius(&out) - 30.0).abs() < 0.5, "{}", radius(&out));

    // a bar cut by a gap of one pixel, half of eps, and of twelve
    let bar = |gap: f64| indicator(40, 120, |y, x| (12.0..28.0).contains(&y) && (x - 60.0).abs() >= gap / 2.0);
    let (closed, _) = relax(flow, &bar(1.0));
    assert!(closed.slice(ndarray::s![18..22, 50..70]).iter().all(|&v| v > 0.85));
    let (open, _) = relax(flow, &bar(12.0));
    assert!(open[(20, 60)] < 0.15, "{}", open[(20, 60)]);
}

#[test]
fn with_its_volume_preserved_a_disc_keeps_its_radius_and_both_phases_shift_alike() {
    let (eps, r) = (2.0f64, 25.0);
    let params = AllenCahnParams::default()
        .with_width(eps)
        .with_fidelity(0.0)
        .with_time_step(5.0)
        .with_max_steps(3000)
        .with_tolerance(1e-8);
    let mask = disc(80, r);
    let (out, stats) = relax(params, &mask);
    assert!(stats.converged);
    assert!((mean(&out) - mean(&mask)).abs() < 1e-6);
    // Gibbs-Thomson: mu = sqrt(2) / 6 / R, so the phases sit mu eps / W'' = 0.118 eps / R higher
    let shift = 2f64.sqrt() / 12.0 * eps / r;
    for (found, phase) in [(out[(0, 0)], 0.0), (out[(40, 40)], 1.0)] {
        assert!((f64::from(found) - phase - shift).abs() < 0.15 * shift, "{found} {shift}");
    }
    // the volume in the shift is missing from the disc
    let expected = (r * r - shift * 6400.0 / std::f64::consts::PI).sqrt();
    assert!((radius(&out) - expected).abs() < 0.2, "{} {expected}", radius(&out));
}

#[test]
fn without_the_constraint_a_disc_shrinks_by_curvature() {
    // dR/dt = -eps / R: R^2 falls by 2 eps t. What the step treats implicitly beyond the flow, 2 / eps - eps lap, slows
    // a tanh front down by 1 + 2.4 dt / eps, to first order: eps times the ratio of the squares of its second and first
    // derivative is 0.4 / eps.
    for (eps, step) in [(2.0f64, 0.02), (2.0, 0.2), (3.0, 0.05)] {
        let params = |steps| {
            AllenCahnParams::default()
                .with_width(eps)
                .with_fidelity(0.0)
                .with_time_step(step)
                .with_max_steps(steps)
                .with_tolerance(0.0)
                .with_preserve_volume(false)
        };
        let steps_for = |time: f64| (time / step) as usize;
        let settle = steps_for(10.0);
        let later = steps_for(60.0);
        let (early, _) = relax(params(settle), &disc(72, 26.0));
        let (late, _) = relax(params(settle + later), &disc(72, 26.0));
        let rate = (radius(&early).powi(2) - radius(&late).powi(2)) / (later as f64 * step);
        let expected = 2.0 * eps / (1.0 + 2.4 * (step / eps));
        assert!((rate / expected - 1.0).abs() < 0.03, "eps {eps} step {step}: {rate} but {expected}");
    }
}

#[test]
fn strong_fidelity_keeps_the_mask() {
    let mask = noise(20, 20, 4);
    let (out, _) = relax(AllenCahnParams::default().with_fidelity(1e6), &mask);
    assert!((&out - &mask).iter().all(|d| d.abs() < 1e-4));
}

#[test]
fn bad_input_is_refused() {
    let good = AllenCahnParams::default();
    let bad = [
        ("width", good.with_width(0.0)),
        ("width", good.with_width(f64::NAN)),
        ("fidelity", good.with_fidelity(-0.1)),
        ("fidelity", good.with_fidelity(f64::INFINITY)),
        ("time_step", good.with_time_step(0.0)),
        ("max_steps", good.with_max_steps(0)),
        ("tolerance", good.with_tolerance(f64::NAN)),
    ];
    for (expected, params) in bad {
        let error = AllenCahn::new(params).unwrap_err();
        assert!(matches!(error, Error::Parameter(ParameterError { name, .. }) if name == expected), "{error}");
    }
    let mut mask = disc(9, 3.0);
    mask[(2, 5)] = f32::NAN;
    let error = AllenCahn::new(good).unwrap().relax(mask.view()).unwrap_err();
    assert_eq!(error, Error::NonFinite { what: "mask", row: 2, column: 5 });
    let (empty, stats) = relax(good, &Array2::zeros((0, 4)));
    assert!(empty.is_empty() && stats.steps == 0);
    // constant masks at either well are at rest
    let (same, stats) = relax(good, &Array2::ones((3, 1)));
    assert!(same.iter().all(|&v| v == 1.0) && stats.steps == 1 && stats.converged);
}

proptest! {
    #[test]
    fn any_mask_and_parameters_give_finite_values_falling_energy_and_the_volume(
        h in 1usize..24, w in 1usize..24, width in -2f64..3.0, step in -3f64..3.0, fidelity in 0f64..2.0,
        size in 0.1f32..50.0,
        seed in 0u64..1000,
    ) {
        let mask = noise(h, w, seed).mapv(|v| (v - 0.2) * size);
        let params = AllenCahnParams::default()
            .with_width(10f64.powf(width))
            .with_time_step(10f64.powf(step))
            .with_fidelity(fidelity)
            .with_max_steps(6)
            .with_tolerance(0.0);
        let (out, stats) = relax(params, &mask);
        prop_assert!(out.iter().all(|v| v.is_finite()));
        prop_assert!(stats.energy.windows(2).all(|e| e[1] <= e[0] * (1.0 + 1e-12) + 1e-12), "{:?}", stats.energy);
        prop_assert!((mean(&out) - mean(&mask)).abs() < 1e-6 * f64::from(size));
    }
}
