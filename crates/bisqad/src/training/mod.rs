//! Bi-level training of the discriminator and of the quality estimator.

pub(crate) mod adam;
pub(crate) mod anomaly_source;
pub(crate) mod checkpoint;
pub(crate) mod discriminator;
pub(crate) mod fit;
pub(crate) mod loss;
pub(crate) mod normal_cache;
pub(crate) mod observer;
pub(crate) mod params;
pub(crate) mod patch_selection;
pub(crate) mod report;
pub(crate) mod sampler;
pub(crate) mod shrinkage;
pub(crate) mod split;
pub(crate) mod trainer;
pub(crate) mod validation_anomalies;
