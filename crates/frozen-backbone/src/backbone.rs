//! The face every frozen network shows: image in, feature pyramid out.

use ndarray::{Array3, ArrayView3};

use crate::Error;

/// One tap of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Feature channels.
    pub channels: usize,
    /// Image pixels per feature, each way.
    pub stride: usize,
}

impl Level {
    /// Rows, columns and channels of the features of an image.
    pub(crate) fn dim(&self, height: usize, width: usize) -> (usize, usize, usize) {
        (height.div_ceil(self.stride), width.div_ceil(self.stride), self.channels)
    }
}

/// Features of one image: one `(C, ceil(H/stride), ceil(W/stride))` array per [`Level`], fine to coarse. The order in memory is the network's.
pub type Pyramid = Vec<Array3<f32>>;

/// A frozen network. Deterministic: the same image gives the same bits on any thread count.
pub trait Backbone: std::fmt::Debug + Send + Sync {
    /// Name, version and choice of taps, written into every file that depends on the features.
    fn id(&self) -> &str;
    /// 64-bit FNV-1a hash of the weights, likewise.
    fn hash(&self) -> u64;
    /// The taps, in the order of [`Pyramid`].
    fn levels(&self) -> &[Level];
    /// Smallest image side, px.
    fn min_side(&self) -> usize;
    /// Features of `image` `(H, W, C)`, f32 in \[0, 1\], C = 3 (RGB) or 1 (grey, repeated).
    ///
    /// # Errors
    /// [`Error::TooSmall`], [`Error::Channels`], [`Error::NotFinite`].
    fn extract(&self, image: ArrayView3<'_, f32>) -> Result<Pyramid, Error>;
}

/// Identity of a network read at `asked`, which must be some of `offered` in rising order.
pub(crate) fn id(backbone: &'static str, asked: &[usize], offered: &[usize]) -> Result<String, Error> {
    if asked.is_empty() || !asked.iter().all(|a| offered.contains(a)) || !asked.is_sorted_by(|a, b| a < b) {
        return Err(Error::Taps { backbone, asked: asked.to_vec(), offered: offered.to_vec() });
    }
    let asked: Vec<String> = asked.iter().map(usize::to_string).collect();
    Ok(format!("{}-v1@{}", backbone.to_lowercase(), asked.join("+")))
}

/// Refuses what no network can take.
pub(crate) fn check(image: ArrayView3<'_, f32>, net: &dyn Backbone) -> Result<(), Error> {
    let (height, width, channels) = image.dim();
    let minimum = net.min_side();
    if height < minimum || width < minimum {
        return Err(Error::TooSmall { height, width, minimum, backbone: net.id().to_owned() });
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

/// Features that lie pixel by pixel, as an array by channel, row and column.
pub(crate) fn by_channel(values: Vec<f32>, dim: (usize, usize, usize)) -> Result<Array3<f32>, Error> {
    let pixels = Array3::from_shape_vec(dim, values);
    pixels.map(|p| p.permuted_axes([2, 0, 1])).map_err(|e| Error::Network(candle_core::Error::Msg(e.to_string())))
}

/// The pixel of `image` at `(row, column)`, normalised to `v * scale + shift`; grey is repeated.
pub(crate) fn normalised(
    image: ArrayView3<'_, f32>,
    scale: [f32; 3],
    shift: [f32; 3],
) -> impl Fn(usize, usize) -> [f32; 3] {
    let grey = image.dim().2 == 1;
    move |y, x| std::array::from_fn(|c| image[[y, x, if grey { 0 } else { c }]] * scale[c] + shift[c])
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
