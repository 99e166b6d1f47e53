//! Geometry of one pitting or warpage defect on a 256 x 256 domain, one thread, at severities where the default defect
//! covers about 5 % of it. Each iteration is another sample, so that no lucky seed is timed.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use physdefect::pitting::{PaperPolygon, PittingLoss, PittingParams, Product};
use physdefect::warpage::{Load, PlasticWarpage, WarpageParams};
use physdefect::{Domain, Error, Mechanism, SampleKey};

/// Name, severity and model of one measurement.
type Case = (&'static str, f64, Box<dyn Mechanism>);

fn models() -> Result<Vec<Case>, Error> {
    let warpage = |load| PlasticWarpage::new(WarpageParams::default().with_loads(vec![load]));
    let bare = PittingParams::default().with_product(Product::None).with_deposit(0.0).with_stain(0.0);
    Ok(vec![
        ("pitting", 0.85, Box::new(PittingLoss::default())),
        ("pitting bare", 0.93, Box::new(PittingLoss::new(bare)?)),
        ("paper polygon", 0.75, Box::new(PaperPolygon::default())),
        ("dent", 0.55, Box::new(warpage(Load::Indenter)?)),
        ("crease", 0.4, Box::new(warpage(Load::Line)?)),
    ])
}

fn generate(c: &mut Criterion) {
    let (Ok(domain), Ok(models)) = (Domain::full(256, 256), models()) else { return };
    for (name, severity, model) in models {
        let mut index = 0;
        c.bench_function(name, |b| {
            b.iter(|| {
                index = (index + 1) % 64;
                black_box(model.generate(&domain, severity, &mut SampleKey { seed: 9, index }.rng()))
            });
        });
    }
}

criterion_group!(benches, generate);
criterion_main!(benches);
