//! Oracles of the two stages on images: the mask contract, the seam, the defect's contrast, the grain.

#![allow(clippy::unwrap_used)] // helpers of tests, which the lint's own exception for tests does not reach

use imgkit::ParameterError;
use imgkit::seam::{band_energy_ratio, seam_index};
use ndarray::{Array2, Array3, ArrayView2, Axis};
use pde_refine::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A shaded surface with grain: a blur of `blur` box passes over white noise.
fn surface(h: usize, w: usize, channels: usize, grain: f32, blur: usize, seed: u64) -> Array3<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut out = Array3::zeros((h, w, channels));
    for k in 0..channels {
        let mut noise = Array2::from_shape_fn((h, w), |_| rng.random::<f32>() - 0.5);
        for _ in 0..blur {
            let old = noise.clone();
            for y in 0..h {
                for x in 0..w {
                    let (d, r) = ((y + 1).min(h - 1), (x + 1).min(w - 1));
                    noise[(y, x)] = 0.25 * (old[(y, x)] + old[(d, x)] + old[(y, r)] + old[(d, r)]);
                }
            }
        }
        for y in 0..h {
            for x in 0..w {
                let shade = 0.55 + 0.1 * (y as f32 / h as f32) + 0.05 * (x as f32 / 40.0 + k as f32).sin();
                out[(y, x, k)] = shade + grain * noise[(y, x)];
            }
        }
    }
    out
}

fn disc(h: usize, w: usize, cy: f64, cx: f64, r: f64) -> Array2<bool> {
    Array2::from_shape_fn((h, w), |(y, x)| (y as f64 - cy).hypot(x as f64 - cx) < r)
}

fn paste(normal: &Array3<f32>, mask: &Array2<bool>, value: impl Fn(usize, usize, usize) -> f32) -> Array3<f32> {
    Array3::from_shape_fn(normal.dim(), |(y, x, k)| if mask[(y, x)] { value(y, x, k) } else { normal[(y, x, k)] })
}

fn equal_outside(a: &Array3<f32>, normal: &Array3<f32>, mask: ArrayView2<bool>) -> bool {
    a.indexed_iter().all(|((y, x, k), v)| mask[(y, x)] || v.to_bits() == normal[(y, x, k)].to_bits())
}

fn seam(image: &Array3<f32>, mask: &Array2<bool>) -> f32 {
    seam_index(image.view(), mask.view()).unwrap()
}

/// Mean of `normal - image` over the mask.
fn contrast(normal: &Array3<f32>, image: &Array3<f32>, mask: &Array2<bool>) -> f32 {
    let channels = normal.dim().2;
    let inside: Vec<_> = mask.indexed_iter().filter(|(_, m)| **m).map(|(i, _)| i).collect();
    let sum: f32 =
        inside.iter().flat_map(|&(y, x)| (0..channels).map(move |k| normal[(y, x, k)] - image[(y, x, k)])).sum();
    sum / (inside.len() * channels) as f32
}

#[test]
fn the_normal_image_with_its_own_gradient_comes_back() {
    let normal = surface(60, 70, 3, 0.05, 1, 1);
    let mask = disc(60, 70, 30.0, 33.0, 20.0);
    for screening in [Screening::Uniform(0.0), Screening::Uniform(0.5), Screening::default()] {
        for guidance in [Guidance::Import, Guidance::Mixed, Guidance::Blend(0.3)] {
            let params = NpcfParams::default().with_screening(screening).with_guidance(guidance);
            let out = Npcf::new(params).unwrap().refine(normal.view(), normal.view(), mask.view()).unwrap();
            let worst = (&out.image - &normal).mapv(f32::abs).into_iter().fold(0.0, f32::max);
            assert!(worst <= 1e-6, "{worst}");
        }
    }
    // also when the solver must find it: pure guidance by grad I, whatever the composite's values
    let params = NpcfParams::default().with_screening(Screening::Uniform(0.0)).with_guidance(Guidance::Blend(0.0));
    let junk = paste(&normal, &mask, |y, x, _| ((y * x) % 7) as f32 / 7.0);
    let solver = poisson::Multigrid::new(
        poisson::MultigridParams::default()
            .with_stopping(poisson::Stopping::default().with_tolerance(1e-10).with_max_iterations(60)),
    )
    .unwrap();
    let npcf = Npcf::new(params).unwrap().with_solver(solver);
    let out = npcf.refine(normal.view(), junk.view(), mask.view()).unwrap();
    let worst = (&out.image - &normal).mapv(f32::abs).into_iter().fold(0.0, f32::max);
    assert!(worst <= 1e-6, "{worst}");
}

