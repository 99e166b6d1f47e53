//! Counts of what every synthesizer promises.

use crate::physdefect::abrasion::Abrasion;
use crate::physdefect::appearance::{Appearance, Light, Material};
use crate::physdefect::edge_loss::EdgeLoss;
use crate::physdefect::fracture::{FractureLine, PaperFrontier};
use crate::physdefect::imgkit::distance::to_background;
use crate::physdefect::noise::Perlin;
use crate::physdefect::pitting::{PaperPolygon, PittingLoss};
use crate::physdefect::registry::Registry;
use crate::physdefect::replay::{Recipe, Region, SynthesizerConfig, replay};
use crate::physdefect::unevenness::SurfaceUnevenness;
use crate::physdefect::warpage::PlasticWarpage;
use crate::physdefect::{Domain, Error, Mechanism, MechanismKind, Sample, SampleKey};
use crate::table::Table;
use ndarray::{Array2, Array3};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

const SAMPLES: usize = 1000;

pub(crate) fn run(table: &mut Table) -> Result<(), Error> {
    let models = models()?;
    mask_contract(table, &models)?;
    severity(table)?;
    threads(table, &models)?;
    replays(table, &models)
}

/// Every synthesizer, the mechanisms each with another material and light.
fn models() -> Result<Vec<SynthesizerConfig>, Error> {
    let looks = [
        Appearance::new(Material::METAL),
        Appearance::new(Material::MATTE).lit(Light::default()),
        Appearance::new(Material::GLOSSY_PLASTIC),
        Appearance::new(Material::WOOD),
        Appearance::new(Material::FABRIC),
    ];
    let registry = Registry::standard();
    registry
        .entries()
        .iter()
        .zip(looks.iter().cycle())
        .map(|(e, look)| Ok(e.config()?.with_appearance(*look)))
        .collect()
}

/// An 8-bit photo of 32 to 128 px a side (noise, gradient, flat, texture or stripes) and its domain (frame or disc).
fn scene(index: u64) -> Result<(Array3<f32>, Domain), Error> {
    let mut rng = SampleKey { seed: 77, index }.rng();
    let (h, w) = (rng.random_range(32..=128usize), rng.random_range(32..=128usize));
    let photo = photo(index % 5, (h, w, if index.is_multiple_of(3) { 1 } else { 3 }), &mut rng);
    let domain = if index.is_multiple_of(2) {
        Domain::full(h, w)?
    } else {
        let (ry, rx) = (h as f64 * 0.42, w as f64 * 0.42);
        Domain::from_mask(Array2::from_shape_fn((h, w), |(y, x)| {
            ((y as f64 - h as f64 / 2.0) / ry).powi(2) + ((x as f64 - w as f64 / 2.0) / rx).powi(2) < 1.0
        }))?
    };
    Ok((photo, domain))
}

fn photo(kind: u64, (h, w, c): (usize, usize, usize), rng: &mut ChaCha8Rng) -> Array3<f32> {
    let base: f64 = rng.random_range(0.15..0.85);
    let (gy, gx): (f64, f64) = (rng.random_range(-0.3..0.3), rng.random_range(-0.3..0.3));
    let perlin = Perlin::from_rng(rng);
    Array3::from_shape_fn((h, w, c), |(y, x, k)| {
        let (v, u) = (y as f64 / h as f64, x as f64 / w as f64);
        let value = match kind {
            0 => base + rng.random_range(-0.1..0.1),
            1 => base + gy * (v - 0.5) + gx * (u - 0.5),
            2 => base,
            3 => base + 0.2 * perlin.fractal(v * 12.0, u * 12.0 + 50.0 * k as f64, 4),
            _ => base + 0.1 * (u * 60.0).sin() + 0.02 * k as f64,
        };
        ((value.clamp(0.0, 1.0) * 255.0).round() / 255.0) as f32
    })
}

/// The domain for a synthesizer: that of a frame without its border where the mechanism needs an outline and the domain
/// fills the frame.
fn outlined(name: &str, domain: Domain) -> Result<Domain, Error> {
    let (h, w) = domain.dim();
    if name != "edge-loss" || domain.area() < h * w {
        return Ok(domain);
    }
    let inner = |at: usize, n: usize| (n / 8..n - n / 8).contains(&at);
    Domain::from_mask(Array2::from_shape_fn((h, w), |(y, x)| inner(y, h) && inner(x, w)))
}

