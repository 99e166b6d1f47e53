//! The trained part of the detector: how a patch deviates from normal, in; a logit, out.

use candle_core::{D, Device, Tensor, Var};
use ndarray::{ArrayView1, ArrayView2, Axis};
use rand::Rng;
use rand_distr::{Distribution, Normal};
use rayon::prelude::*;

use crate::hypergradient::Bilevel;
use crate::{Error, bce_with_logits};

/// Patches drawn from one image of the lower level, and of the upper: its gradient is to cost less than the lower one, and few patches of
/// many images say more than many of few.
pub(crate) const DRAWN: usize = 256;
pub(crate) const META_DRAWN: usize = DRAWN / 2;
/// Share of a patch that must be masked for a full positive label.
const FULL_LABEL: f32 = 0.25;

/// What a logit is at first: this much of the sum of a patch's scaled distances, less one.
const FIRST: (f64, f64) = (0.3, -1.0);

/// Shape of the network: linear, ReLU, linear, and beside it a multiple of the sum of the last `levels` inputs (the scaled distances), so that
/// it starts from what needs no training and learns what to add. Parameters live in one flat vector: weights and biases, layer after layer,
/// then the multiple.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) inputs: usize,
    pub(crate) levels: usize,
    pub(crate) hidden: usize,
}

impl Shape {
    fn sizes(self) -> [(usize, usize); 5] {
        [(self.inputs, self.hidden), (1, self.hidden), (self.hidden, 1), (1, 1), (1, 1)]
    }

    pub(crate) fn parameters(self) -> usize {
        self.sizes().iter().map(|(a, b)| a * b).sum()
    }

    /// He initialisation; the output layer starts at zero.
    pub(crate) fn initial<R: Rng>(self, rng: &mut R) -> Vec<f64> {
        let spread = (2.0 / self.inputs as f64).sqrt();
        let mut theta = vec![0.0; self.parameters()];
        if let Ok(normal) = Normal::new(0.0, spread) {
            theta[..self.inputs * self.hidden].iter_mut().for_each(|t| *t = normal.sample(rng));
        }
        if let [.., bias, multiple] = theta.as_mut_slice() {
            (*multiple, *bias) = FIRST;
        }
        theta
    }

    fn split(self, theta: &[f64]) -> Result<Vec<Tensor>, Error> {
        if theta.len() != self.parameters() {
            return Err(Error::Length { what: "theta", found: theta.len(), expected: self.parameters() });
        }
        let mut start = 0;
        self.sizes()
            .into_iter()
            .map(|(a, b)| {
                let values: Vec<f32> = theta[start..start + a * b].iter().map(|&v| v as f32).collect();
                start += a * b;
                Ok(Tensor::from_vec(values, (a, b), &Device::Cpu)?)
            })
            .collect()
    }

    /// Logits of inputs `(N, inputs)`, without a gradient: plain products, for candle's threads would go on spinning after each.
    pub(crate) fn logits(self, theta: &[f64], input: ArrayView2<'_, f32>) -> Result<Vec<f32>, Error> {
        let wrong = Error::Length { what: "theta", found: theta.len(), expected: self.parameters() };
        let numbers: Vec<f32> = theta.iter().map(|&v| v as f32).collect();
        let (first, rest) = numbers.split_at_checked(self.inputs * self.hidden).ok_or(wrong)?;
        let wrong = || Error::Length { what: "inputs", found: input.ncols(), expected: self.inputs };
        let first = ArrayView2::from_shape((self.inputs, self.hidden), first).map_err(|_| wrong())?;
        let (bias, rest) = rest.split_at(self.hidden.min(rest.len()));
        let (second, &[last_bias, multiple]) = rest.split_at(self.hidden.min(rest.len())) else { return Err(wrong()) };
        if input.ncols() != self.inputs {
            return Err(wrong());
        }
        const CHUNK: usize = 128;
        let chunks: Vec<_> = input.axis_chunks_iter(Axis(0), CHUNK).collect();
        let logits = chunks.into_par_iter().flat_map_iter(|rows| {
            let hidden = rows.dot(&first);
            let one = |(row, hidden): (ArrayView1<'_, f32>, ArrayView1<'_, f32>)| {
                let distances: f32 = row.iter().skip(self.inputs - self.levels).sum();
                let learnt: f32 = hidden.iter().zip(bias).zip(second).map(|((h, b), w)| (h + b).max(0.0) * w).sum();
                learnt + last_bias + multiple * distances
            };
            rows.outer_iter().zip(hidden.outer_iter()).map(one).collect::<Vec<f32>>()
        });
        Ok(logits.collect())
    }

