//! Splits and the thresholds chosen on them.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use adbench::dataset::{Sample, Split, Train};
use adbench::metrics::MetricError;

fn split(count: usize) -> Split<Train> {
    let sample = |i: usize| {
        let id = format!("train/good/{i:03}.png");
        Sample::new(id.clone(), id.into(), None, (i == 9).then(|| "crack".to_owned()))
    };
    Split::new((0..count).rev().map(sample).collect())
}

#[test]
fn every_kth_sample_is_held_out() {
    let (train, validation) = split(7).hold_out_every(3).unwrap();
    let ids = |samples: &[Sample]| samples.iter().map(|s| s.id()[11..14].to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(validation.samples()), ["000", "003", "006"]);
    assert_eq!(ids(train.samples()), ["001", "002", "004", "005"]);
    assert!(matches!(split(7).hold_out_every(1), Err(MetricError::Parameter(_))));
}

#[test]
fn a_threshold_lets_the_promised_share_pass() {
    // Nine good samples with scores 8 down to 0, and an anomalous one that does not count.
    let scores = split(10).with_scores((0..10).map(|i| if i == 9 { 100.0 } else { 8.0 - i as f32 }).collect()).unwrap();
    for (q, expected) in [(0.0, 0.0), (0.1, 0.0), (0.5, 4.0), (0.89, 8.0), (1.0, 8.0)] {
        let threshold = scores.threshold_at_quantile(q).unwrap();
        assert_eq!(threshold, expected, "{q}");
        let passing = (0..9).filter(|&s| s as f32 <= threshold).count();
        assert!(passing as f64 >= q * 9.0);
    }
    assert_eq!(scores.auroc(), Ok(1.0));
    assert!(scores.threshold_at_quantile(1.5).is_err());
    assert!(matches!(
        split(3).with_scores(vec![0.0]),
        Err(MetricError::Length { what: "scores", expected: 3, found: 1 })
    ));
    assert!(split(1).with_scores(vec![f32::NAN]).is_err());
    assert!(split(0).with_scores(vec![]).unwrap().threshold_at_quantile(0.5).is_err());
}
