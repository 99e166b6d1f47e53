//! Masked compositing against SciPy's sparse direct solver: see `golden/poisson.py` for the problem and the files.

#![allow(clippy::unwrap_used)] // helpers of tests, which the lint's own exception for tests does not reach

use ndarray::{Array2, Array3, ArrayView2, Axis, Zip};
use pde_refine::poisson::{Multigrid, MultigridParams, MultigridPcg, Solve, Stopping, System};
use pde_refine::{Guidance, Npcf, NpcfParams, Refine, Screening};
use std::path::Path;

const N: usize = 64;

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)).unwrap()
}

/// (C, H, W) planes of a (H, W, C) file.
fn planes<T: Copy, const S: usize>(name: &str, from: fn([u8; S]) -> T) -> Array3<T> {
    let values = bytes(name).as_chunks().0.iter().map(|v| from(*v)).collect();
    let image: Array3<T> = Array3::from_shape_vec((N, N, 3), values).unwrap();
    image.permuted_axes([2, 0, 1]).as_standard_layout().to_owned()
}

/// The right-hand side of one channel.
fn rhs(system: &System, target: ArrayView2<f32>, source: ArrayView2<f32>, mixed: bool, lambda: f32) -> Array2<f64> {
    let mask = system.mask();
    let step = |a: ArrayView2<f32>, i, j| f64::from(a[j]) - f64::from(a[i]);
    let mut b = system.minus_divergence(|i: (usize, usize), j: (usize, usize)| {
        let (own, pasted) = (step(target, i, j), step(source, i, j));
        if !mask[j] || (mixed && own.abs() > pasted.abs()) { own } else { pasted }
    });
    Zip::from(&mut b).and(source).for_each(|b, &c| *b += f64::from(lambda) * f64::from(c));
    system.rhs(target, b.view()).unwrap()
}

#[test]
fn multigrid_and_conjugate_gradients_agree_with_scipy_spsolve() {
    let mask = Array2::from_shape_vec((N, N), bytes("mask.u8")).unwrap().mapv(|m| m != 0);
    let target = planes("target.f32", f32::from_le_bytes);
    let source = planes("source.f32", f32::from_le_bytes);
    for (name, mixed, lambda) in [("import", false, 0.0), ("screened", false, 0.05), ("mixed", true, 0.0)] {
        let golden = planes(&format!("{name}.f64"), f64::from_le_bytes);
        let system =
            System::new(mask.view(), Array2::ones((N, N)).view(), Array2::from_elem((N, N), lambda).view()).unwrap();
        let mut b = Array3::zeros((3, N, N));
        for c in 0..3 {
            let (i, s) = (target.index_axis(Axis(0), c), source.index_axis(Axis(0), c));
            b.index_axis_mut(Axis(0), c).assign(&rhs(&system, i, s, mixed, lambda));
        }
        let guess = target.mapv(f64::from);
        // the script's lambda is the f64 0.05, ours its f32: 1e-9 apart
        let stopping = Stopping::default().with_tolerance(1e-9).with_max_iterations(60);
        let solvers: [&dyn Solve; 2] = [
            &Multigrid::new(MultigridParams::default().with_stopping(stopping)).unwrap(),
            &MultigridPcg::new(stopping).unwrap(),
        ];
        for solver in solvers {
            let (u, _) = solver.solve(&system, b.view(), guess.view()).unwrap();
            let worst = (&u - &golden).iter().fold(0.0f64, |m, d| m.max(d.abs()));
            assert!(worst <= 1e-6, "{name} {solver:?}: {worst:.2e}");
        }
        // the three problems are not the same one
        let change = (&golden - &guess).iter().fold(0.0f64, |m, d| m.max(d.abs()));
        assert!(change > 0.05, "{name}: {change}");
    }
}

#[test]
fn npcf_agrees_with_scipy_spsolve() {
    let mask = Array2::from_shape_vec((N, N), bytes("mask.u8")).unwrap().mapv(|m| m != 0);
    let image = |name| planes(name, f32::from_le_bytes).permuted_axes([1, 2, 0]).as_standard_layout().to_owned();
    let (target, source) = (image("target.f32"), image("source.f32"));
    for (name, guidance, lambda) in
        [("import", Guidance::Import, 0.0), ("screened", Guidance::Import, 0.05), ("mixed", Guidance::Mixed, 0.0)]
    {
        let golden = planes(&format!("{name}.f64"), f64::from_le_bytes).permuted_axes([1, 2, 0]);
        let params = NpcfParams::default().with_guidance(guidance).with_screening(Screening::Uniform(lambda));
        let refined = Npcf::new(params).unwrap().refine(target.view(), source.view(), mask.view()).unwrap();
        let mut worst = 0.0f64;
        for (u, g) in refined.image.iter().zip(&golden) {
            worst = worst.max((f64::from(*u) - g.clamp(0.0, 1.0)).abs());
        }
        assert!(worst <= 1e-5, "{name}: {worst:.2e}");
    }
}
