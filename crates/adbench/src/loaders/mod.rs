//! Loaders: each reads one layout of folders into a [`Dataset`](crate::dataset::Dataset). They only ever read.

mod btad;
mod folder;
mod listing;
mod mvtec;
mod plan;
pub mod published;
mod table;
mod visa;

pub use btad::Btad;
pub use folder::Folder;
pub use mvtec::Mvtec;
pub use table::Table;
pub use visa::{Visa, VisaSplit};
