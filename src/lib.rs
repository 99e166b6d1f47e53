#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backbone;
mod category;
mod dataset_check;
mod dataset_figures;
mod error;
mod evaluate;
#[cfg(feature = "factory")]
#[cfg_attr(docsrs, doc(cfg(feature = "factory")))]
pub mod factory;
mod faults;
mod few_shot;
mod foreground;
mod heatmap;
mod inspect;
mod mask_folder;
mod photo;
#[cfg(feature = "preview")]
mod preview;
#[cfg(feature = "factory")]
mod real_defects;
mod report;
mod sha256;
#[cfg(feature = "sheet")]
mod sheet;
mod steering;
mod synthesis;
mod train;
mod unlike;
mod warm_start;

pub use backbone::{load_detector, load_evidence_detector, open_backbone};
pub use category::{Category, load_normals, load_normals_with};
pub use dataset_check::{Arrangement, CategoryCheck, DatasetCheck, check_dataset};
pub use dataset_figures::{DatasetFigures, NORMAL_PIXELS_ABOVE, ObjectFigure, SegF1, write_maps};
pub use error::Error;
pub use evaluate::{Evaluation, ScoredImage, TestImage, evaluate};
pub use faults::{FaultSource, FaultySample, STRENGTHS, learn_faults};
pub use few_shot::take_few_shot;
pub use foreground::{Located, Region, SetForeground};
pub use heatmap::overlay_heatmap;
pub use inspect::defects::{Defect, find_defects};
pub use inspect::inspect_folder;
pub use inspect::inspector::{Inspection, InspectionParams, Inspector, Seen};
pub use inspect::line::{Decision, InspectionLine, scaled_margin};
pub use inspect::line_file::LineFile;
pub use inspect::regions::{InspectionRegions, PhotoRegion};
pub use inspect::watch::{Arrival, FolderWatch};
pub use photo::{
    PhotoReader, list_photos, load_photo, load_photos, prepare_folder, refuse_not_read, resize_square, save_photo,
    shrink_to_side,
};
#[cfg(feature = "preview")]
#[cfg_attr(docsrs, doc(cfg(feature = "preview")))]
pub use preview::{Preview, PreviewSample, worst_sheet};
#[cfg(feature = "factory")]
#[cfg_attr(docsrs, doc(cfg(feature = "factory")))]
pub use real_defects::{RealDefects, RealKind};
#[cfg(feature = "sheet")]
#[cfg_attr(docsrs, doc(cfg(feature = "sheet")))]
pub use report::hardest_images;
pub use report::{RunDescription, write_report};
pub use sha256::sha256_of_file;
#[cfg(feature = "sheet")]
#[cfg_attr(docsrs, doc(cfg(feature = "sheet")))]
pub use sheet::{Cell, Sheet};
pub use steering::{SteeredMix, steer_mix};
pub use synthesis::{
    MATERIALS, MECHANISMS, PHYSICAL, Pipeline, PipelineSource, SEVERITY, Stage, Stages, SynthesizedDefect,
};
pub use train::bilevel::{BilevelModel, BilevelParams, train_bilevel, train_bilevel_on};
pub use train::{train, train_on, train_with};
pub use unlike::{UnlikePhoto, unlike_photos};
pub use warm_start::{RankingParams, RankingTarget, warm_start};

pub use {adbench, bilevel, bisqad, frozen_backbone, imgkit, ndarray, pde_refine, physdefect, sqe};
