//! The Allen-Cahn step of npcF: what it does to specks, gaps and edges, and that the mask given is kept to.
#![allow(missing_docs, clippy::unwrap_used)] // helpers beside the tests

use ndarray::{Array2, Array3};
use pde_refine::{AllenCahn, AllenCahnParams, Npcf, NpcfParams, Refine};

const DEPTH: f32 = 0.3;

/// A disc with a hole of one pixel, and two specks beside it.
fn ragged() -> Array2<bool> {
    Array2::from_shape_fn((64, 64), |(y, x)| {
        let disc = (y as f32 - 32.0).hypot(x as f32 - 32.0) < 14.0;
        (disc && (y, x) != (30, 35)) || (y, x) == (6, 9) || (y, x) == (55, 12)
    })
}

/// What each of the images shows at a pixel, in shares of the composite's depth: with and without the coherence step.
fn shares(coherence: Option<AllenCahn>) -> (Array2<f32>, Array3<f32>, Array3<f32>) {
    let normal = Array3::from_shape_fn((64, 64, 3), |(y, x, k)| 0.6 + 0.002 * ((y * 31 + x * 17 + 5 * k) % 9) as f32);
    let mask = ragged();
    let composite =
        Array3::from_shape_fn((64, 64, 3), |(y, x, k)| // outside the mask it is not to be read
        if mask[(y, x)] { normal[(y, x, k)] - DEPTH } else { 0.1 });
    let npcf = Npcf::new(NpcfParams::default().with_coherence(coherence)).unwrap();
    let image = npcf.refine(normal.view(), composite.view(), mask.view()).unwrap().image;
    let share = Array2::from_shape_fn((64, 64), |(y, x)| (normal[(y, x, 1)] - image[(y, x, 1)]) / DEPTH);
    (share, image, normal)
}

fn flow() -> AllenCahn {
    AllenCahn::new(AllenCahnParams::default()).unwrap()
}

#[test]
fn specks_fall_back_to_the_normal_image_and_the_defect_stays() {
    let (plain, ..) = shares(None);
    let (coherent, ..) = shares(Some(flow()));
    for speck in [(6, 9), (55, 12)] {
        assert!(plain[speck] > 0.5, "{}", plain[speck]);
        assert!(coherent[speck].abs() < 0.12, "{}", coherent[speck]);
    }
    for center in [(32, 32), (28, 26), (38, 33)] {
        assert!((coherent[center] - plain[center]).abs() < 0.05, "{} and {}", coherent[center], plain[center]);
    }
}

#[test]
fn nothing_changes_outside_the_mask_given_not_even_where_the_flow_fills_a_gap() {
    let relaxed = flow().relax(ragged().mapv(|m| f32::from(u8::from(m))).view()).unwrap().0;
    assert!(relaxed[(30, 35)] > 0.9, "{}", relaxed[(30, 35)]); // the gap is filled
    let (_, image, normal) = shares(Some(flow()));
    for (i, _) in ragged().indexed_iter().filter(|(_, m)| !**m) {
        for k in 0..3 {
            assert_eq!(image[(i.0, i.1, k)].to_bits(), normal[(i.0, i.1, k)].to_bits(), "{i:?}");
        }
    }
}

#[test]
fn the_profile_across_the_edge_is_softer_than_without_the_step() {
    let (plain, ..) = shares(None);
    let (coherent, ..) = shares(Some(flow()));
    // along the row through the middle, from the edge at column 19 inwards
    for x in 19..21 {
        assert!(coherent[(32, x)] < plain[(32, x)] - 0.02, "column {x}: {} and {}", coherent[(32, x)], plain[(32, x)]);
    }
    for x in 19..27 {
        assert!(coherent[(32, x + 1)] > coherent[(32, x)] - 0.01, "column {x}");
    }
}
