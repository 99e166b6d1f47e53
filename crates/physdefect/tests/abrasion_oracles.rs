//! Abrasion against Archard's law, conservation of volume and the statistics of worm-like chains.
// A failed set-up is a failed test.
#![allow(clippy::unwrap_used)]

mod common;

use std::f64::consts::PI;

use oracles::statistics::slope;
use physdefect::abrasion::{Abrasion, AbrasionParams, CrossSection, groove_width, worm_like_chain};
use physdefect::imgkit::ParameterError;
use physdefect::{Defect, Domain, Error, Mechanism, SampleKey};

/// One straight scratch of constant load but for its ends.
fn plain() -> AbrasionParams {
    AbrasionParams::default()
        .with_persistence(1000.0)
        .with_chatter(0.0)
        .with_unsteadiness(0.0)
        .with_parallel(0.0)
        .with_length((0.5, 0.5))
}

fn drawn(params: AbrasionParams, side: usize, severity: f64, index: u64) -> Defect {
    let domain = Domain::full(side, side).unwrap();
    Abrasion::new(params).unwrap().generate(&domain, severity, &mut SampleKey { seed: 4, index }.rng()).unwrap()
}

#[test]
fn width_grows_with_the_root_of_the_load() {
    // The front half of a round contact of this width carries the load at the hardness.
    for (load, hardness) in [(1.0, 2000.0), (30.0, 150.0)] {
        let area = PI * groove_width(load, hardness).powi(2) / 8.0;
        assert!((area * hardness / load - 1.0).abs() < 1e-12);
    }
    let (side, hardness, pitch, angle) = (500, 200.0, 0.02, 0.4);
    let params = plain().with_load((1.0, 100.0)).with_hardness(hardness).with_pixel_pitch_mm(Some(pitch));
    let params = params.with_attack_angle(angle).with_pile_up(0.0);
    for index in 0..3 {
        let mut points = Vec::new();
        for step in 0..=4 {
            let defect = drawn(params.clone(), side, f64::from(step) / 4.0, index);
            let load = defect.measures["load_n"];
            // Pixels below the old surface by a tenth of the largest depth: a fixed part of the width.
            let deepest = f64::from(defect.height.iter().fold(0.0f32, |m, &z| m.max(-z)));
            let share = defect.height.iter().filter(|&&z| f64::from(-z) > 0.1 * deepest).count() as f64;
            points.push((load.ln(), share.ln()));
            // A V of flanks at the attack angle; a pixel's mean is shallower at the bottom by 1/4 px of slope.
            let width = 2.0 * (deepest / angle.tan() + 0.25);
            let asked = (8.0 * load / (PI * hardness)).sqrt() / pitch;
            assert!((width / asked - 1.0).abs() < 0.03, "#{index} at {load} N: {width} px for {asked}");
        }
        let found = slope(&points);
        assert!((found / 0.5 - 1.0).abs() < 0.03, "#{index}: exponent {found}");
    }
}

#[test]
fn a_cross_section_conserves_volume() {
    for pile_up in [0.0, 0.35, 1.0] {
        for width in [0.3, 1.0, 2.7, 12.0] {
            for shift in [0.0, 0.21, 0.5] {
                let section = CrossSection::new(width, 0.5, pile_up, 0.6);
                let exact = 0.25 * width * width * 0.5f64.tan();
                let sum: f64 = (-40..=40).map(|i| section.mean_height(f64::from(i) + shift)).sum();
                assert!((sum + (1.0 - pile_up) * exact).abs() < 1e-9, "{width} {pile_up} {shift}: {sum}");
                // The same by fine sums over the heights, ridges and groove apart.
                let n = 200_000;
                let fine = |keep: fn(f64) -> bool| -> f64 {
                    let at = |i: i32| (f64::from(i) + 0.5) / f64::from(n) * 2.0 * section.reach() - section.reach();
                    (0..n).map(|i| section.height(at(i))).filter(|&z| keep(z)).sum::<f64>() * 2.0 * section.reach()
                        / f64::from(n)
                };
                assert!((fine(|z| z < 0.0) / -exact - 1.0).abs() < 1e-4);
                assert!((fine(|z| z > 0.0) - pile_up * exact).abs() < 1e-4 * exact);
            }
        }
    }
}

