//! The foreground of a set of photos: where defects may lie on each, and how that was found.

use ndarray::ArrayView3;
use physdefect::{
    Domain, Error as Refused, ForegroundFit, ForegroundModel, ForegroundParams, FrameReason, SetKind,
    estimate_foreground,
};
use serde::{Deserialize, Serialize};

/// Region of a photo where defects may lie, by how it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Region {
    /// On the foreground that was estimated.
    EstimatedForeground,
    /// Anywhere in the frame: no object can be told from the background, as on a texture.
    WholeFrame,
    /// On the mask given with the photo.
    GivenMask,
}

/// Where defects may lie on one photo.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Located {
    /// The pixels.
    pub domain: Domain,
    /// How they were found.
    pub region: Region,
    /// How clearly object and background part, in \[0, 1\]; of a set whose product fills the frame how sure that is;
    /// `None` where the region was given.
    pub confidence: Option<f64>,
    /// Why the region is the whole frame; `None` otherwise.
    pub reason: Option<FrameReason>,
}

/// Finds the foreground of photos of one set: by a model of the whole set, or of each photo alone where the photos do
/// not share their background.
///
/// ```
/// use maphc2f::{Region, SetForeground};
/// use ndarray::Array3;
///
/// let photos: Vec<Array3<f32>> = (0..4usize)
///     .map(|i| Array3::from_shape_fn((64, 80, 3), |(y, x, _)| {
///         let inside = (y as f32 - 30.0).hypot(x as f32 - 30.0 - 4.0 * i as f32) < 15.0;
///         (if inside { 0.2 } else { 0.7 }) + 0.02 * ((y * 31 + x * 17) % 7) as f32 / 7.0
///     }))
///     .collect();
/// let set = SetForeground::fit(photos.iter().map(|photo| photo.view()))?;
/// let found = set.locate(photos[0].view())?;
/// assert_eq!(found.region, Region::EstimatedForeground);
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetForeground {
    /// `None`: each photo alone.
    model: Option<ForegroundModel>,
    note: Option<String>,
}

impl SetForeground {
    /// Fits the model to photos `(H, W, C)`, f32 in \[0, 1\]; at most 64 of them, spread over the set, are looked at.
    /// Of a single photo, or of photos that do not share their background, each is looked at alone, and
    /// [`Self::note`] says so.
    ///
    /// # Errors
    /// [`Refused::SetPhoto`] for a photo with values that are not finite or smaller than 8 x 8 px.
    pub fn fit<'a>(photos: impl IntoIterator<Item = ArrayView3<'a, f32>>) -> Result<Self, Refused> {
        let mut fit = ForegroundFit::new(&ForegroundParams::default())?;
        for photo in photos {
            fit.add(photo)?;
        }
        Self::finish(fit)
    }

    /// Fits the model to the photos that were added.
    pub(crate) fn finish(fit: ForegroundFit) -> Result<Self, Refused> {
        if fit.len() < 2 {
            return Ok(Self::alone());
        }
        match fit.finish() {
            Ok(model) => Ok(Self::of(model)),
            Err(reason @ (Refused::PhotosDisagree { .. } | Refused::NoForeground { .. })) => {
                Ok(Self { model: None, note: Some(format!("foreground: each photo alone: {reason}")) })
            }
            Err(other) => Err(other),
        }
    }

    /// Looks at each photo alone.
    pub(crate) fn alone() -> Self {
        Self { model: None, note: None }
    }

    /// Takes a model that was fitted before.
    #[must_use]
    pub fn of(model: ForegroundModel) -> Self {
        Self { model: Some(model), note: None }
    }

    /// Writes it as JSON, which reads back to the same masks bit for bit.
    ///
    /// # Errors
    /// Those of the serializer; none for what [`Self::fit`] made.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// Reads what [`Self::to_json`] wrote; every value is checked.
    ///
    /// # Errors
    /// For a text that is not such JSON, or of a model of another version.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// The model of the set; `None` where each photo is looked at alone.
    #[must_use]
    pub fn model(&self) -> Option<&ForegroundModel> {
        self.model.as_ref()
    }

    /// Why there is no model of the set, if there should be one.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Whether the set is a texture, or a product that fills the frame.
    #[must_use]
    pub fn fills_frame(&self) -> bool {
        self.model.as_ref().is_some_and(|model| model.kind() == SetKind::FillsFrame)
    }

    /// Finds where defects may lie on a photo `(H, W, C)`.
    ///
    /// # Errors
    /// [`Refused::NotFinite`], [`Refused::EmptyDomain`] for a photo without pixels.
    pub fn locate(&self, photo: ArrayView3<'_, f32>) -> Result<Located, Refused> {
        let found = match &self.model {
            Some(model) => model.mask(photo),
            None => estimate_foreground(photo),
        };
        match found {
            Ok(foreground) => {
                let region = if foreground.fills_frame { Region::WholeFrame } else { Region::EstimatedForeground };
                let (confidence, reason) = (Some(foreground.confidence), foreground.reason);
                Ok(Located { domain: foreground.into_domain()?, region, confidence, reason })
            }
            // a uniform photo
            Err(Refused::NoForeground { .. }) => Ok(Located {
                domain: Domain::full(photo.dim().0, photo.dim().1)?,
                region: Region::WholeFrame,
                confidence: Some(0.0),
                reason: Some(FrameReason::NothingFound),
            }),
            Err(e) => Err(e),
        }
    }
}
