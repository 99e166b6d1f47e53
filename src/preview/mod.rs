//! Previews: samples to look at, as an HTML page that opens anywhere, and as a contact sheet.

mod card;
mod contact;
mod crop;
mod html;
mod measure;
mod outline;
mod sample;
mod worst;

use std::path::Path;

use imgkit::file::write_atomic;

use crate::error::Error;
use crate::sheet::Sheet;

pub use sample::PreviewSample;
pub use worst::worst_sheet;

/// Samples to look at, as an HTML page and as a contact sheet.
///
/// The page is one file with pictures, style and script inside, and asks for nothing else. Each sample is a card: photo
/// and defect take turns while the pointer or the focus rests on it, and its outline, its measures and the command that
/// makes it again stand beside. Cards can be filtered and sorted.
///
/// ```
/// use maphc2f::factory::{DatasetParams, PhotoSet, preview};
/// use maphc2f::physdefect::registry::Registry;
/// use maphc2f::{Preview, PreviewSample};
///
/// let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos/cardboard");
/// let photos = PhotoSet::find(&folder, None, None)?;
/// let params = DatasetParams::default().with_count(2).with_side(Some(96));
/// let mut shown = Preview::new("Defects on cardboard");
/// for index in 0..2 {
///     let sample = preview(&params, &photos, &Registry::standard(), index)?;
///     let photo = photos.name(params.plan(photos.len(), index).photo).unwrap_or_default();
///     shown.push(PreviewSample::new(&sample)?.with_photo(photo));
/// }
/// let out = tempfile::tempdir()?;
/// shown.write_page(&out.path().join("preview.html"))?;
/// shown.sheet().save(&out.path().join("preview.png"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Preview {
    title: String,
    notes: Vec<String>,
    samples: Vec<PreviewSample>,
}

impl Preview {
    /// Creates a preview without samples. The title is any text.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), notes: Vec::new(), samples: Vec::new() }
    }

    /// Adds a sentence to the head of the page, such as why a sample is missing.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a sample.
    pub fn push(&mut self, sample: PreviewSample) {
        self.samples.push(sample);
    }

    /// The samples in the order in which they were added.
    #[must_use]
    pub fn samples(&self) -> &[PreviewSample] {
        &self.samples
    }

    /// Writes the page as an HTML file, to a temporary name first.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn write_page(&self, path: &Path) -> Result<(), Error> {
        let page = html::page(self).map_err(|e| Error::output(path, e))?;
        write_atomic(path, page).map_err(|e| Error::output(path, e.source))
    }

    /// Draws the contact sheet: of each sample the whole photo with a frame around the defect, and enlarged the photo,
    /// the defect, and the outline of its mask. More than 96 samples are drawn smaller.
    #[must_use]
    pub fn sheet(&self) -> Sheet {
        contact::sheet(&self.samples)
    }
}
