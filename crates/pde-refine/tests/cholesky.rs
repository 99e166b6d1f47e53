//! Multigrid and conjugate gradients against LAPACK's direct solution.
#![cfg(feature = "openblas-system")]
#![allow(clippy::unwrap_used)] // a test may panic

use imgkit::ParameterError;
use ndarray::{Array2, Array3};
use pde_refine::Error;
use pde_refine::poisson::{Cholesky, Multigrid, MultigridParams, MultigridPcg, Solve, Stopping, System};

/// An irregular region with a hole, strong coefficients on request.
fn system(jump: f32) -> System {
    let mask = Array2::from_shape_fn((40, 44), |(y, x)| {
        let r = (y as f32 - 20.0).hypot(x as f32 - 22.0);
        r < 17.0 && r > 4.0 && !(y == 20 && x > 30)
    });
    let d = Array2::from_shape_fn((40, 44), |(_, x)| if x > 22 { jump } else { 1.0 });
    System::new(mask.view(), d.view(), Array2::from_elem((40, 44), 0.003).view()).unwrap()
}

#[test]
fn the_iterative_solvers_agree_with_the_direct_one() {
    let rhs = Array3::from_shape_fn((2, 40, 44), |(c, y, x)| ((y * 7 + x * 13 + c * 5) % 17) as f64 / 17.0 - 0.4);
    let zero = Array3::zeros((2, 40, 44));
    let stopping = Stopping::default().with_tolerance(1e-10).with_max_iterations(200);
    for jump in [1.0, 100.0] {
        let system = system(jump);
        let (exact, stats) = Cholesky::default().solve(&system, rhs.view(), zero.view()).unwrap();
        assert!(stats.residual < 1e-12, "{}", stats.residual);
        let solvers: [&dyn Solve; 2] = [
            &Multigrid::new(MultigridParams::default().with_stopping(stopping)).unwrap(),
            &MultigridPcg::new(stopping).unwrap(),
        ];
        for solver in solvers {
            let (u, _) = solver.solve(&system, rhs.view(), zero.view()).unwrap();
            let scale = exact.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            let worst = (&u - &exact).iter().fold(0.0f64, |m, v| m.max(v.abs()));
            assert!(worst < 1e-7 * scale, "{solver:?}: {worst} of {scale}");
        }
    }
}

#[test]
fn too_many_unknowns_are_refused() {
    let error = Cholesky::new(100).unwrap().solve(
        &system(1.0),
        Array3::zeros((1, 40, 44)).view(),
        Array3::zeros((1, 40, 44)).view(),
    );
    assert!(matches!(error, Err(Error::Parameter(ParameterError { name: "unknowns", .. }))));
    assert!(matches!(Cholesky::new(0), Err(Error::Parameter(ParameterError { .. }))));
}
