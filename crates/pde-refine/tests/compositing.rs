//! The functions of gradient-domain compositing: against the equation written out here, and bad input.

#![allow(clippy::unwrap_used)] // helpers of tests, which the lint's own exception for tests does not reach

use imgkit::ParameterError;
use ndarray::{Array2, Array3, Axis};
use pde_refine::poisson::{Multigrid, MultigridParams, MultigridPcg, Stopping};
use pde_refine::{
    Error, Guidance, Npcf, NpcfParams, Refine, Screening, inpaint, screened_smooth, seamless_clone, seamless_clone_with,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn noise(h: usize, w: usize, channels: usize, seed: u64) -> Array3<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array3::from_shape_fn((h, w, channels), |(y, x, _)| {
        0.5 + 0.2 * ((y + 2 * x) as f32 / 17.0).sin() + 0.3 * (rng.random::<f32>() - 0.5)
    })
}

/// A blob with a hole, a one-pixel branch and a part that touches the frame's edge.
fn region(h: usize, w: usize) -> Array2<bool> {
    Array2::from_shape_fn((h, w), |(y, x)| {
        let r = (y as f64 - 0.5 * h as f64).hypot(x as f64 - 0.45 * w as f64);
        let blob = r < 0.35 * h as f64 && r > 0.05 * h as f64;
        blob || y == h / 3 || (y + 9 > h && x + 7 > w)
    })
}

/// Largest violation, in the mask, of Perez's equation `sum over neighbors of (u_i - u_j - v_ij) = 0`.
fn violation(u: &Array3<f32>, mask: &Array2<bool>, v: impl Fn([usize; 2], [usize; 2], usize) -> f32) -> f32 {
    let (h, w, channels) = u.dim();
    let mut worst = 0.0f32;
    for ((y, x), _) in mask.indexed_iter().filter(|(_, m)| **m) {
        for k in 0..channels {
            let mut sum = 0.0;
            for (dy, dx) in [(-1i64, 0i64), (1, 0), (0, -1), (0, 1)] {
                let (ny, nx) = (y as i64 + dy, x as i64 + dx);
                if ny >= 0 && nx >= 0 && ny < h as i64 && nx < w as i64 {
                    let j = [ny as usize, nx as usize];
                    sum += u[(y, x, k)] - u[(j[0], j[1], k)] - v([y, x], j, k);
                }
            }
            worst = worst.max(sum.abs());
        }
    }
    worst
}

#[test]
fn seamless_clone_solves_the_published_equation_on_the_mask_itself() {
    for (h, w) in [(40, 57), (97, 64), (130, 131)] {
        let (target, source, mask) = (noise(h, w, 3, 1), noise(h, w, 3, 2), region(h, w));
        let step = |a: &Array3<f32>, i: [usize; 2], j: [usize; 2], k| a[(i[0], i[1], k)] - a[(j[0], j[1], k)];
        let solver = Multigrid::new(
            MultigridParams::default().with_stopping(Stopping::default().with_tolerance(1e-7).with_max_iterations(40)),
        )
        .unwrap();
        for guidance in [Guidance::Import, Guidance::Mixed, Guidance::Blend(0.3)] {
            let cloned = seamless_clone_with(target.view(), source.view(), mask.view(), guidance, &solver).unwrap();
            let v = |i, j, k| {
                let (g, f) = (step(&source, i, j, k), step(&target, i, j, k));
                match guidance {
                    Guidance::Mixed => {
                        if f.abs() > g.abs() {
                            f
                        } else {
                            g
                        }
                    }
                    Guidance::Blend(a) => a as f32 * g + (1.0 - a as f32) * f,
                    _ => g,
                }
            };
            let worst = violation(&cloned.image, &mask, v);
            assert!(worst < 3e-6, "{h}x{w} {guidance:?}: {worst:e}");
            let outside = mask.indexed_iter().filter(|(_, m)| !**m);
            assert!(
                outside.into_iter().all(|(i, _)| (0..3).all(|k| cloned.image[(i.0, i.1, k)] == target[(i.0, i.1, k)]))
            );
        }
    }
}

#[test]
fn the_fast_way_and_the_general_solver_agree_under_every_screening() {
    let (normal, composite, mask) = (noise(90, 75, 2, 3), noise(90, 75, 2, 4), region(90, 75));
    let screenings = [Screening::Uniform(0.0), Screening::Uniform(0.3), Screening::default()];
    for guidance in [Guidance::Import, Guidance::Mixed, Guidance::Blend(0.5)] {
        for screening in screenings {
            let npcf = Npcf::new(NpcfParams::default().with_guidance(guidance).with_screening(screening)).unwrap();
            let tight = MultigridPcg::new(Stopping::default().with_tolerance(1e-9).with_max_iterations(100)).unwrap();
            let refine = |n: Npcf| n.refine(normal.view(), composite.view(), mask.view()).unwrap().image;
            // the least tolerance that the fast way takes: strong screening makes `b` large, so 1e-6 of it is not
            // little
            let fast = Multigrid::new(
                MultigridParams::default()
                    .with_stopping(Stopping::default().with_tolerance(1e-8).with_max_iterations(60)),
            )
            .unwrap();
            let (fast, general) = (refine(npcf.clone().with_solver(fast)), refine(npcf.with_solver(tight)));
            let worst = (&fast - &general).iter().fold(0.0f32, |m, d| m.max(d.abs()));
            assert!(worst < 2e-6, "{guidance:?} {screening:?}: {worst:e}");
        }
    }
}

