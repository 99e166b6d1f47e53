//! The statistical laws behind pitting loss: cluster process, protection, growth rates, shapes from above.
#![allow(clippy::unwrap_used)] // helpers outside #[test] functions; a panic is the failure wanted

mod common;

use std::f64::consts::PI;

use common::{lone_pit, pits, rng};

use physdefect::pitting::{
    Interaction, Nucleation, Nucleus, PitShape, PittingParams, PowerLaw, Product, Susceptibility,
};
use physdefect::{Domain, Mechanism};

fn births(interaction: Interaction, susceptibility: Susceptibility, rate: f64, domain: &Domain) -> Vec<Vec<Nucleus>> {
    let process = Nucleation { rate, decay: 2.0, susceptibility, interaction };
    (0..200).map(|s| process.sample(domain, 10.0, &mut rng(s))).collect()
}

#[test]
fn a_susceptible_patch_is_the_stated_gaussian() {
    let domain = Domain::full(600, 600).unwrap();
    let (mut squares, mut n) = (0.0, 0.0);
    for nuclei in births(Interaction::Independent, Susceptibility::Patch { radius: 0.04 }, 20.0, &domain) {
        let (y, x) = (nuclei[0].y as f64, nuclei[0].x as f64);
        if [y, x].iter().all(|v| (110.0..490.0).contains(v)) {
            for other in &nuclei[1..] {
                squares += (other.y as f64 - y).powi(2) + (other.x as f64 - x).powi(2);
                n += 2.0;
            }
        }
    }
    // Places are rounded to pixels: 1/12 px^2 more.
    let exact = (0.04f64 * 600.0).powi(2) + 1.0 / 12.0;
    let found: f64 = squares / n;
    assert!(n > 4000.0 && (found / exact - 1.0).abs() < 4.0 * (2.0 / n).sqrt(), "{found} for {exact}, {n} places");
}

#[test]
fn clusters_have_ripleys_k_of_a_thomas_process() {
    // K(r) = pi r^2 + (1 - exp(-r^2 / (4 sigma^2))) / kappa with kappa parents a unit of area (Thomas 1949; Ripley
    // 1977).
    let (side, spread, mu) = (512usize, 0.02, 5.0);
    let domain = Domain::full(side, side).unwrap();
    let process = Interaction::Thomas { pits_per_cluster: mu, spread };
    let rate = 100.0;
    let patterns = births(process, Susceptibility::Uniform, rate, &domain);
    let area = (side * side) as f64;
    let mean = rate * 2.0 * (1.0 - (-5.0f64).exp());
    let number = patterns.iter().map(|p| (p.len() - 1) as f64).sum::<f64>() / 200.0;
    // Compound Poisson: variance (1 + mu) times the mean.
    assert!((number - mean).abs() < 4.0 * ((1.0 + mu) * mean / 200.0).sqrt(), "{number} pits for {mean}");
    let (sigma, kappa, density) = (spread * side as f64, mean / mu / area, mean / area);
    let margin = 60.0;
    for r in [8.0, 14.0, 25.0, 50.0] {
        let (mut pairs, mut centers) = (0usize, 0usize);
        for nuclei in &patterns {
            let born = &nuclei[1..];
            for (i, p) in born.iter().enumerate() {
                let inside = |v: usize| (margin..side as f64 - margin).contains(&(v as f64));
                if inside(p.y) && inside(p.x) {
                    centers += 1;
                    let near = |q: &Nucleus| (q.y as f64 - p.y as f64).hypot(q.x as f64 - p.x as f64) <= r;
                    pairs += born.iter().enumerate().filter(|(j, q)| *j != i && near(q)).count();
                }
            }
        }
        let found = pairs as f64 / centers as f64 / density;
        let exact = PI * r * r + (1.0 - (-r * r / (4.0 * sigma * sigma)).exp()) / kappa;
        assert!((found / exact - 1.0).abs() < 0.06, "K({r}) = {found} for {exact}");
    }
}

#[test]
fn no_pit_is_born_where_an_older_one_protects() {
    let domain = Domain::full(256, 256).unwrap();
    let radius = 0.06;
    let mut nearest = f64::INFINITY;
    for nuclei in births(Interaction::Inhibition { radius }, Susceptibility::Uniform, 150.0, &domain) {
        assert!(nuclei[0].time == 0.0 && nuclei.windows(2).all(|p| p[0].time <= p[1].time));
        for (i, p) in nuclei.iter().enumerate() {
            for q in &nuclei[..i] {
                nearest = nearest.min((p.y as f64 - q.y as f64).hypot(p.x as f64 - q.x as f64));
            }
        }
    }
    let reach = radius * 256.0;
    assert!(nearest >= reach && nearest < reach + 1.0, "nearest pair {nearest} px, protected {reach} px");
}