    fn forward(self, layers: &[Tensor], input: &Tensor) -> Result<Tensor, Error> {
        let [w1, b1, w2, b2, multiple] = layers else {
            return Err(Error::Length { what: "layers", found: layers.len(), expected: 5 });
        };
        let hidden = input.matmul(w1)?.broadcast_add(b1)?.relu()?;
        let learnt = hidden.matmul(w2)?.broadcast_add(b2)?;
        let distances = input.narrow(1, self.inputs - self.levels, self.levels)?.sum_keepdim(1)?;
        Ok((learnt + distances.matmul(multiple)?)?.squeeze(1)?)
    }
}

/// Which patches of an image train, with their labels and shares of the image's loss.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draw {
    pub(crate) patches: Vec<usize>,
    pub(crate) targets: Vec<f32>,
    pub(crate) shares: Vec<f32>,
}

impl Draw {
    /// Half the loss for masked patches (by label), half for patches away from the mask; the rim of the mask is left out, because its
    /// features see the defect, and so are masked patches that `visible` denies: to call anomalous what looks normal teaches only noise.
    ///
    /// `count` patches, at most half of them masked.
    pub(crate) fn new<R: Rng>(
        coverage: &[f32],
        visible: impl Fn(usize) -> bool,
        columns: usize,
        count: usize,
        rng: &mut R,
    ) -> Self {
        let rows = coverage.len() / columns;
        let near = |p: usize| {
            let (y, x) = (p / columns, p % columns);
            (y.saturating_sub(1)..(y + 2).min(rows))
                .any(|yy| (x.saturating_sub(1)..(x + 2).min(columns)).any(|xx| coverage[yy * columns + xx] > 0.0))
        };
        let marked: Vec<usize> = (0..coverage.len()).filter(|&p| coverage[p] > 0.0 && visible(p)).collect();
        let away: Vec<usize> = (0..coverage.len()).filter(|&p| !near(p)).collect();
        let mut pick = |from: &[usize], n: usize| -> Vec<usize> {
            if from.len() <= n {
                from.to_vec()
            } else {
                rand::seq::index::sample(rng, from.len(), n).into_iter().map(|i| from[i]).collect()
            }
        };
        let mut patches = pick(&marked, count / 2);
        let positive = patches.len();
        patches.extend(pick(&away, count - positive));
        let negative = patches.len() - positive;
        let mut targets: Vec<f32> = patches
            .iter()
            .map(|&p| if coverage[p] > 0.0 { (coverage[p] / FULL_LABEL).min(1.0) } else { 0.0 })
            .collect();
        let label_sum: f32 = targets.iter().sum();
        let (half_positive, half_negative) = match (positive, negative) {
            (0, _) => (0.0, 1.0),
            (_, 0) => (1.0, 0.0),
            _ => (0.5, 0.5),
        };
        let mut shares: Vec<f32> = targets
            .iter()
            .enumerate()
            .map(|(i, t)| if i < positive { half_positive * t / label_sum } else { half_negative / negative as f32 })
            .collect();
        // every image has the same number of rows; missing ones repeat row 0 with no share
        let first = patches.first().copied().unwrap_or(0);
        patches.resize(count, first);
        targets.resize(count, 0.0);
        shares.resize(count, 0.0);
        Self { patches, targets, shares }
    }
}

