//! Finalization of samples, which keeps the mask contract by construction: the mask is what changed, and pixels outside
//! it are restored.

use imgkit::{Rect, bounding_box};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use crate::{Domain, Error, Measures, MechanismKind, Record, Sample, SampleKey};

/// One 8-bit level, with a hair of margin so that rounding to `u8` never loses it.
pub(crate) const LEVEL: f32 = 1.0 / 255.0 * 1.001;
/// Fewest mask pixels of a sample.
pub(crate) const MIN_PIXELS: usize = 4;
/// Share of the mask that may be pin holes without a visible change (the contract allows 0.05).
const MAX_HOLES: f64 = 0.04;

/// A rendered box before its mask is known.
#[derive(Debug)]
pub(crate) struct UncheckedSample {
    pub(crate) bbox: Rect,
    /// `(h, w, C)`.
    pub(crate) patch: Array3<f32>,
    /// Where the draft may change the photo `(h, w)`.
    pub(crate) support: Array2<bool>,
}

/// What the sample's record needs to know.
#[derive(Debug)]
pub(crate) struct Provenance {
    pub(crate) name: &'static str,
    pub(crate) mechanism: MechanismKind,
    pub(crate) key: SampleKey,
    pub(crate) severity: f64,
    pub(crate) measures: Measures,
}

/// Refuses a photo that does not belong to the domain.
pub(crate) fn check_photo(photo: ArrayView3<'_, f32>, domain: &Domain) -> Result<(), Error> {
    let (h, w, c) = photo.dim();
    if (h, w) != domain.dim() || c == 0 {
        let (dh, dw) = domain.dim();
        return Err(Error::Shape { what: "photo", found: vec![h, w, c], expected: vec![dh, dw, c.max(1)] });
    }
    Ok(())
}

/// A box of the photo, checked to be finite.
pub(crate) fn crop(photo: ArrayView3<'_, f32>, bbox: Rect) -> Result<Array3<f32>, Error> {
    let view = photo.slice_each_axis(|axis| bbox.slice_of(axis.axis));
    let patch = view.as_standard_layout().into_owned();
    // Summing is cheap; only a sum that is not finite is looked into.
    if !patch.iter().map(|v| v * 0.0).sum::<f32>().is_finite() {
        for ((y, x, channel), v) in patch.indexed_iter() {
            if !v.is_finite() {
                return Err(Error::NotFinite { row: bbox.top + y, column: bbox.left + x, channel });
            }
        }
    }
    Ok(patch)
}

/// Derives the exact mask from the draft, restores everything outside it and writes the record.
pub(crate) fn finalize(
    photo: ArrayView3<'_, f32>,
    mut draft: UncheckedSample,
    label: Provenance,
) -> Result<Sample, Error> {
    let invisible = |reason| Error::Invisible { model: label.name, reason };
    let (h, w, c) = draft.patch.dim();
    let original = crop(photo, draft.bbox)?;
    let mut mask = vec![false; h * w];
    {
        let (old, new) = (original.as_slice(), draft.patch.as_slice());
        let (Some(old), Some(new)) = (old, new) else { return Err(invisible("patch is not contiguous")) };
        for (((m, o), n), s) in
            mask.iter_mut().zip(old.chunks_exact(c)).zip(new.chunks_exact(c)).zip(draft.support.iter_mut())
        {
            // A broken neighbor that an interpolation touched with weight 0 is still not a number.
            *s &= n.iter().all(|v| v.is_finite());
            *m = *s && o.iter().zip(n).any(|(a, b)| (a - b).abs() >= LEVEL);
        }
    }
    drop_specks(&mut mask, h, w);
    let changed = mask.iter().filter(|&&m| m).count();
    if changed < MIN_PIXELS {
        return Err(invisible("fewer than four pixels change by an 8-bit level"));
    }
    let allowed = (changed as f64 * MAX_HOLES) as usize;
    fill_pin_holes(&mut mask, h, w, &draft.support, allowed);

    let (mut squares, mut count) = (0.0f64, 0usize);
    if let (Some(old), Some(new)) = (original.as_slice(), draft.patch.as_slice_mut()) {
        for ((&m, o), n) in mask.iter().zip(old.chunks_exact(c)).zip(new.chunks_exact_mut(c)) {
            if m {
                let change = o.iter().zip(n.iter()).map(|(a, b)| b - a).sum::<f32>() / c as f32;
                squares += f64::from(change * change);
                count += 1;
            } else {
                n.copy_from_slice(o);
            }
        }
    }
    let mask = Array2::from_shape_vec((h, w), mask).map_err(|_| invisible("mask shape"))?;
    let noise = surround_deviation(photo, draft.bbox, mask.view());
    let (height, width, _) = photo.dim();
    let record = Record {
        model: label.name.to_owned(),
        mechanism: label.mechanism,
        key: label.key,
        severity: label.severity,
        contrast_to_noise: (squares / count as f64).sqrt() / noise,
        area_fraction: count as f64 / (height * width) as f64,
        measures: label.measures,
    };
    Ok(crop_to_mask(Sample { bbox: draft.bbox, patch: draft.patch, mask, record }))
}

