//! Weight files made by a formula, the same as `scripts/parity.py` makes, and golden features.
#![allow(dead_code)] // not every test needs all of it

use std::collections::HashMap;
use std::fmt::Write;

use frozen_backbone::Weights;
use ndarray::Array3;

/// Golden feature maps `(C, H, W)` by name.
pub(crate) fn golden(name: &str) -> HashMap<String, Array3<f32>> {
    let bytes = std::fs::read(format!("{}/tests/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let map = |(name, tensor): (&str, safetensors::tensor::TensorView<'_>)| {
        let [c, h, w] = tensor.shape() else { panic!("{name} is {:?}", tensor.shape()) };
        let values = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        (name.to_owned(), Array3::from_shape_vec((*c, *h, *w), values).unwrap())
    };
    file.iter().map(map).collect()
}

/// The input of `scripts/convert.py` and `scripts/parity.py`.
pub(crate) fn pattern(height: usize, width: usize) -> Array3<f32> {
    Array3::from_shape_fn((height, width, 3), |(y, x, c)| {
        let noise = ((y * 7919 + x * 104_729 + c * 1_299_709) % 1009) as f64 / 1008.0;
        let stripes = ((x / 5 + y / 7 + c) % 4) as f64 / 3.0;
        (0.4 * noise + 0.6 * stripes) as f32
    })
}

/// One tensor of a file.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<u8>,
}

impl Tensor {
    pub(crate) fn new(name: &str, shape: &[usize], values: impl Iterator<Item = f32>) -> Self {
        Self {
            name: name.to_owned(),
            kind: "F32",
            shape: shape.to_vec(),
            data: values.flat_map(f32::to_le_bytes).collect(),
        }
    }
}

/// The tensors that PyTorch listed for a network, with the values of the formula.
pub(crate) fn tensors(net: &str) -> Vec<Tensor> {
    let path = format!("{}/tests/golden/{net}.txt", env!("CARGO_MANIFEST_DIR"));
    let tensor = |line: &str| {
        let (name, shape) = line.split_once(' ').unwrap();
        let shape: Vec<usize> = shape.split(' ').map(|n| n.parse().unwrap()).collect();
        Tensor::new(name, &shape, values(name, &shape))
    };
    std::fs::read_to_string(path).unwrap().lines().map(tensor).collect()
}

fn values(name: &str, shape: &[usize]) -> impl Iterator<Item = f32> {
    let start = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let (base, spread) = match name {
        _ if name.ends_with("running_var") => (1.0, 0.5),
        _ if name.ends_with("lambda1") => (0.5, 0.25),
        _ if name.starts_with("embeddings.") && !name.ends_with("weight") => (0.0, 0.5),
        _ if shape.len() > 1 => (0.0, (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt()),
        _ if name.ends_with("weight") => (1.0, 0.25),
        _ => (0.0, 0.1),
    };
    (1..=shape.iter().product::<usize>() as u64).map(move |i| {
        let mut z = start.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (base + spread * ((z >> 40) as f64 / f64::from(1 << 23) - 1.0)) as f32
    })
}

/// A safetensors file.
pub(crate) fn file(tensors: &[Tensor]) -> Vec<u8> {
    let (mut header, mut end) = (String::from("{\"__metadata__\":{\"made\":\"by a test\"}"), 0);
    for Tensor { name, kind, shape, data } in tensors {
        let start = end;
        end += data.len();
        write!(header, ",\"{name}\":{{\"dtype\":\"{kind}\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}")
            .unwrap();
    }
    header.push('}');
    while header.len() % 8 != 0 {
        header.push(' ');
    }
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    tensors.iter().for_each(|t| bytes.extend(&t.data));
    bytes
}

pub(crate) fn weights(net: &str) -> Weights {
    Weights::from_bytes(format!("{net}.safetensors"), file(&tensors(net))).unwrap()
}
