//! Bodies of the targets of model files. The fuzzer runs them, and `tests/fuzz_regressions.rs` on what was kept.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use maphc2f::bisqad::{
    self, Checkpoint, Ensemble, Error, GaussianDetector, GaussianParams, MemoryDetector, MemoryParams, NoObserver,
    PatchDetector, Persist, TrainParams,
};
use maphc2f::frozen_backbone::{Backbone, EfficientNetLite0};
use maphc2f::ndarray::{Array2, Array3, ArrayView3};
use maphc2f::sqe::{FaultEstimator, Head, Sqe};

/// Reads any bytes as every kind of model file: no panic; what can be read scores finite numbers or none.
pub fn bytes(scratch: &Path, data: &[u8]) {
    let path = scratch.join("model");
    std::fs::write(&path, data).expect("a file");
    read(&path);
}

/// Changes numbers of whole files: of those that are not finite none is accepted.
///
/// The first byte chooses the file; then follow, in 12 bytes each, a tensor, a place in it and the bytes of the number.
pub fn values(scratch: &Path, data: &[u8]) {
    let Some((which, changes)) = data.split_first() else { return };
    let files = files(scratch);
    let mut bytes = files[usize::from(*which) % files.len()].clone();
    let tensors = tensors(&bytes);
    for change in changes.as_chunks::<12>().0.iter().take(8) {
        let place = |from: usize| usize::from(u16::from_le_bytes([change[from], change[from + 1]]));
        let (size, start, end) = tensors[place(0) % tensors.len()];
        if let Some(at) = (place(2) * size).checked_rem(end - start) {
            bytes[start + at..start + at + size].copy_from_slice(&change[4..4 + size]);
        }
    }
    let path = scratch.join("changed");
    std::fs::write(&path, &bytes).expect("a file");
    read(&path);
}

fn read(path: &Path) {
    let net = net();
    match bisqad::load(path, std::slice::from_ref(net)) {
        Err(e) => assert_eq!(e.to_string().lines().count(), 1, "{e}"),
        Ok(detector) => match detector.predict(photo(9).view()) {
            Ok(found) => {
                assert!(
                    found.score.is_finite() && found.map.iter().all(|v| v.is_finite()),
                    "a score that is no number"
                );
            }
            Err(Error::NotFinite { .. } | Error::Length { .. } | Error::Backbone(_)) => {}
            Err(e) => panic!("{e}"),
        },
    }
    if let Ok(quality) = Sqe::load(path, net.as_ref()) {
        let mask = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| y > 9 && x > 9 && y < 20 && x < 20);
        let score = quality.score_image(net.as_ref(), photo(9).view(), mask.view());
        assert!(score.is_err() || score.is_ok_and(f64::is_finite), "a quality that is no number");
    }
    if let Ok(estimator) = FaultEstimator::load(path) {
        let mask = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| y > 9 && x > 9 && y < 20 && x < 20);
        let found = estimator.diagnose(photo(9).view(), mask.view()).expect("a photo and its mask");
        assert!(found.quality.is_finite() && found.faults.iter().all(|f| f.is_finite()), "a quality that is no number");
    }
    let _ = Checkpoint::load(path, "run");
}

const SIDE: usize = 40;

fn net() -> &'static Arc<dyn Backbone> {
    static NET: OnceLock<Arc<dyn Backbone>> = OnceLock::new();
    NET.get_or_init(|| Arc::new(EfficientNetLite0::pretrained().expect("a backbone")))
}

fn photo(i: usize) -> Array3<f32> {
    let value = |y: usize, x: usize| 0.4 + 0.1 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0;
    Array3::from_shape_fn((SIDE, SIDE, 3), |(y, x, _)| value(y, x))
}

struct Square;

impl bisqad::AnomalySource for Square {
    fn mechanisms(&self) -> usize {
        1
    }
    fn anomaly(
        &self,
        normal: ArrayView3<'_, f32>,
        _: usize,
        _: usize,
        _: u64,
    ) -> Result<bisqad::Anomaly, bisqad::SourceError> {
        let mask = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| y / 8 == 2 && x / 8 == 3);
        let image = Array3::from_shape_fn(normal.dim(), |(y, x, c)| if mask[[y, x]] { 0.9 } else { normal[[y, x, c]] });
        Ok(bisqad::Anomaly { image, mask, severity: None })
    }
}

/// Keeps the bytes of the last checkpoint.
struct Keep<'a>(&'a Path);

impl bisqad::Observe for Keep<'_> {
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> std::ops::ControlFlow<()> {
        checkpoint.save(self.0, "run").expect("a checkpoint");
        std::ops::ControlFlow::Continue(())
    }
}

/// A whole file of each kind.
fn files(scratch: &Path) -> &'static [Vec<u8>] {
    static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| {
        let (net, normals) = (net(), (0..6).map(photo).collect::<Vec<_>>());
        let params = GaussianParams::default().with_dimensions(2);
        let gaussian = GaussianDetector::fit(net.clone(), &normals, &params, &mut NoObserver).expect("a detector");
        let params = MemoryParams::default().with_dimensions(2).with_memory(4);
        let memory = MemoryDetector::fit(net.clone(), &normals, &params, &mut NoObserver).expect("a detector");
        let params = TrainParams::default().with_rounds(1).with_steps(1).with_batch(2).with_updates(1);
        let params = params.with_dimensions(2).with_hidden(2);
        let checkpoint = scratch.join("checkpoint");
        let patch = PatchDetector::fit(net.clone(), &normals, &Square, &params, &mut Keep(&checkpoint));
        let patch = patch.expect("a detector").detector;
        let both = Ensemble::new(Arc::new(gaussian.clone()), Arc::new(memory.clone()), &normals[..2]);
        let both = both.expect("a detector");
        let path = scratch.join("whole");
        let mut files = Vec::new();
        for detector in [&gaussian as &dyn Persist, &memory, &patch, &both] {
            detector.save(&path).expect("a file");
            files.push(std::fs::read(&path).expect("a file"));
        }
        for head in [Head::Global, Head::Masked { hidden: 2 }] {
            Sqe::new(net.as_ref(), head, 0).expect("an estimator").save(&path).expect("a file");
            files.push(std::fs::read(&path).expect("a file"));
        }
        files.push(std::fs::read(&checkpoint).expect("a file"));
        files.push(FaultEstimator::pretrained_bytes().to_vec());
        files
    })
}

/// Size of a number, and the first and last byte, of every tensor.
fn tensors(bytes: &[u8]) -> Vec<(usize, usize, usize)> {
    let length = u64::from_le_bytes(*bytes.first_chunk().expect("a header")) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    let tensors = header.as_object().expect("a header").iter().filter(|(name, _)| *name != "__metadata__");
    let places = tensors.map(|(_, info)| {
        let offset = |i: usize| 8 + length + info["data_offsets"][i].as_u64().expect("an offset") as usize;
        (if info["dtype"] == "F64" { 8 } else { 4 }, offset(0), offset(1))
    });
    places.collect()
}
