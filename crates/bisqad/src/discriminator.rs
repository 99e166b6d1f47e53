//! The trained part of the detector: a patch and how it deviates from its nearest normal patch, in; a logit, out.

use candle_core::{D, Device, Tensor, Var};
use ndarray::Array2;
use rand::Rng;
use rand_distr::{Distribution, Normal, StandardNormal};

use crate::hypergradient::Bilevel;
use crate::{Error, bce_with_logits};

/// Patches drawn from one image.
pub(crate) const DRAWN: usize = 256;
/// Share of a patch that must be masked for a full positive label.
const FULL_LABEL: f32 = 0.25;

/// Shape of the network: linear, ReLU, linear. Parameters live in one flat vector: weights and biases, layer after layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) inputs: usize,
    pub(crate) hidden: usize,
}

impl Shape {
    fn sizes(self) -> [(usize, usize); 4] {
        [(self.inputs, self.hidden), (1, self.hidden), (self.hidden, 1), (1, 1)]
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

    /// Logits `(N)` of inputs `(N, inputs)`.
    pub(crate) fn logits(self, theta: &[f64], input: &Tensor) -> Result<Tensor, Error> {
        forward(&self.split(theta)?, input)
    }
}

fn forward(layers: &[Tensor], input: &Tensor) -> Result<Tensor, Error> {
    let [w1, b1, w2, b2] = layers else {
        return Err(Error::Length { what: "layers", found: layers.len(), expected: 4 });
    };
    let hidden = input.matmul(w1)?.broadcast_add(b1)?.relu()?;
    Ok(hidden.matmul(w2)?.broadcast_add(b2)?.squeeze(1)?)
}

/// Numbers that the discriminator reads of a patch of `dimensions` whitened features.
pub(crate) fn width(dimensions: usize) -> usize {
    2 * dimensions + 1
}

/// Pushes discriminator inputs (rows of [`width`] numbers) in random directions by half to once `reach` residual lengths.
pub(crate) fn push_away<R: Rng>(rows: &mut [f32], dimensions: usize, reach: f32, rng: &mut R) {
    let unit = (dimensions as f32).sqrt(); // one residual length in these units
    for row in rows.chunks_exact_mut(width(dimensions)) {
        let Some((length, vectors)) = row.split_last_mut() else { return };
        let direction: Vec<f32> = (0..dimensions).map(|_| StandardNormal.sample(rng)).collect();
        let norm = direction.iter().map(|d| d * d).sum::<f32>().sqrt().max(1e-12);
        let step = reach * rng.random_range(0.5f32..1.0) * unit / norm;
        vectors
            .chunks_exact_mut(dimensions)
            .for_each(|v| v.iter_mut().zip(&direction).for_each(|(v, d)| *v += step * d));
        *length = vectors[dimensions..].iter().map(|r| r * r).sum::<f32>().sqrt() / unit;
    }
}

/// Discriminator input of patches `(N, D)` with their residuals `(N, D)`: both, and the residual's length, in units of `scale`.
pub(crate) fn inputs(patches: &Array2<f32>, residuals: &Array2<f32>, scale: f32) -> Vec<f32> {
    let gain = (residuals.ncols() as f32).sqrt() / scale;
    let mut out = Vec::with_capacity(residuals.nrows() * width(residuals.ncols()));
    for (patch, residual) in patches.outer_iter().zip(residuals.outer_iter()) {
        out.extend(patch.iter().chain(residual).map(|v| v * gain));
        out.push(residual.dot(&residual).sqrt() / scale);
    }
    out
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
    pub(crate) fn new<R: Rng>(coverage: &[f32], visible: impl Fn(usize) -> bool, columns: usize, rng: &mut R) -> Self {
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
        let mut patches = pick(&marked, DRAWN / 2);
        let positive = patches.len();
        patches.extend(pick(&away, DRAWN - positive));
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
        patches.resize(DRAWN, first);
        targets.resize(DRAWN, 0.0);
        shares.resize(DRAWN, 0.0);
        Self { patches, targets, shares }
    }
}

/// Drawn patches of one image.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    /// `(DRAWN * inputs)` numbers, see [`inputs`].
    pub(crate) input: Vec<f32>,
    pub(crate) draw: Draw,
}

/// Drawn patches of some images: inputs `(B * DRAWN, inputs)`, labels and shares `(B, DRAWN)`.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    input: Tensor,
    targets: Tensor,
    shares: Tensor,
}