/// What of the mask contract a sample breaks.
#[derive(Debug, Default)]
struct Breaches {
    /// Pixels that differ from the photo outside `changed`, or not inside it, and mask pixels outside the domain; for
    /// edge loss outside the blur of the domain's outline, which goes with the piece.
    strayed: usize,
    /// Less than three fifths of the mask are half of a just noticeable contrast.
    faint: bool,
    /// The visibility is more than 15 % off the one asked for.
    off: bool,
}

fn breaches(photo: &Array3<f32>, domain: &Domain, sample: &Sample) -> Result<Breaches, Error> {
    let (h, w, c) = photo.dim();
    let (image, mask) = (sample.paste(photo.view())?, sample.full_mask(h, w)?);
    let (changed, soft) = (sample.full_changed(h, w)?, sample.full_soft(h, w)?);
    let beside = to_background(domain.mask().mapv(|m| !m).view());
    let takes_blur = sample.record.mechanism == MechanismKind::EdgeLoss;
    // Its clearance, and a pixel for the raster.
    let reach = if takes_blur { 1.0 + (0.03 * domain.scale()).max(1.5) } else { 0.0 };
    let (mut strayed, mut inside, mut visible) = (0, 0usize, 0usize);
    for ((y, x), &masked) in mask.indexed_iter() {
        let differs = (0..c).any(|k| image[[y, x, k]].to_bits() != photo[[y, x, k]].to_bits());
        let by_a_level = (0..c).any(|k| (image[[y, x, k]] - photo[[y, x, k]]).abs() >= 1.0 / 255.0);
        strayed += usize::from(differs != changed[[y, x]] || differs != by_a_level || (differs && !masked));
        strayed += usize::from(masked && f64::from(beside[[y, x]]) > reach);
        inside += usize::from(masked);
        visible += usize::from(masked && soft[[y, x]] >= 0.5);
    }
    let record = &sample.record;
    let off = record.visibility_target.is_some_and(|target| (record.visibility / target - 1.0).abs() > 0.15);
    Ok(Breaches { strayed, faint: (visible as f64) < 0.6 * inside as f64, off })
}

