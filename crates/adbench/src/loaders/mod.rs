//! Loaders: each reads one layout of files into a [`Dataset`](crate::dataset::Dataset). They only ever read.
//!
//! A [`Layout`] finds the categories below a root and indexes one; [`by_name`] and [`detect`] choose a layout. A
//! **category** is the product on the photos, a **kind** the kind of defect. [`Folder`] and [`Table`] read one dataset
//! each, whose folders or columns are named by the caller.

mod ad2;
mod btad;
mod counts;
mod folder;
mod layout;
mod listing;
mod loco;
mod mask_folders;
mod mpdd;
mod mvtec;
mod plan;
mod real_iad;
mod resolver;
mod table;
mod visa;

pub use ad2::{Ad2Split, MvtecAd2};
pub use btad::Btad;
pub use counts::Counts;
pub use folder::Folder;
pub use layout::{Detected, LAYOUTS, Layout, by_name, detect, detect_with_reason};
pub use loco::MvtecLoco;
pub use mpdd::Mpdd;
pub use mvtec::Mvtec;
pub use real_iad::RealIad;
pub use table::{Table, TableLayout};
pub use visa::{Visa, VisaSplit};