#[test]
fn an_empty_mask_returns_the_input_bit_for_bit() {
    let normal = surface(31, 17, 3, 0.1, 0, 2);
    let empty = Array2::from_elem((31, 17), false);
    let stages = CoarseToFine::default().stages(normal.view(), normal.view(), empty.view()).unwrap();
    for image in [stages.coarse.image, stages.fine.image] {
        assert!(equal_outside(&image, &normal, empty.view()));
    }
    assert_eq!(stages.coarse.stats.boxes, 0);
}

#[test]
fn a_constant_color_offset_vanishes_without_screening() {
    // Import guidance without screening keeps differences only: an offset patch is the normal image again.
    let normal = surface(80, 80, 3, 0.03, 1, 3);
    let mask = disc(80, 80, 40.0, 40.0, 25.0);
    let composite = paste(&normal, &mask, |y, x, k| normal[(y, x, k)] - 0.2);
    let params = NpcfParams::default().with_screening(Screening::Uniform(0.0));
    let out = Npcf::new(params).unwrap().refine(normal.view(), composite.view(), mask.view()).unwrap();
    assert!(contrast(&normal, &out.image, &mask).abs() < 1e-4);
}

#[test]
fn screening_in_a_disc_keeps_the_share_its_closed_form_gives() {
    // a flat pit of depth 0.3 in a disc of radius 40, ratio 0.15: 1 - 2 k I1(1/k) / I0(1/k) = 0.7218 (Bessel tables)
    let normal = Array3::from_elem((100, 100, 1), 0.6f32);
    let mask = disc(100, 100, 50.0, 50.0, 40.0);
    let composite = paste(&normal, &mask, |_, _, _| 0.3);
    let out = Npcf::default().refine(normal.view(), composite.view(), mask.view()).unwrap();
    let kept = contrast(&normal, &out.image, &mask) / 0.3;
    assert!((kept - 0.7218).abs() < 0.02, "{kept}");
}

#[test]
fn pits_and_cracks_keep_their_contrast_through_both_stages() {
    let normal = surface(120, 120, 3, 0.02, 1, 4);
    let line = |half: i64| Array2::from_shape_fn((120, 120), |(y, x)| (y as i64 - 60 - x as i64 / 7).abs() <= half);
    let cases = [
        ("pit of 20 px", disc(120, 120, 60.0, 60.0, 10.0), 0.6, 0.9),
        ("pit of 40 px", disc(120, 120, 60.0, 60.0, 20.0), 0.6, 0.9),
        ("crack of 1 px", line(0), 0.8, 0.8),
        ("crack of 3 px", line(1), 0.7, 0.8),
        ("crack of 5 px", line(2), 0.6, 0.8),
    ];
    for (name, mask, mean, peak) in cases {
        let composite = paste(&normal, &mask, |y, x, k| normal[(y, x, k)] - 0.3);
        let stages = CoarseToFine::default().stages(normal.view(), composite.view(), mask.view()).unwrap();
        for (stage, image) in [("npcF", &stages.coarse.image), ("npcF++", &stages.fine.image)] {
            let kept = contrast(&normal, image, &mask) / 0.3;
            let deepest = (&normal - image).into_iter().fold(0.0, f32::max) / 0.3;
            println!("{name} {stage}: mean {kept:.3}, peak {deepest:.3}, seam {:.2}", seam(image, &mask));
            assert!(kept >= mean && deepest >= peak, "{name} {stage}: mean {kept}, peak {deepest}");
        }
    }
}