#[test]
fn what_the_groove_loses_the_ridges_hold() {
    for pile_up in [0.0, 0.6, 1.0] {
        for index in 0..4 {
            let params = plain().with_pile_up(pile_up).with_pixel_pitch_mm(Some(0.05));
            let defect = drawn(params, 400, 1.0, index);
            let (mut groove, mut ridge) = (0.0, 0.0);
            for &z in &defect.height {
                *(if z < 0.0 { &mut groove } else { &mut ridge }) += f64::from(z);
            }
            let volume = defect.measures["volume_px3"];
            let net = (groove + ridge) / volume;
            assert!((net + 1.0 - pile_up).abs() < 0.02, "#{index} {pile_up}: net {net} of the groove's volume");
            assert!((groove / -volume - 1.0).abs() < 0.06, "#{index}: {groove} of {volume}");
        }
    }
}

#[test]
fn paths_are_worm_like_chains() {
    let (steps, persistence, chains) = (400, 150.0, 4000u64);
    let lags = [50usize, 150, 400];
    let (mut cosines, mut squares) = ([0.0; 3], [0.0; 3]);
    for index in 0..chains {
        let mut rng = SampleKey { seed: 8, index }.rng();
        let path = worm_like_chain([3.0, 5.0], 0.7, (steps, 1.0), persistence, &mut rng).unwrap();
        let heading = |i: usize| (path[i + 1][0] - path[i][0]).atan2(path[i + 1][1] - path[i][1]);
        let first = heading(0);
        for (k, lag) in lags.into_iter().enumerate() {
            cosines[k] += (heading(lag - 1) - first).cos() / chains as f64;
            squares[k] += ((path[lag][0] - 3.0).powi(2) + (path[lag][1] - 5.0).powi(2)) / chains as f64;
        }
    }
    for (k, lag) in lags.into_iter().enumerate() {
        let length = lag as f64;
        // Kratky and Porod in two dimensions; headings are a step less apart than the ends.
        let cosine = (-(length - 1.0) / (2.0 * persistence)).exp();
        // 4 standard errors of a mean of cosines.
        let error = 4.0 * (0.5 * (1.0 + cosine.powi(4)) - cosine * cosine).max(0.0).sqrt() / (chains as f64).sqrt();
        assert!((cosines[k] - cosine).abs() < error + 1e-3, "{lag}: {} for {cosine} +- {error}", cosines[k]);
        let p2 = 2.0 * persistence;
        let square = 2.0 * p2 * length * (1.0 - p2 / length * (1.0 - (-length / p2).exp()));
        assert!((squares[k] / square - 1.0).abs() < 0.03, "{lag}: {} for {square}", squares[k]);
    }
    // A chain twice as stiff would be seen.
    assert!((cosines[2] - (-399.0 / (4.0 * persistence)).exp()).abs() > 0.1);
}

#[test]
fn a_stroke_stays_on_the_part_and_at_a_place() {
    let domain = common::domain(150, 180, true);
    let model = Abrasion::new(AbrasionParams::default().with_parallel(1.0)).unwrap();
    for index in 0..40 {
        let generate = |severity: f64| model.generate(&domain, severity, &mut SampleKey { seed: 2, index }.rng());
        let defect = generate(0.8).unwrap();
        assert_eq!(defect.measures["scratches"], 6.0);
        for ((y, x), &a) in defect.opacity.indexed_iter() {
            let inside = domain.mask()[[y + defect.bbox.top, x + defect.bbox.left]];
            assert!(inside || (a == 0.0 && defect.height[[y, x]] == 0.0));
            assert!((0.0..=1.0).contains(&a) && defect.height[[y, x]].is_finite());
        }
        // A lesser load scratches the same places.
        let milder = generate(0.3).unwrap();
        for ((y, x), &a) in milder.opacity.indexed_iter() {
            let (y, x) = (y + milder.bbox.top, x + milder.bbox.left);
            let deep = milder.height[[y - milder.bbox.top, x - milder.bbox.left]] < -0.02;
            if a > 0.0 && deep && defect.bbox.contains((y, x)) {
                assert!(defect.opacity[[y - defect.bbox.top, x - defect.bbox.left]] > 0.0, "#{index}: {y}, {x}");
            }
        }
    }
}

