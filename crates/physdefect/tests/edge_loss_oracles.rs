//! Edge loss against the areas of its shapes and against the mirrored background.
// A failed set-up is a failed test.
#![allow(clippy::unwrap_used)]

mod common;

use ndarray::{Array2, Array3};
use physdefect::appearance::{Appearance, Camera, CameraSource, Light, Material, Rendered};
use physdefect::edge_loss::{Cut, EdgeLoss, EdgeLossParams};
use physdefect::imgkit::ParameterError;
use physdefect::{Defect, Domain, Error, Mechanism, SampleKey};

/// First row of the object of [`half_plane`].
const EDGE: usize = 150;

/// Object below a straight outline.
fn half_plane() -> Domain {
    Domain::from_mask(Array2::from_shape_fn((400, 500), |(y, _)| y >= EDGE)).unwrap()
}

fn plain(cut: Cut) -> EdgeLossParams {
    EdgeLossParams::default().with_cuts(vec![cut]).with_irregularity(0.0).with_through(1.0).with_clearance(0.0)
}

fn drawn(params: &EdgeLossParams, domain: &Domain, severity: f64, index: u64) -> Defect {
    let model = EdgeLoss::new(params.clone()).unwrap();
    model.generate(domain, severity, &mut SampleKey { seed: 6, index }.rng()).unwrap()
}

/// Cuts whose mouth lies clear of the frame's sides.
fn clear(params: &EdgeLossParams, severity: f64, wanted: usize) -> Vec<Defect> {
    let domain = half_plane();
    let all = (0..200).map(|index| drawn(params, &domain, severity, index));
    let clear: Vec<Defect> = all.filter(|d| d.bbox.left > 0 && d.bbox.right < 500).take(wanted).collect();
    assert_eq!(clear.len(), wanted);
    clear
}

#[test]
fn a_conchoidal_cut_has_the_area_of_its_segment() {
    for severity in [0.3, 0.6, 1.0] {
        for defect in clear(&plain(Cut::Conchoidal), severity, 12) {
            let m = &defect.measures;
            let (w, h) = (m["width_px"], m["depth_px"]);
            let r = (w * w / 4.0 + h * h) / (2.0 * h);
            let exact = r * r * ((r - h) / r).acos() - (r - h) * (2.0 * r * h - h * h).sqrt();
            let share = m["area_px2"] / exact;
            assert!((share - 1.0).abs() < 0.03, "{w} x {h} px: {} of {exact} px^2", m["area_px2"]);
            // What severity asked for, and where: from the edge down.
            let scale = half_plane().scale();
            let asked = 0.06 * 5f64.powf(severity) * scale;
            assert!((w / asked - 1.0).abs() < 1e-9, "{w} px for {asked}");
            // A pixel beyond it, the middle of which lies nearer than the least clearance, goes with the piece.
            let (top, height) = (defect.bbox.top + 1, defect.bbox.height() as f64 - 1.0);
            assert!(top == EDGE && (height - h).abs() <= 1.5, "{:?} {h}", defect.bbox);
        }
    }
}

#[test]
fn a_faceted_cut_is_a_triangle_or_a_trapezoid() {
    let (mut triangles, mut trapezoids) = (0, 0);
    for defect in clear(&plain(Cut::Faceted), 0.9, 40) {
        let m = &defect.measures;
        let share = m["area_px2"] / (m["width_px"] * m["depth_px"]);
        // Half of width times depth; 1 - l / 2 for a triangle cut off at the share l of its height, 0.55 to 0.9.
        if (share / 0.5 - 1.0).abs() < 0.03 {
            triangles += 1;
        } else {
            assert!(share > 0.55 * 0.98 && share < 0.725 * 1.02, "{share}");
            trapezoids += 1;
        }
    }
    assert!(triangles >= 8 && trapezoids >= 8, "{triangles} triangles, {trapezoids} trapezoids");
}