#[test]
fn a_defect_with_its_own_soft_edge_is_hardly_changed() {
    let normal = surface(100, 100, 3, 0.02, 1, 5);
    let mask = disc(100, 100, 50.0, 50.0, 15.0);
    let pit = |y: usize, x: usize| {
        let r = (y as f32 - 50.0).hypot(x as f32 - 50.0) / 13.0;
        if r < 1.0 { 0.3 * (1.0 - r * r).powi(2) } else { 0.0 }
    };
    let composite = paste(&normal, &mask, |y, x, k| normal[(y, x, k)] - pit(y, x));
    let stages = CoarseToFine::default().stages(normal.view(), composite.view(), mask.view()).unwrap();
    for image in [&stages.coarse.image, &stages.fine.image] {
        let worst = (image - &composite).mapv(f32::abs).into_iter().fold(0.0, f32::max);
        assert!(worst < 0.03, "{worst}");
    }
}

#[test]
fn the_seam_falls_and_never_rises() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let (mut raw_sum, mut coarse_sum, mut fine_sum) = (0.0, 0.0, 0.0);
    for seed in 0..40 {
        let (h, w) = (rng.random_range(40..110), rng.random_range(40..110));
        let normal = surface(h, w, 3, rng.random_range(0.0..0.15), rng.random_range(0..3), seed);
        let r = rng.random_range(4.0..18.0);
        let mut mask = disc(h, w, rng.random_range(0.0..h as f64), rng.random_range(0.0..w as f64), r);
        let slope = rng.random_range(-1.0..1.0f64);
        for x in 0..w {
            let y = (h as f64 / 2.0 + slope * (x as f64 - w as f64 / 2.0)) as i64;
            if seed % 2 == 0 && (0..h as i64).contains(&y) {
                mask[(y as usize, x)] = true;
            }
        }
        let patch = surface(h, w, 3, rng.random_range(0.0..0.2), rng.random_range(0..3), 1000 + seed);
        let offset = rng.random_range(0.1..0.4) * if rng.random() { 1.0 } else { -1.0 };
        let composite = paste(&normal, &mask, |y, x, k| (patch[(y, x, k)] + offset).clamp(0.0, 1.0));
        let stages = CoarseToFine::default().stages(normal.view(), composite.view(), mask.view()).unwrap();
        let (raw, coarse, fine) =
            (seam(&composite, &mask), seam(&stages.coarse.image, &mask), seam(&stages.fine.image, &mask));
        assert!(coarse < raw, "case {seed}: raw {raw}, npcF {coarse}");
        // never above both npcF's and, by a tenth, what the normal image itself shows along that line
        let bound = if stages.fine.stats.boxes == 1 { coarse.max(1.1 * seam(&normal, &mask)) } else { coarse.max(1.0) };
        assert!(fine <= bound * (1.0 + 1e-5), "case {seed}: npcF {coarse}, npcF++ {fine}, bound {bound}");
        raw_sum += raw;
        coarse_sum += coarse;
        fine_sum += fine;
    }
    println!("mean seam index: raw {}, npcF {}, npcF++ {}", raw_sum / 40.0, coarse_sum / 40.0, fine_sum / 40.0);
    assert!(coarse_sum < 0.8 * raw_sum && fine_sum < 0.9 * coarse_sum);
}

#[test]
fn grain_missing_or_slightly_too_strong_is_matched_in_every_band() {
    for blur in 0..3 {
        let normal = surface(400, 400, 3, 0.06, blur, 7);
        let mask = disc(400, 400, 200.0, 200.0, 150.0);
        let other = surface(400, 400, 3, 0.06 * 1.6, blur, 70);
        // the same shading without grain, and with another's grain that is too strong
        let shading = surface(400, 400, 3, 0.0, 0, 7);
        let flat = paste(&normal, &mask, |y, x, k| shading[(y, x, k)]);
        let noisy = paste(&normal, &mask, |y, x, k| other[(y, x, k)]);
        for (name, input) in [("flat", &flat), ("noisy", &noisy)] {
            let before = band_energy_ratio(input.view(), mask.view(), 3).unwrap();
            let out = NpcfPlus::default().refine(normal.view(), input.view(), mask.view()).unwrap();
            let after = band_energy_ratio(out.image.view(), mask.view(), 3).unwrap();
            println!("{name} blur {blur}: {before:.2?} -> {after:.2?}");
            assert!(before.iter().all(|r| !(0.9..=1.1).contains(r)), "{name} {before:?}");
            // the mean over channels, each of which rests on a few hundred independent grains in the coarsest band
            let mean = after.mean_axis(Axis(1)).unwrap();
            println!("  mean {mean:.3}");
            assert!(mean.iter().all(|r| (0.9..=1.1).contains(r)), "{name} blur {blur}: {after:?}");
        }
    }
}

