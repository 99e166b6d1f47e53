//! Measurement of the defects in one photo with its mask: place and contrast of each connected part.
//!
//! Of a real defect there is no clean photo. The surface below it is estimated from its surround (normalized
//! convolution with a Gaussian of three quarters of the part's half width), the change is the difference, and the
//! surround's own variance is taken off its square, so that texture does not count as contrast.

use imgkit::Rect;
use imgkit::distance::{to_background, to_foreground};
use imgkit::gaussian::{Border, gaussian_filter};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use super::shape::{self, Sizes};
use crate::annotation::padded;
use crate::appearance::srgb::Tables;
use crate::visibility::{SEEN, Surround, averaged, filtered};
use crate::{Domain, Error};

/// Pixels this near to a mask are neither defect nor surround, px: a hand is off by two, the filter reaches two
/// farther.
const MARGIN: f32 = 4.0;
/// Width of the surround that sets the just noticeable contrast, px beyond [`MARGIN`].
const RING: f32 = 10.0;
/// Standard deviation of the filter that bridges a part, over its half width, and its bounds in px.
const BRIDGE: (f64, f64, f64) = (0.75, 3.0, 40.0);
/// Floor of linear light: a 12-bit sensor's last bit.
const DARKEST: f32 = 1.0 / 4096.0;
/// Parts below this share of the photo's largest are specks of the labeling.
const LEAST_SHARE: f64 = 0.03;
/// A part nearer than this to the outline touches it, px.
const TOUCHES: f32 = 2.5;

/// A photo with the mask of its defects, and where its object is.
#[derive(Debug, Clone, Copy)]
pub struct Marked<'a> {
    photo: ArrayView3<'a, f32>,
    mask: ArrayView2<'a, bool>,
    domain: Option<&'a Domain>,
}

impl<'a> Marked<'a> {
    /// Takes a photo `(H, W, C)`, f32 in \[0, 1\], with the mask `(H, W)` of all its defects of one kind. The whole
    /// frame counts as the object.
    #[must_use]
    pub fn new(photo: ArrayView3<'a, f32>, mask: ArrayView2<'a, bool>) -> Self {
        Self { photo, mask, domain: None }
    }

    /// Sets the object's pixels: sizes are measured relative to its scale ([`Domain::scale`]), places to its outline.
    #[must_use]
    pub fn on(self, domain: &'a Domain) -> Self {
        Self { domain: Some(domain), ..self }
    }

    /// Whether the photo shows an outline of the object.
    pub(super) fn has_outline(&self) -> bool {
        self.domain.is_some_and(|domain| domain.area() < domain.mask().len())
    }

    /// Fewest pixels of a defect that can be measured: a disc 3.6 px across, of which the grid alone makes a tenth.
    pub const LEAST_PIXELS: usize = 10;

    /// Pixels of the largest part of the mask, specks of up to three pixels included.
    #[must_use]
    pub fn largest_part(&self) -> usize {
        imgkit::components::label_components(self.mask).sizes.into_iter().max().unwrap_or(0)
    }

    /// Photo `(H, W, C)`.
    #[must_use]
    pub fn photo(&self) -> ArrayView3<'a, f32> {
        self.photo
    }

    /// Mask `(H, W)`.
    #[must_use]
    pub fn mask(&self) -> ArrayView2<'a, bool> {
        self.mask
    }
}

/// Contrast of a part against its surround.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    /// Visibility in just noticeable contrasts.
    pub(super) visibility: f64,
    /// Mean signed change over the mean size of the change, in \[-1, 1\]: -1 all darker, 0 as much brighter as darker.
    pub(super) polarity: f64,
    /// Mean ln of linear light over that of the surface below, over the pixels that can be seen.
    pub(super) log_contrast: f64,
    /// Standard deviation of the same.
    pub(super) spread: f64,
    /// Standard deviation of the finest detail (photo less its filtered self) inside over that around.
    pub(super) texture: f64,
    /// Mean ln of each of three channels over the surface below, less their mean; 0 for gray photos.
    pub(super) color: [f64; 3],
    /// Share of the pixels that can be seen.
    pub(super) seen: f64,
    /// Mean contrast at the outline over the ninth decile inside.
    pub(super) level: f64,
    /// Mean contrast of the part's outer half over that of its inner half.
    pub(super) softness: f64,
}

/// One connected part of a mask.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) pixels: Vec<(usize, usize)>,
    pub(super) bbox: Rect,
    pub(super) sizes: Sizes,
    /// `None` where there is no surround to compare it with.
    pub(super) look: Option<Look>,
    /// Whether it touches the object's outline or the frame's edge.
    pub(super) touches: bool,
    /// Mean distance from the outline over half of the object's thickness.
    pub(super) inset: f64,
}