#[test]
fn stick_slip_repeats_at_its_spacing() {
    // The deepest pixel of each column of a level scratch, against its own shift.
    let params =
        plain().with_chatter(0.8).with_chatter_spacing(5.0).with_pixel_pitch_mm(Some(0.05)).with_load((10.0, 10.0));
    let spacing = 5.0 * (80.0 / (PI * 200.0)).sqrt() / 0.05;
    let mut best = Vec::new();
    for index in 0..60 {
        let defect = drawn(params.clone(), 500, 0.5, index);
        let (h, w) = defect.height.dim();
        if h * 4 > w {
            continue; // not level enough
        }
        let depth: Vec<f64> = (w / 4..3 * w / 4)
            .map(|x| f64::from(defect.height.column(x).iter().fold(0.0f32, |m, &z| m.max(-z))))
            .collect();
        let mean = depth.iter().sum::<f64>() / depth.len() as f64;
        let correlation = |lag: usize| -> f64 {
            let n = depth.len() - lag;
            (0..n).map(|i| (depth[i] - mean) * (depth[i + lag] - mean)).sum::<f64>() / n as f64
        };
        let lags = 6..(2.0 * spacing) as usize;
        best.extend(lags.max_by(|&a, &b| correlation(a).total_cmp(&correlation(b))).map(|lag| lag as f64));
    }
    assert!(best.len() >= 5, "{} level scratches", best.len());
    best.sort_by(f64::total_cmp);
    let median = best[best.len() / 2];
    // The phase wanders, so the strongest lag scatters.
    assert!((median / spacing - 1.0).abs() < 0.25, "{median} px for {spacing}: {best:?}");
}

#[test]
fn parameters_out_of_range_are_named() {
    let base = AbrasionParams::default;
    let cases = [
        ("length.0", base().with_length((0.0, 0.5))),
        ("length.1", base().with_length((0.5, 0.4))),
        ("load.0", base().with_load((f64::NAN, 0.5))),
        ("load.1", base().with_load((2.0, f64::INFINITY))),
        ("hardness", base().with_hardness(0.0)),
        ("pixel_pitch_mm", base().with_pixel_pitch_mm(Some(0.0))),
        ("extent_mm", base().with_extent_mm(0.0)),
        ("attack_angle", base().with_attack_angle(1.5)),
        ("pile_up", base().with_pile_up(1.1)),
        ("ridge", base().with_ridge(0.0)),
        ("persistence", base().with_persistence(-1.0)),
        ("fade", base().with_fade(0.3)),
        ("chatter", base().with_chatter(1.0)),
        ("chatter_spacing", base().with_chatter_spacing(0.5)),
        ("unsteadiness", base().with_unsteadiness(2.0)),
        ("parallel", base().with_parallel(-0.1)),
        ("spread", base().with_spread(1.1)),
        ("bare.0", base().with_bare((-0.1, 1.0))),
        ("bare.1", base().with_bare((1.0, 0.5))),
        ("brighter", base().with_brighter(f64::NAN)),
    ];
    for (wanted, params) in cases {
        let refused = Abrasion::new(params).unwrap_err();
        assert!(matches!(&refused, Error::Parameter(ParameterError { name, .. }) if *name == wanted), "{refused}");
    }
    for (steps, step, persistence, wanted) in
        [(9, 0.0, 1.0, "step"), (9, 1.0, f64::NAN, "persistence"), (usize::MAX, 1.0, 1.0, "steps")]
    {
        let refused = worm_like_chain([0.0; 2], 0.0, (steps, step), persistence, &mut common::rng(1)).unwrap_err();
        assert!(matches!(&refused, Error::Parameter(ParameterError { name, .. }) if *name == wanted), "{refused}");
    }
}
