//! Milliseconds per 256x256 RGB image on one thread.
#![allow(missing_docs, clippy::unwrap_used)] // criterion generates undocumented items; a bench may panic

use criterion::{Criterion, criterion_group, criterion_main};
use frozen_backbone::{Backbone, EfficientNetLite0};
use ndarray::Array3;

fn extract(c: &mut Criterion) {
    let net = EfficientNetLite0::pretrained().unwrap();
    for side in [128, 256, 288] {
        let image = Array3::from_shape_fn((side, side, 3), |(y, x, c)| ((y * 7 + x * 13 + c * 5) % 255) as f32 / 255.0);
        c.bench_function(&format!("extract/{side}"), |b| b.iter(|| net.extract(image.view()).unwrap()));
    }
}

criterion_group!(benches, extract);
criterion_main!(benches);
