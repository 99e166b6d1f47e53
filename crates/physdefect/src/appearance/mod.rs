//! Rendering of a relief to pixels by ratio images.
//!
//! In linear light the rendered pixel is
//!
//! ```text
//! I' = (1 - a) warp(I) + a warp(I) * S(n)/S(n0) * (1 + rim)                               a: opacity
//! S(n) = ambient V + (1 - ambient) L (diffuse max(n.l, 0) + specular max(n.h, 0)^p)
//! ```
//!
//! with n the relief's normal, n0 the flat one, l the light, h the half vector between light and camera (Blinn 1977).
//! The ratio keeps the photo's own texture and needs no albedo (ratio images: Liu, Shan, Zhang 2001). `V` is the
//! visible share of the sky over a pixel, from the horizon in eight directions (it falls with a cavity's depth over its
//! width), `L` whether the light stands above the horizon in its own direction (a shadow with a penumbra). `rim` is the
//! lit convex lip of a cavity. Where a crack or a pit has laid open a new surface, `specular` is gone with the first
//! pixel of depth; a bend keeps it. A [`Tint`](crate::Tint) then moves the albedo: its
//! color is multiplied with the illumination (mean of the box over [`Material::albedo`]) and the same shading. Warping
//! resamples encoded values once, with the Catmull-Rom kernel.
//!
//! The mask is not guessed from the geometry but read off the rendered change; see [`Sample`](crate::Sample).

mod camera;
mod drawing;
mod environment;
mod filter;
mod light;
mod material;
mod rendered;
mod shade;
pub mod srgb;
mod surface;
mod warp;

pub use camera::{Camera, CameraSource};
pub use drawing::Appearance;
pub(crate) use drawing::{Conditions, Surroundings};
pub use light::{Light, LightSource};
pub use material::Material;
pub use rendered::Rendered;
pub use surface::SurfaceStatistics;
