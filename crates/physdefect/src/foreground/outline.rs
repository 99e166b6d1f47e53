//! The outline at the photo's own resolution: in a band around the coarse outline each pixel is compared with the
//! object's and the background's color nearby.

use imgkit::components::{Components, label_components};
use imgkit::distance::to_background;
use ndarray::Array2;

use super::cells::{Cells, Plane, box_blur};
use super::parts::drop_small;

/// Cells around a place whose colors are averaged, to each side.
const NEARBY: usize = 4;
/// Inward shift of the outline over the object's largest half-width; its bound over the frame's shorter side, and in
/// reduced px.
const INSET: f32 = 0.018;
const LARGEST_INSET: (f32, f32) = (0.0045, 2.0);
/// Parts of the refined outline below this share of the largest are specks.
const SPECK: f64 = 0.01;
/// Smallest color difference that decides alone, squared.
const NOISE: f32 = 0.03 * 0.03;

/// Refines the coarse probability `p` of the segmentation `mask` to `(height, width)` pixels.
pub(super) fn refine(cells: &Cells, p: &Plane<f32>, mask: &Plane<bool>, size: (usize, usize)) -> Array2<bool> {
    let w = mask.w;
    // Probability that agrees with the parts that were kept.
    let p = p.with(
        p.data.iter().zip(&mask.data).map(|(&p, &m)| if m { p.max(0.505) } else { p.min(0.495) }).collect::<Vec<f32>>(),
    );
    let inside = local_colors(cells, &p.map(|p| (2.0 * p - 1.0).max(0.0).powi(2)));
    let outside = local_colors(cells, &p.map(|p| (1.0 - 2.0 * p).max(0.0).powi(2)));
    let band = band(mask, 2);
    let reduced = &cells.reduced;
    let block = cells.block;
    // Soft decision at reduced resolution: 0 or 1 away from the band.
    let mut soft = Plane::new(reduced.h, reduced.w, 0f32);
    for y in 0..reduced.h {
        for x in 0..reduced.w {
            let cell = y / block * w + x / block;
            let i = y * reduced.w + x;
            if !band.data[cell] {
                soft.data[i] = f32::from(u8::from(mask.data[cell]));
                continue;
            }
            let prior = bilinear(&p, (y as f32 + 0.5) / block as f32 - 0.5, (x as f32 + 0.5) / block as f32 - 0.5);
            let (f, b) = (&inside[cell], &outside[cell]);
            if f.weight < 1e-3 || b.weight < 1e-3 {
                soft.data[i] = prior;
                continue;
            }
            let (mut dot, mut gap, mut length) = (0.0, 0.0, 0.0);
            for k in 0..3 {
                let (d, own) = (f.mean[k] - b.mean[k], reduced.data[i][k] - b.mean[k]);
                dot += own * d;
                gap += d * d;
                length += own * own;
            }
            let alpha = (dot / gap.max(1e-9)).clamp(0.0, 1.0);
            // A color off the line between both, as of a shadow, says little.
            let off = (length - dot * dot / gap.max(1e-9)).max(0.0);
            let trust = 0.8 * gap / (gap + 2.0 * (f.variance + b.variance + off) + NOISE);
            soft.data[i] = trust * alpha + (1.0 - trust) * prior;
        }
    }
    let mut kept = box_blur(&soft, 1).map(|v| v > 0.5);
    drop_small(&mut kept, SPECK);
    let smooth = box_blur(&inset(&kept, mask, &band, block), 1);
    if cells.shrink == 1 {
        return Array2::from_shape_fn(size, |(y, x)| smooth.data[y * smooth.w + x] > 0.5);
    }
    let scale = 1.0 / cells.shrink as f32;
    Array2::from_shape_fn(size, |(y, x)| {
        bilinear(&smooth, (y as f32 + 0.5) * scale - 0.5, (x as f32 + 0.5) * scale - 0.5) > 0.5
    })
}

