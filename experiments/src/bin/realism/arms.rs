//! Arms: ways to draw defects on good photos.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use experiments::program::{Result, say};
use maphc2f::factory::{PhotoSet, SourcePhoto};
use maphc2f::imgkit::image_io::{MaskRule, read_mask};
use maphc2f::imgkit::level::{from_u8, to_u8};
use maphc2f::imgkit::rng::{Retry, keyed_stream};
use maphc2f::pde_refine::CoarseToFine;
use maphc2f::physdefect::appearance::Appearance;
use maphc2f::physdefect::registry::Registry;
use maphc2f::physdefect::{Domain, SampleKey, Synthesizer, calibration};
use maphc2f::{MATERIALS, Pipeline, SEVERITY, SetForeground, Stage, list_photos, load_photo};
use ndarray::{Array2, Array3};
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::data::{Marked, Real};
use crate::rows::Row;

/// Defects an arm draws for one seed.
pub(crate) const DRAWN: usize = 120;
/// Tries of a defect that finds no room, as the factory of data sets does.
const RETRY: Retry = Retry::new(8, 1 << 40);

/// A way to draw defects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arm {
    /// The row's mechanism with its defaults.
    Ours,
    /// The same, fitted to the real defects that the seed takes out of the test.
    Calibrated,
    /// Samples of an older program.
    Before,
    /// The real defects themselves that the seed takes out of the test: what so few give without drawing any.
    Real,
    /// A baseline by its name in the registry.
    Baseline(&'static str),
}

pub(crate) const ARMS: [Arm; 8] = [
    Arm::Ours,
    Arm::Calibrated,
    Arm::Before,
    Arm::Real,
    Arm::Baseline("cutpaste"),
    Arm::Baseline("cutpaste-scar"),
    Arm::Baseline("perlin-blend"),
    Arm::Baseline("patch-clone"),
];

impl Arm {
    /// Name in options.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Calibrated => "calibrated",
            Self::Before => "before",
            Self::Real => "real",
            Self::Baseline(name) => name,
        }
    }

    /// Name in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ours => "ours, uncalibrated",
            Self::Calibrated => "ours, calibrated from 5 real defects",
            Self::Before => "ours before",
            Self::Real => "the 5 real defects alone",
            Self::Baseline("cutpaste") => "CutPaste",
            Self::Baseline("cutpaste-scar") => "CutPaste scar",
            Self::Baseline("perlin-blend") => "Perlin (DRAEM)",
            Self::Baseline(_) => "patch clone (NSA-like)",
        }
    }
}

/// A good photo at the size of evaluation, at which defects are drawn, as in training of a detector.
#[derive(Debug)]
pub(crate) struct Good {
    /// `(H, W, 1 or 3)`, values of 8 bits.
    pub(crate) image: Array3<f32>,
    /// Where defects may lie.
    domain: Domain,
}

impl Good {
    fn shrunk(photo: &SourcePhoto, side: usize) -> Result<Self> {
        Self::at(photo.pixels.mapv(from_u8), photo.domain.mask().to_owned(), side)
    }

    fn at(image: Array3<f32>, domain: Array2<bool>, side: usize) -> Result<Self> {
        let Marked { image, mask } = Marked { image, mask: domain }.shrunk(side)?;
        Ok(Self { image: image.mapv(|v| from_u8(to_u8(v))), domain: Domain::from_mask(mask)? })
    }
}

/// The photos that a seed draws on: [`DRAWN`] of `train/good`, each once if there are as many.
#[derive(Debug)]
pub(crate) struct Canvas {
    pub(crate) photos: Vec<Good>,
    /// Positions of the other good photos, which stay as they are.
    pub(crate) others: Vec<usize>,
    /// Of the good photos.
    foreground: Option<Arc<SetForeground>>,
}

impl Canvas {
    pub(crate) fn load(set: &PhotoSet, side: usize, seed: u64) -> Result<Self> {
        let mut order: Vec<usize> = (0..set.len()).collect();
        order.shuffle(&mut keyed_stream(seed, 1 << 62));
        let (drawn, others) = order.split_at(DRAWN.min(order.len()));
        let load = |&i: &usize| -> std::result::Result<Good, String> {
            let photo = set.load(i, None).map_err(|e| e.to_string())?;
            Good::shrunk(&photo, side).map_err(|e| e.to_string())
        };
        let photos = drawn.par_iter().map(load).collect::<std::result::Result<_, _>>()?;
        Ok(Self { photos, others: others.to_vec(), foreground: set.foreground(None)? })
    }
}

