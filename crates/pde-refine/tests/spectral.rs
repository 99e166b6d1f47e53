//! Oracles of the direct solver: eigenvectors, the iterative solvers, a manufactured solution.

#![allow(clippy::unwrap_used)] // helpers of tests, which the lint's own exception for tests does not reach

use imgkit::ParameterError;
use ndarray::{Array2, Array3, Axis};
use pde_refine::Error;
use pde_refine::poisson::{
    Direct, Multigrid, MultigridParams, MultigridPcg, Rectangle, Side, Sides, Solve, Stopping, System,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::PI;

const KINDS: [Side; 2] = [Side::Dirichlet, Side::Neumann];

fn all_sides() -> impl Iterator<Item = Sides> {
    (0..16).map(|i| Sides {
        top: KINDS[i & 1],
        bottom: KINDS[i >> 1 & 1],
        left: KINDS[i >> 2 & 1],
        right: KINDS[i >> 3],
    })
}

/// The `m`-th eigenvector (from 0) of minus the second difference on `n` pixels, and its eigenvalue.
fn mode(n: usize, m: usize, ends: [Side; 2]) -> (Vec<f64>, f64) {
    let (n_, m_) = (n as f64, m as f64);
    let theta = match ends {
        [Side::Dirichlet, Side::Dirichlet] => PI * (m_ + 1.0) / (n_ + 1.0),
        [Side::Neumann, Side::Neumann] => PI * m_ / n_,
        _ => PI * (2.0 * m_ + 1.0) / (2.0 * n_ + 1.0),
    };
    let value = |i: usize| match ends {
        [Side::Dirichlet, _] => (theta * (i + 1) as f64).sin(),
        [Side::Neumann, Side::Neumann] => (theta * (i as f64 + 0.5)).cos(),
        [Side::Neumann, Side::Dirichlet] => (theta * (n - i) as f64).sin(),
    };
    ((0..n).map(value).collect(), 2.0 - 2.0 * theta.cos())
}

#[test]
fn eigenvectors_are_solved_to_rounding() {
    for sides in all_sides() {
        for (h, w) in [(1, 1), (1, 7), (6, 1), (2, 2), (3, 8), (9, 5), (16, 16), (31, 30), (12, 127)] {
            for lambda in [0.0, 0.3] {
                for (my, mx) in [(0, 0), (h - 1, w - 1), (h / 2, w / 3), (0, w - 1), (h - 1, 0)] {
                    let (fy, ey) = mode(h, my, [sides.top, sides.bottom]);
                    let (fx, ex) = mode(w, mx, [sides.left, sides.right]);
                    let Ok(plan) = Rectangle::new((h, w), sides, lambda) else {
                        assert!(lambda == 0.0 && sides == Sides::all(Side::Neumann));
                        continue;
                    };
                    let exact = Array2::from_shape_fn((h, w), |(y, x)| fy[y] * fx[x]);
                    let mut u = &exact * (ey + ex + lambda);
                    let mut single = u.mapv(|v| v as f32);
                    plan.solve(u.view_mut()).unwrap();
                    plan.solve(single.view_mut()).unwrap();
                    for ((u, s), e) in u.iter().zip(&single).zip(&exact) {
                        // the sines above are themselves off by eps * theta * n, and rounding of b lets in the
                        // smoothest modes, which the solve amplifies by up to 4 h w / pi^2
                        assert!((u - e).abs() < 3e-11, "{sides:?} {h}x{w} mode {my},{mx}: {u} {e}");
                        assert!((f64::from(*s) - e).abs() < 1e-4, "{sides:?} {h}x{w} mode {my},{mx}: {s} {e}");
                    }
                }
            }
        }
    }
}

/// A system with these sides around `h` x `w` pixels: a margin of a pixel where the side is Dirichlet.
fn system(h: usize, w: usize, sides: Sides, lambda: f32) -> Result<System, Error> {
    let margin = |side: Side| usize::from(side == Side::Dirichlet);
    let (top, left) = (margin(sides.top), margin(sides.left));
    let dim = (h + top + margin(sides.bottom), w + left + margin(sides.right));
    let mask = Array2::from_shape_fn(dim, |(y, x)| (top..top + h).contains(&y) && (left..left + w).contains(&x));
    System::new(mask.view(), Array2::ones(dim).view(), Array2::from_elem(dim, lambda).view())
}

#[test]
fn direct_agrees_with_multigrid_and_conjugate_gradients_for_all_sides() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for sides in all_sides() {
        for (h, w) in [(1, 1), (1, 13), (17, 1), (16, 15), (23, 29), (32, 64)] {
            for lambda in [0.0, 0.02] {
                let system = match system(h, w, sides, lambda) {
                    Ok(system) => system,
                    Err(e) => {
                        assert_eq!((e, lambda, sides), (Error::NoBoundary, 0.0, Sides::all(Side::Neumann)));
                        continue;
                    }
                };
                let dim = (2, system.size().height, system.size().width);
                let rhs = Array3::from_shape_fn(dim, |_| rng.random::<f64>() - 0.5);
                let rhs = &rhs * &system.mask().mapv(|m| f64::from(u8::from(m)));
                let guess = Array3::from_shape_fn(dim, |_| rng.random::<f64>());
                let (u, stats) = Direct::default().solve(&system, rhs.view(), guess.view()).unwrap();
                assert!(stats.residual < 1e-10 && stats.iterations <= 2, "{stats:?}");
                for (u, rhs) in u.outer_iter().zip(rhs.outer_iter()) {
                    let inside = &system.apply(u).unwrap() - &rhs;
                    assert!(inside.iter().all(|r| r.abs() < 1e-9), "{sides:?} {h}x{w}");
                }
                let stopping = Stopping::default().with_tolerance(1e-12).with_max_iterations(200);
                let others: [&dyn Solve; 2] = [
                    &MultigridPcg::new(stopping).unwrap(),
                    &Multigrid::new(MultigridParams::default().with_stopping(stopping)).unwrap(),
                ];
                for other in others {
                    let (v, _) = other.solve(&system, rhs.view(), guess.view()).unwrap();
                    let scale = v.iter().fold(1.0f64, |m, v| m.max(v.abs()));
                    let worst = (&u - &v).iter().fold(0.0f64, |m, d| m.max(d.abs()));
                    assert!(worst < 1e-8 * scale, "{other:?} {sides:?} {h}x{w} lambda {lambda}: {worst} of {scale}");
                }
                for ((i, &m), _) in system.mask().indexed_iter().zip(u.index_axis(Axis(0), 0)) {
                    assert!(m || u[(0, i.0, i.1)] == guess[(0, i.0, i.1)]);
                }
            }
        }
    }
}