/// Draws the outline inward by up to two pixels: what is placed on the foreground shall not lie on the background.
fn inset(kept: &Plane<bool>, coarse: &Plane<bool>, band: &Plane<bool>, block: usize) -> Plane<f32> {
    let depth = depths(coarse, block);
    let (h, w) = (kept.h, kept.w);
    let bound = (LARGEST_INSET.0 * h.min(w) as f32).min(LARGEST_INSET.1);
    let outside = |y: usize, x: usize, dy: isize, dx: isize| {
        let (y, x) = (y.saturating_add_signed(dy), x.saturating_add_signed(dx));
        y < h && x < w && !kept.data[y * w + x]
    };
    // Distances of a pixel's middle to middles outside, in rising order.
    const RINGS: [(f32, [(isize, isize); 4]); 3] = [
        (1.0, [(0, 1), (1, 0), (0, -1), (-1, 0)]),
        (std::f32::consts::SQRT_2, [(1, 1), (1, -1), (-1, 1), (-1, -1)]),
        (2.0, [(0, 2), (2, 0), (0, -2), (-2, 0)]),
    ];
    let mut out = Plane::new(h, w, 0f32);
    for y in 0..h {
        for x in 0..w {
            if !kept.data[y * w + x] {
                continue;
            }
            let cell = y / block * depth.w + x / block;
            if !band.data[cell] {
                out.data[y * w + x] = 1.0;
                continue;
            }
            let shift = (INSET * depth.data[cell]).min(bound);
            let near = RINGS.iter().find(|(_, ring)| ring.iter().any(|&(dy, dx)| outside(y, x, dy, dx)));
            // The edge lies half a pixel before the middle outside; a pixel that it cuts keeps the share that is left.
            let left = near.map_or(1.0, |(d, _)| (d - shift).clamp(0.0, 1.0));
            out.data[y * w + x] = left;
        }
    }
    out
}

/// Largest distance from the outline, reduced px, within the part of each cell; 0 outside.
fn depths(coarse: &Plane<bool>, block: usize) -> Plane<f32> {
    let array = Array2::from_shape_fn((coarse.h, coarse.w), |(y, x)| coarse.data[y * coarse.w + x]);
    let Components { labels, sizes } = label_components(array.view());
    let mut deepest = vec![0f32; sizes.len() + 1];
    for (&label, &d) in labels.iter().zip(&to_background(array.view())) {
        let deepest = &mut deepest[label as usize];
        // A part without an outline fills the frame.
        *deepest = deepest.max(if d.is_finite() { d * block as f32 } else { f32::MAX });
    }
    deepest[0] = 0.0;
    // Pixels of the refined outline may lie one cell outside.
    let own = coarse.with(labels.iter().map(|&l| deepest[l as usize]).collect::<Vec<f32>>());
    let (h, w) = (own.h, own.w);
    let data = (0..h * w).map(|i| {
        let (y, x) = (i / w, i % w);
        let mut most = 0f32;
        for yy in y.saturating_sub(2)..(y + 3).min(h) {
            for xx in x.saturating_sub(2)..(x + 3).min(w) {
                most = most.max(own.data[yy * w + xx]);
            }
        }
        most
    });
    Plane { h, w, data: if coarse.data.iter().all(|&m| m) { vec![f32::MAX; h * w] } else { data.collect() } }
}

#[derive(Debug, Clone, Copy)]
struct Local {
    weight: f32,
    mean: [f32; 3],
    variance: f32,
}

/// Weighted mean and total variance of the colors around each cell.
fn local_colors(cells: &Cells, weight: &Plane<f32>) -> Vec<Local> {
    let blur = |f: &dyn Fn(usize) -> f32| {
        let values = (0..weight.data.len()).map(|i| weight.data[i] * f(i)).collect();
        box_blur(&weight.with(values), NEARBY)
    };
    let total = blur(&|_| 1.0);
    let colors = &cells.colors.data;
    let sums = [0, 1, 2].map(|k| blur(&|i| colors[i][k]));
    let squares = blur(&|i| colors[i].iter().map(|v| v * v).sum());
    (0..total.data.len())
        .map(|i| {
            let n = total.data[i].max(1e-6);
            let mean = [0, 1, 2].map(|k: usize| sums[k].data[i] / n);
            let variance = (squares.data[i] / n - mean.iter().map(|m| m * m).sum::<f32>()).max(0.0);
            Local { weight: total.data[i], mean, variance }
        })
        .collect()
}

/// Cells within `radius` of a change of the mask.
fn band(mask: &Plane<bool>, radius: usize) -> Plane<bool> {
    let inner = super::parts::erode(mask, radius);
    let outer = super::parts::erode(&mask.map(|m| !m), radius);
    inner.with(inner.data.iter().zip(&outer.data).map(|(&i, &o)| !i && !o).collect())
}

fn bilinear(plane: &Plane<f32>, y: f32, x: f32) -> f32 {
    let (y, x) = (y.clamp(0.0, (plane.h - 1) as f32), x.clamp(0.0, (plane.w - 1) as f32));
    let (y0, x0) = (y as usize, x as usize);
    let (y1, x1) = ((y0 + 1).min(plane.h - 1), (x0 + 1).min(plane.w - 1));
    let (fy, fx) = (y - y0 as f32, x - x0 as f32);
    let at = |y: usize, x: usize| plane.data[y * plane.w + x];
    (at(y0, x0) * (1.0 - fx) + at(y0, x1) * fx) * (1.0 - fy) + (at(y1, x0) * (1.0 - fx) + at(y1, x1) * fx) * fy
}
