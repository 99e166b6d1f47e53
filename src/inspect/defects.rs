//! Defects on a score map: its peaks, each with what stands higher than half of it.

use imgkit::contour::contours;
use imgkit::{Rect, ensure};
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::peaks::{MOST_PIXELS, Peak, peaks};
use crate::error::Error;

/// Defect that was found on a score map.
///
/// Coordinates are (x, y) in px of the photo, from the upper left corner of its upper left pixel: the middle of the
/// pixel in row r and column c is (c + 0.5, r + 0.5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Defect {
    /// Number of pixels.
    pub area: usize,
    /// Box around it, half open.
    #[serde(rename = "box")]
    pub bounds: Rect,
    /// Polygons along the edges of its pixels: the outline first, then that of each hole. Filled by the even-odd rule
    /// they are its pixels.
    pub contour: Vec<Vec<(usize, usize)>>,
    /// Highest pixel score.
    pub peak: f32,
    /// Pixel score that its pixels exceed: halfway from the threshold to the peak.
    pub pixel_threshold: f64,
    /// Mean pixel score.
    pub mean: f64,
    /// Mean of its pixels' middles (x, y), px.
    pub centroid: (f64, f64),
    /// Kind of defect, as the part of the detector that answers strongest calls it; `None` for a detector that tells no
    /// kinds apart.
    pub kind: Option<String>,
}

/// Finds the defects on a score map `(H, W)`, of at least `least_area` px each, from the highest peak to the lowest;
/// equal peaks in row-major order. Infinite and NaN pixels are none.
///
/// A defect has a peak above `threshold`. Its pixels are those around the peak, 8-connected, that exceed its pixel
/// threshold, halfway from `threshold` to the peak: its full width at half maximum. A map is smooth and coarser than
/// what it shows, so that a strong defect lifts far more pixels above `threshold` than it has, and an edge that was
/// smoothed stands at half its height. A peak from which a higher one is reached above that level is part of the higher
/// one's defect.
///
/// ```
/// let map = ndarray::arr2(&[[9.0f32, 0.0, 0.0, 3.0], [4.0, 6.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]);
/// let found = maphc2f::find_defects(map.view(), 1.0, 1)?;
/// assert_eq!((found[0].area, found[0].peak, found[0].pixel_threshold), (2, 9.0, 5.0));
/// assert_eq!((found[0].mean, found[0].centroid), (7.5, (1.0, 1.0)));
/// assert_eq!((found.len(), found[1].contour[0][0]), (2, (3, 0)));
/// assert_eq!(maphc2f::find_defects(map.view(), 1.0, 2)?.len(), 1);
/// # Ok::<(), maphc2f::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] for a threshold that is not finite, and for a map of 2^32 px or more.
pub fn find_defects(map: ArrayView2<'_, f32>, threshold: f64, least_area: usize) -> Result<Vec<Defect>, Error> {
    ensure(threshold.is_finite(), "defects", "threshold", threshold, "finite")?;
    ensure(map.len() < MOST_PIXELS, "defects", "map", map.len(), "fewer than 2^32 px")?;
    let mut found = Vec::new();
    let mut owner = Array2::from_elem(map.dim(), 0_u32); // number of the defect, from 1
    for Peak { pixels, level } in peaks(map, threshold).into_iter().filter(|peak| peak.pixels.len() >= least_area) {
        let mut sums = Sums::default();
        for &at in &pixels {
            sums.add(at, map[at]);
            owner[at] = found.len() as u32 + 1;
        }
        found.extend(sums.defect(level));
    }
    for contour in contours(owner.mapv(|owner| owner > 0).view()) {
        if let Some(defect) = found.get_mut((owner[contour.pixel] as usize).wrapping_sub(1)) {
            // the outline is where its first pixel is, before any hole
            defect.contour.push(contour.corners);
        }
    }
    Ok(found)
}

/// Sums over the pixels of a part.
#[derive(Debug, Default)]
struct Sums {
    area: usize,
    bounds: Option<Rect>,
    rows: u64,
    columns: u64,
    scores: f64,
    peak: f32,
}

impl Sums {
    fn add(&mut self, (row, column): (usize, usize), score: f32) {
        let pixel = Rect::pixel((row, column));
        self.peak = if self.area == 0 { score } else { self.peak.max(score) };
        self.area += 1;
        self.bounds = Some(self.bounds.map_or(pixel, |bounds| bounds.union(pixel)));
        self.rows += row as u64;
        self.columns += column as u64;
        self.scores += f64::from(score);
    }

