//! Surface unevenness against asked spectra, the diffusion law and conservation of mass.
// A failed set-up is a failed test.
#![allow(clippy::unwrap_used)]

mod common;

use std::f64::consts::{PI, TAU};

use ndarray::Array2;
use oracles::fields::{normal_distribution, windowed_power};
use oracles::statistics::{kolmogorov, slope};
use physdefect::imgkit::{ParameterError, Rect};
use physdefect::unevenness::{Spectrum, SurfaceUnevenness, Unevenness, UnevennessParams, WaveField};
use physdefect::{Defect, Domain, Error, Mechanism, SampleKey};

const SIDE: usize = 128;

fn field(spectrum: Spectrum, index: u64) -> WaveField {
    WaveField::new(spectrum, &mut SampleKey { seed: 5, index }.rng()).unwrap()
}

/// Mean power of many fields at wave vectors (row, column).
fn powers(spectrum: Spectrum, fields: u64, vectors: &[(f64, f64)]) -> Vec<f64> {
    let area = Rect { top: 0, left: 0, bottom: SIDE, right: SIDE };
    let mut sums = vec![0.0; vectors.len()];
    for index in 0..fields {
        let map: Vec<f64> = field(spectrum, index).on(area).iter().map(|&v| f64::from(v)).collect();
        for (sum, &k) in sums.iter_mut().zip(vectors) {
            *sum += windowed_power(&map, SIDE, k) / fields as f64;
        }
    }
    sums
}

/// Wave vectors of a wavelength in eight directions.
fn ring(wavelength: f64) -> Vec<(f64, f64)> {
    let k = TAU / wavelength;
    (0..8).map(|i| (PI * (f64::from(i) + 0.3) / 8.0).sin_cos()).map(|(s, c)| (k * s, k * c)).collect()
}

/// Mean power over the directions at each wavelength.
fn ring_powers(spectrum: Spectrum, fields: u64, wavelengths: &[f64]) -> Vec<f64> {
    let vectors: Vec<(f64, f64)> = wavelengths.iter().flat_map(|&w| ring(w)).collect();
    powers(spectrum, fields, &vectors).chunks(8).map(|p| p.iter().sum::<f64>() / 8.0).collect()
}

#[test]
fn power_falls_as_asked_inside_the_band_and_is_none_outside() {
    const INSIDE: [f64; 5] = [5.0, 6.5, 8.5, 11.0, 14.0];
    const OUTSIDE: [f64; 2] = [2.6, 70.0];
    for asked in [0.0, 1.0, 2.0] {
        let spectrum = Spectrum { wavelength: (4.0, 24.0), slope: asked, aspect: 1.0, angle: 0.0 };
        let wavelengths: Vec<f64> = INSIDE.into_iter().chain(OUTSIDE).collect();
        let power = ring_powers(spectrum, 300, &wavelengths);
        let inside: Vec<(f64, f64)> =
            INSIDE.iter().zip(&power).map(|(wavelength, p)| ((TAU / wavelength).ln(), p.ln())).collect();
        let found = -slope(&inside);
        assert!((found - asked).abs() < 0.1, "slope {found} for {asked}");
        let least = power[..INSIDE.len()].iter().copied().fold(f64::INFINITY, f64::min);
        for (wavelength, outside) in OUTSIDE.iter().zip(&power[INSIDE.len()..]) {
            assert!(*outside < 1e-2 * least, "slope {asked}: {outside} at {wavelength} px, {least} inside");
        }
    }
}

#[test]
fn a_narrow_band_peaks_at_its_wavelength() {
    let spectrum = Spectrum { wavelength: (9.5, 10.5), slope: 2.0, aspect: 1.0, angle: 0.0 };
    let numbers: Vec<f64> = (0..25).map(|step| TAU / 10.0 * (0.76 + 0.02 * f64::from(step))).collect();
    let wavelengths: Vec<f64> = numbers.iter().map(|k| TAU / k).collect();
    let power = ring_powers(spectrum, 60, &wavelengths);
    let (weight, sum) = (power.iter().sum::<f64>(), power.iter().zip(&numbers).map(|(p, k)| p * k).sum::<f64>());
    let found = TAU * weight / sum;
    assert!((found / 10.0 - 1.0).abs() < 0.02, "centroid at {found} px");
}