/// Drawn patches of one image.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    /// `(patches * inputs)` numbers.
    pub(crate) input: Vec<f32>,
    pub(crate) draw: Draw,
}

/// As many drawn patches of each of some images: inputs `(B * patches, inputs)`, labels and shares `(B, patches)`.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    input: Tensor,
    targets: Tensor,
    shares: Tensor,
}

impl Stack {
    pub(crate) fn new<'d>(images: impl Iterator<Item = &'d Drawn>, inputs: usize) -> Result<Self, Error> {
        let (mut b, mut count) = (0, 0);
        let (mut input, mut targets, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for image in images {
            b += 1;
            count = image.draw.patches.len();
            input.extend_from_slice(&image.input);
            targets.extend_from_slice(&image.draw.targets);
            shares.extend_from_slice(&image.draw.shares);
        }
        Ok(Self {
            input: Tensor::from_vec(input, (b * count, inputs), &Device::Cpu)?,
            targets: Tensor::from_vec(targets, (b, count), &Device::Cpu)?,
            shares: Tensor::from_vec(shares, (b, count), &Device::Cpu)?,
        })
    }

    /// Loss of each image `(B)`.
    fn losses(&self, shape: Shape, layers: &[Tensor]) -> Result<Tensor, Error> {
        let logits = shape.forward(layers, &self.input)?.reshape(self.targets.shape())?;
        Ok((bce_with_logits(&logits, &self.targets)? * &self.shares)?.sum(D::Minus1)?)
    }
}

/// One step's lower problem: weighted synthetic images and unweighted normal ones.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) shape: Shape,
    pub(crate) synthetic: Stack,
    pub(crate) normal: Stack,
    /// Normal patches pushed away in feature space, all labelled anomalous.
    pub(crate) noise: Option<Stack>,
}

impl Step {
    /// Value and gradient of a scalar function of the layers.
    fn differentiate(
        &self,
        theta: &[f64],
        loss: impl Fn(&[Tensor]) -> Result<Tensor, Error>,
    ) -> Result<(f64, Vec<f64>), Error> {
        let vars: Vec<Var> = self.shape.split(theta)?.iter().map(Var::from_tensor).collect::<Result<_, _>>()?;
        let layers: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let value = loss(&layers)?;
        let grads = value.backward()?;
        let mut gradient = Vec::with_capacity(theta.len());
        for var in &vars {
            match grads.get(var) {
                Some(g) => gradient.extend(g.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f64::from)),
                None => gradient.resize(gradient.len() + var.elem_count(), 0.0),
            }
        }
        Ok((f64::from(value.to_scalar::<f32>()?), gradient))
    }

    /// The weighted lower loss and its gradient.
    pub(crate) fn lower(&self, theta: &[f64], weights: &[f64]) -> Result<(f64, Vec<f64>), Error> {
        let weights: Vec<f32> = weights.iter().map(|&w| w as f32).collect();
        let weights = Tensor::new(weights.as_slice(), &Device::Cpu)?;
        self.differentiate(theta, |layers| {
            let anomalous = (self.synthetic.losses(self.shape, layers)? * &weights)?.mean_all()?;
            let lower = (anomalous + self.normal.losses(self.shape, layers)?.mean_all()?)?;
            match &self.noise {
                Some(noise) => Ok((lower + noise.losses(self.shape, layers)?.mean_all()?)?),
                None => Ok(lower),
            }
        })
    }
}

/// A step under its meta set (held-out anomalies, held-out normals), with the lower gradient that is known already at one place.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) problem: &'a Step,
    pub(crate) meta: &'a (Stack, Stack),
    pub(crate) theta: &'a [f64],
    pub(crate) weights: &'a [f64],
    pub(crate) gradient: &'a [f64],
}