#[test]
fn a_thin_dark_line_keeps_its_color() {
    // Light that falls by the same share in every channel: the surface's own color, only darker. Green has more grain
    // than red has, so that by itself it would be taken for grain where red is taken for the defect's.
    for (seed, share) in [0.9f32, 0.85, 0.8, 0.7].into_iter().enumerate() {
        let gray = surface(160, 160, 1, 0.06, 0, 30 + seed as u64);
        let own = surface(160, 160, 3, 1.0, 1, 40 + seed as u64);
        let smooth = surface(160, 160, 3, 0.0, 1, 40);
        let (color, grain) = ([0.9f32, 0.5, 0.28], [0.03f32, 0.09, 0.06]);
        let normal = Array3::from_shape_fn((160, 160, 3), |(y, x, k)| {
            color[k] * gray[(y, x, 0)] + grain[k] * (own[(y, x, k)] - smooth[(y, x, k)])
        });
        let line = |y: usize, x: usize| (x as f32 - 80.0 - 12.0 * (y as f32 / 25.0).sin()).abs() < 2.0;
        let mask = Array2::from_shape_fn((160, 160), |(y, x)| (20..140).contains(&y) && line(y, x));
        let composite = paste(&normal, &mask, |y, x, k| share * normal[(y, x, k)]);
        let out = NpcfPlus::default().refine(normal.view(), composite.view(), mask.view()).unwrap();
        let of = |image: &Array3<f32>, k: usize| -> f32 {
            mask.indexed_iter().filter(|(_, m)| **m).map(|((y, x), _)| image[(y, x, k)]).sum()
        };
        let taken = [0, 1, 2].map(|k| 1.0 - of(&out.image, k) / of(&normal, k));
        println!("share {share}: {taken:.4?}");
        let (least, most) = (taken.iter().fold(1.0f32, |a, &b| a.min(b)), taken.iter().fold(0.0f32, |a, &b| a.max(b)));
        assert!(least > 0.97 * most, "share {share}: {taken:?}");
    }
}

#[test]
fn texture_is_not_taken_for_grain() {
    // A smooth patch in a strongly textured surface is the defect itself and must stay smooth. White noise of standard
    // deviation 0.115 has scales 0.10 and 0.023 in the two finest bands, above the limit of 0.02.
    let normal = surface(120, 120, 1, 0.4, 0, 16);
    let mask = disc(120, 120, 60.0, 60.0, 30.0);
    let flat = paste(&normal, &mask, |_, _, _| 0.6);
    let out = NpcfPlus::default().refine(normal.view(), flat.view(), mask.view()).unwrap();
    let after = band_energy_ratio(out.image.view(), mask.view(), 2).unwrap();
    assert!(after.iter().all(|&r| r < 0.2), "{after:?}");
}

#[test]
fn a_band_the_defect_owns_is_left_alone() {
    let normal = surface(120, 120, 1, 0.02, 0, 8);
    let mask = disc(120, 120, 60.0, 60.0, 30.0);
    let rough = surface(120, 120, 1, 0.3, 0, 80);
    let composite = paste(&normal, &mask, |y, x, k| rough[(y, x, k)]);
    let before = band_energy_ratio(composite.view(), mask.view(), 3).unwrap();
    let out = NpcfPlus::default().refine(normal.view(), composite.view(), mask.view()).unwrap();
    let after = band_energy_ratio(out.image.view(), mask.view(), 3).unwrap();
    assert!(before.iter().all(|&r| r > 50.0), "{before:?}");
    assert!(before.iter().zip(&after).all(|(b, a)| a / b > 0.75), "{before:?} {after:?}");
}

