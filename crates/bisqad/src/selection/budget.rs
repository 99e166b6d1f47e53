//! Budget of time and memory: which sizes of the image are tried.

use std::time::Instant;

use crate::error::Error;
use crate::selection::images::{AT_ONCE, Reading};

/// Time of a prediction over that of its features: the evidence of the default choice takes up to 0.4 of it.
const PREDICTION: f64 = 1.4;
/// Runs of which the fastest counts.
const RUNS: usize = 3;
/// Bytes of a MiB.
const MIB: f64 = 1_048_576.0;

/// Those of `sides`, the smallest first, at which the limits of time and memory hold; all of them without limits.
pub(super) fn within_budget(from: Reading<'_>, sides: Vec<usize>) -> Result<Vec<usize>, Error> {
    let params = from.params;
    let (time, memory) = (params.predict_ms(), params.memory_mib().map(|mib| mib as f64));
    if time.is_none() && memory.is_none() {
        return Ok(sides);
    }
    let mut kept = Vec::new();
    for side in sides {
        let (ms, numbers) = measure(from, side)?;
        // of defects few patches are kept, but while a block of them is read all of them are held
        let real = from.real.map_or(0, |real| real.defects().len());
        let mib = (4 * numbers * (from.views.len() + from.relit.len() + real + AT_ONCE)) as f64 / MIB;
        let limits = [("the time of a prediction", "ms", time, PREDICTION * ms), ("memory", "MiB", memory, mib)];
        let broken = limits.into_iter().find(|(_, _, limit, needed)| limit.is_some_and(|limit| *needed > limit));
        match broken {
            None => kept.push(side),
            Some((what, unit, limit, needed)) if kept.is_empty() => {
                return Err(Error::Budget { what, unit, allowed: limit.unwrap_or(0.0), needed, side });
            }
            Some(_) => break, // larger sides need more
        }
    }
    Ok(kept)
}

/// Milliseconds that the features of a normal image take at `side`, and how many numbers they are.
fn measure(from: Reading<'_>, side: usize) -> Result<(f64, usize), Error> {
    let Some(first) = from.views.first() else { return Ok((0.0, 0)) };
    let image = from.normals[first.photo].view();
    let (mut best, mut numbers) = (f64::INFINITY, 0);
    for _ in 0..RUNS {
        let start = Instant::now();
        let seen = Reading { registration: None, ..from }.read(side, image)?;
        best = best.min(1e3 * start.elapsed().as_secs_f64());
        numbers = seen.levels.iter().map(|level| level.features.len()).sum();
    }
    Ok((best, numbers))
}
