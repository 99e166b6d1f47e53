//! Images per second of the whole synthesis and milliseconds per image of the detector, 256x256 RGB.
//!
//! `RAYON_NUM_THREADS=1 cargo bench -p experiments --bench pipeline` for one thread.
#![allow(missing_docs, clippy::unwrap_used)] // criterion generates undocumented items; a bench may panic

use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use maphc2f::bisqad::{Detector, NoObserver, TrainParams};
use maphc2f::physdefect::appearance::Material;
use maphc2f::physdefect::{Domain, SampleKey};
use maphc2f::{BilevelParams, Pipeline, PipelineSource, load_photo, resize_square, train_bilevel};
use ndarray::Array3;

fn photo() -> Array3<f32> {
    let wood = load_photo(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/photos/wood/01.jpg"))).unwrap();
    resize_square(wood.view(), 256).unwrap()
}

fn synthesis(c: &mut Criterion) {
    let photo = photo();
    let domain = Domain::full(256, 256).unwrap();
    let pipeline = Pipeline::physical(&[Material::MATTE]).unwrap();
    let mut group = c.benchmark_group("synthesis-256");
    group.throughput(Throughput::Elements(1)).measurement_time(Duration::from_secs(8));
    for mechanism in 0..pipeline.groups() {
        let mut index = 0;
        group.bench_function(pipeline.name(mechanism).unwrap(), |b| {
            b.iter(|| {
                index += 1;
                // a sample that stays invisible is skipped by users, and costs its time here
                pipeline.stages(photo.view(), &domain, mechanism, SampleKey { seed: 1, index }).ok()
            });
        });
    }
    let mut index = 0;
    group.bench_function("all-three-in-turn", |b| {
        b.iter(|| {
            index += 1;
            let mechanism = index as usize % pipeline.groups();
            pipeline.stages(photo.view(), &domain, mechanism, SampleKey { seed: 2, index }).ok()
        });
    });
}

fn detector(c: &mut Criterion) {
    let photo = photo();
    let photos: Vec<_> = (0..24).map(|i| photo.mapv(|v| (v + i as f32 * 1e-3).min(1.0))).collect();
    let pipeline = Pipeline::physical(&[Material::MATTE]).unwrap();
    let params = TrainParams::default().with_rounds(1).with_steps(1).with_batch(4);
    let training = BilevelParams::default().with_detector(params).with_ranked_defects(6);
    let source = PipelineSource::new(&pipeline, &photos, &[], 0).unwrap();
    let model = train_bilevel(&photos, &source, &training, None, &mut NoObserver).unwrap();
    c.bench_function("detector/256", |b| b.iter(|| model.fitted.detector.predict(photo.view()).unwrap()));
}

criterion_group!(benches, synthesis, detector);
criterion_main!(benches);
