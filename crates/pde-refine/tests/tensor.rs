//! Oracles of the operator with a diffusion tensor: closed forms and properties of the equation.

#![allow(clippy::unwrap_used)] // helpers of tests, which the lint's own exception for tests does not reach

use imgkit::ParameterError;
use ndarray::{Array2, Array3, ArrayView2, Axis};
use pde_refine::poisson::{Direct, Multigrid, MultigridParams, MultigridPcg, Solve, Stopping, System};
use pde_refine::{Diffusivity, Error, Npcf, NpcfParams, Refine, Screening};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::PI;

fn inner(h: usize, w: usize) -> Array2<bool> {
    Array2::from_shape_fn((h, w), |(y, x)| y > 0 && x > 0 && y < h - 1 && x < w - 1)
}

fn ragged(n: usize, rng: &mut ChaCha8Rng) -> Array2<bool> {
    Array2::from_shape_fn((n, n), |_| rng.random::<f32>() < 0.8)
}

/// `[xx, xy, yy]` with eigenvalues `along` and `across` at an angle.
fn turned(angle: f64, along: f64, across: f64) -> [f64; 3] {
    let (s, c) = angle.sin_cos();
    [along * c * c + across * s * s, (along - across) * s * c, along * s * s + across * c * c]
}

fn system(mask: &Array2<bool>, tensor: impl Fn(usize, usize) -> [f64; 3], lambda: f32) -> Result<System, Error> {
    let part = |k: usize| Array2::from_shape_fn(mask.dim(), |(y, x)| tensor(y, x)[k] as f32);
    let (xx, xy, yy) = (part(0), part(1), part(2));
    let lambda = Array2::from_elem(mask.dim(), lambda);
    System::with_tensor(mask.view(), [xx.view(), xy.view(), yy.view()], lambda.view())
}

/// A field of tensors with a ratio of 1 to 5.5 in every direction.
fn wild(mask: &Array2<bool>, lambda: f32, rng: &mut ChaCha8Rng) -> System {
    let tensors = Array2::from_shape_simple_fn(mask.dim(), || {
        let size = 10f64.powf(rng.random_range(-1.0..0.0));
        turned(rng.random_range(0.0..PI), size, size / rng.random_range(1.0..5.5))
    });
    system(mask, |y, x| tensors[(y, x)], lambda).unwrap()
}

fn solve(
    solver: &dyn Solve,
    system: &System,
    rhs: ArrayView2<'_, f64>,
) -> (Array2<f64>, pde_refine::poisson::SolveStats) {
    let rhs = rhs.insert_axis(Axis(0));
    let (u, stats) = solver.solve(system, rhs, Array3::zeros(rhs.dim()).view()).unwrap();
    (u.index_axis_move(Axis(0), 0), stats)
}

#[test]
fn constant_tensors_act_on_quadratics_as_the_equation_says() {
    // -div(D grad u) of x^2, x y, y^2 is -2 xx, -2 xy, -2 yy; of linear functions 0
    type Case = (fn(f64, f64) -> f64, f64);
    let mask = inner(9, 12);
    for (angle, across) in (0..24).flat_map(|k| [1.0, 0.5, 0.18].map(|a| (f64::from(k) * PI / 24.0, a))) {
        let d = turned(angle, 1.0, across);
        let system = system(&mask, |_, _| d, 0.0).unwrap();
        let cases: [Case; 5] = [
            (|x, _| x * x, -2.0 * d[0]),
            (|x, y| x * y, -2.0 * d[1]),
            (|_, y| y * y, -2.0 * d[2]),
            (|x, _| x, 0.0),
            (|_, y| y, 0.0),
        ];
        for (u, expected) in cases {
            let u = Array2::from_shape_fn(mask.dim(), |(y, x)| u(x as f64, y as f64));
            let image = system.apply(u.view()).unwrap();
            for ((y, x), v) in image.indexed_iter().filter(|((y, x), _)| (2..7).contains(y) && (2..10).contains(x)) {
                assert!((v - expected).abs() < 2e-5, "{angle} {across} at {y}, {x}: {v}, expected {expected}");
            }
        }
    }
}

