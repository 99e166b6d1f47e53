//! Loaders: each reads one layout into a [`Dataset`](crate::Dataset). They only ever read.

pub mod btad;
pub mod folder;
mod listing;
pub mod mvtec;
pub mod official;
mod plan;
pub mod table;
pub mod visa;
