//! Solves a screened Poisson equation on a disc with a jump of the diffusivity, by multigrid and by conjugate gradients
//! with a multigrid preconditioner.
#![allow(clippy::print_stdout)] // an example reports on the terminal

use ndarray::{Array2, Array3};
use pde_refine::Error;
use pde_refine::poisson::{Multigrid, MultigridParams, MultigridPcg, Solve, Solver, Stopping, System};

fn main() -> Result<(), Error> {
    let size = (129, 129);
    // -div(D grad u) + lambda u = 1 inside the disc, u = 0 around it
    let disc = Array2::from_shape_fn(size, |(y, x)| (y as f32 - 64.0).hypot(x as f32 - 64.0) < 60.0);
    let diffusivity = Array2::from_shape_fn(size, |(_, x)| if x < 64 { 1.0f32 } else { 0.1 });
    let lambda = Array2::from_elem(size, 1e-4f32);
    let system = System::new(disc.view(), diffusivity.view(), lambda.view())?;
    let rhs = Array3::from_elem((1, 129, 129), 1.0);
    let guess = Array3::zeros((1, 129, 129));

    let stopping = Stopping::default().with_tolerance(1e-8);
    let solvers: [(&str, Solver); 2] = [
        ("multigrid", Multigrid::new(MultigridParams::default().with_stopping(stopping))?.into()),
        ("preconditioned conjugate gradients", MultigridPcg::new(stopping)?.into()),
    ];
    for (name, solver) in solvers {
        let (u, stats) = solver.solve(&system, rhs.view(), guess.view())?;
        let peak = u.iter().copied().fold(0.0, f64::max);
        println!("{name}: {} iterations, residual {:.1e}, peak {peak:.3}", stats.iterations, stats.residual);
    }
    Ok(())
}