#[test]
fn inpainting_is_harmonic_keeps_between_its_surroundings_and_reads_nothing_inside() {
    let mut image = noise(80, 66, 3, 5);
    let mask = region(80, 66);
    let clean = image.clone();
    for (i, _) in mask.indexed_iter().filter(|(_, m)| **m) {
        image.index_axis_mut(Axis(0), i.0).index_axis_mut(Axis(0), i.1).fill(f32::NAN);
    }
    let filled = inpaint(image.view(), mask.view()).unwrap().image;
    assert!(violation(&filled, &mask, |_, _, _| 0.0) < 1e-5);
    let known = |i: (usize, usize)| !mask[i];
    let (low, high) = clean
        .indexed_iter()
        .filter(|((y, x, _), _)| known((*y, *x)))
        .fold((f32::MAX, f32::MIN), |(l, h), (_, &v)| (l.min(v), h.max(v)));
    assert!(filled.iter().all(|v| (low - 1e-5..=high + 1e-5).contains(v)));
}

#[test]
fn smoothing_damps_a_cosine_by_its_closed_form() {
    // cos(pi k (x + 1/2) / n) is an eigenvector of the Neumann Laplacian, with 2 - 2 cos(pi k / n)
    let (n, k, lambda) = (48, 5.0f64, 0.07);
    let all = Array2::from_elem((20, n), true);
    let wave = |x: usize| (std::f64::consts::PI * k * (x as f64 + 0.5) / n as f64).cos();
    let image = Array3::from_shape_fn((20, n, 1), |(_, x, _)| wave(x) as f32);
    let smooth = screened_smooth(image.view(), all.view(), lambda).unwrap().image;
    let eigenvalue = 2.0 - 2.0 * (std::f64::consts::PI * k / n as f64).cos();
    let share = lambda / (lambda + eigenvalue);
    for ((_, x, _), &v) in smooth.indexed_iter() {
        assert!((f64::from(v) - share * wave(x)).abs() < 1e-5, "{x}: {v}");
    }
}

#[test]
fn bad_input_is_refused() {
    let image = noise(12, 14, 3, 6);
    let all = Array2::from_elem((12, 14), true);
    let clone = |t: &Array3<f32>, s: &Array3<f32>, m: &Array2<bool>, g| seamless_clone(t.view(), s.view(), m.view(), g);
    assert_eq!(clone(&image, &image, &all, Guidance::Import).unwrap_err(), Error::NoBoundary);
    assert_eq!(inpaint(image.view(), all.view()).unwrap_err(), Error::NoBoundary);
    let other = noise(12, 13, 3, 6);
    assert!(matches!(clone(&image, &other, &all, Guidance::Import), Err(Error::Shape { what: "composite", .. })));
    let small = Array2::from_elem((11, 14), true);
    assert!(matches!(clone(&image, &image, &small, Guidance::Import), Err(Error::Shape { what: "mask", .. })));
    let mut part = all.clone();
    part.row_mut(0).fill(false);
    for alpha in [-0.1, 1.1, f64::NAN] {
        let found = clone(&image, &image, &part, Guidance::Blend(alpha));
        assert!(matches!(found, Err(Error::Parameter(ParameterError { name: "alpha", .. }))));
    }
    for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let found = screened_smooth(image.view(), all.view(), lambda);
        assert!(matches!(found, Err(Error::Parameter(ParameterError { name: "lambda", .. }))));
    }
    let mut broken = image.clone();
    broken[(3, 4, 1)] = f32::NAN;
    assert_eq!(
        clone(&image, &broken, &part, Guidance::Import).unwrap_err(),
        Error::NonFinite { what: "source", row: 3, column: 4 }
    );
    let one = Multigrid::new(
        MultigridParams::default().with_stopping(Stopping::default().with_tolerance(1e-7).with_max_iterations(1)),
    )
    .unwrap();
    let missed = seamless_clone_with(image.view(), noise(12, 14, 3, 9).view(), part.view(), Guidance::Import, &one);
    assert!(matches!(missed, Err(Error::NotConverged { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_mask_is_cloned_into_and_nothing_else_changes(
        h in 1usize..70, w in 1usize..70, kind in 0u8..6, seed in any::<u64>(), mixed in any::<bool>(),
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (cy, cx, share) = (rng.random_range(0..h), rng.random_range(0..w), rng.random::<f64>());
        let mask = Array2::from_shape_fn((h, w), |(y, x)| {
            let r = (y as f64 - cy as f64).hypot(x as f64 - cx as f64);
            match kind {
                0 => rng.random::<f64>() < share,
                1 => (y, x) == (cy, cx),
                2 => r < 15.0 && r > 9.0,
                3 => y == cy || x == cx,
                4 => (y, x) != (cy, cx),
                _ => true,
            }
        });
        let (target, source) = (noise(h, w, 3, seed), noise(h, w, 3, !seed));
        let guidance = if mixed { Guidance::Mixed } else { Guidance::Import };
        match seamless_clone(target.view(), source.view(), mask.view(), guidance) {
            Err(error) => prop_assert!(error == Error::NoBoundary && mask.iter().all(|&m| m), "{error}"),
            Ok(cloned) => {
                prop_assert!(cloned.stats.solve.residual <= 1e-6);
                for (i, _) in mask.indexed_iter().filter(|(_, m)| !**m) {
                    for k in 0..3 {
                        prop_assert!(cloned.image[(i.0, i.1, k)] == target[(i.0, i.1, k)]);
                    }
                }
            }
        }
    }
}
