//! Exact metrics on seeded scores: 2 % anomalous, as pixels are, and half anomalous, the worst case.
//!
//! `RAYON_NUM_THREADS=1 cargo bench -p adbench` gives the figures for one thread.

#![allow(missing_docs)] // criterion's macros make undocumented functions

use std::hint::black_box;

use adbench::metrics::{PixelPool, auroc, average_precision};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array2;
use oracles::Xorshift;

fn scores(n: usize, share: f32) -> (Vec<f32>, Vec<bool>) {
    let mut random = Xorshift::new(1);
    let labels: Vec<bool> = (0..n).map(|_| random.uniform() < share).collect();
    let score = |&label: &bool| if label { random.uniform().sqrt() } else { random.uniform() };
    (labels.iter().map(score).collect(), labels)
}

fn ranked(c: &mut Criterion) {
    let mut group = c.benchmark_group("auroc");
    group.sample_size(10);
    for (n, share) in [(1_000_000, 0.02), (10_000_000, 0.02), (10_000_000, 0.5)] {
        let (scores, labels) = scores(n, share);
        group.throughput(Throughput::Elements(n as u64));
        let id = BenchmarkId::new(format!("{share} anomalous"), n);
        group.bench_with_input(id, &n, |b, _| b.iter(|| auroc(black_box(&scores), black_box(&labels))));
    }
    let (scores, labels) = scores(10_000_000, 0.02);
    group.bench_function("average precision, 0.02 anomalous/10000000", |b| {
        b.iter(|| average_precision(black_box(&scores), black_box(&labels)));
    });
    group.finish();
}

fn pooled(c: &mut Criterion) {
    let mut group = c.benchmark_group("pixels: push, rank, AUROC and AU-PRO of 80 images");
    group.sample_size(10);
    for side in [256_usize, 1024] {
        let mut random = Xorshift::new(1);
        let images: Vec<_> = (0..80)
            .map(|i| {
                let distance = |y: usize, x: usize| (y as f64 / side as f64 - 0.5).hypot(x as f64 / side as f64 - 0.4);
                let mask = Array2::from_shape_fn((side, side), |(y, x)| i % 5 < 3 && distance(y, x) < 0.1);
                (mask.mapv(|m| random.uniform() + if m { 0.3 } else { 0.0 }), mask)
            })
            .collect();
        group.throughput(Throughput::Elements((80 * side * side) as u64));
        group.bench_function(BenchmarkId::from_parameter(side), |b| {
            b.iter(|| {
                let mut pool = PixelPool::new();
                pool.reserve(80 * side * side);
                for (map, mask) in &images {
                    pool.push(map.view(), mask.view())?;
                }
                let ranked = pool.rank()?;
                Ok::<_, adbench::metrics::MetricError>((ranked.auroc(), ranked.au_pro(0.3)?))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, ranked, pooled);
criterion_main!(benches);
