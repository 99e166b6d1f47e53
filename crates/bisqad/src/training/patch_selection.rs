//! Selection of the patches of an image that enter the loss, with their labels and shares of it.

use rand::Rng;

/// Share of a patch that must be masked for a full positive label.
const FULL_LABEL: f32 = 0.25;

/// Selected patches of an image, with their labels and shares of the loss of the image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PatchSelection {
    pub(crate) patches: Vec<usize>,
    pub(crate) targets: Vec<f32>,
    pub(crate) shares: Vec<f32>,
}

impl PatchSelection {
    /// Selects `count` patches, at most half of them masked. Masked patches (by label) have half of the loss, patches
    /// away from the mask the other half. The rim of the mask is left out, because its features see the defect. So are
    /// masked patches that are not `visible`: a positive label on what looks normal would only add noise.
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
#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::discriminator::PATCHES_PER_IMAGE;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_selection_splits_the_loss_evenly_and_skips_the_rim() {
        let mut coverage = vec![0.0; 400];
        coverage[10 * 20 + 10] = 0.1;
        coverage[10 * 20 + 11] = 0.9;
        let selection =
            PatchSelection::new(&coverage, |_| true, 20, PATCHES_PER_IMAGE, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(selection.patches.len(), PATCHES_PER_IMAGE);
        let share = |positive: bool| -> f32 {
            selection
                .targets
                .iter()
                .zip(&selection.shares)
                .filter(|(t, _)| (**t > 0.0) == positive)
                .map(|(_, s)| s)
                .sum()
        };
        assert!((share(true) - 0.5).abs() < 1e-5 && (share(false) - 0.5).abs() < 1e-5);
        assert_eq!(selection.targets[..2].iter().copied().fold(0.0, f32::max), 1.0);
        let rim = 9 * 20 + 12;
        assert!(selection.patches.iter().zip(&selection.shares).all(|(&p, &s)| p != rim || s == 0.0));
        // what cannot be seen trains neither way
        let selection = PatchSelection::new(
            &coverage,
            |p| p != 10 * 20 + 11,
            20,
            PATCHES_PER_IMAGE,
            &mut ChaCha8Rng::seed_from_u64(1),
        );
        let used = |p: usize| selection.patches.iter().zip(&selection.shares).any(|(&q, &s)| q == p && s > 0.0);
        assert!(used(10 * 20 + 10) && !used(10 * 20 + 11) && !used(rim));
        // half of fewer, if there are as many
        let selection = PatchSelection::new(&[1.0; 400], |_| true, 20, 16, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!((selection.patches.len(), selection.shares.iter().filter(|s| **s > 0.0).count()), (16, 8));
        // a normal image: all of the loss on its patches
        let selection =
            PatchSelection::new(&[0.0; 400], |_| true, 20, PATCHES_PER_IMAGE, &mut ChaCha8Rng::seed_from_u64(1));
        assert!((selection.shares.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
