//! Filters of small patches `(h, w, C)`.

use imgkit::simd::widely;
use ndarray::Array3;

/// What a 3 x 3 binomial filter takes off a patch, each value cut off at +-`limit`.
pub(super) fn remainder(patch: &Array3<f32>, limit: f32) -> Array3<f32> {
    let mut smooth = patch.clone();
    if limit > 0.0 {
        along(&mut smooth, &[0.25, 0.5]);
    }
    let mut rest = patch - &smooth;
    rest.mapv_inplace(|v| v.clamp(-limit, limit));
    rest
}

/// Gaussian blur; beyond the edges lies the edge's value.
pub(super) fn blur(patch: &mut Array3<f32>, sigma: f32) {
    let radius = (2.0 * sigma).ceil() as usize;
    if radius == 0 || sigma < 0.1 {
        return;
    }
    let raw: Vec<f32> = (0..=radius).rev().map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let sum = 2.0 * raw.iter().sum::<f32>() - raw[radius];
    let half: Vec<f32> = raw.iter().map(|t| t / sum).collect();
    along(patch, &half);
}

/// Symmetric filter along rows and columns; `half` are the taps up to the middle one.
pub(super) fn along(patch: &mut Array3<f32>, half: &[f32]) {
    let (h, w, c) = patch.dim();
    let radius = half.len() - 1;
    let row = w * c;
    let Some(data) = patch.as_slice_mut() else { return };
    if h == 0 || row == 0 {
        return;
    }
    widely(
        #[inline(always)]
        || {
            // Along a row, the edge repeated on both sides.
            let mut line = vec![0.0f32; row + 2 * radius * c];
            for out in data.chunks_exact_mut(row) {
                line[radius * c..][..row].copy_from_slice(out);
                for i in 0..radius {
                    line.copy_within(radius * c..(radius + 1) * c, i * c);
                    line.copy_within((radius + w - 1) * c..(radius + w) * c, (radius + w + i) * c);
                }
                sum(out, |k| &line[k * c..][..row], half);
            }
            // Along the columns: the rows around, oldest first.
            let source = data.to_vec();
            for (y, out) in data.chunks_exact_mut(row).enumerate() {
                let at = |k: usize| (y + k).saturating_sub(radius).min(h - 1) * row;
                sum(out, |k| &source[at(k)..][..row], half);
            }
        },
    );
}

/// Weighted sum of the 2 r + 1 shifted lines.
#[inline(always)]
fn sum<'a>(out: &mut [f32], line: impl Fn(usize) -> &'a [f32], half: &[f32]) {
    let radius = half.len() - 1;
    out.iter_mut().zip(line(radius)).for_each(|(v, m)| *v = half[radius] * m);
    for (k, &tap) in half[..radius].iter().enumerate() {
        for ((v, a), b) in out.iter_mut().zip(line(k)).zip(line(2 * radius - k)) {
            *v += tap * (a + b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Axis;

    #[test]
    fn a_blur_keeps_the_sum_and_has_its_variance() {
        let mut patch = Array3::zeros((41, 41, 2));
        patch[[20, 20, 1]] = 1.0f32;
        blur(&mut patch, 2.0);
        let plane = patch.index_axis(Axis(2), 1);
        let variance: f32 = plane.indexed_iter().map(|((y, _), v)| v * (y as f32 - 20.0).powi(2)).sum();
        // sum i^2 e^(-i^2/8) / sum e^(-i^2/8) over -4..=4: cut off at two deviations.
        assert!((plane.sum() - 1.0).abs() < 1e-5 && (variance - 3.4282).abs() < 1e-3, "{variance}");
        assert_eq!(patch.index_axis(Axis(2), 0).sum(), 0.0);
    }

    #[test]
    fn noise_is_what_the_filter_takes_off() {
        let ramp = Array3::from_shape_fn((9, 9, 1), |(y, x, _)| 0.01 * (y + 2 * x) as f32);
        let rest = remainder(&ramp, 0.5);
        assert!((1..8).all(|i| rest[[i, 4, 0]].abs() < 1e-6));
        let mut spot = Array3::zeros((9, 9, 1));
        spot[[4, 4, 0]] = 0.4f32;
        assert!((remainder(&spot, 1.0)[[4, 4, 0]] - 0.3).abs() < 1e-6);
        assert_eq!(remainder(&spot, 0.1)[[4, 4, 0]], 0.1);
        assert!(remainder(&spot, 0.0).iter().all(|&v| v == 0.0));
    }
}
