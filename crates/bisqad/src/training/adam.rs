//! The Adam optimizer on a flat parameter vector, whose state can be saved so that training resumes exactly.

/// Adam with decoupled weight decay: D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015; I.
/// Loshchilov, F. Hutter, ICLR 2019.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Adam {
    pub(crate) learning_rate: f64,
    pub(crate) weight_decay: f64,
    pub(crate) step: u64,
    pub(crate) first: Vec<f64>,
    pub(crate) second: Vec<f64>,
}

impl Adam {
    pub(crate) fn new(parameters: usize, learning_rate: f64, weight_decay: f64) -> Self {
        Self { learning_rate, weight_decay, step: 0, first: vec![0.0; parameters], second: vec![0.0; parameters] }
    }

    /// Updates `theta` along `gradient`.
    pub(crate) fn update(&mut self, theta: &mut [f64], gradient: &[f64]) {
        const BETA1: f64 = 0.9;
        const BETA2: f64 = 0.999;
        self.step += 1;
        let correct1 = 1.0 - BETA1.powf(self.step as f64);
        let correct2 = 1.0 - BETA2.powf(self.step as f64);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((t, &g), (m, v)) in theta.iter_mut().zip(gradient).zip(moments) {
            *m = BETA1 * *m + (1.0 - BETA1) * g;
            *v = BETA2 * *v + (1.0 - BETA2) * g * g;
            let direction = (*m / correct1) / ((*v / correct2).sqrt() + 1e-8);
            *t -= self.learning_rate * (direction + self.weight_decay * *t);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Adam;

    /// torch 2.15.0: `torch.optim.AdamW([tensor([1., -2.])], lr=0.1, weight_decay=0.01)`, gradients (0.5, -1), (0.25,
    /// 2), (-1, 0).
    #[test]
    fn equals_torch_adamw() {
        let mut theta = [1.0, -2.0];
        let mut adam = Adam::new(2, 0.1, 0.01);
        for gradient in [[0.5, -1.0], [0.25, 2.0], [-1.0, 0.0]] {
            adam.update(&mut theta, &gradient);
        }
        assert!((theta[0] - ADAMW[0]).abs() < 1e-9, "{theta:?}");
        assert!((theta[1] - ADAMW[1]).abs() < 1e-9, "{theta:?}");
    }
    const ADAMW: [f64; 2] = [0.824_713_859_842_936, -1.959_079_549_646_459_3];
}