/// One photo.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) parts: Vec<Part>,
    /// Scale of the object, px.
    pub(super) scale: f64,
}

impl Measured {
    /// Mean of a figure of the looks, by area.
    pub(super) fn mean(&self, get: impl Fn(&Look) -> f64) -> f64 {
        let looks = self.parts.iter().filter_map(|p| Some((p.look.as_ref()?, p.pixels.len() as f64)));
        let (sum, weight) = looks.fold((0.0, 0.0), |(s, w), (look, area)| (s + area * get(look), w + area));
        if weight > 0.0 { sum / weight } else { 0.0 }
    }
}

/// Measures one photo: parts as `long` defects or as compact ones.
pub(super) fn measure(long: bool, sample: &Marked<'_>) -> Result<Measured, Error> {
    let (photo, mask) = (sample.photo, sample.mask);
    let (height, width, channels) = photo.dim();
    if mask.dim() != (height, width) || channels == 0 {
        let expected = vec![height, width];
        return Err(Error::Shape { what: "mask", found: mask.shape().to_vec(), expected });
    }
    if let Some(domain) = sample.domain.filter(|d| d.dim() != (height, width)) {
        let (h, w) = domain.dim();
        return Err(Error::Shape { what: "domain", found: vec![h, w], expected: vec![height, width] });
    }
    if let Some((row, column, channel)) = imgkit::first_non_finite(photo) {
        return Err(Error::NotFinite { row, column, channel });
    }
    let mut labeled = shape::components(mask);
    let largest = labeled.iter().map(Vec::len).max().unwrap_or(0);
    labeled.retain(|pixels| pixels.len() as f64 >= LEAST_SHARE * largest as f64);
    if labeled.is_empty() {
        return Err(Error::EmptyMask { height, width });
    }
    let whole;
    let domain = match sample.domain {
        Some(domain) => domain,
        None => {
            whole = Domain::full(height, width)?;
            &whole
        }
    };
    let places = Places::of(domain);
    let surface = Surface { photo, away: to_foreground(mask), domain };
    let mut parts = Vec::with_capacity(labeled.len());
    for pixels in labeled {
        let Some(bbox) = Rect::around(pixels.iter().copied()) else { continue };
        let (touches, inset) = places.place(&pixels);
        let look = surface.look(&pixels, bbox);
        parts.push(Part { sizes: shape::sizes(long, &pixels, bbox), look, touches, inset, bbox, pixels });
    }
    if parts.iter().all(|part| part.look.is_none()) {
        return Err(Error::NoSurround { height, width });
    }
    Ok(Measured { parts, scale: domain.scale() })
}

/// Distances from an object's outline.
#[derive(Debug)]
pub(super) struct Places {
    /// px; 0 outside.
    distance: Array2<f32>,
    deepest: f32,
}

impl Places {
    pub(super) fn of(domain: &Domain) -> Self {
        let (h, w) = domain.dim();
        let distance = to_background(padded(&domain.mask().to_owned(), 1).view());
        let distance = Rect { top: 1, left: 1, bottom: h + 1, right: w + 1 }.crop(distance.view()).to_owned();
        let deepest = distance.iter().fold(1.0f32, |a, &d| a.max(d));
        Self { distance, deepest }
    }

    /// Whether pixels touch the outline, and their mean distance from it over the largest.
    pub(super) fn place(&self, pixels: &[(usize, usize)]) -> (bool, f64) {
        let (mut nearest, mut sum) = (f32::INFINITY, 0.0f64);
        for p in pixels {
            let d = self.distance.get(*p).copied().unwrap_or(0.0);
            nearest = nearest.min(d);
            sum += f64::from(d);
        }
        (nearest <= TOUCHES, sum / pixels.len().max(1) as f64 / f64::from(self.deepest))
    }
}

/// A photo whose marked pixels are not to be trusted.
struct Surface<'a> {
    photo: ArrayView3<'a, f32>,
    /// Distance from the mask, px.
    away: Array2<f32>,
    domain: &'a Domain,
}

