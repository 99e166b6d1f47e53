//! Files of estimators: what is saved is loaded, and files of another version or backbone or with damage are rejected.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use frozen_backbone::model_file::ModelFileError;
use std::collections::HashMap;
use std::path::Path;

use common::{Other, pasted, trained};
use frozen_backbone::EfficientNetLite0;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sqe::{Error, Head, Sqe};

fn net() -> EfficientNetLite0 {
    EfficientNetLite0::pretrained().unwrap()
}

fn load(bytes: &[u8]) -> Result<Sqe, Error> {
    Sqe::from_bytes(Path::new("q.safetensors"), bytes, &net())
}

/// Metadata and tensors of a file, to be altered and written again.
struct File {
    metadata: HashMap<String, String>,
    tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
}

impl File {
    fn of(head: Head) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.safetensors");
        Sqe::new(&net(), head, 3).unwrap().save(&path).unwrap();
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter().map(|(n, t)| (n.to_owned(), t.dtype(), t.shape().to_vec(), t.data().to_vec()));
        Self { metadata: header.metadata().clone().unwrap(), tensors: tensors.collect() }
    }

    fn bytes(&self) -> Vec<u8> {
        let views = self.tensors.iter().map(|(n, d, s, v)| (n, TensorView::new(*d, s.clone(), v).unwrap()));
        safetensors::serialize(views, Some(self.metadata.clone())).unwrap()
    }

    fn set(&mut self, field: &str, value: &str) {
        self.metadata.insert(field.to_owned(), value.to_owned());
    }

    fn tensor(&mut self, name: &str) -> &mut (String, Dtype, Vec<usize>, Vec<u8>) {
        self.tensors.iter_mut().find(|t| t.0 == name).unwrap()
    }
}

#[test]
fn a_saved_head_scores_the_same() {
    for head in [Head::default(), Head::Global] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.safetensors");
        let (sqe, _) = trained(head);
        sqe.save(&path).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays behind");
        let again = Sqe::load(&path, &net()).unwrap();
        let e = pasted(50, 0.4);
        assert_eq!(again.score(&[&e]).unwrap(), sqe.score(&[&e]).unwrap());
        assert_eq!(again.head(), head);
    }
}

#[test]
fn a_file_of_another_version_or_backbone_is_rejected() {
    load(&File::of(Head::Global).bytes()).unwrap();
    for (field, value) in [("format", "sqe-2"), ("backbone", "another"), ("backbone_hash", "0000000000000000")] {
        let mut file = File::of(Head::Global);
        file.set(field, value);
        match load(&file.bytes()).unwrap_err() {
            Error::File(ModelFileError::Mismatch { field: f, found, .. }) => {
                assert_eq!((f, found.as_str()), (field, value))
            }
            other => panic!("{field}: {other}"),
        }
        file.metadata.remove(field);
        assert!(
            matches!(load(&file.bytes()), Err(Error::File(ModelFileError::Mismatch { field: f, .. })) if f == field)
        );
    }
    let bytes = File::of(Head::Global).bytes();
    let error = Sqe::from_bytes(Path::new("q.safetensors"), &bytes, &Other(net())).unwrap_err();
    assert!(matches!(&error, Error::File(ModelFileError::Mismatch { field: "backbone", .. })), "{error}");
    // another set of weights under the same name
    let other = Sqe::from_bytes(Path::new("q.safetensors"), &bytes, &net().with_hash(7));
    assert!(matches!(other, Err(Error::File(ModelFileError::Mismatch { field: "backbone_hash", .. }))));
}

#[test]
fn a_damaged_file_is_rejected_and_says_why() {
    let reason = |bytes: &[u8]| match load(bytes) {
        Err(Error::File(ModelFileError::Damaged { source, .. })) => source.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    };
    let whole = File::of(Head::Masked { hidden: 2 }).bytes();
    for length in (0..whole.len()).step_by(97) {
        reason(&whole[..length]);
    }
    reason(b"not a file of ours");

    let damaged = |change: &dyn Fn(&mut File)| {
        let mut file = File::of(Head::Masked { hidden: 2 });
        change(&mut file);
        reason(&file.bytes())
    };
    assert!(damaged(&|f| f.set("hidden", "many")).contains("hidden"));
    // another number of units than the tensors have
    assert!(damaged(&|f| f.set("hidden", "3")).contains("hidden.weight"));
    assert!(damaged(&|f| f.set("hidden", "0")).contains("output.weight"));
    assert!(damaged(&|f| f.tensors.retain(|t| t.0 != "mean")).contains("mean"));
    assert!(damaged(&|f| f.tensor("mean").2.insert(0, 1)).contains("mean"));
    assert!(damaged(&|f| f.tensor("output.bias").1 = Dtype::I32).contains("output.bias"));

    // more units than fit in memory
    let mut file = File::of(Head::Masked { hidden: 2 });
    file.set("hidden", &usize::MAX.to_string());
    assert!(matches!(load(&file.bytes()), Err(Error::Parameter(p)) if p.name == "hidden"));
}

/// NaN or an infinity anywhere, in any tensor, is refused with the name of the tensor; so is a scale of 0.
#[test]
fn a_number_that_is_not_finite_is_refused_by_the_name_of_its_tensor() {
    let mut tried = 0;
    for head in [Head::default(), Head::Global] {
        for i in 0..File::of(head).tensors.len() {
            for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for last in [false, true] {
                    let mut file = File::of(head);
                    let (name, _, _, bytes) = &mut file.tensors[i];
                    let (name, at) = (name.clone(), if last { bytes.len() - 4 } else { 0 });
                    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
                    match load(&file.bytes()).unwrap_err() {
                        Error::File(ModelFileError::NotFinite { tensor, .. }) => assert_eq!(tensor, name),
                        other => panic!("{name}: {other}"),
                    }
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 40, "{tried} numbers");
    for value in [0.0, -1.0f32] {
        let mut file = File::of(Head::default());
        file.tensor("scale").3[..4].copy_from_slice(&value.to_le_bytes());
        let found = load(&file.bytes());
        assert!(matches!(found, Err(Error::File(ModelFileError::Range { tensor, .. })) if tensor == "scale"));
    }
}

#[test]
fn unreadable_and_unwritable_paths_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none").join("q.safetensors");
    assert!(
        matches!(Sqe::load(&missing, &net()), Err(Error::File(ModelFileError::Read { path, .. })) if path == missing)
    );
    let error = Sqe::new(&net(), Head::Global, 0).unwrap().save(&missing).unwrap_err();
    assert!(matches!(&error, Error::File(ModelFileError::Write(e)) if e.path == missing), "{error}");
}
