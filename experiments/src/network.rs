//! A head with capacity: two hidden layers of rectified units, trained by Adam on weighted rows.

use maphc2f::imgkit::rng::keyed_stream;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand::seq::SliceRandom;
use rand_distr::{Distribution, Normal};

/// Units of each hidden layer, rows of a step, learning rate and weight decay.
const HIDDEN: usize = 256;
const BATCH: usize = 512;
const RATE: f32 = 1e-3;
const DECAY: f32 = 1e-4;

/// Weights `(inputs, outputs)` and biases of a layer, with their moments.
#[derive(Debug, Clone)]
struct Layer {
    weights: Array2<f32>,
    biases: Array1<f32>,
    moments: [(Array2<f32>, Array1<f32>); 2],
}

impl Layer {
    fn new(inputs: usize, outputs: usize, rng: &mut impl rand::Rng) -> Self {
        // He initialization
        let normal = Normal::new(0.0f32, (2.0 / inputs as f32).sqrt());
        let weights = Array2::from_shape_simple_fn((inputs, outputs), || normal.map_or(0.0, |n| n.sample(rng)));
        let zeros = || (Array2::zeros((inputs, outputs)), Array1::zeros(outputs));
        Self { weights, biases: Array1::zeros(outputs), moments: [zeros(), zeros()] }
    }

    fn apply(&self, input: ArrayView2<'_, f32>) -> Array2<f32> {
        input.dot(&self.weights) + &self.biases
    }

    /// One step of AdamW, number `step` from 1 on.
    fn update(&mut self, by_weights: &Array2<f32>, by_biases: &Array1<f32>, step: i32) {
        let [(first, first_b), (second, second_b)] = &mut self.moments;
        let (c1, c2) = (1.0 - 0.9f32.powi(step), 1.0 - 0.999f32.powi(step));
        let one = |t: &mut f32, m: &mut f32, v: &mut f32, g: f32| {
            *m = 0.9 * *m + 0.1 * g;
            *v = 0.999 * *v + 0.001 * g * g;
            *t -= RATE * ((*m / c1) / ((*v / c2).sqrt() + 1e-8) + DECAY * *t);
        };
        let of = self.weights.iter_mut().zip(first).zip(second).zip(by_weights);
        of.for_each(|(((t, m), v), g)| one(t, m, v, *g));
        let of = self.biases.iter_mut().zip(first_b).zip(second_b).zip(by_biases);
        of.for_each(|(((t, m), v), g)| one(t, m, v, *g));
    }
}

/// A trained network.
#[derive(Debug, Clone)]
pub struct Network([Layer; 3]);

impl Network {
    /// Trains on rows `(N, D)` with labels and weights by the weighted logistic loss, for some passes over all rows. A
    /// pure function of its arguments.
    #[must_use]
    pub fn fit(rows: ArrayView2<'_, f32>, labels: &[bool], weights: &[f32], passes: usize, seed: u64) -> Self {
        let mut rng = keyed_stream(seed, 0x006e_6574);
        let sizes = [(rows.ncols(), HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1)];
        let mut net = Self(sizes.map(|(inputs, outputs)| Layer::new(inputs, outputs, &mut rng)));
        let mut order: Vec<usize> = (0..rows.nrows()).collect();
        let mut step = 0;
        for _ in 0..passes {
            order.shuffle(&mut rng);
            for batch in order.chunks(BATCH) {
                step += 1;
                net.step(rows.select(Axis(0), batch).view(), batch, labels, weights, step);
            }
        }
        net
    }

    fn step(&mut self, input: ArrayView2<'_, f32>, batch: &[usize], labels: &[bool], weights: &[f32], step: i32) {
        let [first, second, last] = &mut self.0;
        let a = first.apply(input).mapv(|v| v.max(0.0));
        let b = second.apply(a.view()).mapv(|v| v.max(0.0));
        let logits = last.apply(b.view());
        let slope = |(z, &i): (&f32, &usize)| {
            let target = f32::from(u8::from(labels[i]));
            weights[i] * (1.0 / (1.0 + (-z).exp()) - target) / batch.len() as f32
        };
        let slopes: Vec<f32> = logits.iter().zip(batch).map(slope).collect();
        let by_logits = Array2::from_shape_vec((batch.len(), 1), slopes).unwrap_or_default();
        let mask = |mut by: Array2<f32>, hidden: &Array2<f32>| {
            by.zip_mut_with(hidden, |g, h| *g *= f32::from(u8::from(*h > 0.0)));
            by
        };
        let by_b = mask(by_logits.dot(&last.weights.t()), &b);
        let by_a = mask(by_b.dot(&second.weights.t()), &a);
        last.update(&b.t().dot(&by_logits), &by_logits.sum_axis(Axis(0)), step);
        second.update(&a.t().dot(&by_b), &by_b.sum_axis(Axis(0)), step);
        first.update(&input.t().dot(&by_a), &by_a.sum_axis(Axis(0)), step);
    }

    /// Logits of rows `(N, D)`.
    #[must_use]
    pub fn scores(&self, rows: ArrayView2<'_, f32>) -> Vec<f64> {
        let [first, second, last] = &self.0;
        let a = first.apply(rows).mapv(|v| v.max(0.0));
        let b = second.apply(a.view()).mapv(|v| v.max(0.0));
        last.apply(b.view()).iter().map(|v| f64::from(*v)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_told_from_what_it_surrounds_and_rows_without_weight_do_not_count() {
        let rows = Array2::from_shape_fn((400, 2), |(i, j)| {
            let (angle, radius) = (i as f32 * 0.7, if i % 2 == 0 { 0.5 } else { 1.5 });
            radius * if j == 0 { angle.cos() } else { angle.sin() }
        });
        // one label in four is wrong and has no weight
        let labels: Vec<bool> = (0..400).map(|i| (i % 2 == 1) != (i % 4 == 3)).collect();
        let weights: Vec<f32> = (0..400).map(|i| if i % 4 == 3 { 0.0 } else { 1.0 }).collect();
        let net = Network::fit(rows.view(), &labels, &weights, 200, 1);
        let scores = net.scores(rows.view());
        let right = scores.iter().enumerate().filter(|(i, s)| (**s > 0.0) == (i % 2 == 1)).count();
        assert!(right >= 398, "{right}");
        let trusting = Network::fit(rows.view(), &labels, &[1.0; 400], 200, 1).scores(rows.view());
        assert!(trusting.iter().enumerate().filter(|(i, s)| (**s > 0.0) == (i % 2 == 1)).count() < 390);
        assert_eq!(scores, Network::fit(rows.view(), &labels, &weights, 200, 1).scores(rows.view()));
    }
}