/// The photo with a defect under a low light and gloss, and for each pixel whether background shows, clear of the blur
/// of the new outline, px.
fn shown(photo: &Array3<f32>, domain: &Domain, defect: &Defect, blur: f64) -> (Array3<f32>, Array2<bool>) {
    let look = Appearance::new(Material::METAL).lit(Light::default().with_elevation(0.5));
    let look = look.with_camera(CameraSource::Given(Camera::IDEAL));
    let synth = Rendered::new(EdgeLoss::default(), look).unwrap();
    let (h, w, _) = photo.dim();
    let mut gone = Array2::from_elem((h, w), false);
    for ((y, x), &a) in defect.opacity.indexed_iter() {
        gone[[defect.bbox.top + y, defect.bbox.left + x]] = a > 0.0 && a < 0.01;
    }
    // The object's own background counts as gone here, so that only the new outline is a border.
    let open = Array2::from_shape_fn((h, w), |at| gone[at] || !domain.mask()[at]);
    let depth = physdefect::imgkit::distance::to_background(open.view());
    let deep = Array2::from_shape_fn((h, w), |at| gone[at] && f64::from(depth[at]) > blur + 1.5);
    let sample = synth.render(photo.view(), domain, defect.clone(), 0.5, SampleKey { seed: 1, index: 0 }).unwrap();
    (sample.paste(photo.view()).unwrap(), deep)
}