impl Surface<'_> {
    /// Contrast of a part against the surface that its surround lets expect.
    fn look(&self, pixels: &[(usize, usize)], bbox: Rect) -> Option<Look> {
        let (height, width, channels) = self.photo.dim();
        let inward = inward(pixels, bbox);
        let half_width = f64::from(inward.iter().fold(1.0f32, |a, &d| a.max(d)));
        let sigma = (BRIDGE.0 * half_width).clamp(BRIDGE.1, BRIDGE.2);
        let reach = (half_width + 2.0 * sigma).ceil() as usize + (MARGIN + RING) as usize;
        let area = bbox.grow(reach, (height, width));
        let crop = area.crop(self.photo).as_standard_layout().into_owned();
        let (away, inside) = (area.crop(self.away.view()), area.crop(self.domain.mask()));
        let mut sound = away.mapv(|d| d > MARGIN);
        let on_object = ndarray::Zip::from(&sound).and(&inside).map_collect(|&s, &i| s && i);
        // A defect of the outline may leave no object around it.
        if on_object.iter().filter(|s| **s).count() >= pixels.len().min(64) {
            sound = on_object;
        }
        let below = bridged(&crop, &sound, sigma)?;
        let near = pixels_in(pixels, area, crop.dim());
        let distance = to_foreground(near.view());
        let ring = ndarray::Zip::from(&sound).and(&distance).map_collect(|&s, &d| s && d <= MARGIN + RING);
        let surround =
            Surround::of(crop.view(), &sound, &ring).or_else(|| Surround::of(crop.view(), &sound, &sound))?;

        let change = filtered(&(&crop - &below));
        let area_means = averaged(&change);
        let fine = &crop - &filtered(&crop);
        let per = 1.0 / channels as f32;
        let tables = Tables::get();
        let light = |values: &Array3<f32>, at: (usize, usize), k: usize| {
            tables.linear(values[[at.0, at.1, k]].clamp(0.0, 1.0)).max(DARKEST)
        };
        let mut sums = Sums::default();
        let colored = channels == 3;
        // Farther from all that is sound than its own half width, as deep in a zone that ends at the frame, nothing
        // says what the surface would be.
        let off = to_foreground(sound.view());
        let farthest = half_width as f32 + 2.0 * MARGIN;
        for &(y, x) in pixels {
            let at = (y - area.top, x - area.left);
            if off[at] > farthest {
                continue;
            }
            let values = || (0..channels).map(|k| change[[at.0, at.1, k]]);
            let square = values().map(|v| v * v).sum::<f32>() * per;
            let energy = (square - surround.variance()).max(0.0);
            let wide = (0..channels).map(|k| area_means[[at.0, at.1, k]].powi(2)).sum::<f32>() * per;
            let ratio = f64::from(surround.ratio(square, wide));
            let signed = f64::from(values().sum::<f32>() * per);
            sums.count += 1.0;
            sums.all += ratio;
            let core = f64::from(inward[[y - bbox.top + 1, x - bbox.left + 1]]) > 0.5 * half_width;
            let zone = if core { &mut sums.core } else { &mut sums.rim };
            *zone = (zone.0 + signed.abs(), zone.1 + 1.0);
            if ratio < f64::from(SEEN) {
                continue;
            }
            let share = ratio.min(1.0);
            let logs: [f64; 3] = std::array::from_fn(|k| {
                let k = if colored { k } else { k.min(channels - 1) };
                f64::from((light(&crop, at, k) / light(&below, at, k)).ln())
            });
            let log = if colored { logs.iter().sum::<f64>() / 3.0 } else { logs[0] };
            sums.seen += 1.0;
            sums.weight += share;
            sums.ratio += share * ratio;
            sums.signed += signed;
            sums.size += signed.abs().max(f64::from(energy.sqrt()));
            sums.log += log;
            sums.square += log * log;
            (0..3).for_each(|k| sums.color[k] += logs[k] - log);
        }
        // On both sides of the outline.
        let strength = |at: (usize, usize)| {
            let values = (0..channels).map(|k| change[[at.0, at.1, k]]);
            let energy = (values.map(|v| v * v).sum::<f32>() * per - surround.variance()).max(0.0);
            energy.sqrt()
        };
        let (mut inner, mut outer) = ((0.0f64, 0.0f64), (0.0f64, 0.0f64));
        let mut strong = Vec::with_capacity(pixels.len());
        for (at, &d) in distance.indexed_iter() {
            if d == 0.0 {
                strong.push(strength(at));
                let (y, x) = (at.0 + area.top, at.1 + area.left);
                if inward[[y - bbox.top + 1, x - bbox.left + 1]] <= 1.0 {
                    inner = (inner.0 + f64::from(strength(at)), inner.1 + 1.0);
                }
            } else if d <= 1.0 {
                outer = (outer.0 + f64::from(strength(at)), outer.1 + 1.0);
            }
        }
        strong.sort_by(f32::total_cmp);
        let peak = strong.get(strong.len() * 9 / 10).copied().unwrap_or(0.0);
        let zone = |(sum, n): (f64, f64)| sum / f64::max(n, 1.0);
        let level = if peak > 0.0 { 0.5 * (zone(inner) + zone(outer)) / f64::from(peak) } else { 0.0 };
        let detail = |mask: &Array2<bool>| {
            let (mut n, mut squares) = (0.0f64, 0.0f64);
            for (pixel, _) in fine.rows().into_iter().zip(mask).filter(|(_, m)| **m) {
                squares += pixel.iter().map(|&v| f64::from(v * v)).sum::<f64>() * f64::from(per);
                n += 1.0;
            }
            (squares / n.max(1.0)).sqrt()
        };
        Some(Look { level, ..sums.look(detail(&near) / detail(&ring).max(1e-4)) })
    }
}

