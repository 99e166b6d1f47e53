//! Projection of images with any number of channels to three.

use imgkit::ParameterError;
use ndarray::{Array2, Array3, ArrayView3};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::error::Error;
use crate::features::whitening::Whitening;

/// Largest number of random pixels that a projection is fitted to.
const PIXELS: usize = 65_536;
/// Number of standard deviations of the first component between black and white.
const RANGE: f32 = 6.0;
/// Standard deviation of the first component below which images count as constant: less than a step of 16 bits.
const FLAT: f32 = 1e-5;

/// Projection of any number of channels to three: pixel x becomes `x weights + offset`, clipped to \[0, 1\].
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelProjection {
    /// `(channels, 3)`.
    pub(crate) weights: Array2<f32>,
    pub(crate) offset: [f32; 3],
}

impl ChannelProjection {
    /// Creates a known projection, such as three bands of a multispectral camera: `weights` `(channels, 3)`.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are three columns and a row at least, [`Error::Parameter`] for a number that is
    /// not finite.
    pub fn fixed(weights: Array2<f32>, offset: [f32; 3]) -> Result<Self, Error> {
        let (rows, columns) = weights.dim();
        if columns != 3 {
            return Err(Error::Length { what: "columns of the weights", found: columns, expected: 3 });
        }
        if rows == 0 {
            return Err(Error::Length { what: "rows of the weights", found: 0, expected: 1 });
        }
        if let Some(bad) = weights.iter().chain(&offset).find(|v| !v.is_finite()) {
            return Err(ParameterError::new("channel projection", "weights and offset", bad, "finite").into());
        }
        Ok(Self { weights, offset })
    }

    /// Fits a projection to normal images `(H, W, C)` of one C: the three principal components of their pixels,
    /// half-whitened, so that channels of little variation are visible and noise does not dominate. The mean becomes
    /// middle gray, and six standard deviations of the first component reach from black to white. A component that does
    /// not exist (C < 3) is gray throughout.
    ///
    /// # Errors
    /// [`Error::TooFewNormals`] for no pixel, [`Error::Length`] for images of different C or of none,
    /// [`Error::Parameter`] for pixels that are not finite.
    pub fn fit(normals: &[Array3<f32>]) -> Result<Self, Error> {
        let channels = normals.first().map_or(0, |n| n.dim().2);
        if let Some(other) = normals.iter().map(|n| n.dim().2).find(|&c| c != channels || c == 0) {
            return Err(Error::Length { what: "channels", found: other, expected: channels.max(1) });
        }
        let all: Vec<_> = normals.iter().flat_map(|n| n.rows()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let which = rand::seq::index::sample(&mut rng, all.len(), all.len().min(PIXELS));
        let values: Vec<f32> = which.iter().flat_map(|i| all[i].to_vec()).collect();
        if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
            return Err(ParameterError::new("channel projection", "pixel", bad, "finite").into());
        }
        let few = |_| Error::TooFewNormals { found: 0, needed: 1 };
        let rows = Array2::from_shape_vec((which.len(), channels), values).map_err(few)?;
        let Whitening { mean, projection } = Whitening::fit(rows.view(), 3)?;
        // half-whitened, a component's variance is the standard deviation it had
        let first = projection.columns().into_iter().next().map_or(0.0, |c| {
            let centered = (&rows - &mean).dot(&c);
            centered.dot(&centered) / rows.nrows().max(1) as f32
        });
        let scale = if first > FLAT { 1.0 / (RANGE * first.sqrt()) } else { 0.0 };
        let mut weights = Array2::zeros((channels, 3));
        for (mut to, from) in weights.columns_mut().into_iter().zip(projection.columns()) {
            to.assign(&(&from * scale));
        }
        let shift = mean.dot(&weights);
        Self::fixed(weights, std::array::from_fn(|c| 0.5 - shift[c]))
    }