#[test]
fn manufactured_solutions_converge_at_second_order() {
    // u = sin(pi s) sin(2 pi t) + s t, eigenvalues 1 and 0.3, the first at the angle 2 s + t - 0.7, so that xy changes
    // sign
    let exact = |s: f64, t: f64| (PI * s).sin() * (2.0 * PI * t).sin() + s * t;
    let tensor = |s: f64, t: f64| turned(2.0 * s + t - 0.7, 1.0, 0.3);
    // div(D grad u) by differences of a step far below the grid's
    let flux = |s: f64, t: f64| {
        let (us, ut) =
            (PI * (PI * s).cos() * (2.0 * PI * t).sin() + t, 2.0 * PI * (PI * s).sin() * (2.0 * PI * t).cos() + s);
        let [xx, xy, yy] = tensor(s, t);
        (xx * us + xy * ut, xy * us + yy * ut)
    };
    let e = 1e-5;
    let divergence = |s: f64, t: f64| {
        (flux(s + e, t).0 - flux(s - e, t).0) / (2.0 * e) + (flux(s, t + e).1 - flux(s, t - e).1) / (2.0 * e)
    };
    let error = |n: usize| -> f64 {
        let h = 1.0 / (n - 1) as f64;
        let at = |i: usize| i as f64 * h;
        let mask = inner(n, n);
        let system = system(&mask, |y, x| tensor(at(x), at(y)), 0.0).unwrap();
        let boundary = Array2::from_shape_fn((n, n), |(y, x)| exact(at(x), at(y)) as f32);
        let f = Array2::from_shape_fn((n, n), |(y, x)| -h * h * divergence(at(x), at(y)));
        let rhs = system.rhs(boundary.view(), f.view()).unwrap();
        let (u, _) = solve(
            &MultigridPcg::new(Stopping::default().with_tolerance(1e-9).with_max_iterations(60)).unwrap(),
            &system,
            rhs.view(),
        );
        let squared: f64 =
            mask.indexed_iter().filter(|(_, m)| **m).map(|((y, x), _)| (u[(y, x)] - exact(at(x), at(y))).powi(2)).sum();
        (squared / system.unknowns() as f64).sqrt()
    };
    let errors: Vec<f64> = [33, 65, 129, 257].map(error).to_vec();
    for pair in errors.windows(2) {
        let order = (pair[0] / pair[1]).log2();
        assert!((1.9..=2.1).contains(&order), "order {order}, errors {errors:?}");
    }
}

#[test]
fn an_isotropic_tensor_is_the_scalar_operator() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mask = ragged(30, &mut rng);
    let d = Array2::from_shape_simple_fn(mask.dim(), || rng.random_range(0.1..2.0f32));
    let lambda = Array2::from_elem(mask.dim(), 0.1);
    let none = Array2::zeros(mask.dim());
    let scalar = System::new(mask.view(), d.view(), lambda.view()).unwrap();
    let tensor = System::with_tensor(mask.view(), [d.view(), none.view(), d.view()], lambda.view()).unwrap();
    let u = Array2::from_shape_simple_fn(mask.dim(), || rng.random::<f64>());
    let boundary = Array2::from_shape_simple_fn(mask.dim(), || rng.random::<f32>());
    assert_eq!(scalar.apply(u.view()).unwrap(), tensor.apply(u.view()).unwrap());
    assert_eq!(scalar.rhs(boundary.view(), u.view()).unwrap(), tensor.rhs(boundary.view(), u.view()).unwrap());
}

#[test]
fn the_matrix_is_a_symmetric_m_matrix_of_nine_points() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let mask = ragged(14, &mut rng);
    let system = wild(&mask, 0.0, &mut rng);
    let pixels: Vec<_> = mask.indexed_iter().filter(|(_, m)| **m).map(|(i, _)| i).collect();
    let columns: Vec<Array2<f64>> = pixels
        .iter()
        .map(|&p| {
            let mut unit = Array2::zeros(mask.dim());
            unit[p] = 1.0;
            system.apply(unit.view()).unwrap()
        })
        .collect();
    let mut oblique = 0;
    for (a, &p) in columns.iter().zip(&pixels) {
        let mut sum = 0.0;
        for (b, &q) in columns.iter().zip(&pixels) {
            assert_eq!(a[q], b[p], "symmetric");
            let (dy, dx) = (p.0.abs_diff(q.0), p.1.abs_diff(q.1));
            let far = dy.max(dx) > 1;
            assert!(if p == q { a[q] > 0.0 } else { a[q] <= 0.0 && (!far || a[q] == 0.0) }, "{p:?} {q:?}: {}", a[q]);
            oblique += usize::from(dy == 1 && dx == 1 && a[q] < 0.0);
            sum += a[q];
        }
        assert!(sum > -1e-6, "row sum at {p:?}: {sum}");
    }
    assert!(oblique > 50, "{oblique} couplings along diagonals");
}

#[test]
fn discrete_maximum_principle() {
    for seed in 0..4 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mask = ragged(48, &mut rng);
        let system = wild(&mask, 0.0, &mut rng);
        let boundary = Array2::from_shape_simple_fn(mask.dim(), || rng.random_range(0.2..0.7f32));
        let rhs = system.rhs(boundary.view(), Array2::zeros(mask.dim()).view()).unwrap();
        let (u, _) = solve(&MultigridPcg::default(), &system, rhs.view());
        let known = mask.indexed_iter().filter(|(_, m)| !**m).map(|(i, _)| f64::from(boundary[i]));
        let (low, high) = known.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        for (i, _) in mask.indexed_iter().filter(|(_, m)| **m) {
            assert!(u[i] > low - 1e-5 && u[i] < high + 1e-5, "{i:?}: {} outside {low} to {high}", u[i]);
        }
    }
}

