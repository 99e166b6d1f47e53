//! The outline at the photo's own resolution: in a band around the coarse outline each pixel is compared with the
//! object's and the background's color nearby.

use ndarray::Array2;

use super::cells::{Cells, Plane, box_blur};

/// Cells around a place whose colors are averaged, to each side.
const NEARBY: usize = 4;
/// Share of the object at which a pixel counts as object: half would lie on the edge itself.
const INSIDE: f32 = 0.58;
/// Smallest color difference that decides alone, squared.
const NOISE: f32 = 0.03 * 0.03;

/// Refines the coarse probability `p` of the segmentation `mask` to `(height, width)` pixels.
pub(super) fn refine(cells: &Cells, p: &Plane<f32>, mask: &Plane<bool>, size: (usize, usize)) -> Array2<bool> {
    let (h, w) = (mask.h, mask.w);
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
            let (mut dot, mut gap) = (0.0, 0.0);
            for k in 0..3 {
                let d = f.mean[k] - b.mean[k];
                dot += (reduced.data[i][k] - b.mean[k]) * d;
                gap += d * d;
            }
            let alpha = (dot / gap.max(1e-9)).clamp(0.0, 1.0);
            let trust = 0.8 * gap / (gap + 2.0 * (f.variance + b.variance) + NOISE);
            soft.data[i] = trust * alpha + (1.0 - trust) * prior;
        }
    }
    let soft = box_blur(&soft, 1);
    if cells.shrink == 1 {
        return Array2::from_shape_fn(size, |(y, x)| soft.data[y * soft.w + x] > INSIDE);
    }
    let scale = 1.0 / cells.shrink as f32;
    let _ = h;
    Array2::from_shape_fn(size, |(y, x)| {
        bilinear(&soft, (y as f32 + 0.5) * scale - 0.5, (x as f32 + 0.5) * scale - 0.5) > INSIDE
    })
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