#[test]
fn a_manufactured_solution_converges_at_second_order() {
    // u = exp(s) sin(2 t + 0.3) + s t on the unit square with its values on the boundary, -laplacian u + 3 u = f
    let exact = |s: f64, t: f64| s.exp() * (2.0 * t + 0.3).sin() + s * t;
    let source = |s: f64, t: f64| 3.0 * s.exp() * (2.0 * t + 0.3).sin() + 3.0 * exact(s, t);
    let error = |n: usize| {
        let h = 1.0 / (n + 1) as f64;
        let at = |i: usize| i as f64 * h; // 0 and n + 1 are the boundary
        let mut b = Array2::from_shape_fn((n, n), |(y, x)| h * h * source(at(y + 1), at(x + 1)));
        for i in 0..n {
            b[(0, i)] += exact(0.0, at(i + 1));
            b[(n - 1, i)] += exact(1.0, at(i + 1));
            b[(i, 0)] += exact(at(i + 1), 0.0);
            b[(i, n - 1)] += exact(at(i + 1), 1.0);
        }
        Rectangle::new((n, n), Sides::default(), 3.0 * h * h).unwrap().solve(b.view_mut()).unwrap();
        let squared: f64 = b.indexed_iter().map(|((y, x), u)| (u - exact(at(y + 1), at(x + 1))).powi(2)).sum();
        (squared / (n * n) as f64).sqrt()
    };
    let errors = [15, 31, 63, 127].map(error);
    for pair in errors.windows(2) {
        let order = (pair[0] / pair[1]).log2();
        assert!((1.95..=2.05).contains(&order), "order {order}, errors {errors:?}");
    }
}

