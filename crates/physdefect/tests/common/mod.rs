//! Photos and synthesizers for the integration tests.
// Each test file uses a part of this module.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod contract;

use ndarray::{Array2, Array3};
use physdefect::appearance::{Appearance, Light, Material};
use physdefect::noise::Perlin;
use physdefect::pitting::{Interaction, Nucleation, PitShape, PittingLoss, PittingParams, Susceptibility};
use physdefect::registry::{Entry, Registry};
use physdefect::visibility::{OutOfReach, Visibility};
use physdefect::{Domain, Mechanism, SampleKey, Synthesizer};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Every registered mechanism with its default parameters.
pub fn models() -> Vec<Box<dyn Mechanism>> {
    Registry::standard().entries().iter().filter_map(Entry::default_mechanism).collect()
}

/// Every registered synthesizer, the mechanisms each with another material and light.
pub fn synthesizers() -> Vec<Box<dyn Synthesizer>> {
    seen_as(Visibility::default())
}

/// As [`synthesizers`], but a defect that cannot be as visible as wished is kept as it is: for tests that are about
/// pixels and not about visibility.
pub fn undemanding() -> Vec<Box<dyn Synthesizer>> {
    seen_as(Visibility::default().with_out_of_reach(OutOfReach::Nearest))
}

fn seen_as(visibility: Visibility) -> Vec<Box<dyn Synthesizer>> {
    let looks = [
        Appearance::new(Material::METAL),
        Appearance::new(Material::MATTE).lit(Light::default()),
        Appearance::new(Material::GLOSSY_PLASTIC),
        Appearance::new(Material::WOOD),
        Appearance::new(Material::FABRIC),
    ];
    let registry = Registry::standard();
    let looks = looks.into_iter().cycle().map(|look| look.with_visibility(Some(visibility)));
    registry.entries().iter().zip(looks).map(|(e, look)| e.synthesizer(look, (0.0, 1.0)).unwrap()).collect()
}

/// The registered synthesizer of a name, as in [`synthesizers`].
pub fn synthesizer(name: &str) -> Box<dyn Synthesizer> {
    synthesizers().into_iter().find(|s| s.name() == name).unwrap()
}

/// An 8-bit photo: noise, gradient, flat, texture or stripes.
pub fn photo(kind: u32, h: usize, w: usize, c: usize, rng: &mut ChaCha8Rng) -> Array3<u8> {
    let base: f64 = rng.random_range(0.15..0.85);
    let (gy, gx): (f64, f64) = (rng.random_range(-0.3..0.3), rng.random_range(-0.3..0.3));
    let perlin = Perlin::from_rng(rng);
    Array3::from_shape_fn((h, w, c), |(y, x, k)| {
        let (v, u) = (y as f64 / h as f64, x as f64 / w as f64);
        let value = match kind % 5 {
            0 => base + rng.random_range(-0.1..0.1),
            1 => base + gy * (v - 0.5) + gx * (u - 0.5),
            2 => base,
            3 => base + 0.2 * perlin.fractal(v * 12.0, u * 12.0 + 50.0 * k as f64, 4),
            _ => base + 0.1 * (u * 60.0).sin() + 0.02 * k as f64,
        };
        (value.clamp(0.0, 1.0) * 255.0).round() as u8
    })
}

/// The whole frame or a disc.
pub fn domain(h: usize, w: usize, disc: bool) -> Domain {
    if !disc {
        return Domain::full(h, w).unwrap();
    }
    let (ry, rx) = (h as f64 * 0.42, w as f64 * 0.42);
    Domain::from_mask(Array2::from_shape_fn((h, w), |(y, x)| {
        ((y as f64 - h as f64 / 2.0) / ry).powi(2) + ((x as f64 - w as f64 / 2.0) / rx).powi(2) < 1.0
    }))
    .unwrap()
}

/// The domain for a synthesizer: that of a frame without its border where the mechanism needs an outline and the domain
/// fills the frame.
pub fn outlined(name: &str, domain: &Domain) -> Domain {
    let (h, w) = domain.dim();
    if name != "edge-loss" || domain.area() < h * w {
        return domain.clone();
    }
    let inner = |at: usize, n: usize| n < 8 || (n / 8..n - n / 8).contains(&at);
    Domain::from_mask(Array2::from_shape_fn((h, w), |(y, x)| inner(y, h) && inner(x, w))).unwrap()
}

/// The domain of the set bits, in rows of `width` or as many as there are.
pub fn domain_of_bits(bits: &[bool], width: usize) -> Result<Domain, physdefect::Error> {
    let width = width.min(bits.len());
    let height = bits.len() / width;
    Domain::from_mask(Array2::from_shape_vec((height, width), bits[..height * width].to_vec()).unwrap())
}

/// 8-bit to \[0, 1\].
pub fn to_float(photo: &Array3<u8>) -> Array3<f32> {
    photo.mapv(|v| f32::from(v) / 255.0)
}

/// The generator of sample 0.
pub fn rng(seed: u64) -> ChaCha8Rng {
    SampleKey { seed, index: 0 }.rng()
}

/// One pit and no other, with a front's cross-section and a smooth floor, on grains of equal speed.
pub fn lone_pit() -> PittingParams {
    let nucleation = Nucleation {
        rate: 0.0,
        decay: 1.0,
        susceptibility: Susceptibility::Uniform,
        interaction: Interaction::Independent,
    };
    PittingParams::default()
        .with_nucleation(nucleation)
        .with_grain_size(0.02)
        .with_grain_contrast(0.0)
        .with_shape(PitShape::Front)
        .with_roughness(0.0)
}

/// The model of checked parameters.
pub fn pits(params: PittingParams) -> PittingLoss {
    PittingLoss::new(params).unwrap()
}