fn mask_contract(table: &mut Table, models: &[SynthesizerConfig]) -> Result<(), Error> {
    for model in models {
        let synthesizer = model.build()?;
        let counts = (0..SAMPLES as u64)
            .into_par_iter()
            .map(|index| {
                let (photo, domain) = scene(index)?;
                let domain = outlined(synthesizer.name(), domain)?;
                match synthesizer.synthesize(photo.view(), &domain, SampleKey { seed: 99, index }) {
                    Ok(sample) => breaches(&photo, &domain, &sample).map(Some),
                    Err(
                        Error::Invisible { .. } | Error::DomainTooSmall { .. } | Error::VisibilityOutOfReach { .. },
                    ) => Ok(None),
                    Err(other) => Err(other),
                }
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let made: Vec<_> = counts.iter().flatten().collect();
        let name = synthesizer.name();
        let strayed = made.iter().filter(|b| b.strayed > 0).count();
        let blur = if name == "edge-loss" { " and the blur of its outline" } else { "" };
        let case = format!("{name}: samples that change a pixel outside the mask or mark one outside the domain{blur}");
        table.breaches(case, "mask contract, bit for bit", strayed, made.len(), 0);
        let faint = made.iter().filter(|b| b.faint).count();
        let case = format!("{name}: samples with less than three fifths of the mask visible");
        table.breaches(case, "mask contract, half a just noticeable contrast", faint, made.len(), 0);
        let off = made.iter().filter(|b| b.off).count();
        let case = format!("{name}: samples whose visibility is more than 15 % off");
        table.breaches(case, "the visibility asked for", off, made.len(), made.len() / 20);
        // Of the photos of noise, texture and slopes many are too dark, bright, busy or small to show a defect.
        let case = format!("{name}: photos refused");
        table.breaches(case, "typed error, never a wrong label", SAMPLES - made.len(), SAMPLES, SAMPLES * 4 / 5);
    }
    Ok(())
}

fn severity(table: &mut Table) -> Result<(), Error> {
    let models: Vec<Box<dyn Mechanism>> = vec![
        Box::new(FractureLine::default()),
        Box::new(PaperFrontier::default()),
        Box::new(PittingLoss::default()),
        Box::new(PaperPolygon::default()),
        Box::new(PlasticWarpage::default()),
        Box::new(Abrasion::default()),
        Box::new(EdgeLoss::default()),
        Box::new(SurfaceUnevenness::default()),
    ];
    for model in models {
        let domain = outlined(model.name(), Domain::full(112, 128)?)?;
        let counts = (0..SAMPLES as u64)
            .into_par_iter()
            .map(|index| {
                let (mut last, mut fell, mut refused) = (0.0, false, 0);
                for step in 0..=4 {
                    let mut rng = SampleKey { seed: 6, index }.rng();
                    // A site without room has size 0; rendering would draw another.
                    let size = match model.generate(&domain, f64::from(step) / 4.0, &mut rng) {
                        Ok(defect) => defect.measures[model.size_measure()],
                        Err(Error::DomainTooSmall { .. }) => 0.0,
                        Err(other) => return Err(other),
                    };
                    refused += usize::from(size <= 0.0);
                    fell |= size < last - 1e-9;
                    last = size;
                }
                Ok((usize::from(fell), refused))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let falls = counts.iter().map(|c| c.0).sum();
        let case = format!("{}: seeds whose {} falls with severity", model.name(), model.size_measure());
        table.breaches(case, "severity is monotone, 5 steps", falls, SAMPLES, 0);
        let refused = counts.iter().map(|c| c.1).sum();
        let case = format!("{}: single draws refused at a severity", model.name());
        table.breaches(case, "typed error; rendering draws again", refused, 5 * SAMPLES, SAMPLES / 20);
    }
    Ok(())
}

fn same(a: &Result<Sample, Error>, b: &Result<Sample, Error>) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => {
            a.bbox == b.bbox
                && a.mask == b.mask
                && a.record == b.record
                && a.patch.dim() == b.patch.dim()
                && a.patch.iter().zip(&b.patch).all(|(p, q)| p.to_bits() == q.to_bits())
        }
        (Err(a), Err(b)) => a == b,
        _ => false,
    }
}

fn threads(table: &mut Table, models: &[SynthesizerConfig]) -> Result<(), Error> {
    let (photo, domain) = scene(5)?;
    let mut unequal = 0;
    for model in models {
        let synthesizer = model.build()?;
        let make = |index| synthesizer.synthesize(photo.view(), &domain, SampleKey { seed: 8, index });
        let serial: Vec<_> = (0..100u64).map(make).collect();
        let parallel: Vec<_> = (0..100u64).into_par_iter().map(make).collect();
        unequal += serial.iter().zip(&parallel).filter(|(a, b)| !same(a, b)).count();
    }
    table.breaches(
        "samples that depend on the thread count",
        "pure function of (seed, index)",
        unequal,
        100 * models.len(),
        0,
    );
    Ok(())
}

fn replays(table: &mut Table, models: &[SynthesizerConfig]) -> Result<(), Error> {
    // A grainy disc on a plain ground, so that the estimated foreground is not the frame.
    let mut rng = SampleKey { seed: 3, index: 0 }.rng();
    let photo = Array3::from_shape_fn((80, 88, 3), |(y, x, _)| {
        let v = if (y as f32 - 40.0).hypot(x as f32 - 44.0) < 32.0 { 0.45 } else { 0.9 };
        v + rng.random_range(-0.03..0.03f32)
    });
    for model in models {
        let name = model.build()?.name();
        let unequal = (0..SAMPLES as u64)
            .into_par_iter()
            .map(|index| {
                let mut rng = SampleKey { seed: 12, index }.rng();
                let key = SampleKey { seed: rng.random(), index: rng.random() };
                let region = if index.is_multiple_of(2) { Region::WholeFrame } else { Region::EstimatedForeground };
                let recipe = Recipe { model: narrowed(model, &mut rng), key, region };
                let text = recipe.to_json()?;
                Ok(usize::from(!same(&recipe.make(photo.view()), &replay(&text, photo.view()))))
            })
            .sum::<Result<usize, Error>>()?;
        table.breaches(
            format!("{name}: replays from JSON that differ in a bit"),
            "the sample itself",
            unequal,
            SAMPLES,
            0,
        );
    }
    Ok(())
}

/// With severities and a material of its own.
fn narrowed(model: &SynthesizerConfig, rng: &mut ChaCha8Rng) -> SynthesizerConfig {
    let (low, range) = (0.5 * rng.random::<f64>(), 0.5 * rng.random::<f64>());
    let material = Material::METAL.with_specular(rng.random()).with_cavity(rng.random());
    let model = model.clone().with_severity(low, low + range);
    match model.appearance() {
        Some(look) => model.with_appearance(look.with_material(material)),
        None => model,
    }
}
