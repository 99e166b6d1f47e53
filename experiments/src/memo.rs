//! What several runs on one set would read and draw alike, read and drawn once. The figures stay the same bits.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use maphc2f::bisqad::{Anomaly, AnomalySource, SourceError};
use maphc2f::frozen_backbone::{Backbone, EfficientNetLite0, Error, Level, Pyramid};
use ndarray::ArrayView3;

/// Answers by question. Two threads that ask the same at once may both find out.
#[derive(Debug)]
struct Known<K, V>(Mutex<HashMap<K, V>>);

impl<K: Eq + Hash, V: Clone> Known<K, V> {
    fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// The answer, found out if it is not known; failures are not remembered.
    fn get<E>(&self, key: K, find: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return Ok(known.clone());
        }
        let found = find()?;
        lock().insert(key, found.clone());
        Ok(found)
    }
}

/// A backbone that remembers every image: about 1 MB for one of 288 x 288 pixels.
#[derive(Debug)]
pub struct CachedBackbone {
    net: EfficientNetLite0,
    known: Known<u64, Pyramid>,
}

impl CachedBackbone {
    pub fn new(net: EfficientNetLite0) -> Self {
        Self { net, known: Known::new() }
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
        self.known.get(content(image), || self.net.extract(image))
    }
}

/// A hash of every bit.
fn content(image: ArrayView3<'_, f32>) -> u64 {
    let mut hasher = DefaultHasher::new();
    image.dim().hash(&mut hasher);
    image.iter().for_each(|v| hasher.write_u32(v.to_bits()));
    hasher.finish()
}

/// A source that remembers every anomaly.
pub struct CachedSource<'a> {
    source: &'a dyn AnomalySource,
    known: Known<(usize, usize, u64), Anomaly>,
}

impl<'a> CachedSource<'a> {
    pub fn new(source: &'a dyn AnomalySource) -> Self {
        Self { source, known: Known::new() }
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
        group: usize,
        index: u64,
    ) -> Result<Anomaly, SourceError> {
        self.known.get((image, group, index), || self.source.anomaly(normal, image, group, index))
    }
}
