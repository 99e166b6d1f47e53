//! Cross-section of a groove between two ridges, and its rasterization.

use std::f64::consts::{PI, TAU};

use imgkit::Rect;
use ndarray::Array2;

/// Cross-section: a V of width w and depth (w / 2) tan(attack angle), between two ridges of profile sin^2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossSection {
    width: f64,
    depth: f64,
    ridge_width: f64,
    ridge_height: f64,
}

impl CrossSection {
    /// Creates the section of a groove of `width` px by an asperity of `attack_angle` radians; the two ridges, each
    /// `ridge` groove widths wide, hold together the share `pile_up` of the groove's area.
    #[must_use]
    pub fn new(width: f64, attack_angle: f64, pile_up: f64, ridge: f64) -> Self {
        let depth = 0.5 * width * attack_angle.tan();
        let ridge_width = ridge * width;
        // Two ridges of area height x width / 2.
        let ridge_height = if ridge_width > 0.0 { pile_up * 0.5 * width * depth / ridge_width } else { 0.0 };
        Self { width, depth, ridge_width, ridge_height }
    }

    /// Width of the groove at the old surface, px.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Depth of the groove below the old surface, px.
    #[must_use]
    pub fn depth(&self) -> f64 {
        self.depth
    }

    /// Height of the ridges above the old surface, px.
    #[must_use]
    pub fn ridge_height(&self) -> f64 {
        self.ridge_height
    }

    /// Area of the groove, px^2.
    #[must_use]
    pub fn groove_area(&self) -> f64 {
        0.5 * self.width * self.depth
    }

    /// Distance from the middle to the outer foot of a ridge, px.
    #[must_use]
    pub fn reach(&self) -> f64 {
        0.5 * self.width + self.ridge_width
    }

    /// Integral of the height from the middle to a distance, px^2: odd in the distance.
    fn integral(&self, distance: f64) -> f64 {
        let (u, half) = (distance.abs(), 0.5 * self.width);
        let groove = |u: f64| if half > 0.0 { -self.depth * (u - 0.5 * u * u / half) } else { 0.0 };
        let area = if u <= half {
            groove(u)
        } else {
            let t = (u - half).min(self.ridge_width);
            let ridge = if t > 0.0 {
                0.5 * self.ridge_height * (t - self.ridge_width / TAU * (TAU * t / self.ridge_width).sin())
            } else {
                0.0
            };
            groove(half) + ridge
        };
        area * distance.signum()
    }

    /// Height at a distance from the middle, px.
    #[must_use]
    pub fn height(&self, distance: f64) -> f64 {
        let (u, half) = (distance.abs(), 0.5 * self.width);
        if u < half {
            -self.depth * (1.0 - u / half)
        } else if u < self.reach() {
            self.ridge_height * (PI * (u - half) / self.ridge_width).sin().powi(2)
        } else {
            0.0
        }
    }

    /// Mean height over a pixel's width across the scratch, px: what is narrower than a pixel keeps its area.
    #[must_use]
    pub fn mean_height(&self, distance: f64) -> f64 {
        self.integral(distance + 0.5) - self.integral(distance - 0.5)
    }
}

/// Share of a pixel's width within `half` of the middle.
fn coverage(distance: f64, half: f64) -> f64 {
    ((distance + 0.5).min(half) - (distance - 0.5).max(-half)).clamp(0.0, 1.0)
}

/// Relief, share of bare groove and share of scratch of the pixels of a box.
pub(super) struct Raster {
    pub(super) bbox: Rect,
    pub(super) height: Array2<f32>,
    pub(super) bare: Array2<f32>,
    pub(super) cover: Array2<f32>,
}

impl Raster {
    pub(super) fn new(bbox: Rect) -> Self {
        let zeros = Array2::zeros((bbox.height(), bbox.width()));
        Self { bbox, height: zeros.clone(), bare: zeros.clone(), cover: zeros }
    }

    /// Adds one scratch: points (row, column) with the width at each. Where it crosses another, the deeper groove and
    /// the higher ridge stay, and a groove cuts a ridge.
    pub(super) fn scratch(&mut self, points: &[[f64; 2]], widths: &[f64], section: impl Fn(f64) -> CrossSection) {
        let (h, w) = self.height.dim();
        // Nearest part of the path: distance and width there.
        let mut nearest = Array2::<(f32, f32)>::from_elem((h, w), (f32::INFINITY, 0.0));
        // A wide groove needs no vertex at every pixel.
        let stride = (widths.iter().copied().fold(0.0, f64::max) / 16.0).floor().max(1.0) as usize;
        let last = points.len().saturating_sub(1);
        for from in (0..last).step_by(stride) {
            let to = (from + stride).min(last);
            let (p, width) = ([points[from], points[to]], [widths[from], widths[to]]);
            let widest = width[0].max(width[1]);
            if widest <= 0.0 {
                continue;
            }
            let margin = section(widest).reach() + 0.75;
            let a = [p[0][0] - self.bbox.top as f64, p[0][1] - self.bbox.left as f64];
            let d = [p[1][0] - p[0][0], p[1][1] - p[0][1]];
            let length2 = (d[0] * d[0] + d[1] * d[1]).max(1e-12);
            let range = |k: usize, n: usize| {
                let (low, high) = (a[k].min(a[k] + d[k]) - margin, a[k].max(a[k] + d[k]) + margin);
                (low.ceil().max(0.0) as usize, ((high.floor() + 1.0).max(0.0) as usize).min(n))
            };
            let ((y0, y1), (x0, x1)) = (range(0, h), range(1, w));
            for y in y0..y1 {
                for x in x0..x1 {
                    let (py, px) = (y as f64 - a[0], x as f64 - a[1]);
                    let t = ((py * d[0] + px * d[1]) / length2).clamp(0.0, 1.0);
                    let distance = (py - t * d[0]).hypot(px - t * d[1]) as f32;
                    if distance < nearest[[y, x]].0 {
                        nearest[[y, x]] = (distance, (width[0] + t * (width[1] - width[0])) as f32);
                    }
                }
            }
        }
        for (at, &(distance, width)) in nearest.indexed_iter() {
            if !distance.is_finite() || width <= 0.0 {
                continue;
            }
            let (section, distance) = (section(f64::from(width)), f64::from(distance));
            let cover = coverage(distance, section.reach()) as f32;
            if cover <= 0.0 {
                continue;
            }
            let (old, new) = (self.height[at], section.mean_height(distance) as f32);
            self.height[at] = if old.min(new) < 0.0 { old.min(new) } else { old.max(new) };
            self.bare[at] = self.bare[at].max(coverage(distance, 0.5 * section.width()) as f32);
            self.cover[at] = self.cover[at].max(cover);
        }
    }
}
