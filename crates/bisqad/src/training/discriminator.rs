//! Discriminator network: maps the deviations of a patch from normal to a logit; its losses and gradients.

use bilevel::{Bilevel, UpperGradient};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rand::Rng;
use rand_distr::{Distribution, Normal};
use rayon::prelude::*;

use crate::error::Error;
use crate::training::loss::{cross_entropy, sigmoid};
use crate::training::patch_selection::PatchSelection;

/// Patches per image in a lower update, and in an upper one, whose gradient should cost less; few patches of many
/// images are worth more than many of few.
pub(crate) const PATCHES_PER_IMAGE: usize = 256;
pub(crate) const VALIDATION_PATCHES: usize = PATCHES_PER_IMAGE / 2;

/// Initial logit: this multiple of the sum of the scaled distances of a patch, and this bias.
const FIRST: (f64, f64) = (0.3, -1.0);

/// Shape of the network: linear, ReLU, linear, plus a multiple of the sum of the last `levels` inputs (the scaled
/// distances), so that training starts from the evidence that needs none and learns what to add. Parameters are one
/// flat vector: weights and biases, layer after layer, then the multiple.
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

    /// He initialization; the output layer starts at zero.
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

    /// Unpacks the layers from `theta`.
    pub(crate) fn layers(self, theta: &[f64]) -> Result<Layers, Error> {
        let (found, expected) = (theta.len(), self.parameters());
        if found != expected {
            return Err(Error::Length { what: "theta", found, expected });
        }
        let mut rest = theta.iter().map(|&v| v as f32);
        let [first, bias, second, last, multiple] = self.sizes().map(|(a, b)| rest.by_ref().take(a * b).collect());
        let first = Array2::from_shape_vec((self.inputs, self.hidden), first);
        let first = first.map_err(|_| Error::Length { what: "theta", found, expected })?;
        let [bias, second, last, multiple] = [bias, second, last, multiple].map(Array1::from_vec);
        Ok(Layers { levels: self.levels, first, bias, second, last: last.sum(), multiple: multiple.sum() })
    }

    /// Logits of inputs `(N, inputs)`, on all threads.
    pub(crate) fn logits(self, theta: &[f64], input: ArrayView2<'_, f32>) -> Result<Vec<f32>, Error> {
        let layers = self.layers(theta)?;
        if input.ncols() != self.inputs {
            return Err(Error::Length { what: "inputs", found: input.ncols(), expected: self.inputs });
        }
        const CHUNK: usize = 128;
        let chunks: Vec<_> = input.axis_chunks_iter(Axis(0), CHUNK).collect();
        let logits = chunks.into_par_iter().flat_map_iter(|rows| layers.logits(rows, &layers.hidden(rows)));
        Ok(logits.collect())
    }
}

/// Layers of the network.
#[derive(Debug)]
pub(crate) struct Layers {
    levels: usize,
    /// `(inputs, hidden)`.
    first: Array2<f32>,
    bias: Array1<f32>,
    second: Array1<f32>,
    last: f32,
    multiple: f32,
}

impl Layers {
    /// Hidden units `(N, hidden)` of inputs `(N, inputs)`.
    fn hidden(&self, input: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut hidden = input.dot(&self.first);
        for mut row in hidden.outer_iter_mut() {
            // not `max`, which makes a 0 of NaN: what is no number must not pass as normal
            row.zip_mut_with(&self.bias, |h, b| *h = if *h + b <= 0.0 { 0.0 } else { *h + b });
        }
        hidden
    }

    /// Sum of a row's scaled distances.
    fn distances(&self, row: ArrayView1<'_, f32>) -> f32 {
        row.iter().skip(row.len() - self.levels.min(row.len())).sum()
    }

    fn logits(&self, input: ArrayView2<'_, f32>, hidden: &Array2<f32>) -> Vec<f32> {
        let learned = hidden.dot(&self.second);
        let distances = input.outer_iter().map(|row| self.distances(row));
        learned.iter().zip(distances).map(|(learned, d)| learned + self.last + self.multiple * d).collect()
    }

