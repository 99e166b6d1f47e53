//! Files of detectors and checkpoints: equal ones are equal bytes, and no number is believed unread.
#![allow(clippy::unwrap_used)] // a test may panic

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use bisqad::{
    Anomaly, AnomalySource, ChannelProjection, Checkpoint, Detector, Ensemble, Error, GaussianDetector, GaussianParams,
    MemoryDetector, MemoryParams, NoObserver, Observe, PatchDetector, Persist, Prediction, Projected, SourceError,
    Threshold, Tiled, TrainParams, load,
};
use frozen_backbone::model_file::ModelFileError;
use frozen_backbone::{Backbone, EfficientNetLite0};
use ndarray::{Array2, Array3, ArrayView3};
use safetensors::{Dtype, SafeTensors};

fn net() -> Arc<dyn Backbone> {
    Arc::new(EfficientNetLite0::pretrained().unwrap())
}

fn photo(i: usize) -> Array3<f32> {
    Array3::from_shape_fn((48, 48, 3), |(y, x, _)| 0.4 + 0.1 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
}

struct Square;

impl AnomalySource for Square {
    fn mechanisms(&self) -> usize {
        1
    }
    fn anomaly(&self, normal: ArrayView3<'_, f32>, _: usize, _: usize, index: u64) -> Result<Anomaly, SourceError> {
        let at = (index % 4) as usize;
        let mask = Array2::from_shape_fn((48, 48), |(y, x)| y / 8 == at && x / 8 == 3);
        let image = Array3::from_shape_fn(normal.dim(), |(y, x, c)| if mask[[y, x]] { 0.9 } else { normal[[y, x, c]] });
        Ok(Anomaly { image, mask, severity: None })
    }
}

/// Keeps the last checkpoint.
#[derive(Default)]
struct Keep(Option<Checkpoint>);

impl Observe for Keep {
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> ControlFlow<()> {
        self.0 = Some(checkpoint.clone());
        ControlFlow::Continue(())
    }
}

/// One file of every kind, by name: the detectors, alone and in each other, and a checkpoint.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let (net, folder) = (net(), tempfile::tempdir().unwrap());
    let path = folder.path().join("file");
    let normals: Vec<_> = (0..8).map(photo).collect();
    let params = GaussianParams::default().with_dimensions(3);
    let gaussian = GaussianDetector::fit(net.clone(), &normals, &params, &mut NoObserver).unwrap();
    let params = MemoryParams::default().with_dimensions(3).with_memory(8);
    let memory = MemoryDetector::fit(net.clone(), &normals, &params, &mut NoObserver).unwrap();
    let params = TrainParams::default().with_rounds(1).with_steps(1).with_batch(2).with_updates(1).with_dimensions(3);
    let mut keep = Keep::default();
    let patch = PatchDetector::fit(net, &normals, &Square, &params, &mut keep).unwrap().detector;
    let turned = ChannelProjection::fixed(Array2::eye(3), [0.0; 3]).unwrap();
    let projected = Projected::new(Arc::new(gaussian.clone()), turned);
    let both = Ensemble::new(Arc::new(projected), Arc::new(memory.clone()), &normals[..2]).unwrap();
    let tiled = Tiled::new(Arc::new(both), (48, 48), 8).unwrap();
    let mut files = Vec::new();
    let detectors =
        [("gaussian", &gaussian as &dyn Persist), ("memory", &memory), ("patch", &patch), ("tiled", &tiled)];
    for (name, detector) in detectors {
        detector.save(&path).unwrap();
        files.push((name, std::fs::read(&path).unwrap()));
    }
    keep.0.unwrap().save(&path, "run").unwrap();
    files.push(("checkpoint", std::fs::read(&path).unwrap()));
    files
}

/// Reads a file of [`files`].
fn read(name: &str, bytes: &[u8], path: &Path, net: &Arc<dyn Backbone>) -> Result<Option<Arc<dyn Detector>>, Error> {
    std::fs::write(path, bytes).unwrap();
    if name == "checkpoint" {
        return Checkpoint::load(path, "run").map(|_| None);
    }
    load(path, std::slice::from_ref(net)).map(Some)
}

