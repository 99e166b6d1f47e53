//! The mask contract of a sample, for the tests over all synthesizers.
// Each test file uses a part of this module.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use ndarray::{Array2, Array3};
use physdefect::imgkit::components::label_components;
use physdefect::imgkit::distance::to_background;
use physdefect::{Domain, MechanismKind, Sample};

/// Components below this many pixels are marked only where the whole defect is that small.
pub const LEAST_COMPONENT: usize = 12;

/// What a mask looks like that has kept the contract.
#[derive(Debug, Clone, Copy)]
pub struct Marks {
    pub area: usize,
    /// Of the mask, those whose contrast is half of the just noticeable one or more.
    pub visible: usize,
    pub components: usize,
    /// Pixels of the domain in holes of the mask.
    pub holes: usize,
    /// Visible share of the mask with its holes filled.
    pub share_if_filled: f64,
}

/// Checks everything that a sample promises on `photo` in `domain`, and returns the figures of its mask.
///
/// `changed` lies in `mask`, `mask` in the domain, that of edge loss also in the blur of its outline, three hundredths
/// of the scale wide and a pixel for the raster; outside `changed` the image is the photo to the last bit, inside it
/// differs by an 8-bit level; `soft` is in \[0, 1\] and 0 outside the mask; three fifths of the mask are visible; no
/// component is below 12 px unless all are.
pub fn check(name: &str, sample: &Sample, photo: &Array3<f32>, domain: &Domain) -> Marks {
    let (h, w, c) = photo.dim();
    let image = sample.paste(photo.view()).unwrap();
    let mask = sample.full_mask(h, w).unwrap();
    let (changed, soft) = (sample.full_changed(h, w).unwrap(), sample.full_soft(h, w).unwrap());
    let beside = to_background(domain.mask().mapv(|m| !m).view());
    let blur =
        if sample.record.mechanism == MechanismKind::EdgeLoss { 1.0 + (0.03 * domain.scale()).max(1.5) } else { 0.0 };
    let (mut area, mut visible) = (0usize, 0usize);
    for ((y, x), &masked) in mask.indexed_iter() {
        let at = || format!("{name} ({h}x{w}x{c}) at {y},{x}");
        let same = (0..c).all(|k| image[[y, x, k]].to_bits() == photo[[y, x, k]].to_bits());
        let change = (0..c).map(|k| (image[[y, x, k]] - photo[[y, x, k]]).abs()).fold(0.0, f32::max);
        assert_eq!((!same, change >= 1.0 / 255.0), (changed[[y, x]], changed[[y, x]]), "{}: {change}", at());
        assert!(masked || !changed[[y, x]], "{}: changed outside the mask", at());
        assert!(!masked || f64::from(beside[[y, x]]) <= blur, "{}: mask outside the domain", at());
        let s = soft[[y, x]];
        assert!((0.0..=1.0).contains(&s) && (masked || s == 0.0), "{}: soft {s}", at());
        assert!(same || (0..c).all(|k| (0.0..=1.0).contains(&image[[y, x, k]])), "{}: value out of range", at());
        area += usize::from(masked);
        visible += usize::from(masked && s >= 0.5);
    }
    assert!(sample.changed.iter().filter(|&&m| m).count() >= 4, "{name}: fewer than four pixels changed");
    assert!(visible as f64 >= 0.6 * area as f64, "{name} ({h}x{w}x{c}): {visible} of {area} px visible");
    let sizes = label_components(mask.view()).sizes;
    let small = sizes.iter().filter(|&&n| n < LEAST_COMPONENT).count();
    assert!(small == 0 || small == sizes.len(), "{name} ({h}x{w}x{c}): components of {sizes:?} px");
    let holes = holes(&mask).iter().zip(domain.mask()).filter(|(h, d)| **h && **d).count();
    let record = &sample.record;
    assert!((record.area_fraction - area as f64 / (h * w) as f64).abs() < 1e-12, "{name}: area fraction");
    assert!(record.contrast_to_noise.is_finite() && record.contrast_to_noise > 0.0, "{name}: contrast to noise");
    assert!(record.measures.values().all(|v| v.is_finite()), "{name}: {:?}", record.measures);
    let share_if_filled = visible as f64 / (area + holes) as f64;
    Marks { area, visible, components: sizes.len(), holes, share_if_filled }
}

/// Background that is not joined, by four neighbors, to the frame's border.
fn holes(mask: &Array2<bool>) -> Array2<bool> {
    let (h, w) = mask.dim();
    let mut open = mask.mapv(|m| !m);
    let mut stack: Vec<(usize, usize)> = (0..h).flat_map(|y| [(y, 0), (y, w - 1)]).collect();
    stack.extend((0..w).flat_map(|x| [(0, x), (h - 1, x)]));
    while let Some((y, x)) = stack.pop() {
        if y >= h || x >= w || !std::mem::replace(&mut open[[y, x]], false) {
            continue;
        }
        stack.extend([(y.wrapping_sub(1), x), (y + 1, x), (y, x.wrapping_sub(1)), (y, x + 1)]);
    }
    open
}