#[test]
fn growth_rates_are_log_normal_and_keep_the_shape() {
    let (domain, sigma, runs) = (Domain::full(256, 256).unwrap(), 0.5, 400);
    let model = pits(
        lone_pit()
            .with_rate_spread(sigma)
            .with_product(Product::None)
            .with_deposit(0.0)
            .with_stain(0.0)
            .with_shape(PitShape::Hemispherical),
    );
    let median = model.median_law(256.0).depth(4.0);
    let mut logs: Vec<f64> = Vec::new();
    for s in 0..runs {
        let m = model.generate(&domain, 1.0, &mut rng(s)).unwrap().measures;
        logs.push((m["max_depth_px"] / median).ln() / sigma);
        // The outline is as much faster as the pit is deeper; an edge of the domain only cuts it.
        let depth = (m["area_px2"] / PI).sqrt();
        assert!(m["max_depth_px"] < 12.0 || depth < 1.05 * m["max_depth_px"], "{depth} {}", m["max_depth_px"]);
    }
    let wide = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / wide;
    let deviation = (logs.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / wide).sqrt();
    assert!(
        mean.abs() < 4.0 / wide.sqrt() && (deviation - 1.0).abs() < 4.0 / (2.0 * wide).sqrt(),
        "{mean} {deviation}"
    );
    // Skewness and kurtosis of a normal law: standard errors sqrt(6/n), sqrt(24/n).
    let moment = |k| logs.iter().map(|v| ((v - mean) / deviation).powi(k)).sum::<f64>() / wide;
    assert!(moment(3).abs() < 4.0 * (6.0 / wide).sqrt(), "skewness {}", moment(3));
    assert!((moment(4) - 3.0).abs() < 4.0 * (24.0 / wide).sqrt(), "kurtosis {}", moment(4));
}

#[test]
fn a_fast_pit_is_as_wide_as_it_is_deep() {
    // A hemisphere is half as deep as wide whatever its k, so volume = 2/3 pi d^3.
    let domain = Domain::full(400, 400).unwrap();
    let model = pits(
        lone_pit()
            .with_rate_spread(0.4)
            .with_spread_rate(0.012)
            .with_product(Product::None)
            .with_deposit(0.0)
            .with_stain(0.0)
            .with_shape(PitShape::Hemispherical),
    );
    let mut whole = 0;
    for s in 0..40 {
        let defect = model.generate(&domain, 1.0, &mut rng(s)).unwrap();
        let b = defect.bbox;
        if b.top > 0 && b.left > 0 && b.bottom < 400 && b.right < 400 {
            let m = &defect.measures;
            let exact = 2.0 / 3.0 * PI * m["max_depth_px"].powi(3);
            assert!((m["volume_px3"] / exact - 1.0).abs() < 0.08, "seed {s}: {} for {exact}", m["volume_px3"]);
            whole += 1;
        }
    }
    assert!(whole > 20, "{whole}");
}

#[test]
fn each_grain_has_its_own_speed() {
    // Grains as wide as the domain: a pit mostly lies in one, so its radius is F0 (1 + d eta) t with eta of variance 1.
    let (domain, contrast) = (Domain::full(800, 800).unwrap(), 0.4);
    let model = pits(
        lone_pit()
            .with_rate_spread(0.0)
            .with_grain_size(1.0)
            .with_grain_contrast(contrast)
            .with_spread_rate(0.004)
            .with_product(Product::None)
            .with_deposit(0.0)
            .with_stain(0.0),
    );
    let eta: Vec<f64> = (0..300)
        .filter_map(|s| {
            let d = model.generate(&domain, 1.0, &mut rng(s)).unwrap();
            let whole = d.bbox.top > 0 && d.bbox.left > 0 && d.bbox.bottom < 800 && d.bbox.right < 800;
            whole.then(|| ((d.measures["area_px2"] / PI).sqrt() / (0.004 * 800.0 * 4.0) - 1.0) / contrast)
        })
        .collect();
    let n = eta.len() as f64;
    let mean = eta.iter().sum::<f64>() / n;
    let variance = eta.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    assert!(n > 250.0 && mean.abs() < 4.0 / n.sqrt() + 0.05, "mean {mean}");
    // Uniform: the variance has the standard error sqrt(0.8/n); front error and pits across two grains take a little.
    assert!((variance - 1.0).abs() < 4.0 * (0.8 / n).sqrt() + 0.05, "variance {variance}");
    assert!(eta.iter().all(|v| v.abs() < 3f64.sqrt() + 0.15), "{eta:?}");
}

