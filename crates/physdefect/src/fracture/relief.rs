//! Rasterization of a crack's polyline to relief and coverage in its own box.

use imgkit::Rect;
use ndarray::Array2;

use crate::Domain;

/// Branch of a crack: a polyline with an opening at each vertex.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Branch {
    /// Vertices (row, column) in px; a pixel's center lies at its index.
    pub points: Vec<[f64; 2]>,
    /// Opening at each vertex, px.
    pub opening: Vec<f64>,
}

impl Branch {
    /// Arc length, px.
    #[must_use]
    pub fn length(&self) -> f64 {
        self.points.windows(2).map(|p| (p[1][0] - p[0][0]).hypot(p[1][1] - p[0][1])).sum()
    }

    /// Integral of the opening over the length, px^2.
    #[must_use]
    pub fn area(&self) -> f64 {
        self.points
            .windows(2)
            .zip(self.opening.windows(2))
            .map(|(p, w)| (p[1][0] - p[0][0]).hypot(p[1][1] - p[0][1]) * 0.5 * (w[0] + w[1]))
            .sum()
    }
}

/// Relief `(h, w)` and coverage `(h, w)` of V-grooves along `branches`.
///
/// The coverage of a pixel is the share of its width that the opening takes across the crack; the groove's depth is
/// `aspect` times its opening. Work is bounded by the crack's area, memory by its box. `None` if nothing lies inside.
pub(super) fn rasterize(branches: &[Branch], aspect: f64, domain: &Domain) -> Option<(Rect, Array2<f32>, Array2<f32>)> {
    let (height, width) = domain.dim();
    let (mut lo, mut hi) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for branch in branches {
        for (p, w) in branch.points.iter().zip(&branch.opening) {
            for k in 0..2 {
                lo[k] = lo[k].min(p[k] - 0.5 * w);
                hi[k] = hi[k].max(p[k] + 0.5 * w);
            }
        }
    }
    let low = |v: f64, n: usize| ((v - 2.0).floor().max(0.0) as usize).min(n);
    let high = |v: f64, n: usize| ((v + 3.0).ceil().max(0.0) as usize).min(n);
    let bbox = Rect {
        top: low(lo[0], height),
        left: low(lo[1], width),
        bottom: high(hi[0], height),
        right: high(hi[1], width),
    };
    if bbox.is_empty() {
        return None;
    }
    let (h, w) = (bbox.height(), bbox.width());
    let mut coverage = vec![0.0f32; h * w];
    let mut relief = vec![0.0f32; h * w];
    for branch in branches {
        for (p, open) in branch.points.windows(2).zip(branch.opening.windows(2)) {
            segment(&mut coverage, &mut relief, bbox, [p[0], p[1]], [open[0], open[1]], aspect);
        }
    }
    let mask = domain.mask();
    for y in 0..h {
        for x in 0..w {
            if coverage[y * w + x] > 0.0 && !mask[[bbox.top + y, bbox.left + x]] {
                coverage[y * w + x] = 0.0;
                relief[y * w + x] = 0.0;
            }
        }
    }
    let relief = Array2::from_shape_vec((h, w), relief).ok()?;
    let coverage = Array2::from_shape_vec((h, w), coverage).ok()?;
    Some((bbox, relief, coverage))
}

fn segment(
    coverage: &mut [f32],
    relief: &mut [f32],
    bbox: Rect,
    points: [[f64; 2]; 2],
    opening: [f64; 2],
    aspect: f64,
) {
    let origin = [bbox.top as f64, bbox.left as f64];
    let a = [(points[0][0] - origin[0]) as f32, (points[0][1] - origin[1]) as f32];
    let d = [(points[1][0] - points[0][0]) as f32, (points[1][1] - points[0][1]) as f32];
    let length2 = (d[0] * d[0] + d[1] * d[1]).max(1e-12);
    let (w0, w1, aspect) = (opening[0] as f32, opening[1] as f32, aspect as f32);
    let margin = 0.5 * w0.max(w1) + 0.5;
    let range = |k: usize, n: usize| {
        let (lo, hi) = (a[k].min(a[k] + d[k]) - margin, a[k].max(a[k] + d[k]) + margin);
        (lo.ceil().max(0.0) as usize, ((hi.floor() + 1.0).max(0.0) as usize).min(n))
    };
    let width = bbox.width();
    let ((y0, y1), (x0, x1)) = (range(0, bbox.height()), range(1, width));
    for y in y0..y1 {
        for x in x0..x1 {
            let (py, px) = (y as f32 - a[0], x as f32 - a[1]);
            let t = ((py * d[0] + px * d[1]) / length2).clamp(0.0, 1.0);
            let (ey, ex) = (py - t * d[0], px - t * d[1]);
            let half = 0.5 * (w0 + t * (w1 - w0));
            let distance = (ey * ey + ex * ex).sqrt();
            let cover = ((distance + 0.5).min(half) - (distance - 0.5).max(-half)).clamp(0.0, 1.0);
            if cover > 0.0 {
                let i = y * width + x;
                coverage[i] = coverage[i].max(cover);
                let depth = 2.0 * half * aspect * (1.0 - distance / (half + 0.5)).max(0.0);
                relief[i] = relief[i].min(-depth);
            }
        }
    }
}
