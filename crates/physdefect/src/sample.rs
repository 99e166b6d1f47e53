//! One synthetic sample: a pure function of `(seed, index)`.

use imgkit::Rect;
use ndarray::{Array2, Array3, ArrayView3};
use rand_chacha::ChaCha8Rng;

use crate::params::check_size;
use crate::{Domain, Error, Measures, MechanismKind, finalize};

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
    /// Severity in \[0, 1\]: the size.
    pub severity: f64,
    /// Visibility in just noticeable contrasts, see [`visibility`](crate::visibility).
    pub visibility: f64,
    /// Visibility that the defect was brought to; `None` where it was left as drawn.
    pub visibility_target: Option<f64>,
    /// Contrast-to-noise ratio of the change against the surround.
    pub contrast_to_noise: f64,
    /// Mask pixels over all pixels of the photo.
    pub area_fraction: f64,
    /// Scale of the object that carries it, px: see [`Domain::scale`].
    pub object_scale: f64,
    /// Physical measures, named with their unit.
    pub measures: Measures,
}

/// Sample: a defect rendered into its box of the photo.
///
/// **Mask contract**: `changed` lies inside `mask`, and outside `changed` the patch equals the photo bit for bit; a
/// changed pixel differs by one 8-bit level or more. `mask` is closed and has no holes but such as are hidden for the
/// most part, one component for each pit, dent or crack, none below 12 px unless the defect is that small, and at
/// least three fifths of it are visible (`soft` of one half or more).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sample {
    /// Where the patch lies.
    pub bbox: Rect,
    /// Rendered pixels of the box `(h, w, C)`, in \[0, 1\].
    pub patch: Array3<f32>,
    /// Mask of the box `(h, w)` as a person would draw it.
    pub mask: Array2<bool>,
    /// Pixels of the box `(h, w)` that differ from the photo.
    pub changed: Array2<bool>,
    /// Visibility of each pixel of the box `(h, w)` in \[0, 1\]: contrast over the just noticeable one, cut off at 1; 0
    /// outside the mask.
    pub soft: Array2<f32>,
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
        self.bbox.put(self.patch.view(), out.view_mut());
        Ok(out)
    }

    /// Pastes the defect as [`Self::paste`] into 8-bit photos: only changed pixels are quantized, all others keep
    /// their bytes. `photo / 255` must be the photo the sample was made for.
    ///
    /// # Errors
    /// [`Error::Shape`] if the photo is not the one the sample was made for.
    pub fn paste_u8(&self, photo: ArrayView3<'_, u8>) -> Result<Array3<u8>, Error> {
        self.paste_quantized(photo, imgkit::level::to_u8)
    }

    /// Pastes the defect as [`Self::paste`] into 16-bit photos: only changed pixels are quantized, all others keep
    /// their bytes. `photo / 65535` must be the photo the sample was made for.
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
        for ((y, x), &changed) in self.changed.indexed_iter() {
            if changed {
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
        let (patch, soft) = (&self.patch.shape()[..2], self.soft.shape());
        let all = [("patch", patch), ("mask", self.mask.shape()), ("changed", self.changed.shape()), ("soft", soft)];
        for (what, found) in all {
            if found != expected {
                return Err(Error::Shape { what, found: found.to_vec(), expected });
            }
        }
        Ok(())
    }

    /// The sample after its image was refined: takes the pixels of `image` `(H, W, C)` inside the mask, brings them to
    /// the sample's own visibility by one factor on the change, and draws the mask again, within the old one.
    ///
    /// # Errors
    /// [`Error::Shape`] if photo or image are not of the size of the photo that the sample was made for;
    /// [`Error::Invisible`] if too little is left to be seen, [`Error::VisibilityOutOfReach`].
    pub fn refined(&self, photo: ArrayView3<'_, f32>, image: ArrayView3<'_, f32>) -> Result<Self, Error> {
        self.check_fits(photo.dim())?;
        if image.dim() != photo.dim() {
            let (found, expected) = (image.shape().to_vec(), photo.shape().to_vec());
            return Err(Error::Shape { what: "refined image", found, expected });
        }
        finalize::refined(self, photo, self.bbox.crop(image))
    }

    /// The sample after its box was refined: as [`Self::refined`], from the pixels of the box alone, `patch` `(h, w,
    /// C)`.
    ///
    /// # Errors
    /// As [`Self::refined`].
    pub fn refined_patch(&self, photo: ArrayView3<'_, f32>, patch: ArrayView3<'_, f32>) -> Result<Self, Error> {
        self.check_fits(photo.dim())?;
        if patch.dim() != self.patch.dim() {
            let (found, expected) = (patch.shape().to_vec(), self.patch.shape().to_vec());
            return Err(Error::Shape { what: "refined patch", found, expected });
        }
        finalize::refined(self, photo, patch)
    }

    /// Mask of the whole photo, `height` x `width`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the box does not fit, [`Error::Parameter`] for a frame of more than 2^32 pixels.
    pub fn full_mask(&self, height: usize, width: usize) -> Result<Array2<bool>, Error> {
        self.full(height, width, &self.mask)
    }

    /// Changed pixels of the whole photo, `height` x `width`.
    ///
    /// # Errors
    /// As [`Self::full_mask`].
    pub fn full_changed(&self, height: usize, width: usize) -> Result<Array2<bool>, Error> {
        self.full(height, width, &self.changed)
    }

    /// Visibility of each pixel of the whole photo, `height` x `width`.
    ///
    /// # Errors
    /// As [`Self::full_mask`].
    pub fn full_soft(&self, height: usize, width: usize) -> Result<Array2<f32>, Error> {
        self.full(height, width, &self.soft)
    }

    fn full<T: Copy + Default>(&self, height: usize, width: usize, part: &Array2<T>) -> Result<Array2<T>, Error> {
        self.check_whole()?;
        check_size("frame", (height, width))?;
        if self.bbox.bottom > height || self.bbox.right > width {
            return Err(Error::Shape {
                what: "frame",
                found: vec![height, width],
                expected: vec![self.bbox.bottom, self.bbox.right],
            });
        }
        let mut out = Array2::from_elem((height, width), T::default());
        self.bbox.put(part.view(), out.view_mut());
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
    /// Makes sample `key` on `photo` `(H, W, C)`, f32 in \[0, 1\], inside `domain`; edge loss also takes the blur of
    /// its outline along.
    ///
    /// # Errors
    /// [`Error::Shape`] if photo and domain differ in size, [`Error::DomainTooSmall`], [`Error::Invisible`].
    fn synthesize(&self, photo: ArrayView3<'_, f32>, domain: &Domain, key: SampleKey) -> Result<Sample, Error>;
}
