//! Megapixels (of three channels) a second and core that a diffusion step handles; `peers/diffusion.py` times others.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array2, Array3};
use pde_refine::filters::{
    Diffuse, EdgeEnhancing, EdgeEnhancingParams, EdgeStop, FilterScratch, PeronaMalik, PeronaMalikParams,
};
use pde_refine::{AllenCahn, AllenCahnParams};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn step(c: &mut Criterion) {
    let scalar = |edge_stop| PeronaMalik::new(PeronaMalikParams::default().with_edge_stop(edge_stop));
    let tensor = |integration_scale| {
        EdgeEnhancing::new(EdgeEnhancingParams::default().with_integration_scale(integration_scale))
    };
    let (Ok(exponential), Ok(rational), Ok(enhancing), Ok(integrated)) =
        (scalar(EdgeStop::Exponential), scalar(EdgeStop::Rational), tensor(0.0), tensor(1.0))
    else {
        return;
    };
    let filters: [(&str, &dyn Diffuse); 4] = [
        ("perona-malik exponential", &exponential),
        ("perona-malik rational", &rational),
        ("edge-enhancing", &enhancing),
        ("edge-enhancing integrated", &integrated),
    ];
    for (name, filter) in filters {
        let mut group = c.benchmark_group(name);
        for n in [256usize, 512, 1024] {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let mut planes = Array3::from_shape_fn((3, n, n), |(_, y, x)| {
                0.5 + 0.2 * ((x + y) as f32 / 20.0).sin() + 0.1 * (rng.random::<f32>() - 0.5)
            });
            let mut scratch = FilterScratch::new();
            group.throughput(Throughput::Elements((n * n) as u64));
            group.bench_function(BenchmarkId::from_parameter(n), |b| {
                b.iter(|| filter.step(planes.view_mut(), &mut scratch));
            });
        }
        group.finish();
    }
}

fn coherence(c: &mut Criterion) {
    let Ok(flow) = AllenCahn::new(AllenCahnParams::default().with_max_steps(10).with_tolerance(0.0)) else {
        return;
    };
    let mut group = c.benchmark_group("allen-cahn 10 steps");
    for n in [64usize, 256] {
        let middle = n as f32 / 2.0;
        let mask = Array2::from_shape_fn((n, n), |(y, x)| {
            f32::from(u8::from((y as f32 - middle).hypot(x as f32 - middle) < n as f32 / 4.0))
        });
        group.throughput(Throughput::Elements((n * n) as u64));
        group.bench_function(BenchmarkId::from_parameter(n), |b| b.iter(|| flow.relax(mask.view())));
    }
    group.finish();
}

criterion_group!(benches, step, coherence);
criterion_main!(benches);
