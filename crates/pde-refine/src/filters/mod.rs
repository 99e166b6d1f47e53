//! Edge-preserving diffusion filters, by explicit steps in place.
//!
//! * [`PeronaMalik`]: a scalar diffusivity that stops at strong differences; per channel.
//! * [`EdgeEnhancing`]: a diffusion tensor that smooths along edges and not across them; channels share the tensor.
//!
//! Both implement [`Diffuse`]. [`Diffuse::filter`] takes (H, W, C) images; a single [`Diffuse::step`] works, for speed,
//! on a stack of scalar fields (C, H, W). The frame's edge is insulated (zero flux), so the mean of each channel is
//! conserved up to rounding. Values may have any scale, up to 1e37 in size; `kappa` is in the same units, a difference
//! between neighboring pixels.
//!
//! ```
//! use ndarray::Array3;
//! use pde_refine::filters::{Diffuse, EdgeStop, PeronaMalik, PeronaMalikParams};
//!
//! // a step of 0.5 under weak grain
//! let grain = |y: usize, x: usize| 0.02 * ((y * 31 + x * 17 + y * x) % 9) as f32 / 9.0;
//! let image = Array3::from_shape_fn((64, 64, 3), |(y, x, _)| grain(y, x) + if x < 32 { 0.2 } else { 0.7 });
//!
//! let params = PeronaMalikParams::default().with_kappa(0.05).with_edge_stop(EdgeStop::Exponential);
//! let smooth = PeronaMalik::new(params)?.filter(image.view(), 20)?;
//!
//! assert!(smooth[(32, 32, 0)] - smooth[(32, 31, 0)] > 0.45); // the step stays
//! let rough = |u: &Array3<f32>| (1..64).map(|y| (u[(y, 10, 0)] - u[(y - 1, 10, 0)]).abs()).sum::<f32>();
//! assert!(rough(&smooth) < 0.2 * rough(&image)); // the grain goes
//! # Ok::<(), pde_refine::Error>(())
//! ```

mod blur;
mod edge_enhancing;
mod exp;
mod perona_malik;
mod tensor;

pub use edge_enhancing::{EdgeEnhancing, EdgeEnhancingParams};
pub use perona_malik::{EdgeStop, PeronaMalik, PeronaMalikParams};

use crate::error::Error;
use imgkit::ensure;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, ArrayViewMut3, Axis};

/// Longest stable explicit step in two dimensions at a diffusivity of at most 1, with pixels one unit apart.
const LONGEST_STEP: f64 = 0.25;

/// Checks a time step against the limit of stability.
fn check_time_step(what: &'static str, time_step: f64) -> Result<(), Error> {
    let ok = time_step > 0.0 && time_step <= LONGEST_STEP;
    ensure(ok, what, "time_step", time_step, "above 0 and at most 0.25, the limit of stability")?;
    Ok(())
}

/// Scratch memory of [`Diffuse::step`]. It grows on first use and can be reused for any image.
#[derive(Debug, Clone, Default)]
pub struct FilterScratch(Vec<f32>);

impl FilterScratch {
    /// Creates empty scratch memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns `n` floats of unspecified content.
    fn floats(&mut self, n: usize) -> &mut [f32] {
        if self.0.len() < n {
            self.0.resize(n, 0.0);
        }
        &mut self.0[..n]
    }
}

/// Diffusion filter: repeated explicit steps of `u_t = div(D(u) grad u)`.
pub trait Diffuse {
    /// Makes one step in place on a stack of scalar fields `planes` (C, H, W).
    ///
    /// Nothing is allocated once `scratch` has grown to the image's size, if the planes are in standard (C-contiguous)
    /// layout; others are copied and back. A NaN or an infinity spreads from pixel to pixel; [`Diffuse::filter`]
    /// refuses them.
    fn step(&self, planes: ArrayViewMut3<'_, f32>, scratch: &mut FilterScratch);

    /// Filters `image` (H, W, C) by `steps` steps; 0 steps return it unchanged.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if the image holds a NaN or an infinity.
    fn filter(&self, image: ArrayView3<'_, f32>, steps: usize) -> Result<Array3<f32>, Error> {
        if let Some(((row, column, _), _)) = image.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(Error::NonFinite { what: "image", row, column });
        }
        let mut planes = image.permuted_axes([2, 0, 1]).as_standard_layout().into_owned();
        let mut scratch = FilterScratch::new();
        for _ in 0..steps {
            self.step(planes.view_mut(), &mut scratch);
        }
        Ok(planes.permuted_axes([1, 2, 0]).as_standard_layout().into_owned())
    }

    /// Filters a single channel (H, W) by `steps` steps.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if the plane holds a NaN or an infinity.
    fn filter_plane(&self, plane: ArrayView2<'_, f32>, steps: usize) -> Result<Array2<f32>, Error> {
        Ok(self.filter(plane.insert_axis(Axis(2)), steps)?.remove_axis(Axis(2)))
    }
}

/// Calls `run(values, c, h, w)` on the planes in standard layout, copying them if needed; not for empty planes.
fn in_standard_layout(mut planes: ArrayViewMut3<'_, f32>, run: impl FnOnce(&mut [f32], usize, usize, usize)) {
    let (c, h, w) = planes.dim();
    if planes.is_empty() {
        return;
    }
    if let Some(values) = planes.as_slice_mut() {
        return run(values, c, h, w);
    }
    let mut copy = planes.as_standard_layout().into_owned();
    if let Some(values) = copy.as_slice_mut() {
        run(values, c, h, w);
    }
    planes.assign(&copy);
}