#[test]
fn separate_groups_do_not_see_each_other() {
    // Refining two far defects at once equals refining each alone.
    let normal = surface(90, 200, 3, 0.05, 1, 9);
    let (a, b) = (disc(90, 200, 40.0, 40.0, 15.0), disc(90, 200, 50.0, 150.0, 20.0));
    let both = Array2::from_shape_fn((90, 200), |i| a[i] || b[i]);
    let composite = paste(&normal, &both, |y, x, _| ((y + x) % 5) as f32 / 10.0);
    let run = |m: &Array2<bool>| CoarseToFine::default().refine(normal.view(), composite.view(), m.view()).unwrap();
    let (of_a, of_b, of_both) = (run(&a), run(&b), run(&both));
    assert_eq!(of_both.stats.boxes, 2);
    for (i, v) in of_both.image.indexed_iter() {
        let expected = if i.1 < 90 { of_a.image[i] } else { of_b.image[i] };
        assert_eq!(v.to_bits(), expected.to_bits());
    }
}

#[test]
fn layout_of_the_input_does_not_matter() {
    let normal = surface(50, 60, 3, 0.05, 1, 10);
    let mask = disc(50, 60, 25.0, 30.0, 12.0);
    let composite = paste(&normal, &mask, |_, _, _| 0.2);
    let planar = |a: &Array3<f32>| a.view().permuted_axes([2, 0, 1]).as_standard_layout().into_owned();
    let (n, c) = (planar(&normal), planar(&composite));
    let one = CoarseToFine::default();
    let a = one.refine(normal.view(), composite.view(), mask.view()).unwrap();
    let b = one.refine(n.view().permuted_axes([1, 2, 0]), c.view().permuted_axes([1, 2, 0]), mask.view()).unwrap();
    assert!(a.image == b.image && a.image != normal);
}

#[test]
fn parameters_out_of_range_are_refused() {
    let bad = [f64::NAN, -1.0, f64::INFINITY];
    for v in bad {
        let npcf = |p: NpcfParams| Npcf::new(p).unwrap_err();
        let d = NpcfParams::default();
        let errors = [
            npcf(d.with_guidance(Guidance::Blend(v))),
            npcf(d.with_diffusivity(Diffusivity::Charbonnier { kappa: v })),
            npcf(d.with_diffusivity(Diffusivity::PeronaMalik { kappa: v })),
            npcf(d.with_screening(Screening::Uniform(v))),
            npcf(d.with_screening(Screening::Proportional { ratio: v, max_half_width: 9.0 })),
            npcf(d.with_screening(Screening::Proportional { ratio: 0.2, max_half_width: v })),
            NpcfPlus::new(NpcfPlusParams::default().with_feather_scale(v)).unwrap_err(),
            NpcfPlus::new(NpcfPlusParams::default().with_max_feather_fraction(v)).unwrap_err(),
        ];
        assert!(errors.iter().all(|e| matches!(e, Error::Parameter(ParameterError { .. }))));
    }
    let plus = |p| NpcfPlus::new(p).is_err();
    assert!(plus(NpcfPlusParams::default().with_bands(0)));
    assert!(plus(NpcfPlusParams::default().with_bands(6)));
    assert!(plus(NpcfPlusParams::default().with_texture_ratio_cutoff(f64::NAN)));
    assert!(plus(NpcfPlusParams::default().with_noise_floor(f64::NAN)));
    assert!(plus(NpcfPlusParams::default().with_texture_ratio_cutoff(0.5)));
}

#[test]
fn bad_images_are_refused_where_they_matter() {
    let normal = surface(60, 60, 3, 0.05, 0, 14);
    let mask = disc(60, 60, 30.0, 30.0, 8.0);
    let mut nan = normal.clone();
    nan[(30, 31, 1)] = f32::NAN;
    let mut far = normal.clone();
    far[(1, 1, 0)] = f32::INFINITY;
    let stages: [&dyn Refine; 3] = [&Npcf::default(), &NpcfPlus::default(), &CoarseToFine::default()];
    for stage in stages {
        for (a, b) in [(&nan, &normal), (&normal, &nan)] {
            let error = stage.refine(a.view(), b.view(), mask.view()).unwrap_err();
            assert!(matches!(error, Error::NonFinite { row: 30, column: 31, .. }), "{error}");
        }
        assert!(stage.refine(far.view(), far.view(), mask.view()).is_ok());
        let small = Array2::from_elem((60, 59), true);
        assert!(matches!(stage.refine(normal.view(), normal.view(), small.view()), Err(Error::Shape { .. })));
        let gray = surface(60, 60, 1, 0.05, 0, 14);
        assert!(matches!(stage.refine(normal.view(), gray.view(), mask.view()), Err(Error::Shape { .. })));
    }
}

