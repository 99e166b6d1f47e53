//! Faults made on purpose, at a known strength and at the contrast of the defect that is spoiled.

use std::f32::consts::TAU;

use imgkit::distance::to_background;
use imgkit::gaussian::{Border, gaussian_filter};
use imgkit::rng::keyed_stream;
use imgkit::{ParameterError, Rect, bounding_box, ensure};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Zip};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use super::Fault;
use crate::error::Error;

/// Depth at which changes inside a mask are whole, px: they begin softly at its outline.
const FEATHER: f32 = 3.0;
/// Tries to find another place.
const TRIES: usize = 200;
/// Least share of the frame that is background, where a defect is moved off the object.
const BACKGROUND: f64 = 0.1;

/// A synthetic defect on its photo.
#[derive(Debug, Clone, Copy)]
pub struct Composite<'a> {
    /// The photo `(H, W, C)` without the defect, f32 in \[0, 1\].
    pub photo: ArrayView3<'a, f32>,
    /// The photo with it.
    pub image: ArrayView3<'a, f32>,
    /// Mask of the defect `(H, W)`.
    pub mask: ArrayView2<'a, bool>,
    /// Mask of the object `(H, W)`, where there is one to lie beside.
    pub object: Option<ArrayView2<'a, bool>>,
}

/// A defect with a fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Spoiled {
    /// The photo with the spoiled defect `(H, W, C)`.
    pub image: Array3<f32>,
    /// Its mask `(H, W)`.
    pub mask: Array2<bool>,
}

