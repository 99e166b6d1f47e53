//! Loaders: each reads one folder layout into a [`Dataset`](crate::Dataset). They only ever read.

mod listing;
pub mod mvtec;