    /// Projects `image` `(H, W, C)` to `(H, W, 3)`.
    ///
    /// # Errors
    /// [`Error::Length`] for another number of channels.
    pub fn apply(&self, image: ArrayView3<'_, f32>) -> Result<Array3<f32>, Error> {
        let (h, w, c) = image.dim();
        if c != self.weights.nrows() {
            return Err(Error::Length { what: "channels", found: c, expected: self.weights.nrows() });
        }
        let mut out = Array3::zeros((h, w, 3));
        for (pixel, mut to) in image.rows().into_iter().zip(out.rows_mut()) {
            for (k, to) in to.iter_mut().enumerate() {
                *to = (pixel.dot(&self.weights.column(k)) + self.offset[k]).clamp(0.0, 1.0);
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Axis, array};

    /// Pixels a (1, 1, 1, 1) + b (1, -1, 0, 0) about (0.4, 0.4, 0.4, 0.4), a = +-0.2, b = +-0.05: eigenvalues 4 x 0.04
    /// and 2 x 0.0025, the rest 0.
    fn four_bands() -> Array3<f32> {
        let pixel = |y: usize, x: usize| {
            (if y.is_multiple_of(2) { 0.2 } else { -0.2 }, if x.is_multiple_of(2) { 0.05 } else { -0.05 })
        };
        Array3::from_shape_fn((20, 30, 4), |(y, x, c)| {
            let (a, b) = pixel(y, x);
            0.4 + a + [b, -b, 0.0, 0.0][c]
        })
    }

    #[test]
    fn learned_channels_are_half_whitened_components() {
        let images = [four_bands(), four_bands()];
        let seen = ChannelProjection::fit(&images).unwrap().apply(images[0].view()).unwrap();
        assert_eq!(seen.dim(), (20, 30, 3));
        let (l1, l2) = (0.16f32, 0.005f32);
        for (k, want) in [(0, 1.0 / RANGE), (1, (l2 / l1).powf(0.25) / RANGE), (2, 0.0)] {
            let channel = seen.index_axis(Axis(2), k);
            let mean = channel.mean().unwrap();
            let spread = channel.mapv(|v| (v - mean).powi(2)).mean().unwrap().sqrt();
            assert!((mean - 0.5).abs() < 1e-4, "{k}: mean {mean}");
            assert!((spread - want).abs() < 1e-3, "{k}: {spread} {want}");
        }
        // the second channel sees b alone
        assert!((seen[[0, 0, 1]] - seen[[1, 0, 1]]).abs() < 1e-4 && (seen[[0, 0, 1]] - seen[[0, 1, 1]]).abs() > 0.1);
    }

    #[test]
    fn a_fixed_projection_takes_bands_and_cuts() {
        let bands = ChannelProjection::fixed(
            array![[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 4.0], [0.0, 2.0, 0.0]],
            [0.0, -0.5, 0.0],
        );
        let image = Array3::from_shape_fn((2, 2, 4), |(.., c)| 0.1 * (c + 1) as f32);
        let seen = bands.unwrap().apply(image.view()).unwrap();
        for (found, want) in seen.index_axis(Axis(0), 1).row(1).iter().zip([0.2, 0.3, 1.0]) {
            assert!((found - want).abs() < 1e-6, "{seen}");
        }
    }

    #[test]
    fn one_or_two_channels_leave_the_rest_gray() {
        let gray = Array3::from_shape_fn((8, 8, 1), |(y, ..)| y as f32 / 8.0);
        let seen = ChannelProjection::fit(std::slice::from_ref(&gray)).unwrap().apply(gray.view()).unwrap();
        assert!(seen.slice_axis(Axis(2), (1..3).into()).iter().all(|&v| v == 0.5));
        assert!(seen[[0, 0, 0]] != seen[[7, 0, 0]]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let fixed = |w: Array2<f32>| ChannelProjection::fixed(w, [0.0; 3]);
        assert!(matches!(fixed(Array2::zeros((4, 2))), Err(Error::Length { found: 2, expected: 3, .. })));
        assert!(matches!(fixed(Array2::zeros((0, 3))), Err(Error::Length { found: 0, .. })));
        assert!(matches!(fixed(array![[0.0, f32::NAN, 0.0]]), Err(Error::Parameter(_))));
        let projection = fixed(Array2::eye(3)).unwrap();
        assert!(matches!(
            projection.apply(Array3::zeros((2, 2, 5)).view()),
            Err(Error::Length { found: 5, expected: 3, .. })
        ));
        let fit = ChannelProjection::fit;
        assert!(matches!(fit(&[]), Err(Error::TooFewNormals { .. })));
        assert!(matches!(fit(&[Array3::zeros((4, 4, 0))]), Err(Error::Length { found: 0, .. })));
        let other = [Array3::zeros((4, 4, 5)), Array3::zeros((4, 4, 3))];
        assert!(matches!(fit(&other), Err(Error::Length { found: 3, expected: 5, .. })));
        assert!(matches!(fit(&[Array3::from_elem((4, 4, 5), f32::INFINITY)]), Err(Error::Parameter(_))));
        // a constant image: nothing is divided by zero
        let flat = [Array3::from_elem((4, 4, 5), 0.3)];
        let seen = fit(&flat).unwrap().apply(flat[0].view()).unwrap();
        assert!(seen.iter().all(|v| (v - 0.5).abs() < 0.01), "{seen}");
    }
}