impl Bilevel for Known<'_> {
    fn losses(&self, theta: &[f64]) -> Result<Vec<f64>, Error> {
        let losses =
            self.problem.synthetic.losses(self.problem.shape, &self.problem.shape.split(theta)?)?.to_vec1::<f32>()?;
        Ok(losses.into_iter().map(f64::from).collect())
    }

    fn weighted_gradient(&self, theta: &[f64], weights: &[f64]) -> Result<Vec<f64>, Error> {
        if theta == self.theta && weights == self.weights {
            return Ok(self.gradient.to_vec());
        }
        Ok(self.problem.lower(theta, weights)?.1)
    }

    fn upper(&self, theta: &[f64]) -> Result<(f64, Vec<f64>), Error> {
        let (anomalous, normal) = self.meta;
        self.problem.differentiate(theta, |layers| {
            Ok((anomalous.losses(self.problem.shape, layers)?.mean_all()?
                + normal.losses(self.problem.shape, layers)?.mean_all()?)?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypergradient::{ForwardDifference, Hypergradient};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn stack(b: usize, inputs: usize, seed: u64) -> Stack {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let images: Vec<_> = (0..b)
            .map(|_| {
                let coverage: Vec<f32> = (0..400).map(|i| if i % 20 < 4 { 0.2 } else { 0.0 }).collect();
                let draw = Draw::new(&coverage, |_| true, 20, DRAWN, &mut rng);
                let input = (0..DRAWN * inputs).map(|_| rng.random_range(-1.0f32..1.0)).collect();
                Drawn { input, draw }
            })
            .collect();
        Stack::new(images.iter(), inputs).unwrap()
    }

    fn step() -> (Step, (Stack, Stack), Vec<f64>) {
        let shape = Shape { inputs: 5, levels: 2, hidden: 7 };
        let mut theta = shape.initial(&mut ChaCha8Rng::seed_from_u64(3));
        theta.iter_mut().enumerate().for_each(|(i, t)| *t += 0.3 * ((i * 29 % 17) as f64 / 8.0 - 1.0));
        let step = Step { shape, synthetic: stack(3, 5, 10), normal: stack(2, 5, 11), noise: Some(stack(2, 5, 14)) };
        (step, (stack(2, 5, 12), stack(2, 5, 13)), theta)
    }

    #[test]
    fn lower_and_upper_gradients_equal_their_finite_differences() {
        let (step, meta, theta) = step();
        let weights = [0.5, 2.0, 0.5];
        let known = Known { problem: &step, meta: &meta, theta: &[], weights: &[], gradient: &[] };
        let lower = |t: &[f64]| step.lower(t, &weights).unwrap();
        let upper = |t: &[f64]| known.upper(t).unwrap();
        for f in [&lower as &dyn Fn(&[f64]) -> (f64, Vec<f64>), &upper] {
            let gradient = f(&theta).1;
            for i in 0..theta.len() {
                let (mut up, mut down) = (theta.clone(), theta.clone());
                up[i] += 1e-2;
                down[i] -= 1e-2;
                let difference = (f(&up).0 - f(&down).0) / 2e-2;
                assert!((gradient[i] - difference).abs() < 1e-3, "{i}: {} {difference}", gradient[i]);
            }
        }
    }

    /// The network's own hypergradient against moving each weight and taking the step again.
    #[test]
    fn the_hypergradient_equals_brute_force_differences_of_the_upper_loss() {
        let (step, meta, theta) = step();
        let (weights, eta) = ([1.0, 0.7, 1.3], 0.5);
        let gradient = step.lower(&theta, &weights).unwrap().1;
        let step = Known { problem: &step, meta: &meta, theta: &theta, weights: &weights, gradient: &gradient };
        let answer = ForwardDifference::default().weight_gradient(&step, &theta, &weights, eta).unwrap();
        let upper_after = |w: &[f64]| {
            let g = step.weighted_gradient(&theta, w).unwrap();
            step.upper(&theta.iter().zip(&g).map(|(t, g)| t - eta * g).collect::<Vec<_>>()).unwrap().0
        };
        for i in 0..3 {
            let (mut up, mut down) = (weights, weights);
            up[i] += 0.05;
            down[i] -= 0.05;
            let difference = (upper_after(&up) - upper_after(&down)) / 0.1;
            let error = (answer.gradient[i] - difference).abs();
            assert!(error < 0.02 * difference.abs() + 2e-5, "{i}: {} {difference}", answer.gradient[i]);
        }
    }

    #[test]
    fn before_training_the_logit_is_the_sum_of_the_distances() {
        let shape = Shape { inputs: 5, levels: 2, hidden: 7 };
        let theta = shape.initial(&mut ChaCha8Rng::seed_from_u64(3));
        let input = ndarray::array![[9.0f32, -4.0, 7.0, 1.0, 2.0], [0.0, 0.0, 0.0, 5.0, 0.0]];
        let logits = shape.logits(&theta, input.view()).unwrap();
        assert!((logits[0] + 0.1).abs() < 1e-6 && (logits[1] - 0.5).abs() < 1e-6, "{logits:?}");
    }

    /// Logits with and without a gradient are the same function.
    #[test]
    fn plain_products_equal_candles() {
        let (step, _, theta) = step();
        let input = ndarray::Array2::from_shape_fn((300, 5), |(i, j)| ((i * 7 + j * 3) % 11) as f32 / 5.0 - 1.0);
        let tensor = Tensor::from_vec(input.iter().copied().collect::<Vec<_>>(), (300, 5), &Device::Cpu).unwrap();
        let layers = step.shape.split(&theta).unwrap();
        let expected = step.shape.forward(&layers, &tensor).unwrap().to_vec1::<f32>().unwrap();
        let found = step.shape.logits(&theta, input.view()).unwrap();
        assert!(expected.iter().any(|v| (v - expected[0]).abs() > 0.1));
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5));
        assert!(step.shape.logits(&theta[1..], input.view()).is_err());
        assert!(step.shape.logits(&theta, input.t()).is_err());
    }

    #[test]
    fn a_draw_splits_the_loss_evenly_and_skips_the_rim() {
        let mut coverage = vec![0.0; 400];
        coverage[10 * 20 + 10] = 0.1;
        coverage[10 * 20 + 11] = 0.9;
        let draw = Draw::new(&coverage, |_| true, 20, DRAWN, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(draw.patches.len(), DRAWN);
        let share = |positive: bool| -> f32 {
            draw.targets.iter().zip(&draw.shares).filter(|(t, _)| (**t > 0.0) == positive).map(|(_, s)| s).sum()
        };
        assert!((share(true) - 0.5).abs() < 1e-5 && (share(false) - 0.5).abs() < 1e-5);
        assert_eq!(draw.targets[..2].iter().copied().fold(0.0, f32::max), 1.0);
        let rim = 9 * 20 + 12;
        assert!(draw.patches.iter().zip(&draw.shares).all(|(&p, &s)| p != rim || s == 0.0));
        // what cannot be seen trains neither way
        let draw = Draw::new(&coverage, |p| p != 10 * 20 + 11, 20, DRAWN, &mut ChaCha8Rng::seed_from_u64(1));
        let used = |p: usize| draw.patches.iter().zip(&draw.shares).any(|(&q, &s)| q == p && s > 0.0);
        assert!(used(10 * 20 + 10) && !used(10 * 20 + 11) && !used(rim));
        // half of fewer, if there are as many
        let draw = Draw::new(&[1.0; 400], |_| true, 20, 16, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!((draw.patches.len(), draw.shares.iter().filter(|s| **s > 0.0).count()), (16, 8));
        // a normal image: all of the loss on its patches
        let draw = Draw::new(&[0.0; 400], |_| true, 20, DRAWN, &mut ChaCha8Rng::seed_from_u64(1));
        assert!((draw.shares.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
