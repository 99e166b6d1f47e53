//! Choice of the evidence for a product, on synthetic defects drawn on held-out normal images.

pub(crate) mod budget;
pub(crate) mod candidate;
pub(crate) mod criterion;
pub(crate) mod cross_fit;
pub(crate) mod drawn;
pub(crate) mod fit;
pub(crate) mod images;
pub(crate) mod params;
pub(crate) mod real;
pub(crate) mod report;
pub(crate) mod validation;
