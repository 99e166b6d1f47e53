//! Measurement of the defects in one image with its mask.

use imgkit::Rect;
use imgkit::components::component_pixels;
use imgkit::distance::{to_background, to_foreground};
use ndarray::{Array2, ArrayView2, ArrayView3};

use super::skeleton;
use crate::appearance::srgb::Tables;
use crate::{Error, MechanismKind};

/// Parts below this many pixels are specks of the labeling and are left out.
pub(super) const LEAST_PART: usize = 4;
/// The surround a defect is compared with: this far from every mask pixel, px. Nearer pixels are blurred or ill
/// labeled.
const RING: (f32, f32) = (2.0, 6.0);
/// Floor of linear light: a 12-bit sensor's last bit.
const DARKEST: f64 = 1.0 / 4096.0;

/// One connected part of a mask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    /// Length of a crack, equivalent diameter of anything else, px.
    pub(super) size: f64,
    /// Mean width of a crack, px; the diameter again for anything else.
    pub(super) width: f64,
    /// Whether it touches the image's edge.
    pub(super) at_edge: bool,
    /// A crack's axis and waviness.
    pub(super) course: Course,
}

/// Course of a crack, from the second moments of its mask.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Course {
    /// Direction of the long axis, radians in (-pi/2, pi/2\], from the columns towards the rows.
    pub direction: f64,
    /// Standard deviation across the axis over that along it, the crack's own width taken off; 0 is straight.
    pub waviness: f64,
}

impl Course {
    fn of(pixels: &[(usize, usize)], width: f64) -> Self {
        let n = pixels.len() as f64;
        let sum = |f: &dyn Fn(f64, f64) -> f64| pixels.iter().map(|&(y, x)| f(y as f64, x as f64)).sum::<f64>() / n;
        let (my, mx) = (sum(&|y, _| y), sum(&|_, x| x));
        let (yy, xx) = (sum(&|y, _| (y - my).powi(2)), sum(&|_, x| (x - mx).powi(2)));
        let yx = sum(&|y, x| (y - my) * (x - mx));
        let (half, spread) = ((yy + xx) / 2.0, ((yy - xx) / 2.0).hypot(yx));
        let across = (half - spread - width * width / 12.0).max(0.0);
        let along = (half + spread).max(1e-9);
        Self { direction: 0.5 * (2.0 * yx).atan2(xx - yy), waviness: (across / along).sqrt() }
    }
}

/// One image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) parts: Vec<Part>,
    /// ln of linear light inside over that of the surround, mean over the parts by area.
    pub(super) log_contrast: f64,
}

/// Measures one image `(H, W, C)` and its mask `(H, W)`.
pub(super) fn measure(
    mechanism: MechanismKind,
    image: ArrayView3<'_, f32>,
    mask: ArrayView2<'_, bool>,
) -> Result<Measured, Error> {
    let (height, width, channels) = image.dim();
    if mask.dim() != (height, width) || channels == 0 {
        let expected = vec![height, width];
        return Err(Error::Shape { what: "mask", found: mask.shape().to_vec(), expected });
    }
    if let Some((row, column, channel)) = imgkit::first_non_finite(image) {
        return Err(Error::NotFinite { row, column, channel });
    }
    let labeled = components(mask);
    if labeled.is_empty() {
        return Err(Error::EmptyMask { height, width });
    }
    let away = to_foreground(mask);
    let tables = Tables::get();
    let light = |y: usize, x: usize| {
        (0..channels).map(|k| f64::from(tables.linear(image[[y, x, k]]))).sum::<f64>() / channels as f64
    };
    let (mut contrast, mut weight) = (0.0, 0.0);
    let mut parts = Vec::with_capacity(labeled.len());
    for pixels in &labeled {
        let Some(bbox) = Rect::around(pixels.iter().copied()) else { continue };
        let inside = mean(pixels.iter().map(|&(y, x)| light(y, x)));
        let around = bbox.grow(RING.1 as usize, (height, width));
        let ring = (around.top..around.bottom).flat_map(|y| (around.left..around.right).map(move |x| (y, x)));
        let outside = mean(ring.filter(|&p| (RING.0..=RING.1).contains(&away[p])).map(|(y, x)| light(y, x)));
        if let (Some(inside), Some(outside)) = (inside, outside) {
            let area = pixels.len() as f64;
            contrast += area * (inside.max(DARKEST) / outside.max(DARKEST)).ln();
            weight += area;
        }
        let at_edge = bbox.top == 0 || bbox.left == 0 || bbox.bottom == height || bbox.right == width;
        parts.push(part(mechanism, pixels, bbox, at_edge));
    }
    if weight == 0.0 {
        return Err(Error::NoSurround { height, width });
    }
    Ok(Measured { parts, log_contrast: contrast / weight })
}