#[derive(Debug, Default)]
struct Sums {
    count: f64,
    all: f64,
    seen: f64,
    weight: f64,
    ratio: f64,
    signed: f64,
    size: f64,
    log: f64,
    square: f64,
    color: [f64; 3],
    core: (f64, f64),
    rim: (f64, f64),
}

impl Sums {
    fn look(self, texture: f64) -> Look {
        let n = self.seen.max(1.0);
        let mean = self.log / n;
        let zone = |(sum, n): (f64, f64)| sum / f64::max(n, 1.0);
        Look {
            // Where nothing can be seen, what there is.
            visibility: if self.weight > 0.0 { self.ratio / self.weight } else { self.all / self.count.max(1.0) },
            polarity: if self.size > 0.0 { self.signed / self.size } else { 0.0 },
            log_contrast: mean,
            spread: (self.square / n - mean * mean).max(0.0).sqrt(),
            texture,
            color: self.color.map(|c| c / n),
            seen: self.seen / self.count.max(1.0),
            level: 0.0,
            softness: if self.rim.1 > 0.0 { zone(self.rim) / zone(self.core).max(1e-6) } else { 1.0 },
        }
    }
}

/// The surface below what is not sound, from what is: normalized convolution. `None` if nothing is sound.
fn bridged(crop: &Array3<f32>, sound: &Array2<bool>, sigma: f64) -> Option<Array3<f32>> {
    let (h, w, channels) = crop.dim();
    let total = sound.iter().filter(|s| **s).count();
    if total == 0 {
        return None;
    }
    let weighted = Array3::from_shape_fn((h, w, channels + 1), |(y, x, k)| match (sound[[y, x]], k == channels) {
        (false, _) => 0.0,
        (true, true) => 1.0,
        (true, false) => crop[[y, x, k]],
    });
    let mean: Vec<f32> = (0..channels)
        .map(|k| {
            (weighted.index_axis(ndarray::Axis(2), k).iter().map(|&v| f64::from(v)).sum::<f64>() / total as f64) as f32
        })
        .collect();
    let smooth = gaussian_filter(weighted.view(), sigma, (3.0 * sigma).ceil() as usize, Border::Mirrored);
    Some(Array3::from_shape_fn((h, w, channels), |(y, x, k)| {
        // Far from all that is sound the mean takes over.
        let weight = smooth[[y, x, channels]];
        (smooth[[y, x, k]] + 1e-4 * mean[k]) / (weight + 1e-4)
    }))
}

/// Distance from a part's own outline, px, in its box with a border.
fn inward(pixels: &[(usize, usize)], bbox: Rect) -> Array2<f32> {
    let mut grid = Array2::from_elem((bbox.height() + 2, bbox.width() + 2), false);
    pixels.iter().for_each(|&(y, x)| grid[[y - bbox.top + 1, x - bbox.left + 1]] = true);
    to_background(grid.view())
}

