//! The quality head: a small network on frozen features, the only trained part of the estimator.

use candle_core::{DType, Device, Result as CandleResult, Tensor, Var};
use frozen_backbone::Backbone;
use imgkit::{ParameterError, ensure};
use ndarray::{ArrayView2, ArrayView3};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use crate::descriptors::DESCRIPTORS;
use crate::error::Error;
use crate::features::QualityFeatures;

/// Most weights of a layer: 1 GiB.
const MOST_WEIGHTS: usize = 1 << 28;

/// Architecture of the quality head and the features it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Head {
    /// One linear unit on the features pooled over the whole image; the form of the published estimator.
    Global,
    /// One hidden layer of tanh units on the contrasts of mask, ring and rest and on the descriptors. The default, with
    /// 32 units.
    Masked {
        /// Number of hidden units, at least 1.
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

    /// Number of inputs per image on features of `backbone`, and names and shapes of the trained tensors.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a masked head without hidden units, and for more weights than fit in memory.
    pub(crate) fn layout(self, backbone: &dyn Backbone) -> Result<(usize, Vec<TensorLayout>), Error> {
        let channels = backbone.levels().iter().fold(0usize, |sum, level| sum.saturating_add(level.channels));
        let most = MOST_WEIGHTS / 4;
        ensure(
            (1..=most).contains(&channels),
            "Sqe",
            "backbone",
            format!("{channels} channels"),
            "of 1 to 2^26 channels",
        )?;
        let width = match self {
            Self::Global => channels,
            Self::Masked { .. } => 2 * channels + DESCRIPTORS.len(),
        };
        let Self::Masked { hidden } = self else {
            return Ok((width, vec![("output.weight", (width, 1)), ("output.bias", (1, 1))]));
        };
        let fits = hidden >= 1 && width.checked_mul(hidden).is_some_and(|n| n <= MOST_WEIGHTS);
        ensure(fits, "Head::Masked", "hidden", hidden, "at least 1 unit, and at most 2^28 weights in all")?;
        let hidden_layer = [("hidden.weight", (width, hidden)), ("hidden.bias", (1, hidden))];
        Ok((width, hidden_layer.into_iter().chain([("output.weight", (hidden, 1)), ("output.bias", (1, 1))]).collect()))
    }
}

