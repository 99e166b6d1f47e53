//! Few-shot validation: real defects taken out of a test set to validate the sample weights.

use bisqad::{FewShotSet, LabeledDefect};
use imgkit::ParameterError;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::Error;
use crate::evaluate::TestImage;
use crate::photo::{shrink_mask, shrink_to_side};

/// Takes `count` real defects out of `tests`, sampled by `seed`, and makes a few-shot validation set of them, shrunk to
/// a shorter side of `side`.
///
/// They are moved: `tests` holds none of them afterwards, and [`crate::evaluate`] refuses their images should they come
/// back. All methods of a comparison must be tested on the same remainder.
///
/// # Errors
/// [`Error::Detector`] with [`bisqad::Error::Parameter`] for a count of 0 or of more than there are defects with a
/// mask, and [`bisqad::Error::UnusableDefect`] if two are the same picture; [`Error::Resize`].
pub fn take_few_shot(tests: &mut Vec<TestImage>, count: usize, side: usize, seed: u64) -> Result<FewShotSet, Error> {
    let defective = |t: &TestImage| t.kind.is_some() && t.mask.iter().flatten().any(|&m| m);
    let mut order: Vec<usize> = (0..tests.len()).filter(|&i| defective(&tests[i])).collect();
    if count == 0 || order.len() < count {
        let expected = "at least 1 and no more than the defects of the test set";
        return Err(bisqad::Error::from(ParameterError::new("few-shot set", "count", count, expected)).into());
    }
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order.truncate(count);
    let mut taken = Vec::with_capacity(count);
    let mut rest = Vec::with_capacity(tests.len() - count);
    for (i, test) in std::mem::take(tests).into_iter().enumerate() {
        let Some(mask) = test.mask.as_ref().filter(|_| order.contains(&i)) else {
            rest.push(test);
            continue;
        };
        let image = shrink_to_side(test.image.view(), side)?;
        let mask = shrink_mask(mask.view(), (image.dim().0, image.dim().1))?;
        let kind = test.kind.unwrap_or_default();
        taken.push(LabeledDefect { image, mask, name: test.name, kind });
    }
    *tests = rest;
    Ok(FewShotSet::new(taken)?)
}