#[test]
fn a_stretched_field_has_its_power_stretched() {
    let (aspect, angle) = (4.0, 0.5);
    let spectrum = Spectrum { wavelength: (5.0, 20.0), slope: 1.0, aspect, angle };
    let (sin, cos) = f64::sin_cos(angle);
    let k = TAU / 8.0;
    // k across the grain and k / aspect along it are as strong; k along it lies outside the band.
    let across = (k * cos, -k * sin);
    let along = (k * sin / aspect, k * cos / aspect);
    let far = (k * sin, k * cos);
    let power = powers(spectrum, 400, &[across, along, far]);
    assert!((power[1] / power[0] - 1.0).abs() < 0.2, "{power:?}");
    assert!(power[2] < 1e-2 * power[0], "{power:?}");
}

#[test]
fn values_are_gaussian_with_the_slope_that_is_stated() {
    let spectrum = Spectrum { wavelength: (6.0, 60.0), slope: 2.0, aspect: 3.0, angle: 1.0 };
    let mut values: Vec<f64> = (0..4000).map(|index| field(spectrum, index).at(17.0, 31.0)).collect();
    values.sort_by(f64::total_cmp);
    let departure = kolmogorov(&values, normal_distribution);
    assert!(departure < 1.628, "{departure} rejects the normal law at 1 %");
    // A law of twice the variance would be seen.
    assert!(kolmogorov(&values, |x| normal_distribution(x / 2f64.sqrt())) > 1.628);
    // The stated slope is that of the values.
    let (mut squares, mut stated) = (0.0, 0.0);
    for index in 0..400 {
        let f = field(spectrum, index);
        stated += f.rms_slope().powi(2);
        for place in 0..10 {
            let (y, x) = (37.0 * f64::from(place), 91.0 * f64::from(place));
            let dy = (f.at(y + 0.01, x) - f.at(y - 0.01, x)) / 0.02;
            let dx = (f.at(y, x + 0.01) - f.at(y, x - 0.01)) / 0.02;
            squares += (dy * dy + dx * dx) / 10.0;
        }
    }
    assert!((squares / stated - 1.0).abs() < 0.05, "{squares} for {stated}");
}

fn one(kind: Unevenness) -> UnevennessParams {
    UnevennessParams::default().with_kinds(vec![kind])
}

fn drawn(params: &UnevennessParams, domain: &Domain, severity: f64, index: u64) -> Defect {
    let model = SurfaceUnevenness::new(params.clone()).unwrap();
    model.generate(domain, severity, &mut SampleKey { seed: 3, index }.rng()).unwrap()
}

/// Seeds whose largest patch stays clear of the frame.
fn free(params: &UnevennessParams, side: usize, wanted: usize) -> Vec<u64> {
    let domain = Domain::full(side, side).unwrap();
    let clear = |index: &u64| {
        let b = drawn(params, &domain, 1.0, *index).bbox;
        b.top > 0 && b.left > 0 && b.bottom < side && b.right < side
    };
    let seeds: Vec<u64> = (0..200).filter(clear).take(wanted).collect();
    assert_eq!(seeds.len(), wanted);
    seeds
}

