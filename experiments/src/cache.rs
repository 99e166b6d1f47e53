//! Caches of features and synthetic anomalies, for runs on one set that would compute the same ones.
//!
//! Results are the same bits with a cache and without.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use maphc2f::bisqad::{Anomaly, AnomalySource, SourceError};
use maphc2f::frozen_backbone::{Backbone, EfficientNetLite0, Error, Level, Pyramid};
use ndarray::ArrayView3;

/// Values by key. Two threads that ask for the same key at once may both compute its value.
#[derive(Debug)]
struct Cache<K, V>(Mutex<HashMap<K, V>>);

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Returns the value of a key, computed if it is new; failures are not kept.
    fn get<E>(&self, key: K, compute: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        // a value is inserted whole, so a panic elsewhere leaves no half of one
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = lock().get(&key) {
            return Ok(kept.clone());
        }
        let value = compute()?;
        lock().insert(key, value.clone());
        Ok(value)
    }
}

/// A backbone that keeps the features of every image: about 1 MB for one of 288 x 288 pixels.
#[derive(Debug)]
pub struct CachedBackbone {
    net: EfficientNetLite0,
    cache: Cache<u64, Pyramid>,
}

impl CachedBackbone {
    /// Wraps a backbone; nothing is kept yet.
    #[must_use]
    pub fn new(net: EfficientNetLite0) -> Self {
        Self { net, cache: Cache::new() }
    }
}

impl Backbone for CachedBackbone {
    fn id(&self) -> &str {
        self.net.id()
    }
    fn hash(&self) -> u64 {
        self.net.hash()
    }
    fn levels(&self) -> &[Level] {
        self.net.levels()
    }
    fn min_side(&self) -> usize {
        self.net.min_side()
    }
    fn extract(&self, image: ArrayView3<'_, f32>) -> Result<Pyramid, Error> {
        self.cache.get(content_hash(image), || self.net.extract(image))
    }
}

/// Hash of the shape and of every bit.
fn content_hash(image: ArrayView3<'_, f32>) -> u64 {
    let mut hasher = DefaultHasher::new();
    image.dim().hash(&mut hasher);
    image.iter().for_each(|v| hasher.write_u32(v.to_bits()));
    hasher.finish()
}

/// A source that keeps every anomaly.
pub struct CachedSource<'a> {
    source: &'a dyn AnomalySource,
    cache: Cache<(usize, usize, u64), Anomaly>,
}

impl std::fmt::Debug for CachedSource<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedSource").field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl<'a> CachedSource<'a> {
    /// Wraps a source; nothing is kept yet.
    #[must_use]
    pub fn new(source: &'a dyn AnomalySource) -> Self {
        Self { source, cache: Cache::new() }
    }
}

impl AnomalySource for CachedSource<'_> {
    fn mechanisms(&self) -> usize {
        self.source.mechanisms()
    }
    fn anomaly(
        &self,
        normal: ArrayView3<'_, f32>,
        image: usize,
        mechanism: usize,
        index: u64,
    ) -> Result<Anomaly, SourceError> {
        self.cache.get((image, mechanism, index), || self.source.anomaly(normal, image, mechanism, index))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_value_is_computed_once_and_a_failure_is_not_kept() {
        let cache = Cache::new();
        let calls = Cell::new(0);
        let get = |key: u8, fail: bool| {
            cache.get(key, || {
                calls.set(calls.get() + 1);
                if fail { Err("failed") } else { Ok(10 * key) }
            })
        };
        assert_eq!(get(1, true), Err("failed"));
        assert_eq!(get(1, false), Ok(10));
        assert_eq!(get(1, true), Ok(10));
        assert_eq!(get(2, false), Ok(20));
        assert_eq!(calls.get(), 3);
    }

    #[test]
    fn images_differ_in_shape_or_in_one_bit() {
        let image = ndarray::Array3::<f32>::zeros((4, 6, 1));
        let mut other = image.clone();
        other[(3, 5, 0)] = -0.0;
        let reshaped = ndarray::Array3::<f32>::zeros((6, 4, 1));
        assert_eq!(content_hash(image.view()), content_hash(image.clone().view()));
        assert_ne!(content_hash(image.view()), content_hash(other.view()));
        assert_ne!(content_hash(image.view()), content_hash(reshaped.view()));
    }
}
