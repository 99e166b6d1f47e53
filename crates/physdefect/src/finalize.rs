//! Finalization of samples: mask, changed pixels and visibility follow from the rendered pixels, so that the mask
//! contract holds by construction.

use imgkit::distance::near_background;
use imgkit::{Rect, bounding_box, first_non_finite};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Zip};

use crate::annotation::{Outline, padded};
use crate::visibility::{SEEN, Threshold, contrast, visibility};
use crate::{Domain, Error, Measures, MechanismKind, Record, Sample, SampleKey};

/// One 8-bit level, with a hair of margin so that rounding to `u8` never loses it.
pub(crate) const LEVEL: f32 = 1.0 / 255.0 * 1.001;
/// Fewest changed pixels of a sample.
const MIN_PIXELS: usize = 4;
/// Square of the width of an outline's blur, px: camera and eye.
const RIM: u64 = 6;
/// Share of a mask that must be visible.
const VISIBLE_SHARE: f64 = 0.6;
/// Relative error of the visibility that is accepted.
pub(crate) const TOLERANCE: f64 = 0.1;
/// Factors on the refined change that bring it to the visibility asked for.
const FACTORS: (f64, f64) = (0.4, 2.5);

/// A rendered box before its mask is known.
#[derive(Debug)]
pub(crate) struct UncheckedSample {
    pub(crate) bbox: Rect,
    /// `(h, w, C)`.
    pub(crate) patch: Array3<f32>,
    /// Where the draft may change the photo `(h, w)`.
    pub(crate) support: Array2<bool>,
}

/// Pixels that an annotator would mark: those that can be seen, and near the outline (within [`RIM`]) have at least
/// `level` of the contrast of the strong ones (the ninth decile). 0 marks all that can be seen, one half ends a blurred
/// line where it is half as dark; what is fainter farther inside is marked all the same.
pub(crate) fn marked(
    ratios: &Array2<f32>,
    (old, new): (&Array3<f32>, &Array3<f32>),
    allowed: ArrayView2<'_, bool>,
    level: f32,
) -> Array2<bool> {
    let seen = Zip::from(ratios).and(allowed).map_collect(|&r, &inside| inside && r >= SEEN);
    if level <= 0.0 {
        return seen;
    }
    // Not of the ratios: beside a line the means over an area stand out, but nobody marks them.
    let contrast = contrast(old, new);
    let mut strong: Vec<f32> = contrast.iter().zip(&seen).filter(|(_, s)| **s).map(|(c, _)| *c).collect();
    if strong.is_empty() {
        return seen;
    }
    let at = strong.len() * 9 / 10;
    let (_, value, _) = strong.select_nth_unstable_by(at, f32::total_cmp);
    let least = level * *value;
    let rim = near_background(padded(&seen, 1).view(), RIM);
    let (h, w) = seen.dim();
    let rim = Rect { top: 1, left: 1, bottom: h + 1, right: w + 1 }.crop(rim.view());
    Zip::from(&seen).and(&contrast).and(rim).map_collect(|&s, &c, &near| s && (c >= least || !near))
}

/// What the sample's record needs to know.
#[derive(Debug)]
pub(crate) struct Provenance {
    pub(crate) name: &'static str,
    pub(crate) mechanism: MechanismKind,
    pub(crate) key: SampleKey,
    pub(crate) severity: f64,
    pub(crate) visibility_target: Option<f64>,
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
    finite(bbox.cut(photo), bbox)
}

/// The pixels of a box, checked to be finite.
fn finite(patch: Array3<f32>, bbox: Rect) -> Result<Array3<f32>, Error> {
    // The largest magnitude's bits are cheap to find; only if they are those of no number, its place is looked for.
    let largest = patch.iter().fold(0u32, |a, v| a.max(v.to_bits() & 0x7fff_ffff));
    if !f32::from_bits(largest).is_finite() {
        for ((y, x, channel), v) in patch.indexed_iter() {
            if !v.is_finite() {
                return Err(Error::NotFinite { row: bbox.top + y, column: bbox.left + x, channel });
            }
        }
    }
    Ok(patch)
}

