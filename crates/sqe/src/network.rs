//! The trained part: a small head on frozen features.

use candle_core::{DType, Device, Tensor, Var};
use frozen_backbone::Backbone;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use crate::{DESCRIPTORS, Error, Evidence};

/// What the head reads, and its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Head {
    /// The published form: pooled features of the whole image, one linear unit.
    Global,
    /// Contrast of mask, ring and rest plus the descriptors, one hidden layer of this many units.
    Masked {
        /// Hidden units.
        hidden: usize,
    },
}

impl Default for Head {
    fn default() -> Self {
        Self::Masked { hidden: 32 }
    }
}

impl Head {
    pub(crate) fn hidden(self) -> usize {
        match self {
            Self::Global => 0,
            Self::Masked { hidden } => hidden,
        }
    }
}

/// The quality estimator q(image, mask) in (0, 1).
///
/// logit = head((evidence - mean) / scale), q = sigmoid(logit). Weights are `Var`s, so an outer optimiser can go on training them.
#[derive(Debug)]
pub struct Sqe {
    pub(crate) head: Head,
    pub(crate) backbone_id: String,
    pub(crate) backbone_hash: u64,
    pub(crate) mean: Vec<f32>,
    pub(crate) scale: Vec<f32>,
    pub(crate) vars: Vec<(String, Var)>,
}

impl Sqe {
    /// An untrained head for `backbone`, drawn from `seed`. Its output layer starts at zero: q = 0.5 for everything.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a masked head without hidden units.
    pub fn new(backbone: &dyn Backbone, head: Head, seed: u64) -> Result<Self, Error> {
        if head == (Head::Masked { hidden: 0 }) {
            return Err(Error::Parameter { name: "hidden", value: 0.0, expected: "at least 1 unit" });
        }
        let channels: usize = backbone.levels().iter().map(|level| level.channels).sum();
        let width = match head {
            Head::Global => channels,
            Head::Masked { .. } => 2 * channels + DESCRIPTORS.len(),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let var = |name: &str, values: Vec<f32>, shape: (usize, usize)| -> Result<(String, Var), Error> {
            Ok((name.to_owned(), Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)?))
        };
        let mut vars = Vec::new();
        let hidden = head.hidden();
        if hidden > 0 {
            let spread = (2.0 / width as f32).sqrt();
            let mut draw = |n: usize| -> Vec<f32> {
                Normal::new(0.0, spread).map_or_else(|_| vec![0.0; n], |d| d.sample_iter(&mut rng).take(n).collect())
            };
            vars.push(var("hidden.weight", draw(width * hidden), (width, hidden))?);
            vars.push(var("hidden.bias", vec![0.0; hidden], (1, hidden))?);
        }
        let last = if hidden > 0 { hidden } else { width };
        vars.push(var("output.weight", vec![0.0; last], (last, 1))?);
        vars.push(var("output.bias", vec![0.0], (1, 1))?);
        Ok(Self {
            head,
            backbone_id: backbone.id().to_owned(),
            backbone_hash: backbone.hash(),
            mean: vec![0.0; width],
            scale: vec![1.0; width],
            vars,
        })
    }

    /// Which head this is.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Refuses another backbone than the one this estimator was made for.
    ///
    /// # Errors
    /// [`Error::OtherBackbone`].
    pub fn check_backbone(&self, backbone: &dyn Backbone) -> Result<(), Error> {
        let name = |id: &str, hash: u64| format!("{id} ({hash:016x})");
        let (found, expected) = (name(backbone.id(), backbone.hash()), name(&self.backbone_id, self.backbone_hash));
        if found == expected { Ok(()) } else { Err(Error::OtherBackbone { found, expected }) }
    }

    /// Numbers the head reads per image.
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// The trainable tensors, in a fixed order.
    pub fn vars(&self) -> Vec<Var> {
        self.vars.iter().map(|(_, var)| var.clone()).collect()
    }

    /// The head's raw input for one image.
    pub(crate) fn row(&self, evidence: &Evidence) -> Result<Vec<f32>, Error> {
        let row = match self.head {
            Head::Global => evidence.global.clone(),
            Head::Masked { .. } => {
                let mut row = evidence.contrast.clone();
                row.extend(evidence.descriptors.values());
                row
            }
        };
        if row.len() == self.width() { Ok(row) } else { Err(Error::Width { found: row.len(), expected: self.width() }) }
    }

    /// Sets the standardisation from `rows` of raw input: mean and standard deviation per number.
    pub(crate) fn standardise(&mut self, rows: &[Vec<f32>]) {
        let n = rows.len().max(1) as f64;
        for i in 0..self.width() {
            let mean = rows.iter().map(|r| f64::from(r[i])).sum::<f64>() / n;
            let variance = rows.iter().map(|r| (f64::from(r[i]) - mean).powi(2)).sum::<f64>() / n;
            self.mean[i] = mean as f32;
            self.scale[i] = (variance.sqrt() as f32).max(1e-4);
        }
    }

