//! SU against asked spectra, the diffusion law and conservation of mass.

use std::f64::consts::{PI, TAU};

use crate::physdefect::imgkit::Rect;
use crate::physdefect::unevenness::{Spectrum, SurfaceUnevenness, Unevenness, UnevennessParams, WaveField};
use crate::physdefect::{Defect, Domain, Error, Mechanism, SampleKey};
use crate::table::Table;
use oracles::fields::{normal_distribution, windowed_power};
use oracles::statistics::{kolmogorov, slope};

const SIDE: usize = 128;
const FIELDS: u64 = 300;

pub(crate) fn run(table: &mut Table) -> Result<(), Error> {
    spectra(table)?;
    marginals(table)?;
    fronts(table)?;
    residue(table)
}

fn field(spectrum: Spectrum, index: u64) -> Result<WaveField, Error> {
    WaveField::new(spectrum, &mut SampleKey { seed: 5, index }.rng())
}

/// Mean power of many fields over eight directions at each wavelength.
fn powers(spectrum: Spectrum, wavelengths: &[f64]) -> Result<Vec<f64>, Error> {
    let mut sums = vec![0.0; wavelengths.len()];
    for index in 0..FIELDS {
        let area = Rect { top: 0, left: 0, bottom: SIDE, right: SIDE };
        let map: Vec<f64> = field(spectrum, index)?.on(area).iter().map(|&v| f64::from(v)).collect();
        for (sum, wavelength) in sums.iter_mut().zip(wavelengths) {
            for direction in 0..8 {
                let (sin, cos) = (PI * (f64::from(direction) + 0.3) / 8.0).sin_cos();
                *sum += windowed_power(&map, SIDE, (TAU / wavelength * sin, TAU / wavelength * cos));
            }
        }
    }
    Ok(sums)
}

fn spectra(table: &mut Table) -> Result<(), Error> {
    for asked in [0.0, 1.0, 2.0] {
        let spectrum = Spectrum { wavelength: (4.0, 24.0), slope: asked, aspect: 1.0, angle: 0.0 };
        let wavelengths = [5.0, 6.5, 8.5, 11.0, 14.0, 2.6, 70.0];
        let power = powers(spectrum, &wavelengths)?;
        let inside: Vec<(f64, f64)> =
            wavelengths.iter().zip(&power).take(5).map(|(w, p)| ((TAU / w).ln(), p.ln())).collect();
        let case = format!("field of band 4 to 24 px, exponent of power against wave number, asked {asked}");
        table.near(case, (-asked, "asked spectrum, Hann periodogram"), slope(&inside), 0.1);
        let least = power[..5].iter().copied().fold(f64::INFINITY, f64::min);
        let case = format!("the same, largest power outside the band over the least inside, asked {asked}");
        table.between(case, ((0.0, 0.01), "none outside"), power[5].max(power[6]) / least);
    }
    let narrow = Spectrum { wavelength: (9.5, 10.5), slope: 2.0, aspect: 1.0, angle: 0.0 };
    let numbers: Vec<f64> = (0..25).map(|step| TAU / 10.0 * (0.76 + 0.02 * f64::from(step))).collect();
    let power = powers(narrow, &numbers.iter().map(|k| TAU / k).collect::<Vec<_>>())?;
    let centroid = power.iter().zip(&numbers).map(|(p, k)| p * k).sum::<f64>() / power.iter().sum::<f64>();
    table.within_share("field of band 9.5 to 10.5 px, centroid, px", (10.0, "asked spectrum"), TAU / centroid, 0.02);
    Ok(())
}

fn marginals(table: &mut Table) -> Result<(), Error> {
    let spectrum = Spectrum { wavelength: (6.0, 60.0), slope: 2.0, aspect: 3.0, angle: 1.0 };
    let mut values =
        (0..4000).map(|index| Ok(field(spectrum, index)?.at(17.0, 31.0))).collect::<Result<Vec<_>, Error>>()?;
    values.sort_by(f64::total_cmp);
    let departure = kolmogorov(&values, normal_distribution);
    let source = "normal law, Kolmogorov at 1 %: 1.628";
    table.between("values of 4000 fields at a place, sqrt(n) D", ((0.0, 1.628), source), departure);
    Ok(())
}

fn drop(domain: &Domain, transport: f64, severity: f64, index: u64) -> Result<Defect, Error> {
    let params = UnevennessParams::default().with_kinds(vec![Unevenness::WaterMark]).with_size((0.15, 0.8));
    let model = SurfaceUnevenness::new(params.with_transport(transport))?;
    model.generate(domain, severity, &mut SampleKey { seed: 3, index }.rng())
}

fn fronts(table: &mut Table) -> Result<(), Error> {
    let (domain, mut worst) = (Domain::full(400, 400)?, 0.5f64);
    let mut free = 0;
    for index in 0..40 {
        let b = drop(&domain, 0.7, 1.0, index)?.bbox;
        if b.top == 0 || b.left == 0 || b.bottom == 400 || b.right == 400 {
            continue;
        }
        free += 1;
        let mut points = Vec::new();
        for step in 0..=6 {
            let defect = drop(&domain, 0.7, f64::from(step) / 6.0, index)?;
            let area: f64 = defect.opacity.iter().map(|&a| f64::from(a)).sum();
            points.push((defect.measures["drying_time"].ln(), 0.5 * (area / PI).ln()));
        }
        let found = slope(&points);
        if (found - 0.5).abs() > (worst - 0.5).abs() {
            worst = found;
        }
    }
    let case = format!("drop, exponent of the front's radius against time, the worst of {free}");
    table.within_share(case, (0.5, "imbibition, R = sqrt(4 D t)"), worst, 0.02);
    Ok(())
}

fn residue(table: &mut Table) -> Result<(), Error> {
    let domain = Domain::full(384, 384)?;
    for transport in [0.0, 0.5, 0.95] {
        let defect = drop(&domain, transport, 0.7, 1)?;
        let Some(rho) = &defect.reflectance else { continue };
        let (mut deposit, mut area) = (0.0, 0.0);
        for (r, a) in rho.iter().zip(&defect.opacity) {
            deposit += f64::from(r.ln().abs() * a);
            area += f64::from(*a);
        }
        // Mean of the ridge over a round drop, by midpoints.
        let n = 100_000;
        let radii = (0..n).map(|i| (f64::from(i) + 0.5) / f64::from(n));
        let mean = radii.map(|r| 2.0 * r * (-(1.0 - r) / 0.08).exp()).sum::<f64>() / f64::from(n);
        let film = 1.5 * defect.measures["contrast"] / (1.0 - transport + transport / mean);
        let case = format!("dried drop, residue on {area:.0} px of which {transport} went to the ring, px^2");
        table.within_share(case, (film * area, "the film's, moved and not made"), deposit, 1e-3);
    }
    Ok(())
}
