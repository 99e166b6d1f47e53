//! Backbones from weight files that a user has, and detectors that belong to one.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::slice;
use std::sync::Arc;

use bisqad::{Detector, EvidenceDetector};
use frozen_backbone::model_file::{ModelFile, ModelFileError, hash_text};
use frozen_backbone::{Backbone, DinoV2, DinoV3, DinoVariant, EfficientNetLite0, Weights, WideResNet50};
use imgkit::level::Window;

use crate::error::Error;

/// Opens the backbone whose weights `file` holds, or without a file the embedded EfficientNet-Lite0 up to stride 32.
///
/// Files are the public safetensors files of DINOv2 small and base (facebook, without registers) and DINOv3 small and
/// base (facebook; taps of both after layers 3, 6, 9 and 12) and of WideResNet-50-2 (torchvision or timm; taps at
/// strides 4, 8 and 16). Which network it is follows from the names and shapes of the tensors.
///
/// ```no_run
/// use maphc2f::bisqad::{EvidenceParams, NoObserver, Persist};
/// use maphc2f::{MATERIALS, Pipeline, PipelineSource, load_detector, load_photos, open_backbone, train_on};
///
/// let backbone = open_backbone(Some("dinov2-small.safetensors".as_ref()))?;
/// let photos: Vec<_> = load_photos("photos/good".as_ref())?.into_iter().map(|(_, photo)| photo).collect();
/// let pipeline = Pipeline::standard(&MATERIALS)?;
/// let source = PipelineSource::new(&pipeline, &photos, &[], 0)?;
/// let trained = train_on(backbone.clone(), &photos, &source, &EvidenceParams::default(), &mut NoObserver)?;
/// trained.detector.save("detector.safetensors".as_ref())?;
/// let detector = load_detector("detector.safetensors".as_ref(), &backbone)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::UnknownBackbone`] for a file of another network or of PyTorch; [`Error::Backbone`] for one that is not
/// whole or cannot be read.
pub fn open_backbone(file: Option<&Path>) -> Result<Arc<dyn Backbone>, Error> {
    let Some(path) = file else { return Ok(Arc::new(EfficientNetLite0::pretrained_s32()?)) };
    let unknown = |found: &'static str| Error::UnknownBackbone { path: path.to_owned(), found };
    if is_of_pytorch(path) {
        return Err(unknown("a file of PyTorch: save its tensors with safetensors.torch.save_file first"));
    }
    let weights = Weights::open(path)?;
    Ok(match family(&weights).map_err(unknown)? {
        Family::DinoV2(variant) => Arc::new(DinoV2::new(variant, &weights, &DinoV2::LAYERS)?),
        Family::DinoV3(variant) => Arc::new(DinoV3::new(variant, &weights, &DinoV3::LAYERS)?),
        Family::WideResNet => Arc::new(WideResNet50::new(&weights, &WideResNet50::STRIDES)?),
    })
}

/// Networks whose files are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    DinoV2(DinoVariant),
    DinoV3(DinoVariant),
    WideResNet,
}

/// Network that a file belongs to, or what it is instead.
fn family(weights: &Weights) -> Result<Family, &'static str> {
    let has = |name: &str| weights.shape(name).is_some();
    if let Some(&[channels, _, patch, _]) = weights.shape("embeddings.patch_embeddings.projection.weight") {
        return match (channels, patch, has("embeddings.register_tokens")) {
            (384, 14, false) => Ok(Family::DinoV2(DinoVariant::Small)),
            (768, 14, false) => Ok(Family::DinoV2(DinoVariant::Base)),
            (_, 14, true) => Err("DINOv2 with registers"),
            (_, 14, false) => Err("DINOv2 of another size"),
            _ => Err("a vision transformer with other patches than DINOv2 has"),
        };
    }
    if let Some(&[channels, _, patch, _]) = weights.shape("embeddings.patch_embeddings.weight") {
        return match (channels, patch, has("layer.0.mlp.gate_proj.weight")) {
            (384, 16, false) => Ok(Family::DinoV3(DinoVariant::Small)),
            (768, 16, false) => Ok(Family::DinoV3(DinoVariant::Base)),
            _ => Err("DINOv3 of another size"),
        };
    }
    if has("patch_embed.proj.weight") {
        return Err("a vision transformer with the tensor names of timm or of DINO's authors: take the file that \
                    facebook publishes for transformers");
    }
    match weights.shape("layer1.0.conv1.weight") {
        Some(&[128, 64, 1, 1]) if has("layer3.6.conv1.weight") => Err("WideResNet-101-2"),
        Some(&[128, 64, 1, 1]) => Ok(Family::WideResNet),
        Some(_) => Err("a residual network that is not wide, such as ResNet-18 or ResNet-50"),
        None => Err("none of the networks that are known"),
    }
}

/// Whether a file begins as those of `torch.save` do, today's (ZIP) or earlier ones (pickle).
fn is_of_pytorch(path: &Path) -> bool {
    let mut start = [0; 4];
    let is_read = File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok();
    is_read && (&start == b"PK\x03\x04" || start[..3] == [0x80, 0x02, 0x8a])
}

/// Loads any detector that was trained on features of `backbone`; where that is the embedded one, also of its first
/// four taps, which earlier versions and [`train_bilevel`](crate::train_bilevel) use.
///
/// # Errors
/// [`Error::OtherBackbone`] with the one that it needs; [`Error::Detector`] as [`bisqad::load`].
pub fn load_detector(model: &Path, backbone: &Arc<dyn Backbone>) -> Result<Arc<dyn Detector>, Error> {
    let of = |backbone: &Arc<dyn Backbone>| bisqad::load(model, slice::from_ref(backbone));
    of(backbone).or_else(|error| of(&finer(error, backbone)?)).map_err(|e| other_backbone(e, model, backbone.as_ref()))
}

