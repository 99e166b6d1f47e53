//! Textures in text: shape and values side by side.

use ndarray::Array3;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texture {
    shape: (usize, usize, usize),
    values: Vec<f32>,
}

pub(crate) fn serialize<S: Serializer>(textures: &[Array3<f32>], out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(textures.iter().map(|t| Texture { shape: t.dim(), values: t.iter().copied().collect() }))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Array3<f32>>, D::Error> {
    Vec::<Texture>::deserialize(from)?
        .into_iter()
        .map(|t| Array3::from_shape_vec(t.shape, t.values).map_err(|e| D::Error::custom(format!("texture: {e}"))))
        .collect()
}
