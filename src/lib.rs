#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod error;
pub mod factory;
mod few_shot;
mod inspect;
mod job;
mod ladder;
mod photo;
mod sheet;
mod spoil;
mod synthesis;

pub use error::Error;
pub use few_shot::take_few_shot;
pub use inspect::inspect_folder;
pub use job::{Evaluated, Evaluation, Model, TestImage, Training, evaluate, train, train_on};
pub use ladder::{Rungs, warm_start};
pub use photo::{list_photos, load_photo, load_photos, prepare_folder, save_photo, shrink, square};
pub use sheet::{Cell, Sheet, heat};
pub use synthesis::{MATERIALS, Pipeline, SEVERITY, Source, Stage, Stages};

pub use {adbench, bisqad, frozen_backbone, pde_refine, physdefect, sqe};