    fn defect(self, pixel_threshold: f64) -> Option<Defect> {
        let count = self.area as f64;
        Some(Defect {
            area: self.area,
            bounds: self.bounds?,
            contour: Vec::new(),
            peak: self.peak,
            pixel_threshold,
            mean: self.scores / count,
            centroid: (self.columns as f64 / count + 0.5, self.rows as f64 / count + 0.5),
            kind: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use std::f64::consts::{LN_2, PI};

    /// Twice the area inside, by the shoelace formula; negative around a hole.
    fn doubled_area(corners: &[(usize, usize)]) -> i64 {
        let next = corners.iter().cycle().skip(1);
        corners.iter().zip(next).map(|(a, b)| a.0 as i64 * b.1 as i64 - b.0 as i64 * a.1 as i64).sum()
    }

    /// A cone of this height and radius at the middle of a pixel.
    fn cone(height: f64, radius: f64, (cy, cx): (f64, f64)) -> Array2<f32> {
        Array2::from_shape_fn((160, 200), |(y, x)| {
            (height * (1.0 - (y as f64 - cy).hypot(x as f64 - cx) / radius)).max(0.0) as f32
        })
    }

    #[test]
    fn a_disc_has_the_measures_of_the_cone_that_it_is_cut_from() {
        let (height, radius, threshold) = (8.0, 60.0, 2.0);
        let found = find_defects(cone(height, radius, (70.0, 90.0)).view(), threshold, 1).unwrap();
        assert_eq!(found.len(), 1);
        let disc = &found[0];
        assert_eq!((disc.peak, disc.pixel_threshold), (8.0, 5.0));
        let r = radius * (1.0 - 5.0 / height); // 22.5
        assert!((disc.area as f64 - PI * r * r).abs() < 0.01 * PI * r * r, "{}", disc.area);
        // mean of a cone over its disc: the height at the rim and a third of what rises above it
        assert!((disc.mean - 6.0).abs() < 0.12, "{}", disc.mean);
        assert!((disc.centroid.0 - 90.5).abs() < 1e-9 && (disc.centroid.1 - 70.5).abs() < 1e-9, "{:?}", disc.centroid);
        assert_eq!(disc.bounds, Rect { top: 48, left: 68, bottom: 93, right: 113 });
        assert_eq!((disc.contour.len(), disc.kind.as_deref()), (1, None));
        assert_eq!(doubled_area(&disc.contour[0]), 2 * disc.area as i64);
    }

    /// Gaussians of these heights at these places, of a standard deviation of 8 px, on a floor.
    fn bumps(floor: f64, bumps: &[(f64, (f64, f64))]) -> Array2<f32> {
        Array2::from_shape_fn((160, 200), |(y, x)| {
            let of = |(height, (cy, cx)): &(f64, (f64, f64))| {
                height * (-((y as f64 - cy).powi(2) + (x as f64 - cx).powi(2)) / (2.0 * 64.0)).exp()
            };
            (floor + bumps.iter().map(of).sum::<f64>()) as f32
        })
    }

    #[test]
    fn the_outline_of_a_gaussian_is_at_half_its_height_however_high_it_is() {
        // a bump that stands on the threshold: r = sigma sqrt(2 ln 2); the part above the threshold is the whole map
        for height in [0.5, 5.0, 500.0] {
            let found = find_defects(bumps(3.0, &[(height, (80.0, 90.0))]).view(), 3.0, 1).unwrap();
            let r2 = 64.0 * 2.0 * LN_2;
            assert_eq!(found.len(), 1);
            assert!((found[0].area as f64 / (PI * r2) - 1.0).abs() < 0.02, "{height} {} {}", found[0].area, PI * r2);
            // a bump of which the threshold cuts off the foot: r = sigma sqrt(2 ln(2 a / (a + t)))
            let threshold = height / 4.0;
            let found = find_defects(bumps(0.0, &[(height, (80.0, 90.0))]).view(), threshold, 1).unwrap();
            let r2 = 64.0 * 2.0 * (2.0 * height / (height + threshold)).ln();
            assert_eq!(found.len(), 1);
            assert!((found[0].area as f64 / (PI * r2) - 1.0).abs() < 0.03, "{height} {} {}", found[0].area, PI * r2);
        }
    }

    #[test]
    fn a_weak_defect_in_the_foot_of_a_strong_one_is_kept_and_a_shoulder_is_none() {
        // sigma 8 and 40 px between: where they meet the strong one still is above the threshold
        let map = bumps(0.0, &[(100.0, (80.0, 70.0)), (6.0, (80.0, 110.0))]);
        let ridge = (70..=110).map(|x| map[(80, x)]).fold(f32::INFINITY, f32::min);
        assert!(ridge > 1.0, "{ridge}");
        let found = find_defects(map.view(), 1.0, 1).unwrap();
        let centers: Vec<_> = found.iter().map(|defect| defect.centroid.0.round()).collect();
        assert_eq!(centers, [71.0, 111.0], "{found:?}");
        // 20 px between: the weak one has no peak of its own
        let found = find_defects(bumps(0.0, &[(100.0, (80.0, 70.0)), (6.0, (80.0, 90.0))]).view(), 1.0, 1).unwrap();
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_ring_has_an_outline_and_a_hole_and_what_lies_in_the_hole_is_another_defect() {
        let ring = |inner: f64, outer: f64| {
            move |y: usize, x: usize| (inner..outer).contains(&(y as f64 - 50.0).hypot(x as f64 - 60.0))
        };
        let (out, dot) = (ring(20.0, 30.0), ring(0.0, 4.0));
        let map = Array2::from_shape_fn((100, 120), |(y, x)| {
            if out(y, x) {
                3.0
            } else if dot(y, x) {
                5.0
            } else {
                -1.0
            }
        });
        let found = find_defects(map.view(), 1.0, 1).unwrap();
        assert_eq!((found.len(), found[0].peak, found[1].peak), (2, 5.0, 3.0));
        let ring = &found[1];
        let area = PI * (30.0 * 30.0 - 20.0 * 20.0);
        assert!((ring.area as f64 - area).abs() < 0.01 * area, "{}", ring.area);
        assert_eq!((ring.mean, ring.centroid), (3.0, (60.5, 50.5)));
        assert_eq!(ring.contour.len(), 2);
        let [outline, hole] = [0, 1].map(|k| doubled_area(&ring.contour[k]));
        assert!(hole < 0 && outline + hole == 2 * ring.area as i64, "{outline} {hole}");
        assert!((hole as f64 + 2.0 * PI * 400.0).abs() < 0.02 * 2.0 * PI * 400.0, "{hole}");
        assert_eq!((found[0].contour.len(), found[0].centroid), (1, (60.5, 50.5)));
    }

    #[test]
    fn pixels_that_touch_at_a_corner_are_one_defect_and_the_least_area_counts_pixels() {
        let mut map = Array2::from_elem((7, 9), 0.0f32);
        // half of the highest of the three, 4, is 2.5
        for (at, score) in [((1, 1), 3.0), ((2, 2), 3.5), ((3, 1), 4.0), ((1, 6), 5.0), ((1, 8), 6.0)] {
            map[at] = score;
        }
        let areas = |least: usize| -> Vec<usize> {
            find_defects(map.view(), 1.0, least).unwrap().iter().map(|defect| defect.area).collect()
        };
        assert_eq!(
            (areas(0), areas(1), areas(2), areas(3), areas(4)),
            (vec![1, 1, 3], vec![1, 1, 3], vec![3], vec![3], vec![])
        );
        let corner = &find_defects(map.view(), 1.0, 2).unwrap()[0];
        assert_eq!((corner.peak, corner.mean, corner.centroid), (4.0, 3.5, (4.0 / 3.0 + 0.5, 2.5)));
        assert_eq!((corner.contour.len(), doubled_area(&corner.contour[0])), (1, 6));
        // a threshold is exceeded, not met
        assert_eq!(find_defects(map.view(), 4.0, 1).unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_number_is_no_defect_and_no_threshold() {
        let map = Array2::from_shape_vec((1, 4), vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 2.0]).unwrap();
        let found = find_defects(map.view(), 1.0, 1).unwrap();
        assert_eq!((found.len(), found[0].area), (1, 1));
        for threshold in [f64::NAN, f64::INFINITY] {
            assert!(
                matches!(find_defects(map.view(), threshold, 1), Err(Error::Parameter(e)) if e.name == "threshold")
            );
        }
        assert_eq!(find_defects(Array2::zeros((0, 0)).view(), 1.0, 1).unwrap(), []);
    }
}
