//! A cache of decoded photos in a fixed amount of memory, whatever the run's length. Samples on one photo follow each
//! other, so few are needed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use physdefect::Place;

use super::error::Error;
use super::photo_set::{PhotoSet, SourcePhoto};

/// Bytes of decoded photos that are kept.
const ROOM: usize = 32 << 20;

/// Decodes photos once where memory allows, and remembers for good which cannot be used.
#[derive(Debug)]
pub(super) struct Cache<'a> {
    set: &'a PhotoSet,
    side: Option<usize>,
    place: Place,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    photos: HashMap<usize, Arc<SourcePhoto>>,
    order: VecDeque<usize>,
    bytes: usize,
    unusable: BTreeMap<usize, String>,
}

impl<'a> Cache<'a> {
    pub(super) fn new(set: &'a PhotoSet, side: Option<usize>, place: Place) -> Self {
        Self { set, side, place, kept: Mutex::default() }
    }

    /// Photo `i`, or why it cannot be used.
    pub(super) fn get(&self, i: usize) -> Result<Arc<SourcePhoto>, String> {
        {
            let kept = self.lock();
            if let Some(normal) = kept.photos.get(&i) {
                return Ok(normal.clone());
            }
            if let Some(reason) = kept.unusable.get(&i) {
                return Err(reason.clone());
            }
        }
        let loaded = self.set.load_placed(i, self.side, self.place).map(Arc::new).map_err(|e: Error| e.to_string());
        let mut kept = self.lock();
        match &loaded {
            Err(reason) => {
                kept.unusable.insert(i, reason.clone());
            }
            Ok(normal) => {
                let bytes = normal.bytes();
                if bytes <= ROOM && kept.photos.insert(i, normal.clone()).is_none() {
                    kept.order.push_back(i);
                    kept.bytes += bytes;
                }
                while kept.bytes > ROOM {
                    let oldest = kept.order.pop_front().and_then(|i| kept.photos.remove(&i));
                    kept.bytes -= oldest.map_or(kept.bytes, |normal| normal.bytes());
                }
            }
        }
        loaded
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
