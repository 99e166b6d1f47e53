//! Area under the curve of the saturated per-region overlap.

use imgkit::ensure;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::au_pro::{above, likely_threshold};
use super::check::{check_finite_map, check_map};
use super::error::MetricError;
use super::overlap::{Curve, check_limit};
use super::ranking::{Ranked, check_classes, key};
use super::regions::{RegionPixel, Regions};

/// A defect of an image: its pixels, and how many of them are enough to find it.
#[derive(Debug, Clone, Copy)]
pub struct SaturatedRegion<'a> {
    mask: ArrayView2<'a, bool>,
    saturation: f64,
}

impl<'a> SaturatedRegion<'a> {
    /// Creates a defect from its mask `(H, W)` and its saturation, px: with as many of its pixels it counts as found. A
    /// saturation of its area or more makes that all of them.
    #[must_use]
    pub fn new(mask: ArrayView2<'a, bool>, saturation: f64) -> Self {
        Self { mask, saturation }
    }
}

/// Area under the curve of the saturated per-region overlap (sPRO) up to the false-positive rate `limit` (0.05 is
/// customary), divided by it.
///
/// At a threshold, the overlap of a defect is the number of its pixels with `score >= threshold` divided by its
/// saturation, at most 1; the mean is over all defects of all images. A defect is one mask, connected or not; defects
/// may overlap. The false-positive rate is over all pixels that no defect of their image has. Points, ends and
/// interpolation of the curve are those of [`au_pro`](super::au_pro()), which this is where the defects are connected
/// parts and their saturations are their areas. `regions` holds one list an image, empty for a good one; a mask that
/// marks nothing is passed over.
///
/// Source: P. Bergmann et al., "Beyond Dents and Scratches: Logical Constraints in Unsupervised Anomaly Detection and
/// Localization", IJCV 130, 2022, section 4.2.
///
/// # Errors
/// [`MetricError::Length`] when there is not one list a map, [`MetricError::Shape`], [`MetricError::NotFinite`],
/// [`MetricError::MissingClass`], and [`MetricError::Parameter`] when `limit` is outside `(0, 1]` or a saturation is
/// not above 0.
///
/// ```
/// use adbench::metrics::{SaturatedRegion, au_spro};
/// use ndarray::arr2;
/// let map = arr2(&[[4.0, 3.0, 2.0, 1.0, 0.0]]);
/// let mask = arr2(&[[true, true, false, true, false]]);
/// let of = |saturation| au_spro(&[map.view()], &[vec![SaturatedRegion::new(mask.view(), saturation)]], 0.5);
/// // Two of three pixels are found before the first false positive: enough, or two thirds.
/// assert_eq!(of(2.0), Ok(1.0));
/// assert!((of(3.0)? - 2.0 / 3.0).abs() < 1e-12);
/// # Ok::<(), adbench::metrics::MetricError>(())
/// ```
pub fn au_spro(
    maps: &[ArrayView2<'_, f32>],
    regions: &[Vec<SaturatedRegion<'_>>],
    limit: f64,
) -> Result<f64, MetricError> {
    check_limit(limit)?;
    if maps.len() != regions.len() {
        return Err(MetricError::Length { what: "lists of regions", expected: maps.len(), found: regions.len() });
    }
    let of_images: Vec<OfImage> =
        maps.par_iter().zip(regions).map(|(map, regions)| OfImage::new(map, regions)).collect::<Result<_, _>>()?;
    let (mut union, mut pixels, mut saturations) = (Regions::default(), Vec::new(), Vec::new());
    for image in of_images {
        union.append(&image.union);
        let first = saturations.len() as u32;
        pixels.extend(image.pixels.iter().map(|p| RegionPixel { key: p.key, region: first + p.region }));
        saturations.extend(image.saturations);
    }
    union.sort();
    pixels.par_sort_unstable();
    let all: usize = maps.iter().map(|map| map.len()).sum();
    let normal = all - union.pixels.len();
    check_classes(normal, union.pixels.len())?;
    // A guess; when it proves too high, every pixel is counted.
    let least = likely_threshold(maps, limit);
    let (mut ranked, found) = above(maps, &union, least, normal);
    if (found as f64) < limit * normal as f64 && least > 0 {
        ranked = above(maps, &union, 0, normal).0;
    }
    Ok(area(&ranked, &pixels, &saturations, limit))
}

/// The defects of one image.
struct OfImage {
    /// Each anomalous pixel once.
    union: Regions,
    /// Each pixel of each defect.
    pixels: Vec<RegionPixel>,
    saturations: Vec<f64>,
}

impl OfImage {
    fn new(map: &ArrayView2<'_, f32>, regions: &[SaturatedRegion<'_>]) -> Result<Self, MetricError> {
        check_finite_map(map)?;
        let mut of = Self { union: Regions::default(), pixels: Vec::new(), saturations: Vec::new() };
        let mut merged = Array2::from_elem(map.dim(), false);
        for region in regions {
            check_map(map, &region.mask)?;
            let saturation = region.saturation;
            ensure(saturation > 0.0, "au_spro", "saturation", saturation, "above 0")?;
            let number = of.saturations.len() as u32;
            let marked = map.iter().zip(&region.mask).filter(|(_, marked)| **marked);
            let before = of.pixels.len();
            of.pixels.extend(marked.map(|(&score, _)| RegionPixel { key: key(score), region: number }));
            let area = of.pixels.len() - before;
            if area > 0 {
                of.saturations.push(saturation.min(area as f64));
                merged.zip_mut_with(&region.mask, |all, one| *all |= one);
            }
        }
        let anomalous = map.iter().zip(&merged).filter(|(_, marked)| **marked);
        anomalous.for_each(|(&score, _)| of.union.push(key(score), 0));
        of.union.close_image(&[of.union.pixels.len()]);
        Ok(of)
    }
}

/// The area up to `limit`, divided by it. The defects' pixels must be sorted.
fn area(ranked: &Ranked<u32>, pixels: &[RegionPixel], saturations: &[f64], limit: f64) -> f64 {
    let mut curve = Curve::new(limit * ranked.normal() as f64);
    let mut rest = pixels;
    let mut found = vec![0_u32; saturations.len()];
    let (mut overlap, mut carry) = (0.0, 0.0);
    for group in ranked.descending() {
        let false_positives = ranked.normal_from(&group);
        curve.line_to((false_positives - group.normal_equal) as f64, overlap);
        let (lower, same) = rest.split_at(rest.partition_point(|p| p.key < group.key));
        rest = lower;
        for pixel in same {
            let (found, saturation) = (&mut found[pixel.region as usize], saturations[pixel.region as usize]);
            let share = |count: u32| (f64::from(count) / saturation).min(1.0);
            // Kahan's sum: millions of small terms would otherwise cost digits.
            let term = share(*found + 1) - share(*found) - carry;
            *found += 1;
            let sum = overlap + term;
            carry = (sum - overlap) - term;
            overlap = sum;
        }
        curve.line_to(false_positives as f64, overlap);
        if curve.is_full() {
            break;
        }
    }
    curve.line_to(ranked.normal() as f64, overlap);
    curve.mean_over(saturations.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::au_pro;
    use imgkit::components::label_components;
    use proptest::prelude::*;

    fn spro(map: &Array2<f32>, masks: &[(Array2<bool>, f64)], limit: f64) -> f64 {
        let regions = masks.iter().map(|(mask, saturation)| SaturatedRegion::new(mask.view(), *saturation)).collect();
        au_spro(&[map.view()], &[regions], limit).unwrap()
    }

    #[test]
    fn the_area_is_that_of_the_closed_form() {
        // One row: a defect of n = 8 pixels and 100 normal ones; defect pixel i outranks the normal ones from i on, so
        // that i + 1 of them are found at a rate of i / 100. With saturation s the overlap is min((i + 1) / s, 1).
        let map = Array2::from_shape_fn((1, 108), |(_, x)| {
            let rank = if x < 8 { x as f32 } else { (x - 8) as f32 + 0.5 };
            -rank
        });
        let mask = Array2::from_shape_fn((1, 108), |(_, x)| x < 8);
        for saturation in 1..=8 {
            let s = f64::from(saturation);
            // between the rates i / 100 and (i + 1) / 100 the overlap of i + 1 pixels stays; up to 0.05
            let expected: f64 = (0..5).map(|i| (f64::from(i + 1) / s).min(1.0)).sum::<f64>() / 5.0;
            let found = spro(&map, &[(mask.clone(), s)], 0.05);
            assert!((found - expected).abs() < 1e-12, "{saturation}: {found} {expected}");
        }
        // more than the area is the area
        assert_eq!(spro(&map, &[(mask.clone(), 1e9)], 0.05), spro(&map, &[(mask, 8.0)], 0.05));
    }

    #[test]
    fn defects_that_overlap_have_equal_weight_and_their_pixels_are_no_false_positives() {
        let map = ndarray::arr2(&[[9.0, 8.0, 7.0, 1.0, 2.0, 0.0]]);
        let first = ndarray::arr2(&[[true, true, false, false, false, false]]);
        let second = ndarray::arr2(&[[false, true, true, true, false, false]]);
        // before the first of two false positives: all of the first, two of three of the second
        let found = spro(&map, &[(first.clone(), 2.0), (second.clone(), 3.0)], 0.5);
        assert!((found - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12, "{found}");
        assert_eq!(spro(&map, &[(first.clone(), 2.0), (second, 2.0)], 0.5), 1.0);
        let nothing = Array2::from_elem((1, 6), false);
        assert_eq!(spro(&map, &[(first, 1.0), (nothing.clone(), 5.0)], 0.5), 1.0);
        let none = [vec![SaturatedRegion::new(nothing.view(), 1.0)]];
        assert!(matches!(au_spro(&[map.view()], &none, 0.5), Err(MetricError::MissingClass { .. })));
        assert!(matches!(au_spro(&[map.view()], &[], 0.5), Err(MetricError::Length { .. })));
        let bad = [vec![SaturatedRegion::new(nothing.view(), f64::NAN)]];
        assert!(matches!(au_spro(&[map.view()], &bad, 0.5), Err(MetricError::Parameter(_))));
    }

    /// A map, and the mask and the saturation of each defect.
    type Image = (Array2<f32>, Vec<(Array2<bool>, f64)>);

    /// The area by the definition: at each distinct score the false-positive rate and the mean saturated overlap.
    fn by_definition(images: &[Image], limit: f64) -> f64 {
        let mut scores: Vec<f32> = images.iter().flat_map(|(map, _)| map.iter().copied()).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores.dedup();
        let normal = |(map, regions): &Image, least: f32| {
            let is_normal = |at: (usize, usize)| regions.iter().all(|(mask, _)| !mask[at]);
            map.indexed_iter().filter(|(at, score)| is_normal(*at) && **score >= least).count() as f64
        };
        let all: f64 = images.iter().map(|image| normal(image, f32::NEG_INFINITY)).sum();
        let mut curve = vec![(0.0, 0.0)];
        for least in scores {
            let overlaps: Vec<f64> = images
                .iter()
                .flat_map(|(map, regions)| regions.iter().map(move |region| (map, region)))
                .map(|(map, (mask, saturation))| {
                    let found = map.iter().zip(mask).filter(|(score, marked)| **marked && **score >= least).count();
                    (found as f64 / saturation).min(1.0)
                })
                .collect();
            let rate = images.iter().map(|image| normal(image, least)).sum::<f64>() / all;
            curve.push((rate, overlaps.iter().sum::<f64>() / overlaps.len() as f64));
        }
        let inside = |pair: &[(f64, f64)]| {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            if x0 >= limit || x1 <= x0 {
                return 0.0;
            }
            let end = x1.min(limit);
            (end - x0) * (y0 + y0 + (y1 - y0) * (end - x0) / (x1 - x0)) / 2.0
        };
        curve.windows(2).map(inside).sum::<f64>() / limit
    }

    proptest! {
        #[test]
        fn of_several_images_it_is_what_the_definition_says(
            seeds in prop::collection::vec(
                (prop::collection::vec(0..9u8, 20), prop::collection::vec((0..20usize, 1..8usize, 0.1..1.0f64), 0..4)),
                1..4,
            ),
            limit in 0.05..1.0f64,
        ) {
            // defects are runs of pixels, which may overlap; a saturation is a share of the area
            let images: Vec<Image> = seeds.into_iter().map(|(scores, runs)| {
                let map = Array2::from_shape_vec((4, 5), scores).unwrap().mapv(f32::from);
                let regions = runs.into_iter().map(|(start, length, share)| {
                    let run = start..(start + length).min(20);
                    let mask = Array2::from_shape_fn((4, 5), |(y, x)| run.contains(&(5 * y + x)));
                    (mask, share * run.len() as f64)
                });
                (map, regions.collect())
            }).collect();
            let is_normal = |(_, regions): &Image| {
                (0..4).any(|y| (0..5).any(|x| regions.iter().all(|(mask, _)| !mask[(y, x)])))
            };
            prop_assume!(images.iter().any(|(_, regions)| !regions.is_empty()) && images.iter().any(is_normal));
            let maps: Vec<_> = images.iter().map(|(map, _)| map.view()).collect();
            let regions: Vec<Vec<_>> = images.iter().map(|(_, regions)| {
                regions.iter().map(|(mask, saturation)| SaturatedRegion::new(mask.view(), *saturation)).collect()
            }).collect();
            let (found, expected) = (au_spro(&maps, &regions, limit).unwrap(), by_definition(&images, limit));
            prop_assert!((found - expected).abs() < 1e-12, "{} {}", found, expected);
        }

        #[test]
        fn without_saturation_it_is_the_area_of_the_per_region_overlap(
            scores in prop::collection::vec(0..20u8, 96), marked in prop::collection::vec(prop::bool::weighted(0.3), 96),
            limit in 0.05..1.0f64,
        ) {
            let map = Array2::from_shape_vec((8, 12), scores).unwrap().mapv(f32::from);
            let mask = Array2::from_shape_vec((8, 12), marked).unwrap();
            prop_assume!(mask.iter().any(|m| *m) && mask.iter().any(|m| !*m));
            let parts = label_components(mask.view());
            let regions: Vec<_> = parts.sizes.iter().enumerate().map(|(i, size)| {
                (parts.labels.mapv(|label| label == i as u32 + 1), *size as f64)
            }).collect();
            let expected = au_pro(&[map.view()], &[mask.view()], limit).unwrap();
            let found = spro(&map, &regions, limit);
            prop_assert!((found - expected).abs() < 1e-12, "{} {}", found, expected);
        }
    }
}
