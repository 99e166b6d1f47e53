//! The dataset factory: a folder of good photos in, a data set of defects with a manifest out. Library and inside of
//! `maphc2f synth` at once.
//!
//! A sample is a pure function of the [`DatasetParams`], the photos and its index. Indices come in blocks of
//! [`BLOCK`]; a block's files get their final names when all of them are written, its manifest last. So any division
//! of the blocks over processes and machines, and any number of interruptions, ends in the same bytes; processes need
//! not know of each other.
//!
//! ```text
//! out/run.json                    what was asked for, with the SHA-256 of every photo; another run is refused there
//! out/manifest/000000.jsonl       one line a sample of block 0: written last, so it marks a finished block
//! out/manifest/000000.sums        SHA-256 of every file of block 0, as `sha256sum -c` reads it
//! out/mvtec/train/good/00000000.png, out/mvtec/test/<mechanism>/...,
//!     out/mvtec/ground_truth/<mechanism>/00000000_mask.png
//! out/yolo/{images,labels}/..., out/yolo/data.yaml
//! out/coco/images/..., out/coco/blocks/000000.txt, out/coco/annotations.json (when all blocks are there)
//! out/webdataset/000000.tar       00000000.png, 00000000.mask.png, 00000000.json, ...
//! ```
//!
//! ```
//! use maphc2f::factory::{DatasetParams, Job, PhotoSet, synthesize, verify};
//!
//! let out = tempfile::tempdir()?;
//! let photos = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos/cardboard");
//! let params = DatasetParams::default().with_count(4).with_side(Some(64));
//! let photo_set = PhotoSet::find(&photos, None, None)?;
//! let done = synthesize(&Job::new(&params, &photo_set, out.path()), &|_| ())?;
//! assert_eq!(done.images + done.failed, 4);
//! assert!(verify(out.path(), &|_| ())?.is_whole());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod calibrate;
mod content;
mod encoded;
mod error;
mod files;
mod formats;
mod header;
mod layout;
mod manifest;
mod marked_set;
mod mask_folder;
mod mix;
mod names;
mod output;
mod params;
mod photo_set;
mod plan;
mod plant;
mod png;
mod quality;
mod quality_scorer;
mod render;
mod replay;
mod run;
mod sample;
mod staging;
mod text_list;
mod verify;

pub use calibrate::{MeasuredKind, marked_foreground, measure_kind, mechanism_by_name};
pub use error::Error;
pub use formats::{Format, Formats};
pub use manifest::{FailureRecord, ManifestRecord, MaskExtent, SampleRecord, SolverStats, Substitution};
pub use marked_set::{MarkedPhoto, MarkedSet};
pub use mix::{Materials, MechanismMix, MixEntry};
pub use names::check_name;
pub use params::DatasetParams;
pub use photo_set::{PhotoSet, SourcePhoto};
pub use plan::{BLOCK, SamplePlan, Shard};
pub use plant::{Plant, PlantKind};
pub use quality::{RatedImage, Ratings, SampleRating, rate};
pub use quality_scorer::QualityScorer;
pub use render::RenderedSample;
pub use replay::{Replayed, replay};
pub use run::{Job, Summary, synthesize};
pub use sample::{preview, preview_with_plan};
pub use verify::{Findings, Verification, verify};