    /// Adds `scale` times the gradient of an image's loss to `gradient`, which is in the order of theta; returns the
    /// loss.
    fn differentiate(&self, image: &Sample<'_>, scale: f32, gradient: &mut [f64]) -> f32 {
        let hidden = self.hidden(image.input);
        let logits = self.logits(image.input, &hidden);
        let slopes: Array1<f32> = (logits.iter().zip(image.targets).zip(image.shares))
            .map(|((&z, y), share)| scale * share * (sigmoid(z) - y))
            .collect();
        let mut into_hidden = Array2::zeros(hidden.raw_dim());
        for ((mut to, hidden), &slope) in into_hidden.outer_iter_mut().zip(hidden.outer_iter()).zip(&slopes) {
            let through = to.iter_mut().zip(&hidden).zip(&self.second);
            through.filter(|((_, h), _)| **h > 0.0).for_each(|((to, _), w)| *to = slope * w);
        }
        let multiple: f32 = slopes.iter().zip(image.input.outer_iter()).map(|(s, row)| s * self.distances(row)).sum();
        let first = image.input.t().dot(&into_hidden);
        let (bias, second) = (into_hidden.sum_axis(Axis(0)), slopes.dot(&hidden));
        let parts = first.iter().chain(&bias).chain(&second).copied().chain([slopes.sum(), multiple]);
        gradient.iter_mut().zip(parts).for_each(|(to, v)| *to += f64::from(v));
        image.loss(&logits)
    }
}

/// Inputs and labels of the selected patches of one image.
#[derive(Debug, Clone)]
pub(crate) struct SampledPatches {
    /// `(patches * inputs)` numbers.
    pub(crate) input: Vec<f32>,
    pub(crate) selection: PatchSelection,
}

/// Equally many selected patches of each of several images.
#[derive(Debug, Clone)]
pub(crate) struct PatchBatch {
    /// `(images * patches, inputs)`.
    input: Array2<f32>,
    patches: usize,
    targets: Vec<f32>,
    shares: Vec<f32>,
}

/// One image of a [`PatchBatch`].
struct Sample<'a> {
    input: ArrayView2<'a, f32>,
    targets: &'a [f32],
    shares: &'a [f32],
}

impl Sample<'_> {
    fn loss(&self, logits: &[f32]) -> f32 {
        let terms = logits.iter().zip(self.targets).zip(self.shares);
        terms.map(|((&z, &y), share)| share * cross_entropy(z, y)).sum()
    }
}

impl PatchBatch {
    pub(crate) fn new<'d>(images: impl Iterator<Item = &'d SampledPatches>, inputs: usize) -> Result<Self, Error> {
        let mut patches = 0;
        let (mut input, mut targets, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for image in images {
            patches = image.selection.patches.len();
            input.extend_from_slice(&image.input);
            targets.extend_from_slice(&image.selection.targets);
            shares.extend_from_slice(&image.selection.shares);
        }
        let (found, expected) = (input.len(), targets.len() * inputs);
        let input = Array2::from_shape_vec((targets.len(), inputs), input);
        let input = input.map_err(|_| Error::Length { what: "inputs", found, expected })?;
        Ok(Self { input, patches, targets, shares })
    }

    fn samples(&self) -> impl IndexedParallelIterator<Item = Sample<'_>> {
        let patches = self.patches.max(1);
        let inputs: Vec<_> = self.input.axis_chunks_iter(Axis(0), patches).collect();
        let rest = self.targets.par_chunks(patches).zip(self.shares.par_chunks(patches));
        inputs.into_par_iter().zip(rest).map(|(input, (targets, shares))| Sample { input, targets, shares })
    }

    /// Loss of each image.
    fn losses(&self, layers: &Layers) -> Vec<f64> {
        self.samples().map(|s| f64::from(s.loss(&layers.logits(s.input, &layers.hidden(s.input))))).collect()
    }
}

/// Lower problem of one update: weighted synthetic images and unweighted normal ones.
#[derive(Debug)]
pub(crate) struct LowerProblem {
    pub(crate) shape: Shape,
    pub(crate) synthetic: PatchBatch,
    pub(crate) normal: PatchBatch,
    /// Normal patches pushed away in feature space, all labeled anomalous.
    pub(crate) noise: Option<PatchBatch>,
}