#[test]
fn large_planes_in_f32_hold_the_solution_to_its_rounding() {
    // noise, as of the difference of two photos; the residual's floor is the rounding of u itself
    for (h, w, sides) in [(256, 257, Sides::default()), (300, 211, Sides::all(Side::Neumann))] {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let b = Array2::from_shape_fn((h, w), |_| rng.random::<f32>() - 0.5);
        let plan = Rectangle::new((h, w), sides, 1e-4).unwrap();
        let (mut u, mut exact) = (b.clone(), b.mapv(f64::from));
        plan.solve(u.view_mut()).unwrap();
        plan.solve(exact.view_mut()).unwrap();
        let scale = exact.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let worst = u.iter().zip(&exact).fold(0.0f64, |m, (u, e)| m.max((f64::from(*u) - e).abs()));
        assert!(worst < 4e-7 * scale, "{worst} of {scale}");
        assert!(worst > 0.0);
    }
}

#[test]
fn what_it_cannot_solve_is_refused() {
    let sides = Sides::all(Side::Neumann);
    assert_eq!(Rectangle::new((5, 4), sides, 0.0).unwrap_err(), Error::NoBoundary);
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            Rectangle::new((5, 4), sides, bad),
            Err(Error::Parameter(ParameterError { name: "lambda", .. }))
        ));
    }
    assert!(matches!(Rectangle::new((0, 4), sides, 1.0), Err(Error::Parameter(ParameterError { name: "height", .. }))));
    assert!(matches!(Rectangle::new((4, 0), sides, 1.0), Err(Error::Parameter(ParameterError { name: "width", .. }))));
    let plan = Rectangle::new((5, 4), sides, 1.0).unwrap();
    assert!(matches!(plan.process(&mut [0.0f32; 19], &mut plan.scratch()), Err(Error::Shape { .. })));
    let wide = Rectangle::new((5, 40), sides, 1.0).unwrap();
    assert!(matches!(plan.process(&mut [0.0f32; 20], &mut wide.scratch()), Err(Error::Shape { .. })));
    let refused = |stopping: Stopping, name: &str| match Direct::new(stopping).unwrap_err() {
        Error::Parameter(error) => assert_eq!(error.name, name),
        other => panic!("{other}"),
    };
    refused(Stopping::default().with_tolerance(0.0), "tolerance");
    refused(Stopping::default().with_max_iterations(0), "max_iterations");

    let dim = (12, 14);
    let full = Array2::from_shape_fn(dim, |(y, x)| (2..9).contains(&y) && (3..11).contains(&x));
    let (one, zero) = (Array2::<f32>::ones(dim), Array2::<f32>::zeros(dim));
    let set = |array: &Array2<f32>, i, v| {
        let mut array = array.clone();
        array[i] = v;
        array
    };
    let mut hole = full.clone();
    hole[(5, 6)] = false;
    let solve = |mask: &Array2<bool>, d: &Array2<f32>, lambda: &Array2<f32>| {
        let system = System::new(mask.view(), d.view(), lambda.view()).unwrap();
        let rhs = Array3::ones((1, 12, 14));
        Direct::default().solve(&system, rhs.view(), Array3::zeros((1, 12, 14)).view())
    };
    assert!(solve(&full, &one, &zero).is_ok());
    let refused = [
        (solve(&hole, &one, &zero), Some((5, 6))),
        (solve(&full, &set(&one, (4, 7), 0.999), &zero), Some((4, 7))),
        (solve(&full, &one.mapv(|d| 0.5 * d), &zero), Some((2, 3))),
        (solve(&full, &one, &set(&zero, (4, 7), 1e-3)), Some((4, 7))),
    ];
    for (k, (result, at)) in refused.into_iter().enumerate() {
        match result {
            Err(Error::Unsupported { solver: "Direct", row, column, .. }) => {
                assert!(at.is_none_or(|at| at == (row, column)), "case {k}: {row}, {column}");
            }
            other => panic!("case {k}: {:?}", other.map(|(_, stats)| stats)),
        }
    }
    // a system may hold no unknowns
    let none = Array2::from_elem(dim, false);
    let system = System::new(none.view(), one.view(), zero.view()).unwrap();
    let guess = Array3::from_elem((1, 12, 14), 0.5);
    assert_eq!(Direct::default().solve(&system, guess.view(), guess.view()).unwrap().0, guess);
}