/// Name and shape of a trained tensor.
pub(crate) type TensorLayout = (&'static str, (usize, usize));

/// Standardized inputs of a quality head for a batch of images, made by [`Sqe::batch`].
///
/// Make it once to score the same images repeatedly while the head is being trained.
#[derive(Debug, Clone)]
pub struct HeadInput(pub(crate) Tensor);

impl HeadInput {
    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.dims().first().copied().unwrap_or(0)
    }

    /// Whether the batch holds no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Quality estimator q(image, mask) in (0, 1): 1 for a defect that looks like part of its photo.
///
/// logit = head((features - mean) / scale), q = sigmoid(logit). The estimator belongs to one backbone, named by id and
/// hash. [`Self::warm_start`] trains it; an outer optimizer can go on by [`Self::objective_gradient`] and
/// [`Self::set_parameters`].
///
/// ```
/// use ndarray::{Array2, Array3};
/// use sqe::{Head, Sqe};
///
/// let backbone = frozen_backbone::EfficientNetLite0::pretrained()?;
/// let sqe = Sqe::new(&backbone, Head::default(), 0)?;
/// let image = Array3::from_shape_fn((64, 64, 3), |(y, x, _)| ((y * 7 + x * 3) % 11) as f32 / 10.0);
/// let mask = Array2::from_shape_fn((64, 64), |(y, x)| (20..40).contains(&y) && (20..40).contains(&x));
/// assert_eq!(sqe.score_image(&backbone, image.view(), mask.view())?, 0.5); // undecided until trained
/// # Ok::<(), sqe::Error>(())
/// ```
#[derive(Debug)]
pub struct Sqe {
    pub(crate) head: Head,
    pub(crate) backbone_id: String,
    pub(crate) backbone_hash: u64,
    pub(crate) mean: Vec<f32>,
    pub(crate) scale: Vec<f32>,
    pub(crate) vars: Vec<(&'static str, Var)>,
}

impl Sqe {
    /// Creates an untrained head for `backbone`, its hidden layer initialized from `seed`. The output layer starts at
    /// zero: q = 0.5 for everything.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a masked head without hidden units or with more than fit in memory.
    pub fn new(backbone: &dyn Backbone, head: Head, seed: u64) -> Result<Self, Error> {
        let (width, layout) = head.layout(backbone)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let spread = (2.0 / width as f32).sqrt();
        let mut draw = |n: usize| -> Vec<f32> {
            Normal::new(0.0, spread).map_or_else(|_| vec![0.0; n], |d| d.sample_iter(&mut rng).take(n).collect())
        };
        let var = |(name, shape): TensorLayout| {
            let n = shape.0 * shape.1;
            let values = if name == "hidden.weight" { draw(n) } else { vec![0.0; n] };
            Ok((name, Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)?))
        };
        let vars = layout.into_iter().map(var).collect::<CandleResult<_>>().map_err(Error::network)?;
        let (mean, scale) = (vec![0.0; width], vec![1.0; width]);
        Ok(Self { head, backbone_id: backbone.id().to_owned(), backbone_hash: backbone.hash(), mean, scale, vars })
    }

    /// Architecture of the head.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// Checks that `backbone` is the one this estimator was made for.
    ///
    /// # Errors
    /// [`Error::OtherBackbone`].
    pub fn check_backbone(&self, backbone: &dyn Backbone) -> Result<(), Error> {
        let name = |id: &str, hash: u64| format!("{id} ({hash:016x})");
        let (found, expected) = (name(backbone.id(), backbone.hash()), name(&self.backbone_id, self.backbone_hash));
        if found == expected { Ok(()) } else { Err(Error::OtherBackbone { found, expected }) }
    }

    /// Number of inputs per image that the head reads.
    #[must_use]
    pub fn input_width(&self) -> usize {
        self.mean.len()
    }

    /// Trained parameters of the head, flattened in a fixed order: hidden weights, hidden biases, output weights,
    /// output bias.
    ///
    /// # Errors
    /// [`Error::Network`].
    pub fn parameters(&self) -> Result<Vec<f64>, Error> {
        let flat: CandleResult<Vec<_>> = self.vars.iter().map(|(_, var)| flat(var)).collect();
        Ok(flat.map_err(Error::network)?.concat())
    }

    /// Sets the parameters of the head, in the order of [`Self::parameters`]; they are rounded to f32.
    ///
    /// # Errors
    /// [`Error::Parameter`] for another number of parameters.
    pub fn set_parameters(&mut self, values: &[f64]) -> Result<(), Error> {
        let expected: usize = self.vars.iter().map(|(_, var)| var.elem_count()).sum();
        if values.len() != expected {
            let found = format!("of length {}", values.len());
            return Err(ParameterError::new("Sqe", "values", found, format!("of length {expected}")).into());
        }
        let mut rest = values.iter().map(|&v| v as f32);
        let mut set = |var: &Var| {
            let part: Vec<f32> = rest.by_ref().take(var.elem_count()).collect();
            var.set(&Tensor::from_vec(part, var.shape(), var.device())?)
        };
        self.vars.iter().try_for_each(|(_, var)| set(var)).map_err(Error::network)
    }

    /// The trainable tensors, in a fixed order.
    pub(crate) fn vars(&self) -> Vec<Var> {
        self.vars.iter().map(|(_, var)| var.clone()).collect()
    }

    /// Raw inputs of the head for one image.
    pub(crate) fn row(&self, features: &QualityFeatures) -> Result<Vec<f32>, Error> {
        let row = match self.head {
            Head::Global => features.global.clone(),
            Head::Masked { .. } => {
                let mut row = features.contrast.clone();
                row.extend(features.descriptors.values());
                row
            }
        };
        if row.len() != self.input_width() {
            return Err(Error::Width { found: row.len(), expected: self.input_width() });
        }
        if row.iter().all(|v| v.is_finite()) {
            Ok(row)
        } else {
            Err(Error::NotFinite { what: "the inputs of the head" })
        }
    }

    /// Sets the standardization from `rows` of raw inputs: mean and standard deviation of each.
    pub(crate) fn standardize(&mut self, rows: &[Vec<f32>]) {
        let n = rows.len().max(1) as f64;
        for i in 0..self.input_width() {
            let mean = rows.iter().map(|r| f64::from(r[i])).sum::<f64>() / n;
            let variance = rows.iter().map(|r| (f64::from(r[i]) - mean).powi(2)).sum::<f64>() / n;
            self.mean[i] = mean as f32;
            self.scale[i] = (variance.sqrt() as f32).max(1e-4);
        }
    }

    /// Standardizes the features of several images, clamped to ten standard deviations.
    ///
    /// # Errors
    /// [`Error::Width`] for features of another backbone, [`Error::NotFinite`].
    pub fn batch(&self, features: &[&QualityFeatures]) -> Result<HeadInput, Error> {
        let mut values = Vec::with_capacity(features.len() * self.input_width());
        for features in features {
            let row = self.row(features)?;
            values.extend(
                row.iter().zip(self.mean.iter().zip(&self.scale)).map(|(v, (m, s))| ((v - m) / s).clamp(-10.0, 10.0)),
            );
        }
        let input = Tensor::from_vec(values, (features.len(), self.input_width()), &Device::Cpu);
        input.map(HeadInput).map_err(Error::network)
    }

    /// Differentiable logits `(N)` of standardized input `(N, width)`.
    pub(crate) fn logits(&self, input: &Tensor) -> CandleResult<Tensor> {
        let mut x = input.clone();
        for layer in self.vars.chunks_exact(2) {
            if let [(name, weight), (_, bias)] = layer {
                x = x.matmul(weight)?.broadcast_add(bias)?;
                if name.starts_with("hidden") {
                    x = x.tanh()?;
                }
            }
        }
        x.squeeze(1)
    }

    /// Scores one image: quality in (0, 1) of the defect that `mask` `(H, W)` marks in `image` `(H, W, C)`, f32 in \[0,
    /// 1\].
    ///
    /// To score many images, or one image by several heads, extract [`QualityFeatures`] once and call [`Self::score`].
    ///
    /// # Errors
    /// [`Error::OtherBackbone`], and whatever [`QualityFeatures::extract`] returns.
    pub fn score_image(
        &self,
        backbone: &dyn Backbone,
        image: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<f64, Error> {
        self.check_backbone(backbone)?;
        let features = QualityFeatures::extract(backbone, image, mask)?;
        Ok(self.score(&[&features])?.first().copied().unwrap_or_default())
    }

    /// Scores several images: quality in (0, 1) of each, in their order.
    ///
    /// # Errors
    /// [`Error::Width`] for features of another backbone, [`Error::NotFinite`].
    pub fn score(&self, features: &[&QualityFeatures]) -> Result<Vec<f64>, Error> {
        self.score_batch(&self.batch(features)?)
    }

    /// Scores a prepared batch: quality in (0, 1) of each image.
    ///
    /// # Errors
    /// [`Error::Width`] for a batch of another estimator.
    pub fn score_batch(&self, input: &HeadInput) -> Result<Vec<f64>, Error> {
        self.check_width(input)?;
        if input.is_empty() {
            return Ok(Vec::new());
        }
        let logits = self.logits(&input.0).and_then(|logits| flat(&logits)).map_err(Error::network)?;
        Ok(logits.into_iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect())
    }

    pub(crate) fn check_width(&self, input: &HeadInput) -> Result<(), Error> {
        let (found, expected) = (input.0.dims().get(1).copied().unwrap_or(0), self.input_width());
        if found == expected { Ok(()) } else { Err(Error::Width { found, expected }) }
    }
}

/// All numbers of a tensor, last axis fastest.
pub(crate) fn flat(tensor: &Tensor) -> CandleResult<Vec<f64>> {
    tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptors::Descriptors;
    use frozen_backbone::EfficientNetLite0;

    fn features(seed: usize) -> QualityFeatures {
        let value = |i: usize| (((i * 37 + seed * 101) % 97) as f32 / 48.0) - 1.0;
        QualityFeatures {
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
            assert_eq!(sqe.score(&[&features(1), &features(2)]).unwrap(), vec![0.5, 0.5]);
        }
        assert!(matches!(Sqe::new(&net, Head::Masked { hidden: 0 }, 1), Err(Error::Parameter(_))));
        assert!(matches!(Sqe::new(&net, Head::Masked { hidden: usize::MAX }, 1), Err(Error::Parameter(_))));
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
        let (a, b) = (features(1), features(2));
        let input = sqe.batch(&[&a, &b]).unwrap().0;
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

    /// Rows 1, 3 and 5 in every column: mean 3, standard deviation sqrt(8/3); a constant column is divided by the floor
    /// 1e-4.
    #[test]
    fn inputs_are_standardized_and_clamped() {
        let net = EfficientNetLite0::pretrained().unwrap();
        let mut sqe = Sqe::new(&net, Head::Global, 1).unwrap();
        let row = |value: f32| [vec![7.0], vec![value; 255]].concat();
        sqe.standardize(&[row(1.0), row(3.0), row(5.0)]);
        let mut image = features(1);
        image.global = [vec![7.0, 3.0, 5.0, 1e9], vec![1.0; 252]].concat();
        let input = flat(&sqe.batch(&[&image]).unwrap().0).unwrap();
        let deviation = (8.0f64 / 3.0).sqrt();
        for (found, want) in input.iter().zip([0.0, 0.0, 2.0 / deviation, 10.0, -2.0 / deviation]) {
            assert!((found - want).abs() < 1e-6, "{found} {want}");
        }
        image.global[0] = 7.01;
        let clamped = flat(&sqe.batch(&[&image]).unwrap().0).unwrap()[0];
        assert_eq!(clamped, 10.0);
    }

    #[test]
    fn features_of_another_width_are_rejected() {
        let net = EfficientNetLite0::pretrained().unwrap();
        let sqe = Sqe::new(&net, Head::Global, 1).unwrap();
        let mut foreign = features(1);
        foreign.global.pop();
        assert!(matches!(sqe.score(&[&foreign]), Err(Error::Width { found: 255, expected: 256 })));
    }
}