pub(super) fn part(mechanism: MechanismKind, pixels: &[(usize, usize)], bbox: Rect, at_edge: bool) -> Part {
    let mut grid = Array2::from_elem((bbox.height() + 2, bbox.width() + 2), false);
    for &(y, x) in pixels {
        grid[[y - bbox.top + 1, x - bbox.left + 1]] = true;
    }
    if mechanism != MechanismKind::FractureLine {
        let diameter = 2.0 * (filled_area(&grid) as f64 / std::f64::consts::PI).sqrt();
        return Part { size: diameter, width: diameter, at_edge, course: Course::default() };
    }
    let line = skeleton::thin(grid.view());
    let inward = to_background(grid.view());
    let area = pixels.len() as f64;
    let Some(way) = skeleton::longest_way(line.view()) else {
        return Part { size: area.sqrt(), width: area.sqrt(), at_edge, course: Course::of(pixels, 0.0) };
    };
    // Thinning takes off the tips as far as they are round.
    let tips: f64 = way.ends.iter().map(|&end| f64::from(inward[end])).sum();
    let longest = (way.length + tips).max(1.0);
    // Branches carry area but no length of the main way: their share of the skeleton is taken off.
    let whole = line.iter().filter(|&&m| m).count().max(1) as f64;
    let main_share = f64::from(way.pixels) / whole;
    let width = area * main_share / longest;
    Part { size: longest, width, at_edge, course: Course::of(pixels, width) }
}

/// Connected parts (eight neighbors) of at least [`LEAST_PART`] pixels, in row order of their first pixel.
pub(super) fn components(mask: ArrayView2<'_, bool>) -> Vec<Vec<(usize, usize)>> {
    let mut all = component_pixels(mask);
    all.retain(|pixels| pixels.len() >= LEAST_PART);
    all
}

/// Pixels of the grid that are not joined (four neighbors) to its border, which is empty.
fn filled_area(grid: &Array2<bool>) -> usize {
    let (h, w) = grid.dim();
    let mut outside = Array2::from_elem((h, w), false);
    let mut stack = vec![(0, 0)];
    let mut count = 0;
    while let Some((y, x)) = stack.pop() {
        if grid[[y, x]] || std::mem::replace(&mut outside[[y, x]], true) {
            continue;
        }
        count += 1;
        let near = [(y.wrapping_sub(1), x), (y + 1, x), (y, x.wrapping_sub(1)), (y, x + 1)];
        stack.extend(near.into_iter().filter(|&(v, u)| v < h && u < w));
    }
    h * w - count
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0u32), |(s, n), v| (s + v, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appearance::srgb::to_encoded;
    use ndarray::Array3;

    /// A scene of linear light 0.4 with the mask's pixels at `inside`.
    fn scene(mask: &Array2<bool>, inside: f32) -> Array3<f32> {
        let (h, w) = mask.dim();
        Array3::from_shape_fn((h, w, 1), |(y, x, _)| to_encoded(if mask[[y, x]] { inside } else { 0.4 }))
    }

    #[test]
    fn discs_have_their_diameter_contrast_and_number() {
        let centers = [(20.3, 20.0, 5.0), (60.0, 30.4, 8.0), (40.7, 80.2, 11.0)];
        let mask = Array2::from_shape_fn((90, 110), |(y, x)| {
            centers.iter().any(|&(cy, cx, r): &(f64, f64, f64)| {
                let d = (y as f64 - cy).hypot(x as f64 - cx);
                // The largest one is a ring: what its rim encloses counts.
                d <= r && (r < 10.0 || d > 6.0)
            })
        });
        let found = measure(MechanismKind::PittingLoss, scene(&mask, 0.1).view(), mask.view()).unwrap();
        let mut sizes: Vec<f64> = found.parts.iter().map(|p| p.size).collect();
        sizes.sort_by(f64::total_cmp);
        for (size, (_, _, r)) in sizes.iter().zip(centers) {
            assert!((size / (2.0 * r) - 1.0).abs() < 0.03, "{size} for a disc of {}", 2.0 * r);
        }
        assert_eq!(sizes.len(), 3);
        assert!((found.log_contrast - 0.25f64.ln()).abs() < 1e-3, "{}", found.log_contrast);
    }

    #[test]
    fn bars_have_their_length_and_width_at_every_angle() {
        for i in 0..12 {
            let (s, c) = (std::f64::consts::PI * f64::from(i) / 12.0 + 0.05).sin_cos();
            let mask = Array2::from_shape_fn((121, 121), |(y, x)| {
                let (dy, dx) = (y as f64 - 60.2, x as f64 - 59.9);
                (dx * c + dy * s).abs() <= 40.0 && (dx * s - dy * c).abs() <= 2.5
            });
            let found = measure(MechanismKind::FractureLine, scene(&mask, 0.2).view(), mask.view()).unwrap();
            let part = found.parts[0];
            assert!((part.size - 80.0).abs() < 3.0 && (part.width - 5.0).abs() < 0.3, "step {i}: {part:?}");
        }
    }
}