/// Removes mask pixels without a masked neighbor (of eight).
fn drop_specks(mask: &mut [bool], h: usize, w: usize) {
    let lonely: Vec<usize> = (0..h * w).filter(|&i| mask[i] && neighbors(mask, h, w, i) == 0).collect();
    for i in lonely {
        mask[i] = false;
    }
}

fn neighbors(mask: &[bool], h: usize, w: usize, i: usize) -> usize {
    let (y, x) = (i / w, i % w);
    let mut n = 0;
    for yy in y.saturating_sub(1)..(y + 2).min(h) {
        for xx in x.saturating_sub(1)..(x + 2).min(w) {
            n += usize::from(mask[yy * w + xx] && (yy, xx) != (y, x));
        }
    }
    n
}

/// Takes at most `allowed` unmasked pixels that have seven or more masked neighbors into the mask.
fn fill_pin_holes(mask: &mut [bool], h: usize, w: usize, support: &Array2<bool>, allowed: usize) {
    if allowed == 0 {
        return;
    }
    let holes: Vec<usize> = support
        .iter()
        .enumerate()
        .filter(|&(i, &s)| s && !mask[i] && neighbors(mask, h, w, i) >= 7)
        .map(|(i, _)| i)
        .take(allowed)
        .collect();
    for i in holes {
        mask[i] = true;
    }
}

/// Standard deviation of the unmasked pixels (mean over channels) in the box grown by 4 px; never below the
/// quantization noise of 8 bits, `1/(255 sqrt(12))`.
fn surround_deviation(photo: ArrayView3<'_, f32>, bbox: Rect, mask: ArrayView2<'_, bool>) -> f64 {
    let (height, width, c) = photo.dim();
    let ring = bbox.grow(4, (height, width));
    // Large boxes are read on a coarser grid: a deviation needs no more than some thousand pixels.
    let stride = (((ring.height() * ring.width()) as f64 / 4096.0).sqrt() as usize).max(1);
    let (mut n, mut sum, mut squares) = (0.0f64, 0.0f64, 0.0f64);
    for y in (ring.top..ring.bottom).step_by(stride) {
        for x in (ring.left..ring.right).step_by(stride) {
            let inside = bbox.contains((y, x)) && mask[[y - bbox.top, x - bbox.left]];
            if !inside {
                let v = (0..c).map(|k| f64::from(photo[[y, x, k]])).sum::<f64>() / c as f64;
                n += 1.0;
                sum += v;
                squares += v * v;
            }
        }
    }
    let floor = 1.0 / (255.0 * 12f64.sqrt());
    if n < 2.0 {
        return floor;
    }
    let deviation = (squares / n - (sum / n).powi(2)).max(0.0).sqrt();
    if deviation.is_finite() { deviation.max(floor) } else { floor }
}

/// The sample cropped to its mask.
fn crop_to_mask(sample: Sample) -> Sample {
    let Some(inner) = bounding_box(sample.mask.view()) else { return sample };
    if inner == Rect::whole(sample.mask.dim()) {
        return sample;
    }
    Sample {
        bbox: inner.offset_by(sample.bbox),
        patch: sample.patch.slice_each_axis(|axis| inner.slice_of(axis.axis)).as_standard_layout().into_owned(),
        mask: sample.mask.slice_each_axis(|axis| inner.slice_of(axis.axis)).as_standard_layout().into_owned(),
        record: sample.record,
    }
}
