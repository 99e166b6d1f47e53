//! EL against the areas of its shapes and the mirrored background.

use crate::physdefect::appearance::{Appearance, Camera, CameraSource, Light, Material, Rendered};
use crate::physdefect::edge_loss::{Cut, EdgeLoss, EdgeLossParams};
use crate::physdefect::{Defect, Domain, Error, Mechanism, SampleKey};
use crate::table::Table;
use ndarray::{Array2, Array3};

/// First row of an object with a straight outline in a photo of 400 x 500.
const EDGE: usize = 150;
/// Least clearance, px.
const CLEARANCE: f64 = 1.5;

pub(crate) fn run(table: &mut Table) -> Result<(), Error> {
    areas(table)?;
    mirrored(table)
}

fn half_plane() -> Result<Domain, Error> {
    Domain::from_mask(Array2::from_shape_fn((400, 500), |(y, _)| y >= EDGE))
}

/// Cuts of an unperturbed shape through the whole thickness whose mouth lies clear of the frame's sides.
fn clear(cut: Cut, severity: f64, wanted: usize) -> Result<Vec<Defect>, Error> {
    let params =
        EdgeLossParams::default().with_cuts(vec![cut]).with_irregularity(0.0).with_through(1.0).with_clearance(0.0); // the least
    let (model, domain) = (EdgeLoss::new(params)?, half_plane()?);
    let mut found = Vec::new();
    for index in 0..200 {
        let defect = model.generate(&domain, severity, &mut SampleKey { seed: 6, index }.rng())?;
        if found.len() < wanted && defect.bbox.left > 0 && defect.bbox.right < 500 {
            found.push(defect);
        }
    }
    Ok(found)
}

fn areas(table: &mut Table) -> Result<(), Error> {
    for severity in [0.3, 0.6, 1.0] {
        let (mut worst, mut cuts) = (1.0f64, 0);
        for defect in clear(Cut::Conchoidal, severity, 12)? {
            let (w, h) = (defect.measures["width_px"], defect.measures["depth_px"]);
            let r = (w * w / 4.0 + h * h) / (2.0 * h);
            let exact = r * r * ((r - h) / r).acos() - (r - h) * (2.0 * r * h - h * h).sqrt();
            let share = defect.measures["area_px2"] / exact;
            if (share - 1.0).abs() >= (worst - 1.0).abs() {
                worst = share;
            }
            cuts += 1;
        }
        let case = format!("conchoidal cuts at severity {severity}, lost area over the segment's, the worst of {cuts}");
        table.near(case, (1.0, "area of a circular segment"), worst, 0.03);
    }
    let mut odd = 0;
    let all = clear(Cut::Faceted, 0.9, 40)?;
    for defect in &all {
        let share = defect.measures["area_px2"] / (defect.measures["width_px"] * defect.measures["depth_px"]);
        let holds = (share / 0.5 - 1.0).abs() < 0.03 || (0.539..0.74).contains(&share);
        odd += usize::from(!holds);
    }
    table.breaches("faceted cuts with another area", "triangle, or trapezoid of height 0.55 to 0.9", odd, all.len(), 0);
    Ok(())
}

fn mirrored(table: &mut Table) -> Result<(), Error> {
    // A ramp on the background and a constant object.
    let ramp = |y: f64| 0.1 + 0.004 * y;
    let photo = Array3::from_shape_fn((400, 500, 3), |(y, _, _)| if y < EDGE { ramp(y as f64) as f32 } else { 0.9 });
    let look = Appearance::new(Material::METAL).lit(Light::default().with_elevation(0.5));
    let look = look.with_camera(CameraSource::Given(Camera::IDEAL));
    let (synthesizer, domain) = (Rendered::new(EdgeLoss::default(), look)?, half_plane()?);
    let (mut worst, mut pixels) = (0.0f64, 0usize);
    for defect in Cut::ALL.into_iter().map(|cut| clear(cut, 0.8, 6)).collect::<Result<Vec<_>, _>>()?.concat() {
        let b = defect.bbox;
        let key = SampleKey { seed: 1, index: 0 };
        let image = synthesizer.render(photo.view(), &domain, defect.clone(), 0.8, key)?.paste(photo.view())?;
        // Clear of the blur of the new outline, 3 px: background in a window of 9 x 9.
        let gone = |y: usize, x: usize| {
            y < b.top || defect.opacity.get((y - b.top, x - b.left)).is_some_and(|a| *a > 0.0 && *a < 0.01)
        };
        for y in b.top..b.bottom {
            for x in b.left + 4..b.right.saturating_sub(4) {
                let depth = y as f64 - (EDGE as f64 - 0.5);
                let deep = (y - 4..=y + 4).all(|v| (x - 4..=x + 4).all(|u| gone(v, u)));
                if deep && depth > 0.0 {
                    let exact = ramp(EDGE as f64 - 0.5 - depth - 2.0 * CLEARANCE);
                    worst = worst.max((f64::from(image[[y, x, 0]]) - exact).abs());
                    pixels += 1;
                }
            }
        }
    }
    let case = format!("background behind {pixels} px of cuts, the largest difference, of a ramp over 150 px");
    table.at_most(
        case,
        ("0", "the photo mirrored 1.5 px outside the outline"),
        if pixels > 0 { worst } else { f64::NAN },
        3e-3,
    );
    Ok(())
}