impl Composite<'_> {
    fn check(&self) -> Result<Rect, Error> {
        let (h, w, _) = self.photo.dim();
        let same = |what, found: (usize, usize)| match found == (h, w) {
            true => Ok(()),
            false => Err(Error::Shape { what, expected: (h, w).into(), found: found.into() }),
        };
        same("the mask", self.mask.dim())?;
        same("the object's mask", self.object.map_or((h, w), |object| object.dim()))?;
        same("the photo with the defect", (self.image.dim().0, self.image.dim().1))?;
        if self.image.dim() != self.photo.dim() {
            let (found, expected) = (self.image.dim().2, format!("{}, as the photo has", self.photo.dim().2));
            return Err(ParameterError::new("Composite", "channels of the image", found, expected).into());
        }
        ensure(self.photo.dim().2 > 0, "Composite", "channels", 0, "at least 1")?;
        bounding_box(self.mask).ok_or(Error::EmptyMask)
    }

    /// Root mean square of the change inside a mask.
    fn contrast(&self, image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> f32 {
        let (mut sum, mut count) = (0.0f64, 0usize);
        Zip::from(image.rows()).and(self.photo.rows()).and(mask).for_each(|a, b, &m| {
            if m {
                sum += a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
                count += a.len();
            }
        });
        (sum / count.max(1) as f64).sqrt() as f32
    }

    /// The same defect at `gain` times its contrast, in \[0, 10\].
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::EmptyMask`]; [`Error::Parameter`] for another gain.
    pub fn at_gain(&self, gain: f64) -> Result<Array3<f32>, Error> {
        self.check()?;
        ensure((0.0..=10.0).contains(&gain), "Composite", "gain", gain, "in [0, 10]")?;
        Ok(self.scaled(self.image, gain as f32))
    }

    fn scaled(&self, image: ArrayView3<'_, f32>, gain: f32) -> Array3<f32> {
        Zip::from(image)
            .and(self.photo)
            .map_collect(|v, p| if v == p { *p } else { (p + gain * (v - p)).clamp(0.0, 1.0) })
    }

    /// Another defect on the photo, its change inside `mask` scaled to the contrast of this one: root mean square
    /// inside the mask.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::EmptyMask`].
    pub fn at_contrast(&self, image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<Array3<f32>, Error> {
        self.check()?;
        Composite { image, mask, ..*self }.check()?;
        Ok(self.at_equal_contrast(image, mask))
    }

    fn at_equal_contrast(&self, image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> Array3<f32> {
        let (own, found) = (self.contrast(self.image, self.mask), self.contrast(image, mask));
        self.scaled(image, own / found.max(1e-6))
    }
}

impl Fault {
    /// Spoils a defect: `strength` in \[0, 1\] is how much, the stream `(seed, index)` how. Contrast (root mean square
    /// of the change inside the mask) and area stay those of the defect.
    ///
    /// `None` where it cannot be made: [`Fault::Light`] always, [`Fault::ColorCast`] on gray photos,
    /// [`Fault::OffObject`] without a background, [`Fault::MaskMisfit`] where the mask has no room to move.
    ///
    /// ```
    /// use ndarray::{Array2, Array3};
    /// use sqe::{Composite, Fault};
    ///
    /// let photo = Array3::from_shape_fn((64, 64, 3), |(y, x, c)| 0.4 + ((y * 7 + x * 3 + c) % 11) as f32 / 50.0);
    /// let mask = Array2::from_shape_fn((64, 64), |(y, x)| (20..40).contains(&y) && (20..40).contains(&x));
    /// let mut image = photo.clone();
    /// image.indexed_iter_mut().filter(|((y, x, _), _)| mask[[*y, *x]]).for_each(|(_, v)| *v -= 0.2);
    /// let defect = Composite { photo: photo.view(), image: image.view(), mask: mask.view(), object: None };
    /// let noisy = Fault::Grain.spoil(&defect, 0.5, 1, 0)?.expect("any defect can be noisy");
    /// assert!(noisy.mask == mask && noisy.image != image);
    /// assert_eq!(Fault::Light.spoil(&defect, 0.5, 1, 0)?, None);
    /// # Ok::<(), sqe::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::EmptyMask`]; [`Error::Parameter`] for another strength.
    pub fn spoil(self, defect: &Composite<'_>, strength: f64, seed: u64, index: u64) -> Result<Option<Spoiled>, Error> {
        let bbox = defect.check()?;
        ensure((0.0..=1.0).contains(&strength), "Fault", "strength", strength, "in [0, 1]")?;
        let mut rng = keyed_stream(seed, index);
        let s = strength as f32;
        let image = match self {
            Self::Seam => Some(seam(defect, s, &mut rng)),
            Self::ColorCast => color_cast(defect, s, &mut rng),
            Self::Sharpness => Some(sharpness(defect, s, &mut rng)),
            Self::Grain => Some(grain(defect, s, &mut rng)),
            Self::Scale => Some(magnified(defect, s)),
            Self::Light => None,
            Self::OffObject => return Ok(off_object(defect, bbox, strength, &mut rng)),
            Self::MaskMisfit => return Ok(misfit(defect, bbox, s, &mut rng)),
        };
        let spoiled = |image: Array3<f32>| Spoiled {
            image: defect.at_equal_contrast(image.view(), defect.mask),
            mask: defect.mask.to_owned(),
        };
        Ok(image.map(spoiled))
    }
}

/// Share of a change at each pixel: 0 outside the mask, 1 some pixels inside.
fn feather(mask: ArrayView2<'_, bool>) -> Array2<f32> {
    to_background(mask).mapv(|depth| (depth / FEATHER).clamp(0.0, 1.0))
}

/// Changes the pixels `(channels)` inside the mask.
fn inside(defect: &Composite<'_>, mut change: impl FnMut((usize, usize, usize), f32) -> f32) -> Array3<f32> {
    let mut out = defect.image.to_owned();
    for (at, v) in out.indexed_iter_mut() {
        if defect.mask[[at.0, at.1]] {
            *v = change(at, *v);
        }
    }
    out
}

fn either(rng: &mut ChaCha8Rng) -> f32 {
    if rng.random::<bool>() { 1.0 } else { -1.0 }
}

fn seam(defect: &Composite<'_>, s: f32, rng: &mut ChaCha8Rng) -> Array3<f32> {
    let step = 1.2 * s * defect.contrast(defect.image, defect.mask) * either(rng);
    inside(defect, |_, v| v + step)
}

fn color_cast(defect: &Composite<'_>, s: f32, rng: &mut ChaCha8Rng) -> Option<Array3<f32>> {
    if defect.photo.dim().2 < 3 {
        return None;
    }
    let (sin, cos) = rng.random_range(0.0..TAU).sin_cos();
    // a unit vector across the gray axis
    let hue = [0.816 * cos, -0.408 * cos + 0.707 * sin, -0.408 * cos - 0.707 * sin];
    let change = (&defect.image - &defect.photo).mapv(f32::abs).mean_axis(Axis(2))?;
    Some(inside(defect, |(y, x, c), v| v + 2.1 * s * hue[c.min(2)] * change[[y, x]]))
}

fn sharpness(defect: &Composite<'_>, s: f32, rng: &mut ChaCha8Rng) -> Array3<f32> {
    let softer = rng.random::<bool>();
    let deviation = if softer { 0.6 + 2.0 * s } else { 1.2 };
    let radius = (3.0 * deviation).ceil() as usize;
    let soft = gaussian_filter(defect.image, f64::from(deviation), radius, Border::Mirrored);
    let share = feather(defect.mask);
    let gain = if softer { -1.0 } else { 2.5 * s };
    inside(defect, |at, v| v + share[[at.0, at.1]] * gain * (v - soft[at]))
}

fn grain(defect: &Composite<'_>, s: f32, rng: &mut ChaCha8Rng) -> Array3<f32> {
    let luma = defect.photo.mean_axis(Axis(2)).unwrap_or_default();
    let (h, w) = luma.dim();
    let diagonal = |(y, x): (usize, usize)| {
        let d = luma[[y, x]] - luma[[y + 1, x]] - luma[[y, x + 1]] + luma[[y + 1, x + 1]];
        d.abs() / 2.0
    };
    let marked = defect.mask.indexed_iter().filter(|((y, x), m)| **m && y + 1 < h && x + 1 < w);
    let mut noise: Vec<f32> = marked.map(|(at, _)| diagonal(at)).collect();
    let middle = noise.len() / 2;
    let median = if noise.is_empty() { 0.0 } else { *noise.select_nth_unstable_by(middle, f32::total_cmp).1 };
    // of normally distributed noise the median of |x| is 0.6745 standard deviations
    let own = (median / 0.6745).max(1.5 / 255.0);
    let share = feather(defect.mask);
    let deviation = own * (0.7 + 2.0 * s);
    let Ok(normal) = Normal::new(0.0f32, deviation) else { return defect.image.to_owned() };
    let common = share.mapv(|_| normal.sample(rng));
    inside(defect, |(y, x, _), v| v + share[[y, x]] * (0.8 * common[[y, x]] + 0.4 * normal.sample(rng)))
}

/// The change, magnified about its center.
fn magnified(defect: &Composite<'_>, s: f32) -> Array3<f32> {
    let change = &defect.image - &defect.photo;
    let (h, w, _) = change.dim();
    let (mut cy, mut cx, mut total) = (0.0f32, 0.0f32, 0.0f32);
    for ((y, x), _) in defect.mask.indexed_iter().filter(|(_, m)| **m) {
        let e = change[[y, x, 0]].abs() + 1e-3;
        (cy, cx, total) = (cy + e * y as f32, cx + e * x as f32, total + e);
    }
    (cy, cx) = (cy / total, cx / total);
    let (zoom, share) = (1.0 + 2.5 * s, feather(defect.mask));
    inside(defect, |(y, x, c), _| {
        let (from_y, from_x) = (cy + (y as f32 - cy) / zoom, cx + (x as f32 - cx) / zoom);
        let (y0, x0) = ((from_y as usize).min(h.saturating_sub(2)), (from_x as usize).min(w.saturating_sub(2)));
        let (u, v) = (from_y - y0 as f32, from_x - x0 as f32);
        let at = |dy: usize, dx: usize| change[[(y0 + dy).min(h - 1), (x0 + dx).min(w - 1), c]];
        let value = (1.0 - u) * ((1.0 - v) * at(0, 0) + v * at(0, 1)) + u * ((1.0 - v) * at(1, 0) + v * at(1, 1));
        defect.photo[[y, x, c]] + value * share[[y, x]].max(0.3)
    })
}

/// Whether a mask stays in the frame when it moves down and to the right.
fn stays(bbox: Rect, (down, right): (isize, isize), (h, w): (usize, usize)) -> bool {
    bbox.top.checked_add_signed(down).is_some()
        && bbox.left.checked_add_signed(right).is_some()
        && bbox.bottom.saturating_add_signed(down) <= h
        && bbox.right.saturating_add_signed(right) <= w
}

fn moved(mask: ArrayView2<'_, bool>, (down, right): (isize, isize)) -> Array2<bool> {
    let mut out = Array2::from_elem(mask.dim(), false);
    for ((y, x), _) in mask.indexed_iter().filter(|(_, m)| **m) {
        let to = y.checked_add_signed(down).zip(x.checked_add_signed(right));
        if let Some(to) = to.and_then(|(y, x)| out.get_mut([y, x])) {
            *to = true;
        }
    }
    out
}

/// Moves defect and mask to where a share `strength` of it lies on the background.
fn off_object(defect: &Composite<'_>, bbox: Rect, strength: f64, rng: &mut ChaCha8Rng) -> Option<Spoiled> {
    const TOLERANCE: f64 = 0.17;
    let object = defect.object?;
    let (h, w) = object.dim();
    if (object.iter().filter(|on| !**on).count() as f64) < BACKGROUND * (h * w) as f64 {
        return None;
    }
    let place = |rng: &mut ChaCha8Rng| {
        let by = |rng: &mut ChaCha8Rng, from: usize, to: usize, n: usize| {
            rng.random_range(-(from as i64)..=(n - to) as i64) as isize
        };
        let by = (by(rng, bbox.top, bbox.bottom, h), by(rng, bbox.left, bbox.right, w));
        let mask = moved(defect.mask, by);
        let (mut off, mut all) = (0usize, 0usize);
        Zip::from(&mask).and(object).for_each(|&m, &on| {
            all += usize::from(m);
            off += usize::from(m && !on);
        });
        ((off as f64 / all.max(1) as f64 - strength).abs() <= TOLERANCE).then_some((by, mask))
    };
    let ((down, right), mask) = (0..TRIES).find_map(|_| place(rng))?;
    let mut image = defect.photo.to_owned();
    for ((y, x), _) in defect.mask.indexed_iter().filter(|(_, m)| **m) {
        let to = (y.checked_add_signed(down)?, x.checked_add_signed(right)?);
        for c in 0..image.dim().2 {
            image[[to.0, to.1, c]] += defect.image[[y, x, c]] - defect.photo[[y, x, c]];
        }
    }
    Some(Spoiled { image: defect.at_equal_contrast(image.view(), mask.view()), mask })
}

/// Moves the mask alone by up to four fifths of the defect's thickness.
fn misfit(defect: &Composite<'_>, bbox: Rect, s: f32, rng: &mut ChaCha8Rng) -> Option<Spoiled> {
    let thickness = 2.0 * to_background(defect.mask).iter().copied().fold(0.0f32, f32::max);
    let distance = s * (0.8 * thickness + 2.0);
    let place = |rng: &mut ChaCha8Rng| {
        let (sin, cos) = rng.random_range(0.0..TAU).sin_cos();
        let by = ((distance * sin).round() as isize, (distance * cos).round() as isize);
        stays(bbox, by, defect.mask.dim()).then_some(by)
    };
    let by = (0..TRIES).find_map(|_| place(rng))?;
    Some(Spoiled { image: defect.image.to_owned(), mask: moved(defect.mask, by) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dark disc on a textured object beside a flat background.
    struct Made {
        photo: Array3<f32>,
        image: Array3<f32>,
        mask: Array2<bool>,
        object: Array2<bool>,
    }

    impl Made {
        fn new() -> Self {
            let object = Array2::from_shape_fn((80, 96), |(_, x)| x < 60);
            let texture = |y: usize, x: usize, c: usize| ((y * 31 + x * 17 + y * x + 5 * c) % 13) as f32 / 60.0;
            let photo =
                Array3::from_shape_fn((80, 96, 3), |(y, x, c)| if x < 60 { 0.4 + texture(y, x, c) } else { 0.8 });
            let mask = Array2::from_shape_fn((80, 96), |(y, x)| (y as f64 - 40.0).hypot(x as f64 - 30.0) < 9.0);
            let mut image = photo.clone();
            let inside = image.indexed_iter_mut().filter(|((y, x, _), _)| mask[[*y, *x]]);
            inside.for_each(|((y, x, _), v)| *v -= 0.1 + 0.01 * ((y + 2 * x) % 5) as f32);
            Self { photo, image, mask, object }
        }

        fn defect(&self) -> Composite<'_> {
            Composite {
                photo: self.photo.view(),
                image: self.image.view(),
                mask: self.mask.view(),
                object: Some(self.object.view()),
            }
        }
    }

    #[test]
    fn contrast_and_area_stay_and_nothing_changes_outside() {
        let made = Made::new();
        let defect = made.defect();
        let own = defect.contrast(defect.image, defect.mask);
        for fault in Fault::ALL.into_iter().filter(|fault| *fault != Fault::Light) {
            let found = fault.spoil(&defect, 0.8, 3, 7).unwrap().unwrap();
            assert_eq!(fault.spoil(&defect, 0.8, 3, 7).unwrap().unwrap(), found, "{}", fault.name());
            let count = |mask: &Array2<bool>| mask.iter().filter(|m| **m).count();
            assert_eq!(count(&found.mask), count(&made.mask), "{}", fault.name());
            if fault == Fault::MaskMisfit {
                assert!(found.image == made.image && found.mask != made.mask);
                continue;
            }
            let contrast = defect.contrast(found.image.view(), found.mask.view());
            assert!((contrast - own).abs() < 0.02 * own, "{}: {contrast} {own}", fault.name());
            let same =
                |((y, x, c), v): ((usize, usize, usize), &f32)| found.mask[[y, x]] || *v == made.photo[[y, x, c]];
            assert!(found.image.indexed_iter().all(same), "{}", fault.name());
            assert!(found.image != made.image, "{}", fault.name());
        }
    }

    #[test]
    fn what_cannot_be_made_is_not() {
        let made = Made::new();
        let gray = |image: &Array3<f32>| image.slice_axis(Axis(2), ndarray::Slice::from(..1)).to_owned();
        let (photo, image) = (gray(&made.photo), gray(&made.image));
        let defect = Composite { photo: photo.view(), image: image.view(), object: None, ..made.defect() };
        for fault in [Fault::Light, Fault::ColorCast, Fault::OffObject] {
            assert_eq!(fault.spoil(&defect, 0.5, 1, 1).unwrap(), None, "{}", fault.name());
        }
        let whole = Array2::from_elem(made.mask.dim(), true);
        let full = Composite { mask: whole.view(), ..made.defect() };
        assert_eq!(Fault::MaskMisfit.spoil(&full, 1.0, 1, 1).unwrap(), None);
        assert!(matches!(Fault::Seam.spoil(&defect, 1.5, 1, 1), Err(Error::Parameter(_))));
        let none = Array2::from_elem(made.mask.dim(), false);
        let empty = Composite { mask: none.view(), ..made.defect() };
        assert!(matches!(Fault::Seam.spoil(&empty, 0.5, 1, 1), Err(Error::EmptyMask)));
        let other = Composite { mask: made.mask.t(), ..made.defect() };
        assert!(matches!(Fault::Seam.spoil(&other, 0.5, 1, 1), Err(Error::Shape { .. })));
    }

    /// A defect off the object lies there to the share that was asked for.
    #[test]
    fn strength_is_the_share_beside_the_object() {
        let made = Made::new();
        for strength in [0.35, 0.65, 1.0] {
            let found = Fault::OffObject.spoil(&made.defect(), strength, 5, 2).unwrap().unwrap();
            let all = found.mask.iter().filter(|m| **m).count() as f64;
            let off = found.mask.indexed_iter().filter(|((y, x), m)| **m && !made.object[[*y, *x]]).count() as f64;
            assert!((off / all - strength).abs() <= 0.17, "{strength}: {}", off / all);
        }
    }

    #[test]
    fn a_gain_scales_the_change() {
        let made = Made::new();
        let half = made.defect().at_gain(0.5).unwrap();
        Zip::from(&half)
            .and(&made.photo)
            .and(&made.image)
            .for_each(|h, p, i| assert!((h - (p + i) / 2.0).abs() < 1e-6));
        assert!(matches!(made.defect().at_gain(-1.0), Err(Error::Parameter(_))));
    }
}