/// Names, types and places of the tensors of a file.
fn tensors(bytes: &[u8]) -> Vec<(String, Dtype, std::ops::Range<usize>)> {
    let (header, metadata) = SafeTensors::read_metadata(bytes).unwrap();
    let place = |(start, end): (usize, usize)| 8 + header + start..8 + header + end;
    metadata.tensors().into_iter().map(|(name, info)| (name, info.dtype, place(info.data_offsets))).collect()
}

/// The bytes with one number of a tensor of floats replaced.
fn with(bytes: &[u8], dtype: Dtype, at: usize, value: f64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match dtype {
        Dtype::F32 => bytes[at..at + 4].copy_from_slice(&(value as f32).to_le_bytes()),
        Dtype::F64 => bytes[at..at + 8].copy_from_slice(&value.to_le_bytes()),
        _ => bytes[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes()),
    }
    bytes
}

/// NaN or an infinity anywhere, in any tensor of any file, is refused with the name of the tensor.
#[test]
fn a_number_that_is_not_finite_is_refused_by_the_name_of_its_tensor() {
    let (net, folder) = (net(), tempfile::tempdir().unwrap());
    let path = folder.path().join("file");
    let mut tried = 0;
    for (name, bytes) in files() {
        assert!(read(name, &bytes, &path, &net).is_ok(), "{name}");
        for (tensor, dtype, place) in tensors(&bytes) {
            if dtype == Dtype::U32 || place.is_empty() {
                continue;
            }
            let size = if dtype == Dtype::F32 { 4 } else { 8 };
            for at in [place.start, place.end - size] {
                for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                    let error = read(name, &with(&bytes, dtype, at, value), &path, &net).unwrap_err();
                    let Error::File(ModelFileError::NotFinite { tensor: found, value: held, .. }) = &error else {
                        panic!("{name} {tensor}: {error}")
                    };
                    assert_eq!((found, held.is_nan()), (&tensor, value.is_nan()), "{name}");
                    let text = error.to_string();
                    assert!(text.contains(&format!("`{tensor}`")) && text.contains("file"), "{text}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 200, "{tried} numbers");
}

/// Every finite number in every place gives a typed error, or a detector whose scores are finite or refused: never a
/// panic, and never an allocation of its size.
#[test]
fn numbers_out_of_range_are_refused_and_whatever_is_read_scores_finite_numbers_or_none() {
    let (net, folder) = (net(), tempfile::tempdir().unwrap());
    let path = folder.path().join("file");
    let odd = [-1.0, 0.0, 0.5, 7.0, 1e9, 4e9, 3e38, -3e38, 1e-38];
    let (mut refused, mut scored) = (0, 0);
    for (name, bytes) in files() {
        for (_, dtype, place) in tensors(&bytes) {
            let size = if dtype == Dtype::F64 { 8 } else { 4 };
            let count = place.len() / size;
            let places = (0..count.min(12)).chain([count / 2, count.saturating_sub(1)]);
            for (at, value) in places.filter(|i| *i < count).flat_map(|i| odd.map(|v| (place.start + i * size, v))) {
                match read(name, &with(&bytes, dtype, at, value), &path, &net) {
                    Err(Error::File(_) | Error::OtherRun { .. }) => refused += 1,
                    Err(other) => panic!("{name}: {other}"),
                    Ok(Some(detector)) if at % 5 == 0 => match detector.predict(photo(3).view()) {
                        Ok(Prediction { score, map }) => {
                            assert!(score.is_finite() && map.iter().all(|v| v.is_finite()), "{name}");
                            scored += 1;
                        }
                        Err(Error::NotFinite { .. }) => scored += 1,
                        Err(other) => panic!("{name}: {other}"),
                    },
                    Ok(_) => {}
                }
            }
        }
    }
    assert!(refused > 100 && scored > 100, "{refused} refused, {scored} scored");
}

/// Numbers that would call every photo good, or turn a spread around: each refused by name.
#[test]
fn numbers_that_no_training_gives_are_refused_by_name() {
    let (net, folder) = (net(), tempfile::tempdir().unwrap());
    let path = folder.path().join("file");
    let files = files();
    // file, tensor, index of the number, value
    let cases = [
        ("gaussian", "inverses", 0, 0.0),
        ("gaussian", "inverses", 0, -1.0),
        ("gaussian", "smoothing", 0, 1e9),
        ("gaussian", "trained_at", 0, 0.0),
        ("gaussian", "grid", 0, 4e9),
        ("gaussian", "normal_scores", 0, 1e300),
        ("memory", "smoothing", 0, -1.0),
        ("patch", "numbers", 0, 0.0),   // length of normal deviations
        ("patch", "numbers", 2, 0.0),   // spread of logits
        ("patch", "numbers", 4, -1.0),  // spread of distances
        ("patch", "numbers", 5, 1e30),  // smoothing
        ("patch", "numbers", 6, 1e30),  // hidden units
        ("patch", "numbers", 6, 63.5),  // hidden units
        ("patch", "numbers", 7, 3.0),   // fusion
        ("patch", "numbers", 7, 256.0), // fusion, which was cut to a byte
        ("patch", "numbers", 8, 0.0),   // training side
        ("patch", "numbers", 8, 48.5),  // training side
        ("patch", "lengths", 1, 0.0),
        ("patch", "theta", 0, 1e300),
        ("patch", "level0.projection", usize::MAX, 0.0),
        ("tiled", "detector/scales", 1, 0.0),
        ("tiled", "detector/one/detector/inverses", 0, 0.0),
        ("tiled", "tile", 0, 0.0),
        ("checkpoint", "theta.adam", 2, 1e300),
        ("checkpoint", "theta.adam", 2, 0.5),
        ("checkpoint", "theta.adam", 0, -1.0),
        ("checkpoint", "quality.second", 0, -1.0),
        ("checkpoint", "rounds", 8, 1e18),
        ("checkpoint", "rounds", 7, -3.0),
        ("checkpoint", "theta", 0, 1e300),
    ];
    for (name, tensor, index, value) in cases {
        let bytes = &files.iter().find(|(n, _)| *n == name).unwrap().1;
        let (_, dtype, place) = tensors(bytes).into_iter().find(|(n, ..)| n == tensor).unwrap();
        let size = if dtype == Dtype::F64 { 8 } else { 4 };
        let changed = match index {
            usize::MAX => {
                let mut bytes = bytes.clone();
                bytes[place].fill(0);
                bytes
            }
            index => with(bytes, dtype, place.start + index * size, value),
        };
        let error = read(name, &changed, &path, &net).unwrap_err();
        assert!(matches!(error, Error::File(_)), "{name} {tensor} {index} {value}: {error}");
        // sizes that do not fit the grid are told by what they do not fit
        let named = error.to_string().contains(&format!("`{tensor}`")) || tensor == "grid";
        assert!(named, "{name} {tensor} {index} {value}: {error}");
    }
}

#[test]
fn equal_detectors_make_equal_bytes() {
    let (a, b) = (files(), files());
    assert!(a == b, "the same training, another file");
}

#[test]
fn a_pointer_of_git_lfs_and_other_files_are_named_as_what_they_are() {
    let (net, folder) = (net(), tempfile::tempdir().unwrap());
    let path = folder.path().join("detector.safetensors");
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345\n";
    let error = read("gaussian", pointer, &path, &net).unwrap_err();
    assert!(matches!(error, Error::File(ModelFileError::LfsPointer { .. })), "{error}");
    assert!(error.to_string().contains("git lfs pull"), "{error}");
    for foreign in [b"\x89PNG\r\n\x1a\n and a picture".as_slice(), b"", b"{}", b"hello"] {
        let text = read("gaussian", foreign, &path, &net).unwrap_err().to_string();
        assert!(text.contains("detector.safetensors") && text.contains("it is no model"), "{text}");
    }
}

#[test]
fn a_checkpoint_of_another_run_names_the_line_that_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    let bytes = files().pop().unwrap().1;
    std::fs::write(&path, bytes).unwrap();
    let found = |run: &str| match Checkpoint::load(&path, run) {
        Err(Error::OtherRun { found, expected, .. }) => Some((found, expected)),
        other => other.map(|_| None).unwrap(),
    };
    assert_eq!(found("run"), None);
    assert_eq!(found("other"), Some(("run".to_owned(), "other".to_owned())));
    assert_eq!(found("run\na photo"), Some(("nothing".to_owned(), "a photo".to_owned())));
}

/// A detector from elsewhere that gives the same number everywhere.
#[derive(Debug)]
struct Constant(f32);

impl Detector for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }
    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
        Ok(Prediction::of_map(Array2::from_elem((image.dim().0, image.dim().1), self.0)))
    }
}