#[test]
fn a_front_moves_with_the_root_of_time() {
    let domain = Domain::full(400, 400).unwrap();
    let params = one(Unevenness::WaterMark).with_size((0.15, 0.8));
    for index in free(&params, 400, 4) {
        let mut points = Vec::new();
        for step in 0..=6 {
            let defect = drawn(&params, &domain, f64::from(step) / 6.0, index);
            // The front as seen: the wet area, within the place of the largest deposit.
            let area: f64 = defect.opacity.iter().map(|&a| f64::from(a)).sum();
            let rho = defect.reflectance.as_ref().unwrap();
            let strongest = rho.iter().fold(0.0f32, |m, r| m.max(r.ln().abs()));
            // With a frame of dry pixels, since the distance ends at the array.
            let is_wet = |(y, x): (usize, usize)| {
                let at = (y.wrapping_sub(1), x.wrapping_sub(1));
                defect.opacity.get(at).is_some_and(|a| *a > 0.5)
            };
            let wet = Array2::from_shape_fn((rho.nrows() + 2, rho.ncols() + 2), is_wet);
            let depth = physdefect::imgkit::distance::to_background(wet.view());
            for (at, r) in rho.indexed_iter() {
                // On small drops a pixel is as wide as the ring.
                if defect.measures["front_px"] > 50.0 && r.ln().abs() > 0.95 * strongest {
                    let depth = depth[[at.0 + 1, at.1 + 1]];
                    assert!(depth <= 2.5, "#{index}: the crest lies {depth} px inside the front");
                }
            }
            points.push((defect.measures["drying_time"].ln(), 0.5 * (area / PI).ln()));
        }
        let found = slope(&points);
        assert!((found / 0.5 - 1.0).abs() < 0.02, "#{index}: exponent {found}");
    }
}

#[test]
fn residue_is_moved_not_made() {
    let domain = Domain::full(384, 384).unwrap();
    for index in 0..6 {
        for transport in [0.0, 0.5, 0.95] {
            let width = 0.08;
            let params = one(Unevenness::WaterMark).with_transport(transport).with_ring_width(width);
            let defect = drawn(&params, &domain, 0.7, index);
            let rho = defect.reflectance.as_ref().unwrap();
            let (mut deposit, mut area) = (0.0, 0.0);
            for (r, a) in rho.iter().zip(&defect.opacity) {
                deposit += f64::from(r.ln().abs() * a);
                area += f64::from(*a);
            }
            // The film's density for a crest of 1.5 A at a round drop's line; mean of e^(-(1-r)/w) over the disc by
            // midpoints.
            let n = 100_000;
            let mean: f64 = (0..n)
                .map(|i| (f64::from(i) + 0.5) / f64::from(n))
                .map(|r| 2.0 * r * (-(1.0 - r) / width).exp())
                .sum::<f64>()
                / f64::from(n);
            let film = 1.5 * defect.measures["contrast"] / (1.0 - transport + transport / mean);
            assert!((deposit / (film * area) - 1.0).abs() < 1e-3, "#{index} {transport}: {deposit} of {}", film * area);
            assert!((defect.measures["residue_px2"] / deposit - 1.0).abs() < 1e-3);
            let strongest = rho.iter().fold(0.0f32, |m, r| m.max(r.ln().abs()));
            let weakest = rho.iter().zip(&defect.opacity).filter(|(_, a)| **a == 1.0).map(|(r, _)| r.ln().abs());
            let weakest = weakest.fold(f32::INFINITY, f32::min);
            if transport == 0.0 {
                assert!(strongest - weakest < 1e-5, "an even film stays even");
            } else {
                assert!(strongest > 3.0 * weakest, "{strongest} {weakest}");
            }
        }
    }
}

#[test]
fn streaks_run_along_the_grain() {
    let domain = Domain::full(200, 200).unwrap();
    for (grain, swap) in [(0.0, false), (PI / 2.0, true)] {
        let defect = drawn(&one(Unevenness::Grinding).with_grain(Some(grain)), &domain, 1.0, 1);
        let rho = defect.reflectance.unwrap().mapv(f32::ln);
        let (mut down, mut right) = (0.0, 0.0);
        for y in 0..rho.nrows() - 1 {
            for x in 0..rho.ncols() - 1 {
                down += (rho[[y + 1, x]] - rho[[y, x]]).powi(2);
                right += (rho[[y, x + 1]] - rho[[y, x]]).powi(2);
            }
        }
        let (across, along) = if swap { (right, down) } else { (down, right) };
        assert!(across > 100.0 * along, "{across} {along}");
    }
}

