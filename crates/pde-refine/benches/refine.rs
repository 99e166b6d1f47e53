//! Time of both stages on one RGB defect, and of the solver alone.
#![allow(missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::{Array2, Array3};
use pde_refine::{CoarseToFine, Guidance, Npcf, NpcfParams, NpcfPlus, Refine, Screening, seamless_clone};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::hint::black_box;

/// A grainy image, a disc over `share` of it, and a composite with another patch in the disc.
fn scene(n: usize, share: f64) -> (Array3<f32>, Array3<f32>, Array2<bool>) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let normal = Array3::from_shape_fn((n, n, 3), |(y, x, _)| {
        0.5 + 0.1 * ((x + y) as f32 / 40.0).sin() + 0.02 * (rng.random::<f32>() - 0.5)
    });
    let radius = (share / std::f64::consts::PI).sqrt() * n as f64;
    let c = n as f64 / 2.0;
    let mask = Array2::from_shape_fn((n, n), |(y, x)| (y as f64 - c).hypot(x as f64 - c) < radius);
    let composite = Array3::from_shape_fn((n, n, 3), |(y, x, k)| {
        if mask[(y, x)] { 0.3 + 0.1 * (x as f32 / 9.0).cos() } else { normal[(y, x, k)] }
    });
    (normal, composite, mask)
}

fn stages(c: &mut Criterion) {
    // one defect: a square of 57 x 57 in 256 x 256
    let (normal, composite, _) = scene(256, 0.25);
    let mask = Array2::from_shape_fn((256, 256), |(y, x)| (100..157).contains(&y) && (100..157).contains(&x));
    let poisson = NpcfParams::default().with_screening(Screening::Uniform(0.0));
    let cases: [(&str, &dyn Refine); 4] = [
        ("npcF 256 5%", &Npcf::default()),
        ("npcF 256 5% lambda 0", &Npcf::new(poisson).unwrap_or_default()),
        ("npcF++ 256 5%", &NpcfPlus::default()),
        ("both 256 5%", &CoarseToFine::default()),
    ];
    for (name, stage) in cases {
        c.bench_function(name, |b| {
            b.iter(|| stage.refine(black_box(normal.view()), black_box(composite.view()), mask.view()))
        });
    }
}

fn compositing(c: &mut Criterion) {
    let mut group = c.benchmark_group("seamless_clone");
    group.sample_size(10);
    for n in [256, 512, 1024, 2048] {
        for share in [0.1, 0.5] {
            let (normal, _, mask) = scene(n, share);
            let source = Array3::from_shape_fn((n, n, 3), |(y, x, k)| {
                0.3 + 0.1 * (x as f32 / 9.0).cos() + 0.05 * ((y * 31 + x * 17 + k) % 7) as f32 / 7.0
            });
            group.bench_function(format!("{n} {share}"), |b| {
                b.iter(|| seamless_clone(normal.view(), source.view(), mask.view(), Guidance::Import))
            });
        }
    }
}

criterion_group!(benches, stages, compositing);
criterion_main!(benches);