impl Stack {
    pub(crate) fn new<'d>(images: impl Iterator<Item = &'d Drawn>, inputs: usize) -> Result<Self, Error> {
        let mut b = 0;
        let (mut input, mut targets, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for image in images {
            b += 1;
            input.extend_from_slice(&image.input);
            targets.extend_from_slice(&image.draw.targets);
            shares.extend_from_slice(&image.draw.shares);
        }
        Ok(Self {
            input: Tensor::from_vec(input, (b * DRAWN, inputs), &Device::Cpu)?,
            targets: Tensor::from_vec(targets, (b, DRAWN), &Device::Cpu)?,
            shares: Tensor::from_vec(shares, (b, DRAWN), &Device::Cpu)?,
        })
    }

    /// Loss of each image `(B)`.
    fn losses(&self, layers: &[Tensor]) -> Result<Tensor, Error> {
        let logits = forward(layers, &self.input)?.reshape(self.targets.shape())?;
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
            let anomalous = (self.synthetic.losses(layers)? * &weights)?.mean_all()?;
            let lower = (anomalous + self.normal.losses(layers)?.mean_all()?)?;
            match &self.noise {
                Some(noise) => Ok((lower + noise.losses(layers)?.mean_all()?)?),
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
        let losses = self.problem.synthetic.losses(&self.problem.shape.split(theta)?)?.to_vec1::<f32>()?;
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
            Ok((anomalous.losses(layers)?.mean_all()? + normal.losses(layers)?.mean_all()?)?)
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
                let draw = Draw::new(&coverage, |_| true, 20, &mut rng);
                let input = (0..DRAWN * inputs).map(|_| rng.random_range(-1.0f32..1.0)).collect();
                Drawn { input, draw }
            })
            .collect();
        Stack::new(images.iter(), inputs).unwrap()
    }

    fn step() -> (Step, (Stack, Stack), Vec<f64>) {
        let shape = Shape { inputs: 5, hidden: 7 };
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

    /// The pushed row must be what `inputs` would give for the pushed residual.
    #[test]
    fn pushing_away_keeps_the_length_consistent_and_within_reach() {
        let residuals = Array2::from_shape_fn((40, 16), |(i, j)| ((i * 7 + j * 3) % 11) as f32 / 50.0);
        let patches = Array2::from_shape_fn((40, 16), |(i, j)| ((i * 3 + j * 5) % 13) as f32 / 5.0);
        let before = inputs(&patches, &residuals, 0.7);
        let mut after = before.clone();
        push_away(&mut after, 16, 3.0, &mut ChaCha8Rng::seed_from_u64(5));
        for (b, a) in before.chunks_exact(33).zip(after.chunks_exact(33)) {
            let moves: Vec<f32> = a.iter().zip(b).map(|(x, y)| x - y).collect();
            let moved = moves[..16].iter().map(|m| m * m).sum::<f32>().sqrt() / 4.0;
            assert!((1.499..=3.001).contains(&moved), "{moved}");
            // the patch moves as its residual does
            assert!(moves[..16].iter().zip(&moves[16..32]).all(|(x, y)| (x - y).abs() < 1e-4));
            let length = a[16..32].iter().map(|v| v * v).sum::<f32>().sqrt() / 4.0;
            assert!((a[32] - length).abs() < 1e-5);
        }
    }

    #[test]
    fn a_draw_splits_the_loss_evenly_and_skips_the_rim() {
        let mut coverage = vec![0.0; 400];
        coverage[10 * 20 + 10] = 0.1;
        coverage[10 * 20 + 11] = 0.9;
        let draw = Draw::new(&coverage, |_| true, 20, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(draw.patches.len(), DRAWN);
        let share = |positive: bool| -> f32 {
            draw.targets.iter().zip(&draw.shares).filter(|(t, _)| (**t > 0.0) == positive).map(|(_, s)| s).sum()
        };
        assert!((share(true) - 0.5).abs() < 1e-5 && (share(false) - 0.5).abs() < 1e-5);
        assert_eq!(draw.targets[..2].iter().copied().fold(0.0, f32::max), 1.0);
        let rim = 9 * 20 + 12;
        assert!(draw.patches.iter().zip(&draw.shares).all(|(&p, &s)| p != rim || s == 0.0));
        // what cannot be seen trains neither way
        let draw = Draw::new(&coverage, |p| p != 10 * 20 + 11, 20, &mut ChaCha8Rng::seed_from_u64(1));
        let used = |p: usize| draw.patches.iter().zip(&draw.shares).any(|(&q, &s)| q == p && s > 0.0);
        assert!(used(10 * 20 + 10) && !used(10 * 20 + 11) && !used(rim));
        // a normal image: all of the loss on its patches
        let draw = Draw::new(&[0.0; 400], |_| true, 20, &mut ChaCha8Rng::seed_from_u64(1));
        assert!((draw.shares.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
