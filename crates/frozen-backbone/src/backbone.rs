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

/// Features of one image: one `(C, ceil(H/stride), ceil(W/stride))` array per [`Level`], fine to coarse. The order in memory is the network's.
pub type Pyramid = Vec<Array3<f32>>;

/// A frozen network. Deterministic: the same image gives the same bits on any thread count.
pub trait Backbone: std::fmt::Debug + Send + Sync {
    /// Name and version, written into every file that depends on the features.
    fn id(&self) -> &'static str;
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

/// 64-bit FNV-1a of some bytes: names weights and images by their content; no cryptographic hash.
///
/// G. Fowler, L. C. Noll, K.-P. Vo, "The FNV Non-Cryptographic Hash Algorithm", IETF draft.
///
/// ```
/// assert_eq!(frozen_backbone::fnv1a(*b"foobar"), 0x8594_4171_f739_67e8);
/// ```
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let mix = |hash: u64, b: u8| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, mix)
}
