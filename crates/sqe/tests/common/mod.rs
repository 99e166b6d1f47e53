//! Discs on a texture, whose step against it is known, and a backbone of another name.
#![allow(dead_code)] // not every test needs all of it

use frozen_backbone::{Backbone, EfficientNetLite0, Error as BackboneError, Level, Pyramid};
use ndarray::{Array2, Array3, ArrayView3};
use sqe::{Head, QualityFeatures, RankedVersions, Sqe, WarmStartParams, WarmStartReport};

pub(crate) fn texture(seed: usize) -> Array3<f32> {
    Array3::from_shape_fn((64, 64, 3), |(y, x, c)| {
        let (y, x) = (y + seed * 13, x + seed * 29);
        0.3 + 0.3 * ((y * y * 31 + x * x * 17 + y * x + c * 5) % 101) as f32 / 101.0
    })
}

pub(crate) fn mask(seed: usize) -> Array2<bool> {
    let (cy, cx, r) = (24 + seed * 7 % 16, 24 + seed * 11 % 16, 5 + seed % 5);
    Array2::from_shape_fn((64, 64), |(y, x)| y.abs_diff(cy).pow(2) + x.abs_diff(cx).pow(2) < r * r)
}

/// A disc that is brighter than its texture by `strength` of the full step.
pub(crate) fn pasted(seed: usize, strength: f32) -> QualityFeatures {
    let net = EfficientNetLite0::pretrained().unwrap();
    let (mut image, mask) = (texture(seed), mask(seed));
    for ((y, x, _), v) in image.indexed_iter_mut() {
        if mask[[y, x]] {
            *v = (*v + 0.35 * strength).min(1.0);
        }
    }
    QualityFeatures::extract(&net, image.view(), mask.view()).unwrap()
}

/// A head trained to rank the discs of 16 seeds by their step.
pub(crate) fn trained(head: Head) -> (Sqe, WarmStartReport) {
    let net = EfficientNetLite0::pretrained().unwrap();
    let strengths = [1.0, 0.5, 0.2, 0.0];
    let ranked = |seed| RankedVersions::worst_first(strengths.map(|strength| pasted(seed, strength)).into());
    let rankings: Vec<RankedVersions> = (0..16).map(ranked).collect();
    let mut sqe = Sqe::new(&net, head, 7).unwrap();
    let report = sqe.warm_start(&rankings, &WarmStartParams::default().with_epochs(30)).unwrap();
    (sqe, report)
}

/// The embedded network under another name.
#[derive(Debug)]
pub(crate) struct Other(pub(crate) EfficientNetLite0);

impl Backbone for Other {
    fn id(&self) -> &'static str {
        "other"
    }
    fn hash(&self) -> u64 {
        1
    }
    fn levels(&self) -> &[Level] {
        self.0.levels()
    }
    fn min_side(&self) -> usize {
        self.0.min_side()
    }
    fn extract(&self, image: ArrayView3<'_, f32>) -> Result<Pyramid, BackboneError> {
        self.0.extract(image)
    }
}