/// Draws the mask of a draft, restores everything that does not count as changed and writes the record.
pub(crate) fn finalize(
    photo: ArrayView3<'_, f32>,
    domain: &Domain,
    draft: UncheckedSample,
    label: Provenance,
) -> Result<Sample, Error> {
    finalize_at(photo, domain, draft, label, 0.0)
}

/// [`finalize`] with a mask as tight as [`marked`] says.
pub(crate) fn finalize_at(
    photo: ArrayView3<'_, f32>,
    domain: &Domain,
    draft: UncheckedSample,
    label: Provenance,
    level: f32,
) -> Result<Sample, Error> {
    let (threshold, original) = (Threshold::of(photo, draft.bbox), crop(photo, draft.bbox)?);
    let ratios = threshold.ratios(&original, &draft.patch);
    let measured = Measured { threshold, original, ratios };
    finalize_measured(photo, domain, draft, label, &measured, level)
}

/// What is known of a draft's box.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) threshold: Threshold,
    /// The photo's pixels `(h, w, C)`.
    pub(crate) original: Array3<f32>,
    /// Visibility of each of the draft's pixels.
    pub(crate) ratios: Array2<f32>,
}

/// [`finalize_at`] where thresholds, pixels and visibility of the draft's box are known.
pub(crate) fn finalize_measured(
    photo: ArrayView3<'_, f32>,
    domain: &Domain,
    draft: UncheckedSample,
    label: Provenance,
    Measured { threshold, original, ratios }: &Measured,
    level: f32,
) -> Result<Sample, Error> {
    let UncheckedSample { bbox, patch, mut support } = draft;
    // A broken neighbor that an interpolation touched with weight 0 is still not a number.
    if first_non_finite(patch.view()).is_some() {
        Zip::from(&mut support).and(patch.rows()).for_each(|s, pixel| *s &= pixel.iter().all(|v| v.is_finite()));
    }
    let marks = Marks {
        photo,
        bbox,
        original,
        threshold,
        support: &support,
        allowed: bbox.crop(domain.mask()),
        scale: domain.scale(),
        level,
    };
    let (height, width, _) = photo.dim();
    let record = Record {
        model: label.name.to_owned(),
        mechanism: label.mechanism,
        key: label.key,
        severity: label.severity,
        visibility: 0.0,
        visibility_target: label.visibility_target,
        contrast_to_noise: 0.0,
        area_fraction: (height * width) as f64,
        object_scale: domain.scale(),
        measures: label.measures,
    };
    marks.settle(label.name, (patch, ratios), record)
}

/// [`Sample::refined_patch`].
pub(crate) fn refined(
    sample: &Sample,
    photo: ArrayView3<'_, f32>,
    patch: ArrayView3<'_, f32>,
) -> Result<Sample, Error> {
    const MODEL: &str = "refined sample";
    let bbox = sample.bbox;
    let original = crop(photo, bbox)?;
    let mut patch = finite(patch.as_standard_layout().into_owned(), bbox)?;
    let threshold = Threshold::of(photo, bbox);
    let masked = |patch: &mut Array3<f32>| {
        Zip::from(patch.rows_mut()).and(original.rows()).and(&sample.mask).for_each(|mut new, old, &inside| {
            if !inside {
                new.assign(&old);
            }
        });
    };
    masked(&mut patch);
    let mut ratios = threshold.ratios(&original, &patch);
    if let Some(target) = sample.record.visibility_target {
        let change = &patch - &original;
        let (mut factor, mut reached) = (1.0f64, visibility(&ratios, sample.mask.view()));
        for _ in 0..3 {
            if (reached / target - 1.0).abs() < 0.5 * TOLERANCE || reached <= 0.0 {
                break;
            }
            factor = (factor * target / reached).clamp(FACTORS.0, FACTORS.1);
            patch.assign(&original);
            patch.zip_mut_with(&change, |v, d| *v = (*v + factor as f32 * d).clamp(0.0, 1.0));
            masked(&mut patch);
            ratios = threshold.ratios(&original, &patch);
            reached = visibility(&ratios, sample.mask.view());
        }
        if (reached / target - 1.0).abs() > TOLERANCE {
            return Err(Error::VisibilityOutOfReach { model: MODEL, wanted: target, reached });
        }
    }
    let marks = Marks {
        photo,
        bbox,
        original: &original,
        threshold: &threshold,
        support: &sample.mask,
        allowed: sample.mask.view(),
        scale: sample.record.object_scale,
        level: 0.0,
    };
    marks.settle(MODEL, (patch, &ratios), sample.record.clone())
}