#[test]
fn an_undercut_hides_what_lies_outside_its_mouth() {
    // Share of a unit sphere outside the cylinder through a mouth of 0.8 of its width, shell by shell.
    let shells = 200_000;
    let hidden: f64 = (0..shells)
        .map(|i| {
            let r = 0.8 + 0.2 * (f64::from(i) + 0.5) / f64::from(shells);
            4.0 * PI * r * (1.0 - r * r).sqrt() * 0.2 / f64::from(shells)
        })
        .sum::<f64>()
        / (4.0 / 3.0 * PI);
    let exact = hidden / (1.0 - hidden);
    let found = PitShape::Undercut.hidden_volume_ratio();
    assert!((found / exact - 1.0).abs() < 1e-5, "{found} for {exact}");
    assert_eq!(PitShape::Elliptical.hidden_volume_ratio(), 0.0);
}

#[test]
fn the_growth_law_is_calibrated_to_the_shapes_aspect() {
    // Depth over width at the longest exposure: width 2 F0 t, so k t^n = 2 aspect F0 t.
    for (shape, n) in [(PitShape::Front, 0.5), (PitShape::NarrowDeep, 0.4)] {
        let params = PittingParams::default().with_exponent(n).with_spread_rate(0.02).with_shape(shape);
        let law: PowerLaw = pits(params).median_law(300.0);
        let exact = 2.0 * shape.aspect() * 0.02 * 300.0 * 4.0;
        assert!((law.depth(4.0) / exact - 1.0).abs() < 1e-12 && law.exponent == n);
    }
}

#[test]
fn a_stain_fades_exponentially_from_the_rim() {
    // exp(-d/l), cut off linearly at 3 l, at distance d from the outline; the mottle's mean cancels in the ratio of two
    // rings.
    let (domain, length) = (Domain::full(512, 512).unwrap(), 0.04);
    let model = pits(
        lone_pit()
            .with_rate_spread(0.0)
            .with_spread_rate(0.01)
            .with_product(Product::IronOxides)
            .with_deposit(1.0)
            .with_stain(length),
    );
    let mut rings = [(0.0f64, 0.0f64); 4];
    let (near, far, pit) = (8.0, 36.0, 0.01 * 512.0 * 4.0);
    let mut whole = 0;
    for s in 0..60 {
        let defect = model.generate(&domain, 1.0, &mut rng(s)).unwrap();
        let (b, tint) = (defect.bbox, defect.tint.as_ref().unwrap());
        if b.top == 0 || b.left == 0 || b.bottom == 512 || b.right == 512 {
            continue;
        }
        whole += 1;
        let deepest = defect.height.indexed_iter().min_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        for ((y, x), &w) in tint.weight.indexed_iter() {
            let d = (y as f64 - deepest.0 as f64).hypot(x as f64 - deepest.1 as f64) - pit;
            for (ring, at) in rings.iter_mut().zip([near, far, -2.0, 3.0 - pit]) {
                if (d - at).abs() < 1.5 {
                    *ring = (ring.0 + f64::from(w), ring.1 + 1.0);
                }
            }
        }
    }
    let law = |d: f64| (-d / (length * 512.0)).exp() * (1.0 - d / (3.0 * length * 512.0));
    let found = (rings[1].0 / rings[1].1) / (rings[0].0 / rings[0].1);
    let exact = law(far) / law(near);
    assert!(whole > 10 && (found / exact - 1.0).abs() < 0.06, "{found} for {exact} over {whole} pits");
    // The deposit thins from the rim to 0.6 of it at the middle.
    let deposit = |r: f64| 1.0 - 0.4 * (1.0 - r / pit);
    let found = (rings[3].0 / rings[3].1) / (rings[2].0 / rings[2].1);
    let exact = deposit(3.0) / deposit(pit - 2.0);
    assert!((found / exact - 1.0).abs() < 0.06, "deposit {found} for {exact}");
}

#[test]
fn products_have_their_minerals_colors() {
    let [r, g, b] = Product::IronOxides.reflectance().unwrap();
    assert!(r > 2.0 * g && g > 2.0 * b, "rust is red-brown: {r} {g} {b}");
    let white = Product::Aluminum.reflectance().unwrap();
    assert!(white.iter().all(|v| (0.6..0.9).contains(v)), "alumina is white: {white:?}");
    let [r, g, b] = Product::Copper.reflectance().unwrap();
    assert!(g > b && b > r, "patina is green: {r} {g} {b}");
    assert_eq!(Product::None.reflectance(), None);
}
