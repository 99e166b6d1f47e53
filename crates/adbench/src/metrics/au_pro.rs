//! Area under the per-region-overlap curve of maps in memory.

use imgkit::components::label_components;
use ndarray::ArrayView2;
use rayon::prelude::*;

use super::check::check_map;
use super::error::MetricError;
use super::overlap::{area, check_limit};
use super::ranking::{Counter, Ranked, check_classes, count_parts, counter, groups, key};
use super::regions::Regions;

/// Area under the per-region-overlap curve up to the false-positive rate `limit` (0.3 is customary), divided by it.
///
/// At a threshold, the overlap of a region is the share of its pixels with `score >= threshold`; regions are the
/// 8-connected components of the masks of all images, and every one has the same weight, large or small. The
/// false-positive rate is over all normal pixels of all images. The curve has one point for each distinct score; it
/// starts at (0, 0), ends at (1, 1), and is integrated by the trapezoidal rule with linear interpolation at `limit`.
///
/// Exact, and faster than a [`PixelPool`](super::PixelPool), whose figure is the same: pixels with scores so low that
/// the rate is beyond the limit are passed over. Memory beyond the input: some 80 bytes an anomalous pixel and one
/// image for each thread.
///
/// Source: P. Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 129, 2021, section 4.
///
/// # Errors
/// [`MetricError::Length`] when there is not one mask a map, [`MetricError::Shape`],
/// [`MetricError::NotFinite`], [`MetricError::MissingClass`], and [`MetricError::Parameter`] when `limit` is
/// outside `(0, 1]`.
///
/// ```
/// use ndarray::arr2;
/// let map = arr2(&[[3.0, 1.0, 2.0, 0.0]]);
/// let mask = arr2(&[[true, false, true, false]]);
/// // Both regions are found before the first false positive.
/// assert_eq!(adbench::metrics::au_pro(&[map.view()], &[mask.view()], 0.3), Ok(1.0));
/// ```
pub fn au_pro(maps: &[ArrayView2<'_, f32>], masks: &[ArrayView2<'_, bool>], limit: f64) -> Result<f64, MetricError> {
    check_limit(limit)?;
    if maps.len() != masks.len() {
        return Err(MetricError::masks(maps.len(), masks.len()));
    }
    let parts: Vec<Regions> =
        maps.par_iter().zip(masks).map(|(map, mask)| regions(map, mask)).collect::<Result<_, _>>()?;
    let mut regions = Regions::default();
    parts.iter().for_each(|part| regions.append(part));
    drop(parts);
    regions.sort();
    let pixels: usize = maps.iter().map(|map| map.len()).sum();
    check_classes(pixels - regions.pixels.len(), regions.pixels.len())?;
    let normal = pixels - regions.pixels.len();
    // A guess; when it proves too high, every pixel is counted.
    let least = likely_threshold(maps, limit);
    let mut ranked = above(maps, &regions, least, normal);
    if (ranked.1 as f64) < limit * normal as f64 && least > 0 {
        ranked = above(maps, &regions, 0, normal);
    }
    area(&ranked.0, &regions, limit)
}

/// The anomalous pixels of one image.
fn regions(map: &ArrayView2<'_, f32>, mask: &ArrayView2<'_, bool>) -> Result<Regions, MetricError> {
    check_map(map, mask)?;
    let components = label_components(*mask);
    let mut regions = Regions::default();
    if components.sizes.is_empty() {
        return Ok(regions);
    }
    for (scores, labels) in map.outer_iter().zip(components.labels.outer_iter()) {
        for (&score, &label) in scores.iter().zip(&labels) {
            if label > 0 {
                regions.push(key(score), label - 1);
            }
        }
    }
    regions.close_image(&components.sizes);
    Ok(regions)
}

/// A key that somewhat more than the share `limit` of all pixels probably reach, from a sample of the pixels.
pub(super) fn likely_threshold(maps: &[ArrayView2<'_, f32>], limit: f64) -> u32 {
    // Every 61st pixel of every third row: maps' sides are often powers of two.
    let rows = maps.iter().flat_map(|map| map.outer_iter().step_by(3));
    let mut sample: Vec<u32> =
        rows.enumerate().flat_map(|(y, row)| row.into_iter().skip(y % 61).step_by(61).map(|&s| key(s))).collect();
    let rank = ((1.0 - 1.1 * limit) * sample.len() as f64 - 64.0) as usize;
    if rank == 0 || sample.is_empty() { 0 } else { *sample.select_nth_unstable(rank).1 }
}

/// The pixels whose key is `least` at least, ranked, and the number of the normal ones among them.
pub(super) fn above(
    maps: &[ArrayView2<'_, f32>],
    regions: &Regions,
    least: u32,
    normal: usize,
) -> (Ranked<u32>, usize) {
    let start = regions.pixels.partition_point(|p| p.key < least);
    let groups = groups(regions.pixels[start..].iter().map(|p| p.key));
    let count = |counter: &mut Counter, map: &ArrayView2<'_, f32>| {
        let mut kept = [0_u32; 4096];
        let map = map.as_standard_layout();
        for scores in map.as_slice().unwrap_or_default().chunks(kept.len()) {
            // Every key is written, and only a high one moves the end on: no branch to mispredict.
            let mut end = 0;
            for &score in scores {
                let key = key(score);
                kept[end % 4096] = key;
                end += usize::from(key >= least);
            }
            counter.push_keys(&kept[..end]);
        }
    };
    // One part a thread, since each takes a counter of its own.
    let parts = maps.par_chunks(maps.len().div_ceil(rayon::current_num_threads()));
    let (counter, _) = count_parts(counter(&groups), parts, |c, maps| {
        maps.iter().for_each(|map| count(c, map));
        true
    });
    let mut ranked = Ranked::from_all(groups, counter);
    let found = ranked.normal();
    ranked.add_lower(normal - found);
    (ranked, found)
}
