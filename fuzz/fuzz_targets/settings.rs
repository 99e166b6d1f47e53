//! Body of the target of parameters: any numbers in every builder. The fuzzer runs it, and `tests/fuzz_regressions.rs`
//! on what was kept.

use maphc2f::adbench::metrics::{BootstrapParams, recall_at_false_positive_rate, specificity_at_miss_rate};
use maphc2f::bisqad::{GaussianParams, MemoryParams, Threshold, TrainParams, Weighting};
use maphc2f::factory::{DatasetParams, Formats, Materials, MechanismMix, Shard};
use maphc2f::imgkit::rank::{at_least, at_most, nearest};
use maphc2f::sqe::{keep_best, mean_one_weights, temper_to_ess};
use maphc2f::{BilevelParams, RankingParams};

/// Numbers from eight bytes each, and the rest as text: checks answer, and what they let pass does not panic.
pub fn parameters(data: &[u8]) {
    let (numbers, text) = data.as_chunks::<8>();
    let mut numbers = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes));
    let mut whole = || numbers.next().unwrap_or(1) as usize;
    let [a, b, c, d, e] = std::array::from_fn(|_| whole());
    let float = |bits: usize| f64::from_bits(bits as u64);
    let [p, q, r] = [a, b, c].map(float);

    let train = TrainParams::default().with_rounds(a).with_steps(b).with_batch(c).with_updates(d).with_hidden(e);
    let _ = train.with_outer_every(a).with_outer_batch(b).with_dimensions(c).check();
    let train = TrainParams::default().with_learning_rate(p).with_quality_learning_rate(q).with_ess_penalty(r);
    let _ = train.with_min_ess_fraction(p).with_feature_noise(q).with_shrinkage(Some(r)).check();
    let train = TrainParams::default().with_held_out(p).with_smoothing(q);
    let _ = BilevelParams::default().with_detector(train).with_ranked_defects(d).check();
    let _ = TrainParams::default().with_weighting(Weighting::Filtered { keep: p }).check();
    let _ = RankingParams::default().with_defects(a).check();
    let _ = GaussianParams::default().with_dimensions(a).with_shrinkage(p).with_held_out(q).with_smoothing(r).check();
    let _ = MemoryParams::default().with_memory(a).with_candidates(b).with_held_out(q).with_smoothing(r).check();
    let _ = BootstrapParams::default().with_resamples(a).with_level(p).check();

    let scores = [p, q, r];
    if let Ok(mut threshold) = Threshold::from_scores(&scores, float(d)) {
        assert!(threshold.value.is_finite(), "a threshold that every photo passes");
        threshold.normals = e;
        threshold.false_positive_rate = float(e);
        let _ = (threshold.is_supported(), threshold.needed());
    }
    let labels = [true, false, true];
    let _ = (recall_at_false_positive_rate(&scores, &labels, p), specificity_at_miss_rate(&scores, &labels, q));
    let _ = (keep_best(&scores, q), mean_one_weights(&scores));
    let _ = temper_to_ess(&[0.5, 1.5], p);
    let share = float(a);
    assert!(at_most(share, b) <= nearest(share, b) && nearest(share, b) <= at_least(share, b));
    assert!(at_least(share, b) - at_most(share, b) <= 1 && at_least(share, b) <= b);

    let text = String::from_utf8_lossy(text);
    let params = DatasetParams::default().with_count(a as u64).with_side(Some(b)).with_keep_best(p);
    let _ = params.check();
    let _ = (text.parse::<MechanismMix>(), text.parse::<Materials>(), text.parse::<Formats>(), text.parse::<Shard>());
}
