//! What can just be noticed around marked pixels whose sound surface below them is not known.

use ndarray::{Array2, Array3, ArrayView3};

use super::filters::{binomial, window_mean};
use super::{HALF, WIDE, just_noticeable};

/// Surround of marked pixels of a photo, whose sound surface below them is not known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surround {
    fine: Noticeable,
    /// The same for means over an area; `None` where the surround is too small.
    wide: Option<Noticeable>,
}

/// What can just be noticed on a surround.
#[derive(Debug, Clone, Copy)]
struct Noticeable {
    /// Contrast: the harmonic mean over the surround, as visibility averages ratios.
    contrast: f32,
    /// Mean local variance.
    variance: f32,
}

impl Surround {
    /// Measures, in a crop `(h, w, C)`, the pixels of `ring` by the same filters and windows as [`Threshold`]; the
    /// windows count pixels that are `sound` and no filter mixed with others. `None` if the ring has no such pixel.
    pub(crate) fn of(crop: ArrayView3<'_, f32>, sound: &Array2<bool>, ring: &Array2<bool>) -> Option<Self> {
        let (_, w, channels) = crop.dim();
        let per = 1.0 / channels.max(1) as f32;
        let mut luma: Vec<f32> = crop.rows().into_iter().map(|pixel| pixel.iter().sum::<f32>() * per).collect();
        binomial(&mut luma, w, 1);
        let mut share: Vec<f32> = sound.iter().map(|&s| f32::from(u8::from(s))).collect();
        let fine = Noticeable::of(&luma, &share, w, HALF, ring)?;
        luma.iter_mut().zip(&share).for_each(|(v, s)| *v *= s);
        window_mean(&mut luma, w, 1, HALF);
        window_mean(&mut share, w, 1, HALF);
        luma.iter_mut().zip(&share).for_each(|(v, s)| *v /= s.max(1e-6));
        share.iter_mut().for_each(|s| *s = f32::from(u8::from(*s > 0.25)));
        Some(Self { fine, wide: Noticeable::of(&luma, &share, w, WIDE, ring) })
    }

    /// Contrast over the just noticeable one, of a pixel where the squared change has this value, and its mean over
    /// the area around that one; less what the surround varies anyway.
    pub(crate) fn ratio(&self, square: f32, area: f32) -> f32 {
        let of = |n: Noticeable, square: f32| (square - n.variance).max(0.0).sqrt() / n.contrast;
        let fine = of(self.fine, square);
        match self.wide {
            Some(wide) if square >= 0.25 * area => fine.max(of(wide, area)),
            _ => fine,
        }
    }

    /// Mean local variance of the filtered surround.
    pub(crate) fn variance(&self) -> f32 {
        self.fine.variance
    }
}

impl Noticeable {
    /// Of a plane of `w` columns whose pixels count where `share` is 1, over windows of `half` to each side, about the
    /// plane that fits what counts of a window best (weighted least squares): windows beside a mask are cut.
    fn of(plane: &[f32], share: &[f32], w: usize, half: usize, ring: &Array2<bool>) -> Option<Self> {
        let h = plane.len() / w.max(1);
        let total = share.iter().map(|&s| f64::from(s)).sum::<f64>().max(1.0);
        let level = plane.iter().zip(share).map(|(&v, &s)| f64::from(v * s)).sum::<f64>() / total;
        let weighted = |value: &dyn Fn(f32, f32, f32) -> f32| -> Vec<f32> {
            let at = |i: usize| ((i / w) as f32 - 0.5 * h as f32, (i % w) as f32 - 0.5 * w as f32);
            let one = |(i, (&v, &s)): (usize, (&f32, &f32))| {
                let (y, x) = at(i);
                // What does not count may be anything.
                if s > 0.0 { s * value(v - level as f32, y, x) } else { 0.0 }
            };
            let mut all: Vec<f32> = plane.iter().zip(share).enumerate().map(one).collect();
            window_mean(&mut all, w, 1, half);
            all
        };
        let ones = weighted(&|_, _, _| 1.0);
        let (v, y, x) = (weighted(&|v, _, _| v), weighted(&|_, y, _| y), weighted(&|_, _, x| x));
        let (yy, xx, yx) = (weighted(&|_, y, _| y * y), weighted(&|_, _, x| x * x), weighted(&|_, y, x| y * x));
        let (vv, vy, vx) = (weighted(&|v, _, _| v * v), weighted(&|v, y, _| v * y), weighted(&|v, _, x| v * x));
        let (mut inverse, mut sum, mut n) = (0.0f64, 0.0f64, 0u32);
        // Of fewer pixels than a quarter of the window a variance says little.
        for (i, _) in ring.iter().enumerate().filter(|&(i, r)| *r && ones[i] > 0.25) {
            let mean = |of: &[f32]| f64::from(of[i]) / f64::from(ones[i]);
            let covariance = |ab: &[f32], a: &[f32], b: &[f32]| mean(ab) - mean(a) * mean(b);
            let (yy, xx, yx) = (covariance(&yy, &y, &y), covariance(&xx, &x, &x), covariance(&yx, &y, &x));
            let (vy, vx) = (covariance(&vy, &v, &y), covariance(&vx, &v, &x));
            let determinant = yy * xx - yx * yx;
            let explained =
                if determinant > 1e-3 { (vy * vy * xx - 2.0 * vy * vx * yx + vx * vx * yy) / determinant } else { 0.0 };
            let variance = (covariance(&vv, &v, &v) - explained).max(0.0);
            inverse += f64::from(1.0 / just_noticeable(variance as f32));
            sum += variance;
            n += 1;
        }
        let n = f64::from(n);
        (n > 0.0).then(|| Self { contrast: (n / inverse) as f32, variance: (sum / n) as f32 })
    }
}

/// Contrast c of the change from `old` to `new`, both `(h, w, C)`, without the just noticeable one.
pub(crate) fn contrast(old: &Array3<f32>, new: &Array3<f32>) -> Array2<f32> {
    let change = filtered(&(new - old));
    let per = 1.0 / change.dim().2.max(1) as f32;
    change.map_axis(ndarray::Axis(2), |v| (v.iter().map(|v| v * v).sum::<f32>() * per).sqrt())
}

/// Filters each channel of a change `(h, w, C)` as [`Threshold::ratios`] does.
pub(crate) fn filtered(change: &Array3<f32>) -> Array3<f32> {
    filtered_by(change, binomial)
}

/// Means of each channel of a filtered change over the area that is summed over.
pub(crate) fn averaged(change: &Array3<f32>) -> Array3<f32> {
    filtered_by(change, |plane, w, channels| window_mean(plane, w, channels, HALF))
}

fn filtered_by(change: &Array3<f32>, filter: impl Fn(&mut [f32], usize, usize)) -> Array3<f32> {
    let (_, w, channels) = change.dim();
    let mut out = change.as_standard_layout().into_owned();
    if let Some(plane) = out.as_slice_mut() {
        filter(plane, w, channels);
    }
    out
}