/// What the marks of a sample depend on besides its pixels; all arrays have the shape of the box.
struct Marks<'a> {
    photo: ArrayView3<'a, f32>,
    bbox: Rect,
    original: &'a Array3<f32>,
    threshold: &'a Threshold,
    support: &'a Array2<bool>,
    allowed: ArrayView2<'a, bool>,
    scale: f64,
    /// Least strength of what is marked, over that of the strong pixels.
    level: f32,
}

impl Marks<'_> {
    /// Draws the mask, restores what is not changed and completes the record; `ratios` are those of the patch.
    fn settle(
        self,
        model: &'static str,
        (mut patch, ratios): (Array3<f32>, &Array2<f32>),
        mut record: Record,
    ) -> Result<Sample, Error> {
        let invisible = |reason| Err(Error::Invisible { model, reason });
        if !patch.is_standard_layout() {
            patch = patch.as_standard_layout().into_owned();
        }
        let seen = marked(ratios, (self.original, &patch), self.allowed, self.level);
        let mask = Outline::for_scale(self.scale).of(&seen, self.support, self.allowed);
        let mut changed = mask.clone();
        let (mut squares, mut count) = (0.0f64, 0usize);
        let channels = self.original.dim().2.max(1);
        let old = self.original.as_slice().unwrap_or_default().chunks_exact(channels);
        let new = patch.as_slice_mut().unwrap_or_default().chunks_exact_mut(channels);
        for ((changed, &support), (new, old)) in changed.iter_mut().zip(self.support).zip(new.zip(old)) {
            *changed &= support && new.iter().zip(old).any(|(n, o)| (n - o).abs() >= LEVEL);
            if *changed {
                let mean = new.iter().zip(old).map(|(n, o)| n - o).sum::<f32>() / channels as f32;
                squares += f64::from(mean * mean);
                count += 1;
            } else {
                new.copy_from_slice(old);
            }
        }
        if count < MIN_PIXELS {
            return invisible("fewer than four visible pixels would change by an 8-bit level");
        }
        let ratios = self.threshold.ratios(self.original, &patch);
        record.visibility = visibility(&ratios, mask.view());
        let noise = surround_deviation(self.photo, self.bbox, mask.view());
        record.contrast_to_noise = (squares / count as f64).sqrt() / noise;
        let (height, width, _) = self.photo.dim();
        let mut soft = ratios.mapv(|r| r.min(1.0));
        let (mut area, mut shown) = (0usize, 0usize);
        Zip::from(&mut soft).and(&mask).for_each(|s, &m| {
            *s = if m { *s } else { 0.0 };
            area += usize::from(m);
            shown += usize::from(*s >= SEEN);
        });
        if (shown as f64) < VISIBLE_SHARE * area as f64 {
            return invisible("too little of its mask would be seen");
        }
        record.area_fraction = area as f64 / (height * width) as f64;
        Ok(crop_to_mask(Sample { bbox: self.bbox, patch, mask, changed, soft, record }))
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
        patch: inner.cut(sample.patch.view()),
        mask: inner.cut(sample.mask.view()),
        changed: inner.cut(sample.changed.view()),
        soft: inner.cut(sample.soft.view()),
        record: sample.record,
    }
}