/// Loads an evidence detector that was trained on features of `backbone`, with the window of its photos' values; as
/// [`load_detector`] does.
///
/// # Errors
/// [`Error::OtherBackbone`] with the one that it needs; [`Error::Detector`] as [`EvidenceDetector::load_windowed`].
pub fn load_evidence_detector(
    model: &Path,
    backbone: &Arc<dyn Backbone>,
) -> Result<(EvidenceDetector, Option<Window>), Error> {
    let of = |backbone: &Arc<dyn Backbone>| EvidenceDetector::load_windowed(model, Arc::clone(backbone));
    of(backbone).or_else(|error| of(&finer(error, backbone)?)).map_err(|e| other_backbone(e, model, backbone.as_ref()))
}

/// Whether a file belongs to another backbone than the one that was given.
fn is_of_another(error: &bisqad::Error) -> bool {
    matches!(error, bisqad::Error::File(ModelFileError::Mismatch { field: "backbone" | "backbone_hash", .. }))
}

/// The embedded backbone of four taps, to be tried where a file is not of the embedded one of five; otherwise the
/// error.
fn finer(error: bisqad::Error, given: &Arc<dyn Backbone>) -> Result<Arc<dyn Backbone>, bisqad::Error> {
    let standard = EfficientNetLite0::pretrained_s32()?;
    if !is_of_another(&error) || (standard.id(), standard.hash()) != (given.id(), given.hash()) {
        return Err(error);
    }
    Ok(Arc::new(EfficientNetLite0::pretrained()?))
}

/// The error, with the backbone that a detector needs where that is what fails.
fn other_backbone(error: bisqad::Error, model: &Path, given: &dyn Backbone) -> Error {
    let of_given = (given.id().to_owned(), hash_text(given.hash()));
    let needed = match ModelFile::read(model) {
        Ok(file) if is_of_another(&error) => file.backbones().into_iter().find(|needed| *needed != of_given),
        _ => None,
    };
    match needed {
        None => error.into(),
        Some((id, hash)) => Error::OtherBackbone {
            model: model.to_owned(),
            remedy: remedy(&id, &hash, given),
            id,
            hash,
            given: format!("{} with hash {}", of_given.0, of_given.1),
        },
    }
}

/// What to do where a detector needs another backbone.
fn remedy(id: &str, hash: &str, given: &dyn Backbone) -> &'static str {
    let standard = [EfficientNetLite0::pretrained_s32(), EfficientNetLite0::pretrained()];
    let mut standard = standard.iter().flatten().map(|net| (net.id(), hash_text(net.hash())));
    match standard.any(|(of, with)| of == id && with == hash) {
        true => "these are the standard weights: leave --backbone out",
        false if id.starts_with("efficientnet-lite0-s") => "train the detector again",
        false if id == given.id() => "give the same file of weights as in training (--backbone FILE)",
        false => "give the file of weights of its training (--backbone FILE)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weights of empty tensors: families are told apart by names and shapes.
    fn weights(tensors: &[(&str, &[usize])]) -> Weights {
        let (mut header, mut end) = (String::new(), 0);
        for (name, shape) in tensors {
            let next = end + 4 * shape.iter().product::<usize>();
            let comma = if header.is_empty() { "" } else { "," };
            header +=
                &format!("{comma}\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{end},{next}]}}");
            end = next;
        }
        let header = format!("{{{header}}}");
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; end]].concat();
        Weights::from_bytes("net.safetensors", bytes).unwrap()
    }

    /// The names and shapes are those of the public files.
    #[test]
    fn networks_are_told_apart_by_the_tensors_of_their_files() {
        let patches = "embeddings.patch_embeddings.projection.weight";
        let registers = ("embeddings.register_tokens", &[1, 4, 384][..]);
        let small = (patches, &[384, 3, 14, 14][..]);
        let wide = ("layer1.0.conv1.weight", &[128, 64, 1, 1][..]);
        assert_eq!(family(&weights(&[small])), Ok(Family::DinoV2(DinoVariant::Small)));
        assert_eq!(family(&weights(&[(patches, &[768, 3, 14, 14])])), Ok(Family::DinoV2(DinoVariant::Base)));
        let third = ("embeddings.patch_embeddings.weight", &[384, 3, 16, 16][..]);
        assert_eq!(family(&weights(&[third, registers])), Ok(Family::DinoV3(DinoVariant::Small)));
        assert_eq!(family(&weights(&[wide])), Ok(Family::WideResNet));
        for (tensors, said) in [
            (&[small, registers][..], "registers"),
            (&[(patches, &[1024, 3, 14, 14][..])][..], "another size"),
            (&[(patches, &[768, 3, 16, 16][..])][..], "other patches"),
            (&[third, ("layer.0.mlp.gate_proj.weight", &[1536, 384][..])][..], "DINOv3 of another"),
            (&[("embeddings.patch_embeddings.weight", &[1024, 3, 16, 16][..])][..], "DINOv3 of another"),
            (&[("patch_embed.proj.weight", &[384, 3, 14, 14][..])][..], "timm"),
            (&[wide, ("layer3.6.conv1.weight", &[512, 1024, 1, 1][..])][..], "101"),
            (&[("layer1.0.conv1.weight", &[64, 64, 3, 3][..])][..], "ResNet-18"),
            (&[("counts", &[3][..])][..], "none of"),
        ] {
            assert!(family(&weights(tensors)).unwrap_err().contains(said), "{said}");
        }
    }
}