impl LowerProblem {
    /// Weighted lower loss and its gradient.
    pub(crate) fn lower(&self, theta: &[f64], weights: &[f64]) -> Result<(f64, Vec<f64>), Error> {
        let rest = [Some(&self.normal), self.noise.as_ref()].into_iter().flatten().map(|stack| (stack, None));
        differentiate(self.shape, theta, [(&self.synthetic, Some(weights))].into_iter().chain(rest))
    }
}

/// Sum over batches of the weighted mean loss of their images (weights 1 for none), and its gradient in `theta`.
fn differentiate<'s>(
    shape: Shape,
    theta: &[f64],
    stacks: impl Iterator<Item = (&'s PatchBatch, Option<&'s [f64]>)>,
) -> Result<(f64, Vec<f64>), Error> {
    let layers = shape.layers(theta)?;
    let (mut loss, mut gradient) = (0.0, vec![0.0; theta.len()]);
    for (stack, weights) in stacks {
        let count = stack.samples().len();
        if let Some(weights) = weights.filter(|w| w.len() != count) {
            return Err(Error::Length { what: "weights", found: weights.len(), expected: count });
        }
        let one = |(i, sample): (usize, Sample<'_>)| {
            let scale = weights.map_or(1.0, |w| w[i]) / count as f64;
            let mut gradient = vec![0.0; theta.len()];
            let loss = layers.differentiate(&sample, scale as f32, &mut gradient);
            (scale * f64::from(loss), gradient)
        };
        // added up in order, so that the sum is the same on any number of threads
        for (part, slope) in stack.samples().enumerate().map(one).collect::<Vec<_>>() {
            loss += part;
            gradient.iter_mut().zip(slope).for_each(|(to, v)| *to += v);
        }
    }
    Ok((loss, gradient))
}

/// Bi-level problem of one update: the lower problem, validation anomalies and normals, and the lower gradient already
/// computed at one point.
#[derive(Debug)]
pub(crate) struct BilevelStep<'a> {
    pub(crate) problem: &'a LowerProblem,
    pub(crate) validation: &'a (PatchBatch, PatchBatch),
    pub(crate) theta: &'a [f64],
    pub(crate) weights: &'a [f64],
    pub(crate) gradient: &'a [f64],
}