#[test]
fn a_full_frame_mask_works_unless_screening_is_zero() {
    let normal = surface(40, 30, 3, 0.05, 0, 15);
    let all = Array2::from_elem((40, 30), true);
    let composite = paste(&normal, &all, |y, x, _| ((y + 2 * x) % 9) as f32 / 10.0);
    let out = CoarseToFine::default().refine(normal.view(), composite.view(), all.view()).unwrap();
    // no boundary, no seam and no surround to match: the composite is the minimizer, and only rounding changes it
    let worst = (&out.image - &composite).mapv(f32::abs).into_iter().fold(0.0, f32::max);
    assert!(worst < 1e-6, "{worst}");
    assert!((&normal - &composite).iter().any(|d| d.abs() > 0.5));
    let params = NpcfParams::default().with_screening(Screening::Uniform(0.0));
    let error = Npcf::new(params).unwrap().refine(normal.view(), composite.view(), all.view()).unwrap_err();
    assert_eq!(error, Error::NoBoundary);
}

fn any_mask() -> impl Strategy<Value = Array2<bool>> {
    (1usize..50, 1usize..50, 0u8..6, any::<u64>()).prop_map(|(h, w, kind, seed)| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (cy, cx) = (rng.random_range(0..h), rng.random_range(0..w));
        let share: f64 = rng.random();
        Array2::from_shape_fn((h, w), |(y, x)| match kind {
            0 => true,
            1 => (y, x) == (cy, cx),
            2 => y == cy || x == cx,
            3 => rng.random::<f64>() < share,
            4 => y.abs_diff(cy) + x.abs_diff(cx) < h / 2,
            _ => (y + x) % 7 == 0,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_mask_of_any_size_keeps_the_contract(
        mask in any_mask(), channels in 0usize..4, seed in any::<u64>(), kind in 0usize..4,
    ) {
        let (h, w) = mask.dim();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let normal = Array3::from_shape_fn((h, w, channels), |_| rng.random::<f32>());
        // the composite differs everywhere, outside the mask too
        let composite = Array3::from_shape_fn((h, w, channels), |_| rng.random::<f32>());
        let flow = || AllenCahn::new(AllenCahnParams::default()).unwrap();
        let guidance = [Guidance::Import, Guidance::Mixed, Guidance::Blend(0.5), Guidance::Import][kind];
        let diffusivity = [
            Diffusivity::Constant,
            Diffusivity::Charbonnier { kappa: 0.1 },
            Diffusivity::PeronaMalik { kappa: 0.3 },
            Diffusivity::Constant,
        ][kind];
        let screening = [
            Screening::default(),
            Screening::default(),
            Screening::Uniform(0.01),
            Screening::Uniform(1e-4),
        ][kind];
        let params = NpcfParams::default()
            .with_coherence((kind % 2 == 1).then(flow))
            .with_guidance(guidance)
            .with_diffusivity(diffusivity)
            .with_screening(screening);
        let both = CoarseToFine { coarse: Npcf::new(params).unwrap(), fine: NpcfPlus::default() };
        let stages = both.stages(normal.view(), composite.view(), mask.view()).unwrap();
        for image in [&stages.coarse.image, &stages.fine.image] {
            prop_assert!(equal_outside(image, &normal, mask.view()));
            prop_assert!(image.iter().all(|v| (0.0..=1.0).contains(v)));
        }
        prop_assert!(stages.coarse.stats.solve.residual <= 1e-6);
        if channels > 0 {
            let (a, b) = (seam(&stages.coarse.image, &mask), seam(&stages.fine.image, &mask));
            let bound = a.max(1.1 * seam(&normal, &mask));
            prop_assert!(b <= bound * (1.0 + 1e-5) || stages.fine.stats.boxes > 1, "{a} -> {b}, bound {bound}");
        }
        let ratios = band_energy_ratio(stages.fine.image.view(), mask.view(), 2).unwrap();
        prop_assert!(ratios.iter().all(|r| r.is_finite()));
    }
}
