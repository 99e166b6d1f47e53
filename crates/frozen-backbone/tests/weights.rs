//! Weight files that cannot be used are rejected, and the error says why.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use std::path::Path;

use common::{Tensor, file, pattern, tensors};
use frozen_backbone::{
    Backbone, DinoV2, DinoV3, DinoVariant, EfficientNetLite, Error, LiteVariant, Weights, WeightsError, WideResNet50,
};

fn open(bytes: Vec<u8>) -> Result<Weights, Error> {
    Weights::from_bytes("net.safetensors", bytes)
}

fn lite0(tensors: &[Tensor]) -> Result<EfficientNetLite, Error> {
    EfficientNetLite::new(LiteVariant::Lite0, &open(file(tensors))?, &EfficientNetLite::STRIDES)
}

fn named<'a>(tensors: &'a mut [Tensor], name: &str) -> &'a mut Tensor {
    tensors.iter_mut().find(|t| t.name == name).unwrap()
}

fn reason(result: Result<impl Sized, Error>) -> WeightsError {
    match result {
        Err(Error::Weights { path, source }) => {
            assert_eq!(path, Path::new("net.safetensors"));
            source
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Weights::open("nowhere/net.safetensors").unwrap_err();
    assert!(matches!(&error, Error::Weights { source: WeightsError::Unreadable(_), .. }));
    assert!(error.to_string().starts_with("weights nowhere/net.safetensors: cannot be read: "), "{error}");
}

/// The embedded file is that of `weights/`, and reading it from there gives the same features under the hash of its
/// tensors.
#[cfg(feature = "embedded-weights")]
#[test]
fn a_file_gives_the_embedded_network() {
    use frozen_backbone::EfficientNetLite0;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/efficientnet-lite0-s16.safetensors");
    let (read, embedded) = (EfficientNetLite0::from_file(path).unwrap(), EfficientNetLite0::pretrained().unwrap());
    let image = pattern(40, 47);
    assert_eq!(read.extract(image.view()).unwrap(), embedded.extract(image.view()).unwrap());
    assert_eq!(read.hash(), Weights::open(path).unwrap().hash());
    assert!(matches!(EfficientNetLite0::from_file("nowhere"), Err(Error::Weights { .. })));
}

/// Numbers of two bytes: 1, -2, 0.5 as IEEE half precision and as bfloat16, whose bits are those of the definition.
#[test]
fn half_precision_is_read_by_its_definition() {
    for (kind, bits) in [("F16", [0x3c00u16, 0xc000, 0x3800]), ("BF16", [0x3f80, 0xc000, 0x3f00])] {
        let whole = tensors("lite0");
        let (mut halves, mut floats) = (whole.clone(), whole);
        let half = named(&mut halves, "bn1.bias");
        half.kind = kind;
        half.data = (0..half.data.len() / 4).flat_map(|i| bits[i % 3].to_le_bytes()).collect();
        let float = named(&mut floats, "bn1.bias");
        float.data = (0..float.data.len() / 4).flat_map(|i| [1.0f32, -2.0, 0.5][i % 3].to_le_bytes()).collect();
        let image = pattern(40, 47);
        let features = |tensors: &[Tensor]| lite0(tensors).unwrap().extract(image.view()).unwrap();
        assert_eq!(features(&halves), features(&floats), "{kind}");
        assert_ne!(features(&halves), features(&tensors("lite0")), "{kind}");
    }
}

#[test]
fn a_file_cut_anywhere_is_damaged() {
    let whole = file(&[Tensor::new("a", &[5], (0..5).map(|i| i as f32)), Tensor::new("b", &[1], [1.0].into_iter())]);
    open(whole.clone()).unwrap();
    for length in 0..whole.len() {
        assert!(matches!(reason(open(whole[..length].to_vec())), WeightsError::Damaged(_)), "{length}");
    }
    let mut longer = whole;
    longer.push(0);
    assert!(matches!(reason(open(longer)), WeightsError::Damaged(_)));
    // what a failed download often leaves
    assert!(matches!(
        reason(open(b"<!DOCTYPE html><html><body>Not found</body></html>".to_vec())),
        WeightsError::Damaged(_)
    ));
}

#[test]
fn each_tensor_in_use_must_be_there_and_fit() {
    let whole = tensors("lite0");
    let net = lite0(&whole).unwrap();
    assert_eq!(net.levels().iter().map(|l| l.channels).collect::<Vec<_>>(), [24, 40, 80, 112]);

    for name in ["conv_stem.weight", "blocks.0.0.bn2.bias", "blocks.4.2.conv_pwl.weight", "blocks.1.0.bn3.running_var"]
    {
        let rest: Vec<Tensor> = whole.iter().filter(|t| t.name != name).cloned().collect();
        match reason(lite0(&rest)) {
            WeightsError::Missing { tensor, network } => {
                assert_eq!((tensor.as_str(), network), (name, "EfficientNet-Lite0"));
            }
            other => panic!("{other}"),
        }
    }

    let mut other = whole.clone();
    named(&mut other, "blocks.1.0.conv_dw.weight").shape = vec![96, 3, 3, 1];
    match reason(lite0(&other)) {
        WeightsError::Shape { tensor, expected, found, .. } => {
            assert_eq!(tensor, "blocks.1.0.conv_dw.weight");
            assert_eq!((&*expected, &*found), (&[96, 1, 3, 3][..], &[96, 3, 3, 1][..]));
        }
        other => panic!("{other}"),
    }

    let mut other = whole.clone();
    let tensor = named(&mut other, "bn1.bias");
    tensor.kind = "I32";
    match reason(lite0(&other)) {
        WeightsError::Type { tensor, found } => assert_eq!((tensor.as_str(), found.as_str()), ("bn1.bias", "I32")),
        other => panic!("{other}"),
    }

    // a number that training cannot have left, and a negative variance, which would become NaN
    for (name, value) in [("conv_stem.weight", f32::NAN), ("blocks.2.1.bn2.running_var", -0.1)] {
        let mut other = whole.clone();
        named(&mut other, name).data[4 * 7..4 * 8].copy_from_slice(&value.to_le_bytes());
        match reason(lite0(&other)) {
            WeightsError::Value { tensor, index } => assert_eq!((tensor.as_str(), index), (name, 7)),
            other => panic!("{other}"),
        }
    }

    // the file of another network
    let other = open(file(&whole)).unwrap();
    let wide = WideResNet50::new(&other, &WideResNet50::STRIDES);
    assert!(matches!(reason(wide), WeightsError::Missing { tensor, .. } if tensor == "conv1.weight"));
    let lite2 = EfficientNetLite::new(LiteVariant::Lite2, &other, &[8]);
    assert!(matches!(reason(lite2), WeightsError::Missing { tensor, .. } if tensor == "blocks.1.2.conv_pw.weight"));
    let dino = DinoV2::new(DinoVariant::Small, &other, &[1]);
    assert!(matches!(reason(dino), WeightsError::Missing { network: "DINOv2-small", .. }));
    let small = open(file(&tensors("dinov2_base"))).unwrap();
    let dino = DinoV2::new(DinoVariant::Small, &small, &[1]);
    assert!(matches!(reason(dino), WeightsError::Shape { found, .. } if *found == [768, 3, 14, 14]));
    let dino = DinoV3::new(DinoVariant::Base, &small, &[1]);
    assert!(matches!(reason(dino), WeightsError::Missing { network: "DINOv3-base", .. }));
}

/// 64-bit FNV-1a, written out for eight tensors: by name, whatever their order in the file; nothing else of the file
/// counts.
#[test]
fn the_hash_is_of_the_tensors() {
    let sorted: Vec<Tensor> = (0..8u8)
        .map(|i| Tensor::new(&char::from(b'a' + i).to_string(), &[1, 2], [f32::from(i), 0.5].into_iter()))
        .collect();
    let mut bytes = Vec::new();
    for tensor in &sorted {
        bytes.extend(format!("{} F32 [1, 2]\n", tensor.name).bytes());
        bytes.extend(&tensor.data);
    }
    let want = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h: u64, v| (h ^ u64::from(*v)).wrapping_mul(0x100_0000_01b3));
    let reversed: Vec<Tensor> = sorted.iter().rev().cloned().collect();
    for order in [&sorted, &reversed] {
        assert_eq!(open(file(order)).unwrap().expect_hash(want).unwrap().hash(), want);
    }
    let mut altered = sorted;
    altered[3].data[0] ^= 1;
    match reason(open(file(&altered)).unwrap().expect_hash(want)) {
        WeightsError::Hash { expected, found } => assert!(expected == want && found != want),
        other => panic!("{other}"),
    }
}

#[test]
fn a_network_carries_the_hash_and_its_choice_of_taps() {
    let weights = open(file(&tensors("lite0"))).unwrap();
    let net = EfficientNetLite::new(LiteVariant::Lite0, &weights, &[8, 32]).unwrap();
    assert_eq!((net.id(), net.hash()), ("efficientnet-lite0-v1@8+32", weights.hash()));
    assert_eq!(
        net.levels().iter().map(|l| (l.channels, l.stride)).collect::<Vec<_>>(),
        [(40, 8), (192, 32), (320, 32)]
    );
    // fewer taps, the same features
    let all = EfficientNetLite::new(LiteVariant::Lite0, &weights, &[4, 8, 16, 32]).unwrap();
    let (image, some) = (pattern(40, 47), net.extract(pattern(40, 47).view()).unwrap());
    let all = all.extract(image.view()).unwrap();
    assert_eq!(some, [all[1].clone(), all[4].clone(), all[5].clone()]);

    for strides in [&[][..], &[2], &[8, 4], &[4, 4]] {
        let error = EfficientNetLite::new(LiteVariant::Lite0, &weights, strides).unwrap_err();
        assert!(
            matches!(&error, Error::Parameter(p) if p.name == "strides" && p.value == format!("{strides:?}")),
            "{error}"
        );
    }
    assert!(matches!(WideResNet50::new(&weights, &[32]), Err(Error::Parameter(_))));
    assert!(matches!(DinoV2::new(DinoVariant::Small, &weights, &[13]), Err(Error::Parameter(_))));
    assert!(matches!(DinoV2::new(DinoVariant::Small, &weights, &[0]), Err(Error::Parameter(_))));
    assert!(matches!(DinoV3::new(DinoVariant::Small, &weights, &[2, 1]), Err(Error::Parameter(_))));
}

/// Fewer taps need fewer tensors; tensors beyond, of any type, do no harm.
#[test]
fn what_is_not_in_use_does_not_matter() {
    let mut some: Vec<Tensor> = tensors("lite0").into_iter().filter(|t| !t.name.starts_with("blocks.5")).collect();
    let count = Tensor { name: "bn1.num_batches_tracked".into(), kind: "I64", shape: vec![], data: vec![0; 8] };
    some.push(count);
    lite0(&some).unwrap();
}