#[test]
fn a_score_that_is_no_number_is_an_error_and_makes_no_threshold() {
    let images = [photo(0), photo(1)];
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let bad = || Arc::new(Constant(value));
        let is_named = |error: Error| assert!(matches!(error, Error::NotFinite { .. }), "{value}: {error}");
        is_named(Threshold::calibrate(&Constant(value), &images, 0.1).unwrap_err());
        is_named(Tiled::new(bad(), (24, 24), 4).unwrap().predict(images[0].view()).unwrap_err());
        is_named(Ensemble::new(bad(), Arc::new(Constant(1.0)), &images).unwrap_err());
        let scores = [0.0, f64::from(value), 1.0];
        assert!(matches!(Threshold::from_scores(&scores, 0.1), Err(Error::Parameter(e)) if e.name == "scores"));
        for rate in [f64::NAN, f64::INFINITY] {
            assert!(Threshold::from_scores(&[1.0], rate).is_err());
        }
    }
}

/// Shares of held-out images are counted in whole numbers: k / n of n images are k, and one more scores above.
#[test]
fn thresholds_have_the_exact_rank() {
    for n in 1..=300usize {
        let scores: Vec<f64> = (0..n).map(|i| i as f64).collect();
        for k in 0..n {
            let threshold = Threshold::from_scores(&scores, k as f64 / n as f64).unwrap();
            assert_eq!(threshold.value, (n - 1 - k) as f64, "{k} of {n}");
        }
        for percent in 0..100usize {
            let threshold = Threshold::from_scores(&scores, percent as f64 / 100.0).unwrap();
            assert_eq!(threshold.value, (n - 1 - percent * n / 100) as f64, "{percent} % of {n}");
        }
    }
}

#[test]
fn photos_that_do_not_differ_are_refused_with_advice_that_can_be_followed() {
    let net = net();
    let refused = |normals: &[Array3<f32>], wanted: usize| {
        let params = GaussianParams::default().with_dimensions(3);
        let memory = MemoryParams::default().with_dimensions(3);
        for error in [
            GaussianDetector::fit(net.clone(), normals, &params, &mut NoObserver).unwrap_err(),
            MemoryDetector::fit(net.clone(), normals, &memory, &mut NoObserver).unwrap_err(),
            PatchDetector::fit(net.clone(), normals, &Square, &TrainParams::default(), &mut NoObserver).unwrap_err(),
        ] {
            assert!(matches!(error, Error::TooFewDifferent { different, .. } if different == wanted), "{error}");
            assert!(error.to_string().contains("add photos") && !error.to_string().contains("rate"), "{error}");
        }
    };
    refused(&vec![photo(0); 8], 1);
    // each of another color, and of that one alone
    refused(&(0..8).map(|i| Array3::from_elem((48, 48, 3), 0.1 * i as f32)).collect::<Vec<_>>(), 0);
    let mut two: Vec<_> = vec![photo(0); 6];
    two.push(photo(1));
    refused(&two, 2);
}
