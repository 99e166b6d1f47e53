#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod category;
mod dataset_check;
mod error;
mod evaluate;
pub mod factory;
mod few_shot;
mod inspect;
mod photo;
mod report;
mod sheet;
mod synthesis;
mod train;
mod warm_start;

pub use category::{Category, load_normals};
pub use dataset_check::{Arrangement, CategoryCheck, DatasetCheck, check_dataset};
pub use error::Error;
pub use evaluate::{Evaluation, ScoredImage, TestImage, evaluate};
pub use few_shot::take_few_shot;
pub use inspect::inspect_folder;
pub use photo::{list_photos, load_photo, load_photos, prepare_folder, resize_square, save_photo, shrink_to_side};
pub use report::{RunDescription, hardest_images, write_report};
pub use sheet::{Cell, Sheet, overlay_heatmap};
pub use synthesis::{MATERIALS, Pipeline, PipelineSource, SEVERITY, Stage, Stages, SynthesizedDefect};
pub use train::{TrainedModel, TrainingParams, train, train_on};
pub use warm_start::{RankingParams, RankingTarget, warm_start};

pub use {adbench, bilevel, bisqad, frozen_backbone, imgkit, pde_refine, physdefect, sqe};
