//! The `Backbone` trait: extracts a feature pyramid from an image.

use imgkit::ParameterError;
use ndarray::{Array3, ArrayView3};

use crate::error::Error;

/// Channels and stride of one feature map, called a tap of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Number of feature channels.
    pub channels: usize,
    /// Image pixels per feature, in each direction.
    pub stride: usize,
}

impl Level {
    /// Rows, columns and channels of the features of an image of `height` x `width` pixels.
    pub(crate) fn dim(&self, height: usize, width: usize) -> (usize, usize, usize) {
        (height.div_ceil(self.stride), width.div_ceil(self.stride), self.channels)
    }
}

/// Feature pyramid of one image: one `(C, ceil(H/stride), ceil(W/stride))` array per [`Level`], fine to coarse.
///
/// In memory the channels lie innermost, as the networks compute them; `as_standard_layout()` gives channel planes.
pub type Pyramid = Vec<Array3<f32>>;

/// Frozen network that extracts features from images.
///
/// An implementation must be deterministic: the same image gives the same bits on any number of threads. The trait has
/// no notion of training; wrap a network that changes in a new value with a new [`Self::hash`].
pub trait Backbone: std::fmt::Debug + Send + Sync {
    /// Name, version and taps of the network; written into every file that depends on the features.
    fn id(&self) -> &str;
    /// 64-bit FNV-1a hash of the weights; written into every file that depends on the features.
    fn hash(&self) -> u64;
    /// Channels and strides of the feature maps, in the order of [`Pyramid`].
    fn levels(&self) -> &[Level];
    /// Smallest side of an image that the network can read, px.
    fn min_side(&self) -> usize;
    /// Extracts the features of `image` `(H, W, C)`, f32 in \[0, 1\], C = 3 (RGB) or 1 (gray, repeated).
    ///
    /// # Errors
    /// [`Error::TooSmall`], [`Error::Channels`], [`Error::NotFinite`].
    fn extract(&self, image: ArrayView3<'_, f32>) -> Result<Pyramid, Error>;
}

/// Id of the network `backbone` with taps at `asked`, the parameter `name`: some of `offered` in rising order.
pub(crate) fn id(
    backbone: &'static str,
    name: &'static str,
    asked: &[usize],
    offered: &[usize],
) -> Result<String, Error> {
    if asked.is_empty() || !asked.iter().all(|a| offered.contains(a)) || !asked.is_sorted_by(|a, b| a < b) {
        let expected = format!("some of {offered:?}, each once, in rising order");
        return Err(ParameterError::new(backbone, name, format!("{asked:?}"), expected).into());
    }
    let asked: Vec<String> = asked.iter().map(usize::to_string).collect();
    Ok(format!("{}-v1@{}", backbone.to_lowercase(), asked.join("+")))
}

/// Checks the image: minimum size, number of channels, finite values.
pub(crate) fn check(image: ArrayView3<'_, f32>, net: &dyn Backbone) -> Result<(), Error> {
    let (height, width, channels) = image.dim();
    let minimum = net.min_side();
    if height < minimum || width < minimum {
        return Err(Error::TooSmall { found: (height, width).into(), minimum, backbone: net.id().to_owned() });
    }
    if channels != 1 && channels != 3 {
        return Err(Error::Channels { found: channels });
    }
    let finite = image.fold(true, |finite, v| finite & v.is_finite());
    if !finite {
        let at = image.indexed_iter().find(|(_, v)| !v.is_finite()).map_or((0, 0, 0), |(at, _)| at);
        return Err(Error::NotFinite { row: at.0, column: at.1 });
    }
    Ok(())
}

/// Reorders the axes of features with the channels innermost, `dim` = (rows, columns, channels), to (C, H, W); memory
/// stays as it is.
pub(crate) fn by_channel(values: Vec<f32>, dim: (usize, usize, usize)) -> Result<Array3<f32>, Error> {
    let pixels = Array3::from_shape_vec(dim, values).map_err(Error::Internal)?;
    Ok(pixels.permuted_axes([2, 0, 1]))
}

/// The pixel of `image` at `(row, column)`, normalized to `v * scale + shift`; gray is repeated.
pub(crate) fn normalized(
    image: ArrayView3<'_, f32>,
    scale: [f32; 3],
    shift: [f32; 3],
) -> impl Fn(usize, usize) -> [f32; 3] {
    let gray = image.dim().2 == 1;
    move |y, x| std::array::from_fn(|c| image[[y, x, if gray { 0 } else { c }]] * scale[c] + shift[c])
}

/// Scale and shift of the networks trained with the mean and the standard deviation of ImageNet.
pub(crate) const IMAGENET: ([f32; 3], [f32; 3]) = {
    let (mean, deviation) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let (mut scale, mut shift) = ([0.0; 3], [0.0; 3]);
    let mut c = 0;
    while c < 3 {
        (scale[c], shift[c]) = (1.0 / deviation[c], -mean[c] / deviation[c]);
        c += 1;
    }
    (scale, shift)
};
