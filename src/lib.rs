#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod error;
pub mod factory;
mod inspect;
mod job;
mod photo;
mod sheet;
mod synthesis;

pub use error::Error;
pub use inspect::inspect_folder;
pub use job::{Evaluated, Evaluation, Model, TestImage, Training, evaluate, train};
pub use photo::{fit_side, list_photos, load_photo, load_photos, prepare_folder, save_photo, square};
pub use sheet::{Cell, Sheet, heat};
pub use synthesis::{Pipeline, SEVERITY, Source, Stages};

pub use {adbench, bisqad, frozen_backbone, pde_refine, physdefect, sqe};
