//! Views of normal images: how a photo is seen before features are read from it.

pub(crate) mod copies;
pub(crate) mod light;
pub(crate) mod motion;
pub(crate) mod registration;
pub(crate) mod seen;
