use ndarray::{Array2, Array3};
use physdefect::appearance::{Appearance, Material, Rendered};
use physdefect::calibration::*;
use physdefect::pitting::*;
use physdefect::{Domain, MechanismKind, SampleKey, Synthesizer};
#[test]
fn solidity() {
    let photo = Array3::from_elem((128, 128, 1), 0.5f32);
    let domain = Domain::full(128, 128).unwrap();
    for size in [8.0, 12.0, 16.0, 24.0] {
        for g in [0.0, 0.1, 0.2, 0.3, 0.4, 0.55] {
            let alone = Nucleation {
                rate: 0.0,
                decay: 1.0,
                susceptibility: Susceptibility::Uniform,
                interaction: Interaction::Independent,
            };
            let p = PittingParams::default()
                .with_nucleation(alone)
                .with_exposure_years((1.0, 1.0))
                .with_spread_rate(0.5 * size / 128.0)
                .with_rate_spread(0.0)
                .with_product(Product::None)
                .with_deposit(0.0)
                .with_stain(0.0)
                .with_grain_contrast(g)
                .with_roughness(0.1);
            let s = Rendered::new(PittingLoss::new(p).unwrap(), Appearance::new(Material::MATTE)).unwrap();
            let made: Vec<(Array3<f32>, Array2<bool>)> = (0..30)
                .filter_map(|index| {
                    let s = s.synthesize(photo.view(), &domain, SampleKey { seed: 1, index }).ok()?;
                    Some((s.paste(photo.view()).unwrap(), s.full_mask(128, 128).unwrap()))
                })
                .collect();
            let m: Vec<Marked> = made.iter().map(|(p, m)| Marked::new(p.view(), m.view())).collect();
            let c = fit(MechanismKind::PittingLoss, &m).unwrap();
            println!(
                "size {size} grain {g}: n {} solidity {:.3} sd {:.3} level {:.2} size {:.1}",
                made.len(),
                c.solidity.median(),
                c.solidity.deviation,
                c.level.median(),
                c.size.median() * 128.0
            );
        }
    }
}
