//! Parameters of a data set. Equal parameters and photos make equal bytes.

use physdefect::Place;
use physdefect::visibility::Visibility;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::formats::Formats;
use super::mix::{Materials, MechanismMix};
use super::plant::Plant;
use super::text_list::refuse;

/// Largest number of samples of a run: their tries have keys 2^40 apart.
const MAX_COUNT: u64 = 1 << 40;

/// Checks a side that photos are resized to.
pub(super) fn check_side(side: Option<usize>) -> Result<(), Error> {
    match side.filter(|side| !(32..=16384).contains(side)) {
        Some(side) => refuse("side", side, "32 to 16384 px"),
        None => Ok(()),
    }
}

/// Parameters of a data set: everything its bytes depend on besides the photos and the quality estimator's file.
///
/// ```
/// use maphc2f::factory::DatasetParams;
/// let params = DatasetParams::default().with_count(1000).with_side(Some(256));
/// let params = params.with_mechanisms("pitting-loss".parse()?);
/// params.check()?;
/// assert!(params.with_count(0).check().is_err());
/// # Ok::<(), maphc2f::factory::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Unchecked")]
pub struct DatasetParams {
    seed: u64,
    count: u64,
    side: Option<usize>,
    mechanisms: MechanismMix,
    materials: Materials,
    visibility: Visibility,
    #[serde(skip_serializing_if = "is_anywhere")]
    place: Place,
    formats: Formats,
    keep_best: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<Plant>,
}

/// Whether defects may start anywhere: what is not written.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
pub(super) fn is_anywhere(place: &Place) -> bool {
    *place == Place::Anywhere
}

/// The same as a file holds it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    seed: u64,
    count: u64,
    side: Option<usize>,
    mechanisms: MechanismMix,
    materials: Materials,
    #[serde(default)]
    visibility: Visibility,
    #[serde(default)]
    place: Place,
    formats: Formats,
    keep_best: f64,
    #[serde(default)]
    calibration: Option<Plant>,
}

impl TryFrom<Unchecked> for DatasetParams {
    type Error = Error;

    fn try_from(file: Unchecked) -> Result<Self, Error> {
        let Unchecked { seed, count, side, mechanisms, materials, visibility, place, .. } = file;
        let Unchecked { formats, keep_best, calibration, .. } = file;
        let params =
            Self { seed, count, side, mechanisms, materials, visibility, place, formats, keep_best, calibration };
        params.check().map(|()| params)
    }
}

impl Default for DatasetParams {
    /// 256 samples of the three mechanisms in three materials, in MVTec AD's layout.
    fn default() -> Self {
        Self {
            seed: 0,
            count: 256,
            side: None,
            mechanisms: MechanismMix::default(),
            materials: Materials::default(),
            visibility: Visibility::default(),
            place: Place::Anywhere,
            formats: Formats::default(),
            keep_best: 1.0,
            calibration: None,
        }
    }
}

/// Builder methods and getters of the fields.
macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident, $with:ident: $type:ty, $get:ty, $read:expr;)*) => {
        impl DatasetParams {$(
            #[doc = concat!("Sets [`Self::", stringify!($field), "`].")]
            #[must_use]
            pub fn $with(mut self, value: $type) -> Self {
                self.$field = value;
                self
            }

            $(#[$doc])*
            #[must_use]
            pub fn $field(&self) -> $get {
                let read: fn(&Self) -> $get = $read;
                read(self)
            }
        )*}
    };
}

fields! {
    /// Seed of the run (default 0).
    seed, with_seed: u64, u64, |p| p.seed;
    /// Number of samples, 1 to 2^40 (default 256).
    count, with_count: u64, u64, |p| p.count;
    /// Side that photos are resized to, 32 to 16384 px; `None` (the default) keeps their sizes.
    side, with_side: Option<usize>, Option<usize>, |p| p.side;
    /// Mix of defects: which, how often, how severe (default: the three mechanisms alike).
    mechanisms, with_mechanisms: MechanismMix, &MechanismMix, |p| &p.mechanisms;
    /// Materials that surfaces are taken for, one sampled for each defect (default: matte, glossy plastic, metal).
    materials, with_materials: Materials, &Materials, |p| &p.materials;
    /// Range of visibilities in just noticeable contrasts of the final image; each defect's is drawn evenly in its
    /// logarithm (default: 1.5 to 8). Baselines take no notice.
    visibility, with_visibility: Visibility, Visibility, |p| p.visibility;
    /// Place on the product where defects start (default: anywhere).
    place, with_place: Place, Place, |p| p.place;
    /// Formats that are written (default: MVTec AD).
    formats, with_formats: Formats, &Formats, |p| &p.formats;
    /// Fraction of the candidates that is kept, in (0.01, 1]: the best by estimated quality of 1 / fraction. 1, the
    /// default, makes one candidate.
    keep_best, with_keep_best: f64, f64, |p| p.keep_best;
    /// Priors of real defects: a name of the mix that is one of its kinds is drawn as such, any other is a mechanism's
    /// ([`Plant::mix`] is the mix of all of them). Default: none.
    calibration, with_calibration: Option<Plant>, Option<&Plant>, |p| p.calibration.as_ref();
}

impl DatasetParams {
    /// Checks every parameter. Names of mechanisms are looked up when a job starts.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn check(&self) -> Result<(), Error> {
        if !(1..=MAX_COUNT).contains(&self.count) {
            return refuse("count", self.count, "a number from 1 to 2^40");
        }
        check_side(self.side)?;
        self.visibility.check().map_err(crate::Error::from)?;
        if !(self.keep_best > 0.01 && self.keep_best <= 1.0) {
            return refuse("keep_best", self.keep_best, "a fraction above 0.01 and at most 1");
        }
        Ok(())
    }
}
