//! Minimization of a smooth convex function by L-BFGS: deterministic, without randomness or parallel sums of its own.

use std::collections::VecDeque;

/// Pairs of steps and changes of the gradient that are remembered.
const MEMORY: usize = 12;
/// Sufficient decrease of a step (Armijo) and its curvature (weak Wolfe).
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// Trials of a step's length.
const TRIALS: usize = 40;

/// Minimizes `function`, which returns the value at a point and writes the gradient there, from `start` until the
/// gradient's largest component is at most `tolerance`, no step lowers the value, or `steps` steps are done.
///
/// Two-loop recursion with a bisecting line search for the weak Wolfe conditions: J. Nocedal, S. Wright, Numerical
/// Optimization, 2006, algorithms 7.4 and 7.5.
#[must_use]
pub(crate) fn minimize(
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
    start: Vec<f64>,
    tolerance: f64,
    steps: usize,
) -> Vec<f64> {
    let mut point = start;
    let mut gradient = vec![0.0; point.len()];
    let mut value = function(&point, &mut gradient);
    let mut pairs: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::new();
    for _ in 0..steps {
        if gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs())) <= tolerance {
            break;
        }
        let direction = descent(&gradient, &pairs);
        let slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            break; // rounding has eaten the curvature
        }
        let Some((next, next_value, next_gradient)) = search(&mut function, &point, value, &direction, slope) else {
            break;
        };
        let step: Vec<f64> = next.iter().zip(&point).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        if dot(&step, &change) > 0.0 {
            if pairs.len() == MEMORY {
                pairs.pop_front();
            }
            pairs.push_back((step, change));
        }
        (point, value, gradient) = (next, next_value, next_gradient);
    }
    point
}

/// Direction of descent: minus the inverse curvature of the remembered pairs times the gradient.
fn descent(gradient: &[f64], pairs: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(pairs.len());
    for (step, change) in pairs.iter().rev() {
        let share = dot(step, &direction) / dot(step, change);
        add(&mut direction, -share, change);
        shares.push(share);
    }
    let scale = match pairs.back() {
        Some((step, change)) => dot(step, change) / dot(change, change),
        None => 1.0 / dot(gradient, gradient).sqrt().max(1.0),
    };
    direction.iter_mut().for_each(|d| *d *= scale);
    for ((step, change), share) in pairs.iter().zip(shares.iter().rev()) {
        let correction = share - dot(change, &direction) / dot(step, change);
        add(&mut direction, correction, step);
    }
    direction
}

/// Point along `direction` that meets the weak Wolfe conditions, with its value and gradient; the best that was tried
/// if none does, and `None` if none is lower.
fn search(
    function: &mut impl FnMut(&[f64], &mut [f64]) -> f64,
    point: &[f64],
    value: f64,
    direction: &[f64],
    slope: f64,
) -> Option<(Vec<f64>, f64, Vec<f64>)> {
    let (mut low, mut high, mut length) = (0.0, f64::INFINITY, 1.0);
    let mut best: Option<(Vec<f64>, f64, Vec<f64>)> = None;
    for _ in 0..TRIALS {
        let mut next = point.to_vec();
        add(&mut next, length, direction);
        let mut gradient = vec![0.0; next.len()];
        let next_value = function(&next, &mut gradient);
        let decreases = next_value <= value + DECREASE * length * slope;
        let flat = dot(&gradient, direction) >= CURVATURE * slope;
        if next_value < best.as_ref().map_or(value, |b| b.1) {
            best = Some((next, next_value, gradient));
        }
        if decreases && flat {
            break;
        }
        if decreases {
            low = length;
        } else {
            high = length;
        }
        length = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * low };
    }
    best
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, other: &[f64]) {
    to.iter_mut().zip(other).for_each(|(t, o)| *t += factor * o);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minimum 0 at (1, 1), at the end of a curved valley: H. Rosenbrock, The Computer Journal 3 (1960) 175.
    #[test]
    fn the_end_of_rosenbrocks_valley_is_found() {
        let valley = |x: &[f64], g: &mut [f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            (g[0], g[1]) = (-2.0 * a - 400.0 * x[0] * b, 200.0 * b);
            a * a + 100.0 * b * b
        };
        let lowest = minimize(valley, vec![-1.2, 1.0], 1e-10, 200);
        assert!(lowest.iter().all(|x| (x - 1.0).abs() < 1e-8), "{lowest:?}");
    }

    /// A quadratic whose minimum is known: curvatures from 1 to 1e4.
    #[test]
    fn an_elongated_bowl_ends_at_its_center() {
        let bowl = |x: &[f64], g: &mut [f64]| {
            x.iter().zip(g).enumerate().fold(0.0, |sum, (i, (x, g))| {
                let (curvature, away) = (10f64.powf(i as f64 * 0.4), x - i as f64);
                *g = curvature * away;
                sum + 0.5 * curvature * away * away
            })
        };
        let lowest = minimize(bowl, vec![0.0; 11], 1e-9, 300);
        assert!(lowest.iter().enumerate().all(|(i, x)| (x - i as f64).abs() < 1e-8), "{lowest:?}");
    }
}