fn pixels_in(pixels: &[(usize, usize)], area: Rect, (h, w, _): (usize, usize, usize)) -> Array2<bool> {
    let mut out = Array2::from_elem((h, w), false);
    pixels.iter().for_each(|&(y, x)| out[[y - area.top, x - area.left]] = true);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appearance::srgb::to_encoded;
    use crate::visibility::{Threshold, visibility};
    use rand::SeedableRng;
    use rand_distr::{Distribution, Normal};

    /// A scene of linear light 0.4 with a disc of radius 9 at `inside`, with noise.
    fn scene(inside: f32, deviation: f32) -> (Array3<f32>, Array2<bool>) {
        let mask = Array2::from_shape_fn((90, 110), |(y, x)| (y as f64 - 40.3).hypot(x as f64 - 50.0) < 9.0);
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let noise = Normal::new(0.0, deviation).unwrap();
        let photo = Array3::from_shape_fn((90, 110, 1), |(y, x, _)| {
            to_encoded(if mask[[y, x]] { inside } else { 0.4 }) + noise.sample(&mut rng)
        });
        (photo, mask)
    }

    fn look(photo: &Array3<f32>, mask: &Array2<bool>) -> Look {
        measure(false, &Marked::new(photo.view(), mask.view())).unwrap().parts[0].look.unwrap()
    }

    #[test]
    fn a_disc_has_its_contrast_over_the_just_noticeable_one() {
        let (photo, mask) = scene(0.3, 0.0);
        let found = look(&photo, &mask);
        // With the clean photo at hand it is what visibility is defined as.
        let clean = Array3::from_elem(photo.dim(), to_encoded(0.4));
        let ratios = Threshold::of(clean.view(), Rect::whole(mask.dim())).ratios(&clean, &photo);
        let truth = visibility(&ratios, mask.view());
        assert!((found.visibility / truth - 1.0).abs() < 0.02, "{found:?} {truth}");
        assert!((found.log_contrast - 0.75f64.ln()).abs() < 0.01 && found.polarity < -0.99, "{found:?}");
    }

    #[test]
    fn noise_is_no_contrast() {
        let quiet = look(&scene(0.3, 0.0).0, &scene(0.3, 0.0).1);
        let (photo, mask) = scene(0.3, 0.02);
        let noisy = look(&photo, &mask);
        // With the clean photo at hand, whose noise is another.
        let (clean, _) = scene(0.4, 0.02);
        let truth =
            visibility(&Threshold::of(clean.view(), Rect::whole(mask.dim())).ratios(&clean, &photo), mask.view());
        assert!((noisy.visibility / truth - 1.0).abs() < 0.05, "{} {truth}", noisy.visibility);
        // Means over 9 x 9 px leave a ninth of white noise's deviation of 0.02.
        let most = quiet.visibility * 0.01 / (0.01f64.powi(2) + (2.0 * 0.02f64 / 9.0).powi(2)).sqrt();
        assert!(noisy.visibility < most, "{} {most}", noisy.visibility);
        let (photo, mask) = scene(0.4, 0.02);
        let nothing = look(&photo, &mask);
        assert!(nothing.visibility < 0.9 && nothing.seen < 0.35, "{nothing:?}");
    }

    #[test]
    fn a_slope_of_light_is_no_contrast() {
        let mask = Array2::from_shape_fn((90, 110), |(y, x)| (y as f64 - 40.3).hypot(x as f64 - 50.0) < 9.0);
        let photo = Array3::from_shape_fn((90, 110, 1), |(y, x, _)| {
            0.3 + 0.004 * x as f32 - if mask[[y, x]] { 0.06 } else { 0.0 }
        });
        let found = look(&photo, &mask);
        let flat = Array3::from_shape_fn((90, 110, 1), |(y, x, _)| 0.5 - if mask[[y, x]] { 0.06 } else { 0.0 });
        let expected = look(&flat, &mask).visibility;
        assert!((found.visibility / expected - 1.0).abs() < 0.05, "{} {expected}", found.visibility);
    }

    #[test]
    fn shading_deep_in_a_zone_at_the_frame_is_no_contrast() {
        // Darker by 0.04 from row 100 on, under light that rises by another 0.2 from there to the frame.
        let mask = Array2::from_shape_fn((200, 160), |(y, _)| y >= 100);
        let step = |y: usize| if y >= 100 { 0.002 * (y as f32 - 100.0) - 0.04 } else { 0.0 };
        let photo = Array3::from_shape_fn((200, 160, 1), |(y, _, _)| 0.4 + step(y));
        let flat = Array3::from_shape_fn((200, 160, 1), |(y, _, _)| if y >= 100 { 0.36f32 } else { 0.4 });
        let (found, truth) = (look(&photo, &mask), look(&flat, &mask));
        assert!(found.visibility < 1.1 * truth.visibility, "{found:?} {truth:?}");
    }

    #[test]
    fn places_are_measured_from_the_outline() {
        let disc = Array2::from_shape_fn((100, 100), |(y, x)| (y as f64 - 50.0).hypot(x as f64 - 50.0) < 40.0);
        let places = Places::of(&Domain::from_mask(disc).unwrap());
        let (touches, inset) = places.place(&[(50, 50)]);
        assert!(!touches && inset > 0.95);
        let (touches, inset) = places.place(&[(50, 70)]);
        assert!(!touches && (inset - 0.5).abs() < 0.05, "{inset}");
        assert!(places.place(&[(50, 89)]).0 && places.place(&[(50, 95)]).0);
        let frame = Places::of(&Domain::full(60, 80).unwrap());
        assert!(frame.place(&[(0, 30)]).0 && !frame.place(&[(30, 30)]).0);
    }
}
