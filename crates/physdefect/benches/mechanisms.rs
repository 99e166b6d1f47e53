//! One thread, 256 x 256 RGB.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::{Array2, Array3};
use physdefect::appearance::{Appearance, Light, Material, Rendered};
use physdefect::fracture::{FractureLine, PaperFrontier};
use physdefect::imgkit::Rect;
use physdefect::{Defect, Domain, Measures, Mechanism, SampleKey, Synthesizer};

fn photo() -> Array3<f32> {
    Array3::from_shape_fn((256, 256, 3), |(y, x, k)| 0.4 + 0.2 * ((y * 7 + x * 13 + k * 5) % 17) as f32 / 17.0)
}

fn mechanisms(c: &mut Criterion) {
    let (photo, domain) = (photo(), Domain::full(256, 256).unwrap());
    let mut index = 0;
    let mut next = move || {
        index += 1;
        SampleKey { seed: 1, index }
    };
    let crack = FractureLine::default();
    for severity in [0.5, 1.0] {
        c.bench_function(&format!("generate/fracture-line/{severity}"), |b| {
            b.iter(|| crack.generate(black_box(&domain), severity, &mut next().rng()).unwrap())
        });
    }
    let frontier = PaperFrontier::default();
    c.bench_function("generate/paper-frontier/0.5", |b| {
        b.iter(|| frontier.generate(black_box(&domain), 0.5, &mut next().rng()).unwrap())
    });
    // A dent-like bump whose every pixel is active: 57 x 57 px = 5 % of the image.
    let disc = |y: usize, x: usize| ((y as f32 - 28.0).powi(2) + (x as f32 - 28.0).powi(2)).sqrt() / 28.0;
    let height = Array2::from_shape_fn((57, 57), |(y, x)| -6.0 * (1.0 - disc(y, x).min(1.0).powi(2)));
    let bbox = Rect { top: 90, left: 90, bottom: 147, right: 147 };
    let defect = Defect::new(bbox, height, Array2::ones((57, 57)), Measures::new());
    let given = Rendered::new(crack.clone(), Appearance::new(Material::METAL).lit(Light::default())).unwrap();
    c.bench_function("render/given-light/5%", |b| {
        b.iter(|| given.render(photo.view(), &domain, defect.clone(), 0.5, next()).unwrap())
    });
    let estimated = Rendered::new(crack, Appearance::new(Material::METAL)).unwrap();
    c.bench_function("render/estimated-light/5%", |b| {
        b.iter(|| estimated.render(photo.view(), &domain, defect.clone(), 0.5, next()).unwrap())
    });
    c.bench_function("synthesize/fracture-line", |b| {
        b.iter(|| estimated.synthesize(photo.view(), &domain, next()).unwrap())
    });
}

criterion_group!(benches, mechanisms);
criterion_main!(benches);
