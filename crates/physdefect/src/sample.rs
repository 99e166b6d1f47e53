//! One synthetic sample: a pure function of `(seed, index)`.

use imgkit::Rect;
use ndarray::{Array2, Array3, ArrayView3};
use rand_chacha::ChaCha8Rng;

use crate::params::check_size;
use crate::{Domain, Error, Measures, MechanismKind};

/// Key of a sample: the same key gives the same bytes on any thread count, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SampleKey {
    /// Run seed.
    pub seed: u64,
    /// Sample number.
    pub index: u64,
}

impl SampleKey {
    /// Random generator of the sample: ChaCha8 keyed by `seed`, stream `index`.
    #[must_use]
    pub fn rng(&self) -> ChaCha8Rng {
        imgkit::rng::keyed_stream(self.seed, self.index)
    }
}

/// Record of a sample: enough to make it again and to weight it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Record {
    /// Synthesizer's name.
    pub model: String,
    /// Family.
    pub mechanism: MechanismKind,
    /// Key.
    pub key: SampleKey,
    /// Severity in \[0, 1\].
    pub severity: f64,
    /// Contrast-to-noise ratio of the change against the surround.
    pub contrast_to_noise: f64,
    /// Changed pixels over all pixels of the photo.
    pub area_fraction: f64,
    /// Physical measures, named with their unit.
    pub measures: Measures,
}

/// Sample: a defect rendered into its box of the photo.
///
/// **Mask contract**: outside `mask` the patch equals the photo bit for bit; inside it at least 95 % of the pixels
/// differ by one 8-bit level or more.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Where the patch lies.
    pub bbox: Rect,
    /// Rendered pixels of the box `(h, w, C)`, in \[0, 1\].
    pub patch: Array3<f32>,
    /// Exact mask of the box `(h, w)`.
    pub mask: Array2<bool>,
    /// How it was made.
    pub record: Record,
}

impl Sample {
    /// Pastes the defect: returns the photo with it, `(H, W, C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the photo is not the one the sample was made for.
    pub fn paste(&self, photo: ArrayView3<'_, f32>) -> Result<Array3<f32>, Error> {
        self.check_fits(photo.dim())?;
        let mut out = photo.to_owned();
        out.slice_each_axis_mut(|axis| self.bbox.slice_of(axis.axis)).assign(&self.patch);
        Ok(out)
    }

    /// Pastes the defect as [`Self::paste`] into 8-bit photos: only masked pixels are quantized, all others keep their
    /// bytes. `photo / 255` must be the photo the sample was made for.
    ///
    /// # Errors
    /// [`Error::Shape`] if the photo is not the one the sample was made for.
    pub fn paste_u8(&self, photo: ArrayView3<'_, u8>) -> Result<Array3<u8>, Error> {
        self.paste_quantized(photo, imgkit::level::to_u8)
    }

    /// Pastes the defect as [`Self::paste`] into 16-bit photos: only masked pixels are quantized, all others keep their
    /// bytes. `photo / 65535` must be the photo the sample was made for.
    ///
    /// # Errors
    /// [`Error::Shape`] if the photo is not the one the sample was made for.
    pub fn paste_u16(&self, photo: ArrayView3<'_, u16>) -> Result<Array3<u16>, Error> {
        self.paste_quantized(photo, imgkit::level::to_u16)
    }

    fn paste_quantized<T: Copy>(
        &self,
        photo: ArrayView3<'_, T>,
        quantize: impl Fn(f32) -> T,
    ) -> Result<Array3<T>, Error> {
        self.check_fits(photo.dim())?;
        let mut out = photo.to_owned();
        for ((y, x), &masked) in self.mask.indexed_iter() {
            if masked {
                for k in 0..self.patch.dim().2 {
                    out[[self.bbox.top + y, self.bbox.left + x, k]] = quantize(self.patch[[y, x, k]]);
                }
            }
        }
        Ok(out)
    }

    fn check_fits(&self, (h, w, c): (usize, usize, usize)) -> Result<(), Error> {
        self.check_whole()?;
        let channels = self.patch.dim().2;
        if self.bbox.bottom > h || self.bbox.right > w || channels != c {
            let expected = vec![self.bbox.bottom, self.bbox.right, channels];
            return Err(Error::Shape { what: "photo", found: vec![h, w, c], expected });
        }
        Ok(())
    }

    /// The fields are public: refuses a box that is not that of patch and mask.
    fn check_whole(&self) -> Result<(), Error> {
        let expected = vec![self.bbox.height(), self.bbox.width()];
        for (what, found) in [("patch", &self.patch.shape()[..2]), ("mask", self.mask.shape())] {
            if found != expected {
                return Err(Error::Shape { what, found: found.to_vec(), expected });
            }
        }
        Ok(())
    }

    /// Mask of the whole photo, `height` x `width`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the box does not fit, [`Error::Parameter`] for a frame of more than 2^32 pixels.
    pub fn full_mask(&self, height: usize, width: usize) -> Result<Array2<bool>, Error> {
        self.check_whole()?;
        check_size("frame", (height, width))?;
        if self.bbox.bottom > height || self.bbox.right > width {
            return Err(Error::Shape {
                what: "frame",
                found: vec![height, width],
                expected: vec![self.bbox.bottom, self.bbox.right],
            });
        }
        let mut out = Array2::from_elem((height, width), false);
        out.slice_each_axis_mut(|axis| self.bbox.slice_of(axis.axis)).assign(&self.mask);
        Ok(out)
    }
}

/// Synthesizer of defects on photos: a rendered mechanism or a baseline. Object-safe, so that an ablation swaps one
/// word.
pub trait Synthesizer: std::fmt::Debug + Send + Sync {
    /// Stable name (for example `fracture-line`, `cutpaste-scar`).
    fn name(&self) -> &'static str;
    /// Family.
    fn kind(&self) -> MechanismKind;
    /// Makes sample `key` on `photo` `(H, W, C)`, f32 in \[0, 1\], inside `domain`.
    ///
    /// # Errors
    /// [`Error::Shape`] if photo and domain differ in size, [`Error::DomainTooSmall`], [`Error::Invisible`].
    fn synthesize(&self, photo: ArrayView3<'_, f32>, domain: &Domain, key: SampleKey) -> Result<Sample, Error>;
}
