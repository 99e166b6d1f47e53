//! ROC and PRO curves of a category.

use super::threshold_grid::{Grid, Point, Totals};

/// A curve from (0, 0) to (1, 1).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Curve {
    /// The defect kind, or `overall`.
    pub name: String,
    /// Points by ascending false-positive rate: that rate, and the rate of what is found.
    pub points: Vec<(f64, f64)>,
}

/// Curves of a category, each first overall and then for the kinds of defect in byte order. They have a point for each
/// distinct anomalous score, or at some 300 scores where there are more.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Curves {
    /// ROC of the images.
    pub image_roc: Vec<Curve>,
    /// ROC of the pixels; empty without maps.
    pub pixel_roc: Vec<Curve>,
    /// Per-region overlap over the false-positive rate of the pixels; empty without maps.
    pub pro: Vec<Curve>,
}

impl Curves {
    /// Moves the last curve, overall, to the front.
    pub(super) fn overall_first(&mut self) {
        for curves in [&mut self.image_roc, &mut self.pixel_roc, &mut self.pro] {
            let by = usize::from(!curves.is_empty());
            curves.rotate_right(by);
        }
    }
}

pub(super) fn roc(grid: &Grid, name: &str, weights: &[f64]) -> Curve {
    curve(grid, name, weights, |p, t| p.true_positives / t.anomalous)
}

pub(super) fn pro(grid: &Grid, name: &str, weights: &[f64]) -> Curve {
    curve(grid, name, weights, |p, t| p.overlap / t.regions)
}

fn curve(grid: &Grid, name: &str, weights: &[f64], y: impl Fn(Point, &Totals) -> f64) -> Curve {
    let totals = grid.totals(weights);
    let mut points: Vec<(f64, f64)> = vec![(0.0, 0.0)];
    let mut push = |point: (f64, f64)| {
        // Of several points on a straight horizontal or vertical line the middle ones say nothing.
        if let [.., a, b] = points.as_slice()
            && ((a.0 == b.0 && b.0 == point.0) || (a.1 == b.1 && b.1 == point.1))
        {
            points.pop();
        }
        points.push(point);
    };
    grid.walk(weights, |p| push((p.false_positives / totals.normal, y(p, &totals).min(1.0))));
    push((1.0, 1.0));
    Curve { name: name.to_owned(), points }
}
