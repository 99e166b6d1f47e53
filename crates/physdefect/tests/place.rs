//! Where defects may start: shares of closed form, and every entry of the registry at every place.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use std::f64::consts::PI;

use imgkit::Rect;
use imgkit::distance::{to_background, to_foreground};
use ndarray::{Array2, Array3};
use physdefect::fracture::FractureLine;
use physdefect::registry::Registry;
use physdefect::{Domain, Error, Place, SampleKey};

const SIDE: usize = 220;

fn far(y: usize, x: usize) -> f64 {
    (y as f64 - 110.0).hypot(x as f64 - 110.0)
}

fn disc(radius: f64) -> Domain {
    Domain::from_mask(Array2::from_shape_fn((SIDE, SIDE), |(y, x)| far(y, x) < radius)).unwrap()
}

/// An object with a hole.
fn ring() -> Domain {
    Domain::from_mask(Array2::from_shape_fn((SIDE, SIDE), |(y, x)| (30.0..96.0).contains(&far(y, x)))).unwrap()
}

fn share(domain: &Domain) -> f64 {
    domain.sites().unwrap().iter().filter(|s| **s).count() as f64 / domain.area() as f64
}

#[test]
fn the_shares_of_a_disc_are_those_of_its_rings() {
    for radius in [60.0, 100.0] {
        let domain = disc(radius);
        // The scale of a disc is the root of its area. A pixel's distance from the next outside is its depth plus a
        // half.
        let scale = PI.sqrt() * radius;
        let left = |depth: f64| ((radius - depth + 0.5) / radius).powi(2);
        let edge = share(&domain.clone().placed(Place::Edge).unwrap());
        assert!((edge - (1.0 - left(0.03 * scale))).abs() < 0.02, "{radius}: edge {edge}");
        let inside = share(&domain.clone().placed(Place::Inside).unwrap());
        assert!((inside - left(0.15 * scale)).abs() < 0.02, "{radius}: inside {inside}");
        // A region takes its own part of both.
        let half = Array2::from_shape_fn((SIDE, SIDE), |(y, _)| y < 110);
        let both = domain.placed(Place::Edge).unwrap().with_sites(half.view()).unwrap();
        assert!((share(&both) / edge - 0.5).abs() < 0.03);
        assert_eq!(both.place(), Place::Edge);
        assert_eq!((both.area(), both.scale()), (disc(radius).area(), disc(radius).scale()));
    }
}

#[test]
fn picks_are_even_over_the_sites_of_all_objects() {
    // A small and a large square: the edge's share goes with the outline's length, not with the area.
    let square = |y: usize, x: usize, at: usize, n: usize| (at..at + n).contains(&y) && (at..at + n).contains(&x);
    let mask = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| square(y, x, 10, 40) || square(y, x, 80, 120));
    let domain = Domain::from_mask(mask).unwrap().placed(Place::Edge).unwrap();
    assert_eq!(domain.objects().len(), 2);
    let mut rng = common::rng(3);
    let small = (0..6000).filter(|_| domain.pick_object(&mut rng).area() == 1600).count() as f64 / 6000.0;
    // Rings of 2 px (the least) and of 3 px (3 % of 120 px rounded down to whole distances).
    let ring = |n: f64, d: f64| n * n - (n - 2.0 * d).powi(2);
    let expected = ring(40.0, 2.0) / (ring(40.0, 2.0) + ring(120.0, 3.0));
    assert!((small - expected).abs() < 0.02, "{small} for {expected}");
    for _ in 0..500 {
        let (y, x) = domain.pick(&mut rng);
        assert!(domain.is_site(y, x));
    }
}

#[test]
fn the_frame_is_no_edge_and_what_is_left_without_sites_is_refused() {
    let full = Domain::full(60, 80).unwrap();
    assert!(matches!(full.clone().placed(Place::Edge), Err(Error::NoSites { place: Place::Edge, .. })));
    // Nothing is near an outline that is not there.
    assert_eq!(share(&full.clone().placed(Place::Inside).unwrap()), 1.0);
    let bar = Domain::from_mask(Array2::from_shape_fn((60, 80), |(y, _)| (20..27).contains(&y))).unwrap();
    let refused = bar.clone().placed(Place::Inside).unwrap_err();
    assert!(matches!(refused, Error::NoSites { place: Place::Inside, .. }));
    assert!(refused.to_string().contains("too thin"), "{refused}");
    let edge = bar.clone().placed(Place::Edge).unwrap();
    assert!(edge.is_site(20, 0) && !edge.is_site(23, 0), "the bar's ends are the frame's");
    let above = Array2::from_shape_fn((60, 80), |(y, _)| y < 10);
    let missed = bar.clone().with_sites(above.view()).unwrap_err();
    assert!(matches!(missed, Error::RegionMissesObject { height: 60, width: 80, .. }));
    let shape = Array2::from_elem((6, 80), true);
    assert!(matches!(bar.with_sites(shape.view()), Err(Error::Shape { .. })));
}

fn photo() -> Array3<f32> {
    Array3::from_shape_fn((SIDE, SIDE, 3), |(y, x, _)| {
        let object = if (30.0..96.0).contains(&far(y, x)) { 0.55 } else { 0.15 };
        object + ((y * 31 + x * 17) % 11) as f32 / 500.0
    })
}

