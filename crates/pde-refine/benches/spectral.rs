//! Time of the direct solver on three f32 planes of white noise, one thread; the plan is made beforehand.
#![allow(missing_docs)]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use pde_refine::poisson::{Rectangle, Side, Sides};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn direct(c: &mut Criterion) {
    let mut group = c.benchmark_group("direct");
    group.sample_size(10);
    for n in [255usize, 256, 511, 512, 1023, 1024, 2047, 2048] {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let b: Vec<f32> = (0..3 * n * n).map(|_| rng.random::<f32>() - 0.5).collect();
        for (name, side, lambda) in [("dirichlet", Side::Dirichlet, 0.0), ("neumann", Side::Neumann, 0.02)] {
            let Ok(plan) = Rectangle::new((n, n), Sides::all(side), lambda) else { continue };
            let mut scratch = plan.scratch();
            group.bench_function(format!("{name} {n}"), |bench| {
                let solve = |planes: &mut Vec<f32>| {
                    planes.chunks_mut(n * n).try_for_each(|plane| plan.process(plane, &mut scratch))
                };
                bench.iter_batched_ref(|| b.clone(), solve, BatchSize::LargeInput)
            });
        }
    }
}

criterion_group!(benches, direct);
criterion_main!(benches);
