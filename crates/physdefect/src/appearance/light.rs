//! Lights: direction and strength, and their estimation from a photo.

use imgkit::plane::PlaneSums;
use ndarray::ArrayView3;

use crate::params::{self, parameters};
use crate::{Domain, Error};

const NAME: &str = "light";

parameters! {
    /// Distant light over a flat surface that is seen from above.
    ///
    /// Image coordinates: x to the right, y down, z towards the camera.
    ///
    /// The default comes from the upper left at 50 degrees with 35 % ambient light: the convention of relief drawing.
    #[derive(Copy)]
    pub struct Light {
        /// Direction of the light's foot in the image, radians from +x towards +y (down); any finite value.
        azimuth / with_azimuth: f64 = -135f64.to_radians(),
        /// Height over the surface, radians in \[0.1, pi/2\].
        elevation / with_elevation: f64 = 50f64.to_radians(),
        /// Share of ambient light in \[0, 1\].
        ambient / with_ambient: f64 = 0.35,
    }
}

impl Light {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        params::within(NAME, "azimuth", self.azimuth, (f64::MIN, f64::MAX), "a finite angle in radians")?;
        params::within(NAME, "elevation", self.elevation, (0.1, 1.571), "in [0.1, pi/2] radians")?;
        params::within(NAME, "ambient", self.ambient, (0.0, 1.0), "in [0, 1]")
    }

    /// Unit vector towards the light (x, y, z).
    #[must_use]
    pub fn direction(&self) -> [f32; 3] {
        let (c, s) = (self.elevation.cos(), self.elevation.sin());
        [(c * self.azimuth.cos()) as f32, (c * self.azimuth.sin()) as f32, s as f32]
    }

    /// Estimates the light from the brightness slope over the domain.
    ///
    /// A plane is fitted to the mean over channels on at most 64 x 64 grid points. The light's azimuth is the slope's
    /// direction (the nearer side of a flat surface is the brighter one). The share of variance that the plane
    /// explains, R^2, says how far to believe it: the elevation falls from the default 50 degrees to 30 degrees at R^2
    /// = 1, and the azimuth is the default's below R^2 = 0.05. This is a heuristic for flat parts under one lamp; give
    /// the light whenever it is known. Cost: constant, whatever the photo's size.
    #[must_use]
    pub fn estimate(photo: ArrayView3<'_, f32>, domain: &Domain) -> Self {
        let default = Self::default();
        let (h, w, c) = photo.dim();
        if (h, w) != domain.dim() || c == 0 {
            return default;
        }
        let (bbox, mask) = (domain.bbox(), domain.mask());
        let (sy, sx) = (bbox.height().div_ceil(64), bbox.width().div_ceil(64));
        let mut sums = PlaneSums::default();
        for y in (bbox.top..bbox.bottom).step_by(sy.max(1)) {
            for x in (bbox.left..bbox.right).step_by(sx.max(1)) {
                if !mask[[y, x]] {
                    continue;
                }
                let v = (0..c).map(|k| f64::from(photo[[y, x, k]])).sum::<f64>() / c as f64;
                sums.add(x as f64 - bbox.left as f64, y as f64 - bbox.top as f64, v);
            }
        }
        let plane = sums.plane();
        let believed = plane.explained;
        if !(believed.is_finite() && believed >= 0.05 && plane.squares > 1e-6 * plane.count) {
            return default;
        }
        let elevation = default.elevation - believed.min(1.0) * 20f64.to_radians();
        Self { azimuth: plane.y.atan2(plane.x), elevation, ..default }
    }
}

/// Source of the light of an appearance: given, or estimated from each photo.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum LightSource {
    /// [`Light::estimate`] on each photo.
    #[default]
    Estimated,
    /// A known light.
    Given(Light),
}