/// A domain at each place with a name, and in a painted quarter that meets outline and inside.
fn places() -> Vec<(&'static str, Domain)> {
    let painted = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| y < 110 && x < 110);
    vec![
        ("inside", ring().placed(Place::Inside).unwrap()),
        ("edge", ring().placed(Place::Edge).unwrap()),
        ("region", ring().with_sites(painted.view()).unwrap()),
    ]
}

#[test]
fn every_synthesizer_keeps_to_every_place() {
    const SAMPLES: u64 = 60;
    let photo = photo();
    let outline = to_background(ring().mask());
    let mut kept = 0;
    for (name, domain) in places() {
        let nearest = to_foreground(domain.sites().unwrap());
        for synth in common::undemanding() {
            let (mut made, mut area) = (0, 0);
            for index in 0..SAMPLES {
                let sample = match synth.synthesize(photo.view(), &domain, SampleKey { seed: 5, index }) {
                    Ok(sample) => sample,
                    Err(Error::OffPlace { .. } | Error::Invisible { .. } | Error::DomainTooSmall { .. }) => continue,
                    Err(other) => panic!("{name}, {}: {other}", synth.name()),
                };
                made += 1;
                let Rect { top, left, .. } = sample.bbox;
                let pixels: Vec<(usize, usize)> =
                    sample.mask.indexed_iter().filter(|(_, m)| **m).map(|((y, x), _)| (y + top, x + left)).collect();
                area += pixels.len();
                // Of what starts at a strong outline the first pixels are hidden by its contrast.
                let least = pixels.iter().map(|&p| nearest[p]).fold(f32::INFINITY, f32::min);
                let within = if name == "inside" { 0.0 } else { 5.0 };
                assert!(least <= within, "{name}, {}, {index}: {least} px away", synth.name());
                if name == "inside" {
                    // By the distance transform, which the domain does not ask for this.
                    assert!(pixels.iter().all(|&p| outline[p] > 1.0), "{}, {index}: on the outline", synth.name());
                }
            }
            println!("{name:8} {:20} {made:3} of {SAMPLES}, mean area {}", synth.name(), area / made.max(1));
            if name == "inside" && synth.name() == "edge-loss" {
                assert_eq!(made, 0, "a piece broken off inside");
                continue;
            }
            assert!(made >= 30, "{name}: {} made {made} of {SAMPLES}", synth.name());
            kept += made;
        }
    }
    assert!(kept > 1000);
}

#[test]
fn cracks_start_at_the_edge_or_stay_away_from_it() {
    let model = FractureLine::default();
    let distance = to_background(ring().mask());
    let (mut traced, mut deep) = (0, 0);
    for (name, domain) in places() {
        for index in 0..80 {
            let Ok(crack) = model.trace(&domain, 0.3, &mut SampleKey { seed: 2, index }.rng()) else { continue };
            traced += 1;
            let start = crack.branches[0].points[0];
            let at = ((start[0] + 0.5) as usize, (start[1] + 0.5) as usize);
            assert!(domain.is_site(at.0, at.1), "{name}, {index}: starts at {at:?}");
            match name {
                // From the outline inwards.
                "edge" => {
                    let end = crack.branches[0].points.last().unwrap();
                    let end = ((end[0] + 0.5) as usize, (end[1] + 0.5) as usize);
                    assert!(distance[at] < 2.0, "{index}: starts {} px in", distance[at]);
                    deep += usize::from(distance[end] > distance[at] + 3.0);
                }
                "inside" => assert_eq!(crack.arms, 2, "{index}"),
                _ => {}
            }
        }
    }
    assert!(traced > 200 && deep > 60, "{traced} traced, {deep} run inwards");
}

#[test]
fn the_edge_changes_nothing_for_pieces_broken_off_it() {
    let entry = Registry::standard();
    let model = entry.by_name("edge-loss").unwrap().default_mechanism().unwrap();
    for index in 0..20 {
        let make = |domain: &Domain| {
            let made = model.generate(domain, 0.6, &mut SampleKey { seed: 4, index }.rng()).unwrap();
            (made.bbox, made.height, made.opacity, made.measures)
        };
        assert_eq!(make(&ring()), make(&ring().placed(Place::Edge).unwrap()));
    }
    let refused = model.generate(&ring().placed(Place::Inside).unwrap(), 0.6, &mut common::rng(1)).unwrap_err();
    assert!(matches!(refused, Error::OffPlace { model: "edge-loss", place: Place::Inside }));
}

#[test]
fn anywhere_is_the_domain_itself() {
    let (photo, domain) = (photo(), ring());
    let anywhere = domain.clone().placed(Place::Anywhere).unwrap();
    assert!(anywhere.sites().is_none());
    let everywhere = domain.clone().with_sites(domain.mask()).unwrap();
    for synth in common::undemanding() {
        for index in 0..3 {
            let make = |domain: &Domain| {
                let made = synth.synthesize(photo.view(), domain, SampleKey { seed: 8, index });
                made.map(|sample| (sample.bbox, sample.patch, sample.mask, sample.record))
            };
            let sample = make(&domain);
            assert_eq!(sample, make(&anywhere), "{}", synth.name());
            // A region that is the whole object takes nothing away.
            assert_eq!(sample, make(&everywhere), "{}", synth.name());
        }
    }
}
