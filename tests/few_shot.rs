//! Real defects that steer training leave the test set for good.
#![allow(clippy::unwrap_used)] // a test may panic

use std::sync::Arc;

use maphc2f::bilevel::ForwardDifference;
use maphc2f::bisqad::{
    self, Anomaly, AnomalySource, LabeledDefect, NoObserver, OuterProblem, SourceError, TrainParams,
    ValidationAnomalies, fit,
};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::sqe::{Head, Sqe};
use maphc2f::{Error, TestImage, evaluate, resize_square, take_few_shot};
use ndarray::{Array2, Array3, ArrayView3};

fn texture(seed: usize) -> Array3<f32> {
    Array3::from_shape_fn((90, 70, 1), |(y, x, _)| 0.3 + 0.4 * ((y * 7 + x * 5 + seed * 31) % 29) as f32 / 29.0)
}

fn tests() -> Vec<TestImage> {
    let one = |i: usize| {
        // one pixel wide: resized to 64 it covers no pixel by half
        let mask = Array2::from_shape_fn((90, 70), |(y, x)| i > 1 && x == 20 + i && y > 10);
        let mut image = texture(100 + i);
        image.indexed_iter_mut().filter(|((y, x, _), _)| mask[[*y, *x]]).for_each(|(_, v)| *v = 1.0);
        TestImage { name: format!("image {i}"), kind: (i > 1).then(|| "line".to_owned()), image, mask: Some(mask) }
    };
    (0..6).map(one).collect()
}

struct Square;

impl AnomalySource for Square {
    fn mechanisms(&self) -> usize {
        1
    }
    fn anomaly(&self, normal: ArrayView3<'_, f32>, _: usize, _: usize, _: u64) -> Result<Anomaly, SourceError> {
        let mask = Array2::from_shape_fn((64, 64), |(y, x)| y / 8 == 3 && x / 8 == 4);
        let image = Array3::from_shape_fn(normal.dim(), |(y, x, c)| if mask[[y, x]] { 0.9 } else { normal[[y, x, c]] });
        Ok(Anomaly { image, mask, severity: None })
    }
}

#[test]
fn they_are_moved_out_and_refused_if_they_come_back() {
    let (all, mut rest) = (tests(), tests());
    let few = take_few_shot(&mut rest, 2, 64, 3).unwrap();
    let names: Vec<&str> = few.defects().iter().map(|d| d.name.as_str()).collect();
    assert_eq!((names.len(), rest.len()), (2, 4));
    assert!(rest.iter().all(|t| !names.contains(&t.name.as_str())));
    // 90 x 70 with the shorter side brought to 64, and the mask with it
    let small = |d: &LabeledDefect| d.mask.iter().any(|&m| m) && d.mask.dim() == (82, 64) && d.image.dim().0 == 82;
    assert!(few.defects().iter().all(small));
    let mut again = tests();
    assert_eq!(take_few_shot(&mut again, 2, 64, 3).unwrap(), few, "the seed decides");

    let net = EfficientNetLite0::pretrained().unwrap();
    let mut quality = Sqe::new(&net, Head::default(), 0).unwrap();
    let normals: Vec<_> = (0..6).map(|i| resize_square(texture(i).view(), 64).unwrap()).collect();
    let params = TrainParams::default().with_rounds(1).with_steps(1).with_batch(2).with_updates(1).with_dimensions(16);
    let meta = ValidationAnomalies::RealDefects(few.clone());
    let upper = OuterProblem { quality: &mut quality, method: &ForwardDifference::default(), validation: &meta };
    let detector = fit(Arc::new(net), &normals, &Square, upper, &params, None, &mut NoObserver).unwrap().detector;
    assert!(evaluate(&detector, "rest", &rest, &|_| ()).is_ok());
    let error = evaluate(&detector, "all", &all, &|_| ()).unwrap_err();
    assert!(matches!(&error, Error::Detector(bisqad::Error::TestLeak { name, .. }) if names.contains(&name.as_str())));
}

#[test]
fn more_than_there_are_and_none_are_refused() {
    for count in [0, 5] {
        let mut tests = tests();
        let error = take_few_shot(&mut tests, count, 64, 0).unwrap_err();
        assert!(matches!(&error, Error::Detector(bisqad::Error::Parameter(e)) if e.name == "count"), "{error}");
        assert_eq!(tests.len(), 6);
    }
}
