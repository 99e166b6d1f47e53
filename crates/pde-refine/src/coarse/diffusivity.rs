//! The diffusivity of the coarse stage, computed from the gradient of the normal image.

use crate::error::Error;
use crate::poisson::System;
use imgkit::ensure;
use ndarray::{Array2, ArrayView2, ArrayView3};

/// Diffusivity `D` of npcF's equation, with eigenvalues in `(0, 1]`, from the gradient `grad I` of the normal image
/// (central differences; `|grad I|` is the root mean square over the channels).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub enum Diffusivity {
    /// Constant, `D = 1` (the default).
    #[default]
    Constant,
    /// Charbonnier's `D = 1 / sqrt(1 + (|grad I| / kappa)^2)`, `kappa` in image units per pixel.
    Charbonnier {
        /// Contrast at which an edge begins to stop diffusion, 1e-4 to 1e4.
        kappa: f64,
    },
    /// Perona and Malik's (1990) `D = 1 / (1 + (|grad I| / kappa)^2)`.
    PeronaMalik {
        /// Contrast at which an edge begins to stop diffusion, 1e-4 to 1e4.
        kappa: f64,
    },
    /// Tensor with the eigenvalues 1 along edges and `0.18 + 0.82 / (1 + (s / kappa)^2)` across them, `s^2` being the
    /// larger eigenvalue of the mean of `grad I grad I^T` over the channels and its eigenvector the direction across.
    ///
    /// The floor keeps the ratio of the eigenvalues below `3 + 2 sqrt 2`, so that the stencil has no negative weight in
    /// any direction ([`crate::poisson::System::with_tensor`]): an edge slows the correction down, and never stops it.
    EdgeEnhancing {
        /// Contrast at which an edge begins to slow diffusion across it, 1e-4 to 1e4.
        kappa: f64,
    },
}

/// Least eigenvalue of the tensor; above `3 - 2 sqrt 2 = 0.1716`, from which on no weight is negative.
const FLOOR: f32 = 0.18;

impl Diffusivity {
    /// Checks the contrast.
    pub(super) fn check(self) -> Result<(), Error> {
        match self {
            Diffusivity::Constant => Ok(()),
            Diffusivity::Charbonnier { kappa }
            | Diffusivity::PeronaMalik { kappa }
            | Diffusivity::EdgeEnhancing { kappa } => {
                ensure((1e-4..=1e4).contains(&kappa), "Diffusivity", "kappa", kappa, "1e-4 to 1e4")?;
                Ok(())
            }
        }
    }

    /// Assembles the operator on a mask of the normal image (H, W, C).
    pub(super) fn system(
        self,
        normal: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
        lambda: ArrayView2<'_, f32>,
    ) -> Result<System, Error> {
        // the structure tensor, averaged over the channels, in units of kappa^2
        let structure = |kappa: f64, i: (usize, usize)| {
            let kappa = kappa as f32;
            structure(normal, i).map(|v| v / (kappa * kappa))
        };
        let squared = |kappa: f64, i: (usize, usize)| {
            let [xx, _, yy] = structure(kappa, i);
            xx + yy
        };
        let scalar =
            |d: &dyn Fn((usize, usize)) -> f32| System::new(mask, Array2::from_shape_fn(mask.dim(), d).view(), lambda);
        match self {
            Diffusivity::Constant => scalar(&|_| 1.0),
            Diffusivity::Charbonnier { kappa } => scalar(&|i| (1.0 + squared(kappa, i)).sqrt().recip()),
            Diffusivity::PeronaMalik { kappa } => scalar(&|i| (1.0 + squared(kappa, i)).recip()),
            Diffusivity::EdgeEnhancing { kappa } => {
                let tensors = Array2::from_shape_fn(mask.dim(), |i| edge_enhancing(structure(kappa, i)));
                let part = |k: usize| tensors.map(|t| t[k]);
                let (xx, xy, yy) = (part(0), part(1), part(2));
                System::with_tensor(mask, [xx.view(), xy.view(), yy.view()], lambda)
            }
        }
    }
}

/// Structure tensor at a pixel: entries `xx, xy, yy` of the mean of `grad I grad I^T` over the channels.
fn structure(image: ArrayView3<'_, f32>, (y, x): (usize, usize)) -> [f32; 3] {
    let (h, w, channels) = image.dim();
    let (up, down) = (y.saturating_sub(1), (y + 1).min(h - 1));
    let (left, right) = (x.saturating_sub(1), (x + 1).min(w - 1));
    let mut sum = [0.0; 3];
    for k in 0..channels {
        let gy = (image[(down, x, k)] - image[(up, x, k)]) / (down - up).max(1) as f32;
        let gx = (image[(y, right, k)] - image[(y, left, k)]) / (right - left).max(1) as f32;
        sum = [sum[0] + gx * gx, sum[1] + gx * gy, sum[2] + gy * gy];
    }
    sum.map(|v| v / channels.max(1) as f32)
}

/// Diffusion tensor `xx, xy, yy` from the structure tensor in units of `kappa^2`.
fn edge_enhancing([xx, xy, yy]: [f32; 3]) -> [f32; 3] {
    let (cosine, sine) = (xx - yy, 2.0 * xy); // of twice the angle of the dominant eigenvector, times `length`
    let length = cosine.hypot(sine);
    let across = FLOOR + (1.0 - FLOOR) / (1.0 + 0.5 * (xx + yy + length));
    let half = 0.5 * (across - 1.0);
    let turn = if length > 0.0 { half / length } else { 0.0 };
    [1.0 + half + turn * cosine, turn * sine, 1.0 + half - turn * cosine]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tensor_is_one_along_an_edge_and_slow_across() {
        // a ramp of slope s in direction t has the structure tensor s^2 n n^T; at s = kappa half of 1 - FLOOR is left
        for degrees in (0..180).step_by(5) {
            let (s, c) = f32::to_radians(degrees as f32).sin_cos();
            let normal = ndarray::Array3::from_shape_fn((3, 3, 2), |(y, x, _)| 0.1 * (c * x as f32 + s * y as f32));
            let [xx, xy, yy] = edge_enhancing(structure(normal.view(), (1, 1)).map(|v| v / (0.1 * 0.1)));
            let across = c * (xx * c + xy * s) + s * (xy * c + yy * s);
            let along = s * (xx * s - xy * c) - c * (xy * s - yy * c);
            assert!((across - (FLOOR + 0.5 * (1.0 - FLOOR))).abs() < 1e-5, "{degrees}: {across}");
            assert!((along - 1.0).abs() < 1e-5, "{degrees}: {along}");
            // an edge of any contrast and direction leaves all weights positive
            let [xx, xy, yy] = edge_enhancing([1e6 * c * c, 1e6 * c * s, 1e6 * s * s]);
            assert!(xy.abs() < xx && xy.abs() < yy, "{degrees}: {xx} {xy} {yy}");
        }
        assert_eq!(edge_enhancing([0.0; 3]), [1.0, 0.0, 1.0]);
    }
}
