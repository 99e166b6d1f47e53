//! AB against Archard's law, conservation of volume and Kratky and Porod's chains.

use std::f64::consts::PI;

use crate::physdefect::abrasion::{Abrasion, AbrasionParams, CrossSection, groove_width, worm_like_chain};
use crate::physdefect::{Defect, Domain, Error, Mechanism, SampleKey};
use crate::table::Table;
use oracles::statistics::slope;

pub(crate) fn run(table: &mut Table) -> Result<(), Error> {
    width(table)?;
    volume(table)?;
    chains(table)
}

/// One straight scratch of constant load but for its ends.
fn plain() -> AbrasionParams {
    AbrasionParams::default()
        .with_persistence(1000.0)
        .with_chatter(0.0)
        .with_unsteadiness(0.0)
        .with_parallel(0.0)
        .with_length((0.5, 0.5))
}

fn drawn(params: &AbrasionParams, severity: f64, index: u64) -> Result<Defect, Error> {
    let model = Abrasion::new(params.clone())?;
    model.generate(&Domain::full(500, 500)?, severity, &mut SampleKey { seed: 4, index }.rng())
}

fn width(table: &mut Table) -> Result<(), Error> {
    let law = "Archard: w^2 = 8 W / (pi H)";
    let area = PI * groove_width(30.0, 150.0).powi(2) / 8.0;
    table.near("area that carries 30 N at 150 MPa, mm^2", (0.2, "W / H"), area, 1e-12);
    let params =
        plain().with_load((1.0, 100.0)).with_pixel_pitch_mm(Some(0.02)).with_attack_angle(0.4).with_pile_up(0.0);
    let mut points = Vec::new();
    for step in 0..=4 {
        let defect = drawn(&params, f64::from(step) / 4.0, 0)?;
        let load = defect.measures["load_n"];
        let deepest = f64::from(defect.height.iter().fold(0.0f32, |m, &z| m.max(-z)));
        let pixels = defect.height.iter().filter(|&&z| f64::from(-z) > 0.1 * deepest).count() as f64;
        points.push((load.ln(), pixels.ln()));
        // A pixel's mean at the bottom of the V is shallower by a quarter pixel of slope.
        let width = 2.0 * (deepest / 0.4f64.tan() + 0.25);
        let asked = (8.0 * load / (PI * 200.0)).sqrt() / 0.02;
        table.within_share(format!("drawn groove under {load:.0} N on 200 MPa, width, px"), (asked, law), width, 0.03);
    }
    table.within_share("exponent of the groove's pixels against load", (0.5, law), slope(&points), 0.03);
    Ok(())
}

fn volume(table: &mut Table) -> Result<(), Error> {
    for width in [0.3, 2.7, 12.0] {
        let section = CrossSection::new(width, 0.5, 0.35, 0.6);
        let exact = 0.65 * 0.25 * width * width * 0.5f64.tan();
        let sum: f64 = (-40..=40).map(|i| -section.mean_height(f64::from(i) + 0.21)).sum();
        let case = format!("groove {width} px wide, pile-up 0.35: area that is gone, px^2");
        table.near(case, (exact, "groove less ridges"), sum, 1e-9);
    }
    for pile_up in [0.0, 0.6, 1.0] {
        let defect = drawn(&plain().with_pile_up(pile_up).with_pixel_pitch_mm(Some(0.05)), 1.0, 1)?;
        let sum: f64 = defect.height.iter().map(|&z| f64::from(z)).sum();
        let case = format!("drawn scratch, pile-up {pile_up}: net volume over the groove's");
        table.near(case, (pile_up - 1.0, "conservation of volume"), sum / defect.measures["volume_px3"], 0.02);
    }
    Ok(())
}

fn chains(table: &mut Table) -> Result<(), Error> {
    let (persistence, chains) = (150.0, 4000u64);
    for lag in [50usize, 150, 400] {
        let (mut cosine, mut square) = (0.0, 0.0);
        for index in 0..chains {
            let mut rng = SampleKey { seed: 8, index }.rng();
            let path = worm_like_chain([0.0, 0.0], 0.7, (lag, 1.0), persistence, &mut rng)?;
            let heading = |i: usize| (path[i + 1][0] - path[i][0]).atan2(path[i + 1][1] - path[i][1]);
            cosine += (heading(lag - 1) - heading(0)).cos() / chains as f64;
            square += (path[lag][0].powi(2) + path[lag][1].powi(2)) / chains as f64;
        }
        let (length, p2) = (lag as f64, 2.0 * persistence);
        let law = "Kratky and Porod in two dimensions";
        let case = format!("4000 paths, persistence length 150 px: mean cosine of the turn after {lag} px");
        table.near(case, ((-(length - 1.0) / p2).exp(), law), cosine, 0.035);
        let exact = 2.0 * p2 * length * (1.0 - p2 / length * (1.0 - (-length / p2).exp()));
        table.within_share(format!("the same, mean square distance after {lag} px, px^2"), (exact, law), square, 0.03);
    }
    Ok(())
}