#[test]
fn background_is_mirrored_across_the_outline() {
    // A ramp on the background and a constant object: the pixel at depth d shows the ramp at d beyond a line as far
    // from the outline as the clearance, mirrored there.
    let domain = half_plane();
    let ramp = |y: f64| 0.1 + 0.004 * y;
    let photo = Array3::from_shape_fn((400, 500, 3), |(y, _, _)| if y < EDGE { ramp(y as f64) as f32 } else { 0.9 });
    let clearance = 2.0;
    let mut seen = 0;
    for cut in Cut::ALL {
        for defect in clear(&plain(cut).with_clearance(clearance / domain.scale()), 0.8, 6) {
            let (image, deep) = shown(&photo, &domain, &defect, 2.0 * clearance);
            for ((y, x), _) in deep.indexed_iter().filter(|((y, _), deep)| **deep && *y >= EDGE) {
                let depth = y as f64 - (EDGE as f64 - 0.5);
                let exact = ramp(EDGE as f64 - 0.5 - depth - 2.0 * clearance);
                let found = f64::from(image[[y, x, 0]]);
                // The ramp beside the outline is blurred over 2 px by the interpolation.
                if depth + 2.0 * clearance > 2.5 {
                    assert!((found - exact).abs() < 3e-3, "{y}, {x}: {found} for {exact}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 2000, "{seen} pixels");
}

#[test]
fn a_disc_on_a_plain_ground_loses_its_tone_and_nothing_else_changes() {
    let disc = |y: usize, x: usize| (y as f64 - 120.0).hypot(x as f64 - 130.0) < 80.0;
    let domain = Domain::from_mask(Array2::from_shape_fn((240, 260), |(y, x)| disc(y, x))).unwrap();
    let photo = Array3::from_shape_fn((240, 260, 3), |(y, x, _)| if disc(y, x) { 0.7f32 } else { 0.2 });
    let mut seen = 0;
    for index in 0..20 {
        let defect = drawn(&EdgeLossParams::default().with_through(1.0).with_clearance(0.0), &domain, 0.8, index);
        let (image, deep) = shown(&photo, &domain, &defect, 3.0);
        for ((y, x), &inside) in domain.mask().indexed_iter() {
            let (old, new) = (photo[[y, x, 1]], image[[y, x, 1]]);
            if deep[[y, x]] {
                assert!((new - 0.2).abs() < 0.01, "#{index} {y}, {x}: {new}");
                seen += 1;
            }
            let b = defect.bbox;
            let touched = b.contains((y, x)) && defect.opacity[[y - b.top, x - b.left]] > 0.0;
            // Beside the object a cubic interpolation overshoots the step, by 7 % of it along each axis.
            let ground = touched && (new - old).abs() < 0.15 * 0.5;
            let stays = old.to_bits() == new.to_bits() || ground;
            assert!((inside && touched) || stays, "#{index} {y}, {x}: {old} became {new}");
        }
        let m = &defect.measures;
        assert!(m["through_area_px2"] > 0.0 && m["through_area_px2"] < m["area_px2"]);
    }
    assert!(seen > 500, "{seen} pixels");
}

#[test]
fn a_spall_shows_no_background() {
    let defect = drawn(&EdgeLossParams::default().with_through(0.0), &half_plane(), 0.8, 3);
    assert!(defect.displacement.is_none());
    assert_eq!(defect.measures["through_area_px2"], 0.0);
    assert!(defect.height.iter().all(|&z| z <= 0.0) && defect.measures["volume_px3"] > 0.0);
    let brightness = defect.reflectance.unwrap().mapv(|r| r.ln()).mean().unwrap();
    // The mean of ln over the box, of which the cut is the larger part.
    assert!(brightness.abs() > 0.05);
}

#[test]
fn the_depth_is_limited_by_the_thickness() {
    // A bar 14 px thick: half of it at most, whatever the size asked for.
    let bar = Domain::from_mask(Array2::from_shape_fn((120, 300), |(y, _)| (50..64).contains(&y))).unwrap();
    for index in 0..30 {
        let defect = drawn(&plain(Cut::Conchoidal).with_size((0.5, 1.0)), &bar, 1.0, index);
        let (depth, thickness) = (defect.measures["depth_px"], defect.measures["thickness_px"]);
        assert!(depth <= 0.5 * thickness + 1e-9 && (thickness - 14.0).abs() <= 1.0, "{depth} of {thickness} px");
    }
}

#[test]
fn a_larger_cut_holds_the_smaller_one() {
    let domain = common::domain(150, 180, true);
    for index in 0..30 {
        let mut last = Array2::from_elem(domain.dim(), false);
        for step in 0..=6 {
            let defect = drawn(&EdgeLossParams::default(), &domain, f64::from(step) / 6.0, index);
            let mut lost = Array2::from_elem(domain.dim(), false);
            defect.bbox.crop_mut(lost.view_mut()).assign(&defect.opacity.mapv(|a| a > 0.0));
            let stays = last.iter().zip(&lost).all(|(before, now)| !before || *now);
            assert!(stays, "#{index} step {step}");
            last = lost;
        }
    }
}

#[test]
fn without_an_outline_nothing_breaks_off() {
    let model = EdgeLoss::default();
    let refused = model.generate(&Domain::full(100, 100).unwrap(), 0.5, &mut common::rng(1)).unwrap_err();
    assert_eq!(refused, Error::NoEdge { model: "edge-loss" });
    assert!(refused.to_string().contains("give a mask of the object"), "{refused}");
    // A domain that runs into the frame on three sides breaks at the fourth.
    for index in 0..20 {
        let defect = drawn(&EdgeLossParams::default().with_through(0.0), &half_plane(), 0.5, index);
        assert_eq!(defect.bbox.top, EDGE);
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    let base = EdgeLossParams::default;
    let cases = [
        ("cuts", base().with_cuts(vec![])),
        ("size.0", base().with_size((0.0, 0.5))),
        ("size.1", base().with_size((0.5, 1.4))),
        ("depth.0", base().with_depth((0.0, 0.5))),
        ("depth.1", base().with_depth((0.5, f64::NAN))),
        ("thickness", base().with_thickness(0.0)),
        ("irregularity", base().with_irregularity(0.6)),
        ("band.0", base().with_band((-0.1, 0.5))),
        ("band.1", base().with_band((0.5, 0.4))),
        ("through", base().with_through(1.1)),
        ("steepness", base().with_steepness(-1.0)),
        ("roughness", base().with_roughness(2.0)),
        ("fresh.0", base().with_fresh((f64::INFINITY, 1.0))),
        ("fresh.1", base().with_fresh((0.5, 0.2))),
        ("brighter", base().with_brighter(-0.1)),
        ("clearance", base().with_clearance(0.25)),
    ];
    for (wanted, params) in cases {
        let refused = EdgeLoss::new(params).unwrap_err();
        assert!(matches!(&refused, Error::Parameter(ParameterError { name, .. }) if *name == wanted), "{refused}");
    }
}