    /// Standardised input `(N, width)` of several images, clamped to ten standard deviations.
    ///
    /// # Errors
    /// [`Error::Width`] for evidence of another backbone.
    pub fn input(&self, evidence: &[&Evidence]) -> Result<Tensor, Error> {
        let mut values = Vec::with_capacity(evidence.len() * self.width());
        for e in evidence {
            let row = self.row(e)?;
            values.extend(
                row.iter().zip(self.mean.iter().zip(&self.scale)).map(|(v, (m, s))| ((v - m) / s).clamp(-10.0, 10.0)),
            );
        }
        Ok(Tensor::from_vec(values, (evidence.len(), self.width()), &Device::Cpu)?)
    }

    /// Differentiable logits `(N)` of standardised input `(N, width)`.
    ///
    /// # Errors
    /// [`Error::Network`] for another shape.
    pub fn logits(&self, input: &Tensor) -> Result<Tensor, Error> {
        let mut x = input.clone();
        for layer in self.vars.chunks_exact(2) {
            if let [(name, weight), (_, bias)] = layer {
                x = x.matmul(weight)?.broadcast_add(bias)?;
                if name.starts_with("hidden") {
                    x = x.tanh()?;
                }
            }
        }
        Ok(x.squeeze(1)?)
    }

    /// Quality in (0, 1) of each image.
    ///
    /// # Errors
    /// [`Error::Width`] for evidence of another backbone.
    pub fn score(&self, evidence: &[&Evidence]) -> Result<Vec<f64>, Error> {
        let logits = self.logits(&self.input(evidence)?)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        Ok(logits.into_iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Descriptors;
    use frozen_backbone::{Backbone, EfficientNetLite0};

    fn evidence(seed: usize) -> Evidence {
        let value = |i: usize| (((i * 37 + seed * 101) % 97) as f32 / 48.0) - 1.0;
        Evidence {
            global: (0..256).map(value).collect(),
            contrast: (0..512).map(|i| value(i + 5)).collect(),
            descriptors: Descriptors::from_values(std::array::from_fn(|i| value(i + 900).into())),
        }
    }

    #[test]
    fn an_untrained_head_is_undecided() {
        let net = EfficientNetLite0::pretrained().unwrap();
        for head in [Head::Global, Head::default()] {
            let sqe = Sqe::new(&net, head, 1).unwrap();
            assert_eq!(sqe.score(&[&evidence(1), &evidence(2)]).unwrap(), vec![0.5, 0.5]);
        }
        assert!(matches!(Sqe::new(&net, Head::Masked { hidden: 0 }, 1), Err(Error::Parameter { .. })));
        assert!(net.hash() != 0);
    }

    /// The published head: one linear unit on the pooled features, C + 1 parameters.
    #[test]
    fn the_global_head_has_one_weight_per_channel_and_a_bias() {
        let net = EfficientNetLite0::pretrained().unwrap();
        let sqe = Sqe::new(&net, Head::Global, 1).unwrap();
        assert_eq!(sqe.vars().iter().map(|v| v.elem_count()).sum::<usize>(), 256 + 1);
    }

    #[test]
    fn logits_have_the_gradient_of_their_finite_differences() {
        let net = EfficientNetLite0::pretrained().unwrap();
        let sqe = Sqe::new(&net, Head::Masked { hidden: 5 }, 3).unwrap();
        // a head that is not at its zero start
        let out = &sqe.vars()[2];
        out.set(&Tensor::new(&[[0.3f32], [-0.2], [0.5], [0.1], [-0.4]], &Device::Cpu).unwrap()).unwrap();
        let (a, b) = (evidence(1), evidence(2));
        let input = sqe.input(&[&a, &b]).unwrap();
        let sum = || sqe.logits(&input).unwrap().sum_all().unwrap();
        let grads = sum().backward().unwrap();
        for var in sqe.vars() {
            let gradient: Vec<f32> = grads.get(&var).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let values: Vec<f32> = var.flatten_all().unwrap().to_vec1().unwrap();
            for i in [0, values.len() / 2, values.len() - 1] {
                let at = |shift: f32| -> f32 {
                    let mut moved = values.clone();
                    moved[i] += shift;
                    var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap()).unwrap();
                    sum().to_scalar().unwrap()
                };
                let difference = (at(1e-2) - at(-1e-2)) / 2e-2;
                at(0.0);
                assert!(
                    (gradient[i] - difference).abs() < 2e-3 * (1.0 + difference.abs()),
                    "{i} {} {difference}",
                    gradient[i]
                );
            }
        }
    }

    #[test]
    fn evidence_of_another_width_is_refused() {
        let net = EfficientNetLite0::pretrained().unwrap();
        let sqe = Sqe::new(&net, Head::Global, 1).unwrap();
        let mut foreign = evidence(1);
        foreign.global.pop();
        assert!(matches!(sqe.score(&[&foreign]), Err(Error::Width { found: 255, expected: 256 })));
    }
}