/// What an arm needs besides its name.
#[derive(Debug)]
pub(crate) struct Draw<'a> {
    pub(crate) row: &'a Row,
    pub(crate) canvas: &'a Canvas,
    /// Real defects that are left out of the test.
    pub(crate) calibrating: &'a [&'a Real],
    /// Folder of the older program's samples.
    pub(crate) before: Option<&'a Path>,
    pub(crate) seed: u64,
    /// Of the uncalibrated arm.
    pub(crate) appearances: &'a [Appearance],
}

impl Draw<'_> {
    /// Draws an arm's samples, at the row's size of evaluation; the error says why there are none.
    pub(crate) fn samples(&self, arm: Arm) -> Result<Vec<Marked>> {
        match arm {
            Arm::Before => self.read_before(),
            Arm::Real => Ok(self.calibrating.iter().map(|real| real.shown.clone()).collect()),
            Arm::Ours => self.draw(&Pipeline::from_appearances(
                &Registry::standard(),
                &[self.row.mechanism],
                self.appearances,
                SEVERITY,
            )?),
            Arm::Calibrated => self.draw(&self.calibrated()?),
            // as published: pasted, without an equation of this project
            Arm::Baseline(name) => self.draw(
                &Pipeline::from_registry(&Registry::standard(), &[name], &MATERIALS, SEVERITY)?.up_to(Stage::Raw),
            ),
        }
    }

    /// The row's mechanism in every default material, fitted to a few real defects at the size of evaluation.
    fn calibrated(&self) -> Result<Pipeline> {
        let entry = Registry::standard().by_name(self.row.mechanism)?;
        let domain = |real: &&Real| -> Result<Domain> {
            let (h, w, _) = real.own.image.dim();
            let mask = match &self.canvas.foreground {
                Some(set) => set.locate(real.own.image.view())?.domain.mask().to_owned(),
                None => Array2::from_elem((h, w), true),
            };
            Ok(Good::at(real.own.image.clone(), mask, self.row.side)?.domain)
        };
        let domains: Vec<Domain> = self.calibrating.iter().map(domain).collect::<Result<_>>()?;
        let marked = |(real, domain)| {
            let real: &&Real = real;
            calibration::Marked::new(real.shown.image.view(), real.shown.mask.view()).on(domain)
        };
        let samples: Vec<_> = self.calibrating.iter().zip(&domains).map(marked).collect();
        let fitted = calibration::fit(entry.kind(), &samples)?;
        if std::env::var_os("REALISM_FIT").is_some() {
            say(&format!("{fitted:#?}"));
        }
        let build = |&material| entry.calibrated(&fitted, Appearance::new(material));
        let group: Vec<Box<dyn Synthesizer>> = MATERIALS.iter().map(build).collect::<std::result::Result<_, _>>()?;
        let mut pipeline = Pipeline::new(CoarseToFine::default());
        pipeline.push(group);
        Ok(pipeline)
    }

    /// One sample a photo, in 8 bits, as a data set holds it.
    fn draw(&self, pipeline: &Pipeline) -> Result<Vec<Marked>> {
        let photos = &self.canvas.photos;
        let one = |i: usize| -> Option<Marked> {
            let photo = &photos[i % photos.len()];
            let attempt = |index| {
                let key = SampleKey { seed: self.seed, index };
                pipeline.synthesize(photo.image.view(), &photo.domain, 0, key)
            };
            let made = RETRY.first_success(i as u64, attempt).ok()?;
            let image = made.image.mapv(|v| from_u8(to_u8(v)));
            Some(Marked { image, mask: made.mask })
        };
        Ok((0..DRAWN).into_par_iter().filter_map(one).collect())
    }

    /// At most [`DRAWN`] samples from `FOLDER/SET/MECHANISM/SEED`.
    fn read_before(&self) -> Result<Vec<Marked>> {
        let before = self.before.ok_or("--before names no folder")?;
        let (set, mechanism) = (self.row.set, self.row.mechanism);
        let root = before.join(set).join(mechanism).join(self.seed.to_string()).join("mvtec");
        if !root.is_dir() {
            return Err("the folder has no samples of this mechanism".into());
        }
        let photos = list_photos(&root.join("test").join(mechanism))?.photos;
        let one = |path: &PathBuf| -> std::result::Result<Marked, String> {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let file = root.join("ground_truth").join(mechanism).join(format!("{stem}_mask.png"));
            let image = load_photo(path).map_err(|e| e.to_string())?;
            let mask = read_mask(file, MaskRule::NonZero).map_err(|e| e.to_string())?.mask;
            Marked { image, mask }.shrunk(self.row.side).map_err(|e| e.to_string())
        };
        // evenly over the samples, which follow the photos
        let count = photos.len().min(DRAWN);
        let chosen = (0..count).map(|i| photos[i * photos.len() / count].clone()).collect::<Vec<_>>();
        Ok(chosen.par_iter().map(one).collect::<std::result::Result<_, _>>()?)
    }
}