impl Bilevel for BilevelStep<'_> {
    fn losses(&self, theta: &[f64]) -> Result<Vec<f64>, bilevel::Error> {
        let layers = self.problem.shape.layers(theta).map_err(bilevel::Error::problem)?;
        Ok(self.problem.synthetic.losses(&layers))
    }

    fn weighted_gradient(&self, theta: &[f64], weights: &[f64]) -> Result<Vec<f64>, bilevel::Error> {
        if theta == self.theta && weights == self.weights {
            return Ok(self.gradient.to_vec());
        }
        Ok(self.problem.lower(theta, weights).map_err(bilevel::Error::problem)?.1)
    }

    fn upper(&self, theta: &[f64]) -> Result<UpperGradient, bilevel::Error> {
        let (anomalous, normal) = self.validation;
        let stacks = [(anomalous, None), (normal, None)].into_iter();
        let (loss, gradient) = differentiate(self.problem.shape, theta, stacks).map_err(bilevel::Error::problem)?;
        Ok(UpperGradient { loss, gradient })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bilevel::{ForwardDifference, Hypergradient};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn stack(b: usize, inputs: usize, seed: u64) -> PatchBatch {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let images: Vec<_> = (0..b)
            .map(|_| {
                let coverage: Vec<f32> = (0..400).map(|i| if i % 20 < 4 { 0.2 } else { 0.0 }).collect();
                let selection = PatchSelection::new(&coverage, |_| true, 20, PATCHES_PER_IMAGE, &mut rng);
                let input = (0..PATCHES_PER_IMAGE * inputs).map(|_| rng.random_range(-1.0f32..1.0)).collect();
                SampledPatches { input, selection }
            })
            .collect();
        PatchBatch::new(images.iter(), inputs).unwrap()
    }

    fn step() -> (LowerProblem, (PatchBatch, PatchBatch), Vec<f64>) {
        let shape = Shape { inputs: 5, levels: 2, hidden: 7 };
        let mut theta = shape.initial(&mut ChaCha8Rng::seed_from_u64(3));
        theta.iter_mut().enumerate().for_each(|(i, t)| *t += 0.3 * ((i * 29 % 17) as f64 / 8.0 - 1.0));
        let step =
            LowerProblem { shape, synthetic: stack(3, 5, 10), normal: stack(2, 5, 11), noise: Some(stack(2, 5, 14)) };
        (step, (stack(2, 5, 12), stack(2, 5, 13)), theta)
    }

    #[test]
    fn lower_and_upper_gradients_equal_their_finite_differences() {
        let (step, validation, theta) = step();
        let weights = [0.5, 2.0, 0.5];
        let known = BilevelStep { problem: &step, validation: &validation, theta: &[], weights: &[], gradient: &[] };
        let lower = |t: &[f64]| step.lower(t, &weights).unwrap();
        let upper = |t: &[f64]| {
            let UpperGradient { loss, gradient } = known.upper(t).unwrap();
            (loss, gradient)
        };
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
        let (step, validation, theta) = step();
        let (weights, eta) = ([1.0, 0.7, 1.3], 0.5);
        let gradient = step.lower(&theta, &weights).unwrap().1;
        let step = BilevelStep {
            problem: &step,
            validation: &validation,
            theta: &theta,
            weights: &weights,
            gradient: &gradient,
        };
        let answer = ForwardDifference::default().weight_gradient(&step, &theta, &weights, eta).unwrap();
        let upper_after = |w: &[f64]| {
            let g = step.weighted_gradient(&theta, w).unwrap();
            step.upper(&theta.iter().zip(&g).map(|(t, g)| t - eta * g).collect::<Vec<_>>()).unwrap().loss
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

    /// The network in plain loops.
    #[test]
    fn logits_and_losses_equal_their_definitions() {
        let (step, _, theta) = step();
        let (inputs, hidden) = (step.shape.inputs, step.shape.hidden);
        let logit = |row: &[f32]| -> f64 {
            let (bias, second) = (&theta[inputs * hidden..][..hidden], &theta[inputs * hidden + hidden..][..hidden]);
            let unit = |k: usize| -> f64 {
                (0..inputs).map(|j| f64::from(row[j]) * theta[j * hidden + k]).sum::<f64>() + bias[k]
            };
            let distances: f64 = row[inputs - 2..].iter().map(|&v| f64::from(v)).sum();
            let [last, multiple] = theta[theta.len() - 2..] else { panic!() };
            (0..hidden).map(|k| unit(k).max(0.0) * second[k]).sum::<f64>() + last + multiple * distances
        };
        let input = Array2::from_shape_fn((300, 5), |(i, j)| ((i * 7 + j * 3) % 11) as f32 / 5.0 - 1.0);
        let expected: Vec<f64> = input.outer_iter().map(|row| logit(row.as_slice().unwrap())).collect();
        let found = step.shape.logits(&theta, input.view()).unwrap();
        assert!(expected.iter().any(|v| (v - expected[0]).abs() > 0.1));
        assert!(found.iter().zip(&expected).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5));
        assert!(step.shape.logits(&theta[1..], input.view()).is_err());
        assert!(step.shape.logits(&theta, input.t()).is_err());

        let losses = step.synthetic.losses(&step.shape.layers(&theta).unwrap());
        assert_eq!(losses.len(), 3);
        for (i, loss) in losses.iter().enumerate() {
            let of = |p: usize| {
                let (z, y) = (logit(step.synthetic.input.row(p).as_slice().unwrap()), step.synthetic.targets[p]);
                let p_anomalous = 1.0 / (1.0 + (-z).exp());
                let y = f64::from(y);
                -f64::from(step.synthetic.shares[p]) * (y * p_anomalous.ln() + (1.0 - y) * (1.0 - p_anomalous).ln())
            };
            let expected: f64 = (i * PATCHES_PER_IMAGE..(i + 1) * PATCHES_PER_IMAGE).map(of).sum();
            assert!((loss - expected).abs() < 1e-5, "{loss} {expected}");
        }
        assert!(step.lower(&theta, &[1.0, 1.0]).is_err());
    }
}