#[test]
fn waves_have_the_slope_that_severity_asks_for() {
    let domain = Domain::full(400, 400).unwrap();
    let params = one(Unevenness::Waviness).with_size((1.0, 1.5)).with_waves((0.05, 0.1));
    let (mut squares, mut count) = (0.0, 0.0);
    for index in 0..20 {
        let defect = drawn(&params, &domain, 0.5, index);
        for y in 1..defect.height.nrows() - 1 {
            for x in 1..defect.height.ncols() - 1 {
                let near = |dy: usize, dx: usize| defect.opacity[[y + dy - 1, x + dx - 1]] == 1.0;
                if near(0, 1) && near(2, 1) && near(1, 0) && near(1, 2) {
                    let dy = f64::from(defect.height[[y + 1, x]] - defect.height[[y - 1, x]]) / 2.0;
                    let dx = f64::from(defect.height[[y, x + 1]] - defect.height[[y, x - 1]]) / 2.0;
                    squares += dy * dy + dx * dx;
                    count += 1.0;
                }
            }
        }
    }
    let found = f64::sqrt(squares / count);
    assert!((found / 0.1 - 1.0).abs() < 0.05, "{found} for the mean of 0.04 and 0.16");
}

#[test]
fn a_larger_patch_holds_the_smaller_one() {
    for (kind, disc) in Unevenness::ALL.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        let domain = common::domain(90, 130, disc);
        let params = one(kind);
        for index in 0..8 {
            let full = |severity: f64| {
                let defect = drawn(&params, &domain, severity, index);
                let mut support = Array2::<f32>::zeros(domain.dim());
                defect.bbox.crop_mut(support.view_mut()).assign(&defect.opacity);
                support
            };
            let mut last = Array2::zeros(domain.dim());
            for step in 0..=4 {
                let support = full(f64::from(step) / 4.0);
                for (at, (a, b)) in last.iter().zip(&support).enumerate() {
                    assert!(a - b < 1e-6, "{kind:?} #{index}: {a} then {b} at {at}");
                }
                last = support;
            }
        }
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    let base = UnevennessParams::default;
    let cases = [
        ("kinds", base().with_kinds(vec![])),
        ("size.0", base().with_size((0.0, 0.5))),
        ("size.1", base().with_size((0.5, 0.4))),
        ("contrast.0", base().with_contrast((f64::NAN, 0.5))),
        ("contrast.1", base().with_contrast((0.2, 3.5))),
        ("waviness.1", base().with_waviness((0.2, 0.1))),
        ("waves.0", base().with_waves((-0.1, 0.2))),
        ("streaks.1", base().with_streaks((0.1, f64::INFINITY))),
        ("slope", base().with_slope(9.0)),
        ("aspect", base().with_aspect(0.5)),
        ("grain", base().with_grain(Some(f64::NAN))),
        ("irregularity", base().with_irregularity(0.7)),
        ("softness", base().with_softness(0.0)),
        ("brighter", base().with_brighter(1.1)),
        ("color[1]", base().with_color([0.1, 1.2, 0.3])),
        ("color_weight", base().with_color_weight(-0.1)),
        ("transport", base().with_transport(1.5)),
        ("ring_width", base().with_ring_width(0.0)),
    ];
    for (wanted, params) in cases {
        let refused = SurfaceUnevenness::new(params).unwrap_err();
        assert!(matches!(&refused, Error::Parameter(ParameterError { name, .. }) if *name == wanted), "{refused}");
    }
    let refused =
        WaveField::new(Spectrum { wavelength: (0.0, 3.0), slope: 1.0, aspect: 1.0, angle: 0.0 }, &mut common::rng(1));
    assert!(matches!(refused, Err(Error::Parameter(ParameterError { name: "wavelength.0", .. }))));
}