#[test]
fn both_solvers_reach_the_same_solution_in_few_iterations() {
    let tight = Stopping::default().with_tolerance(1e-10).with_max_iterations(60);
    for angle in [0.0, PI / 8.0, PI / 4.0, 2.0] {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mask = inner(128, 128);
        let system = system(&mask, |_, _| turned(angle, 1.0, 0.18), 0.0).unwrap();
        let rhs = Array2::from_shape_simple_fn(mask.dim(), || rng.random::<f64>() - 0.5);
        let (u, multigrid) =
            solve(&Multigrid::new(MultigridParams::default().with_stopping(tight)).unwrap(), &system, rhs.view());
        let (v, gradients) = solve(&MultigridPcg::new(tight).unwrap(), &system, rhs.view());
        println!("{angle}: {} cycles, {} steps", multigrid.iterations, gradients.iterations);
        // a factor of 0.6 a cycle along the axes, where point smoothing is at its worst, and of 0.35 a step
        assert!(multigrid.iterations <= 45 && gradients.iterations <= 22);
        let largest = v.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        assert!((&u - &v).iter().all(|d| d.abs() < 1e-8 * largest));
    }
}

#[test]
fn an_edge_keeps_the_correction_on_its_side() {
    // The composite is the normal image, brighter by 0.1 in the mask; the left half of the image is 0.6 brighter than
    // the right. Dirichlet values pull the offset down at the rim; an edge down the middle changes nothing by symmetry
    // unless one half is pulled harder: there only the left half of the rim lies close.
    let n = 48;
    let normal = Array3::from_shape_fn((n, n, 1), |(_, x, _)| if x < 24 { 0.7 } else { 0.1 });
    let mask = Array2::from_shape_fn((n, n), |(y, x)| (8..40).contains(&y) && (20..44).contains(&x));
    let composite = &normal + &mask.mapv(|m| if m { 0.1 } else { 0.0 }).insert_axis(Axis(2));
    let kept = |diffusivity| {
        let params = NpcfParams::default().with_diffusivity(diffusivity).with_screening(Screening::Uniform(0.01));
        let image = Npcf::new(params).unwrap().refine(normal.view(), composite.view(), mask.view()).unwrap().image;
        image[(24, 25, 0)] - normal[(24, 25, 0)]
    };
    let (plain, slowed) = (kept(Diffusivity::Constant), kept(Diffusivity::EdgeEnhancing { kappa: 0.02 }));
    assert!(slowed > plain + 0.01, "beyond the edge {slowed} of the offset is left, {plain} without it");
}

#[test]
fn npcf_with_a_tensor_returns_the_normal_image_for_itself() {
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let normal = Array3::from_shape_simple_fn((40, 33, 3), || rng.random::<f32>());
    let mask = Array2::from_shape_fn((40, 33), |(y, x)| (5..35).contains(&y) && (x + y) % 7 > 1);
    let params = NpcfParams::default().with_diffusivity(Diffusivity::EdgeEnhancing { kappa: 0.1 });
    let refined = Npcf::new(params).unwrap().refine(normal.view(), normal.view(), mask.view()).unwrap();
    assert!((&refined.image - &normal).iter().all(|d| d.abs() < 1e-6));
}

#[test]
fn bad_tensors_are_refused() {
    let mask = inner(6, 6);
    let good = |y: usize, x: usize, bad: [f64; 3]| if (y, x) == (0, 0) { bad } else { [1.0, 0.2, 1.0] };
    // (0, 0) is beside the mask only along a diagonal
    for bad in [[0.1, 0.2, 1.0], [1.0, -0.2, 0.2], [1.0, 0.0, 0.0], [1.0, f64::NAN, 1.0], [f64::INFINITY, 0.0, 1.0]] {
        let error = system(&mask, |y, x| good(y, x, bad), 0.0).unwrap_err();
        assert!(matches!(error, Error::NonFinite { row: 0, column: 0, .. }), "{bad:?}: {error}");
    }
    let mut corner = mask.clone();
    corner[(1, 1)] = false;
    assert!(system(&corner, |y, x| good(y, x, [f64::NAN; 3]), 0.0).is_ok(), "unused tensors are not looked at");
    let (one, small) = (Array2::from_elem((6, 6), 1.0), Array2::zeros((5, 6)));
    let refused = System::with_tensor(mask.view(), [one.view(), small.view(), one.view()], one.view());
    assert!(matches!(refused, Err(Error::Shape { what: "tensor xy", .. })));
    let all = Array2::from_elem((6, 6), true);
    assert!(matches!(system(&all, |_, _| [1.0, 0.2, 1.0], 0.0), Err(Error::NoBoundary)));
    let tensor = system(&mask, |_, _| [1.0, 0.2, 1.0], 0.0).unwrap();
    let rhs = Array3::zeros((1, 6, 6));
    assert!(matches!(Direct::default().solve(&tensor, rhs.view(), rhs.view()), Err(Error::Unsupported { .. })));
    for kappa in [0.0, f64::NAN, 1e5] {
        let params = NpcfParams::default().with_diffusivity(Diffusivity::EdgeEnhancing { kappa });
        assert!(matches!(Npcf::new(params), Err(Error::Parameter(ParameterError { name: "kappa", .. }))));
    }
}
