//! Linear elastic fracture mechanics: tractions, stress intensity, kinking, opening.
//!
//! Angles run from +x towards +y. A crack with heading `t = (cos, sin)` has the local axes (t, n) with `n` a quarter
//! turn further; positive K_II shears so that the tip turns towards negative angles.

use std::f64::consts::PI;

/// A remote plane stress state by its principal values.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RemoteStress {
    /// Largest principal stress.
    pub s1: f64,
    /// Smallest principal stress, `s2 <= s1`; compression is negative.
    pub s2: f64,
    /// Direction of `s1`, radians.
    pub angle: f64,
}

impl RemoteStress {
    /// Normal and shear traction (s_n, t) on a plane with tangent direction `heading`.
    #[must_use]
    pub fn traction(&self, heading: f64) -> (f64, f64) {
        // sigma_nn = s1 sin^2 + s2 cos^2 and sigma_tn = -(s1 - s2) sin cos of the angle from s1 to the crack.
        let (s, c) = (heading - self.angle).sin_cos();
        (self.s1 * s * s + self.s2 * c * c, -(self.s1 - self.s2) * s * c)
    }

    /// Stress intensity (K_I, K_II) = (Y s_n sqrt(pi a), Y t sqrt(pi a)) of a flaw of half-length `a` with that
    /// heading.
    #[must_use]
    pub fn intensity(&self, heading: f64, half_length: f64, geometry: f64) -> (f64, f64) {
        let (normal, shear) = self.traction(heading);
        let factor = geometry * (PI * half_length).sqrt();
        (normal * factor, shear * factor)
    }
}

/// Kink angle of maximum tangential stress (Erdogan and Sih 1963), radians:
/// `2 atan[(K_I - sqrt(K_I^2 + 8 K_II^2)) / (4 K_II)]`.
///
/// Pure mode I gives 0, pure mode II -70.53 degrees.
#[must_use]
pub fn kink_angle(k1: f64, k2: f64) -> f64 {
    // The same root without the 0/0 at K_II = 0.
    2.0 * (-2.0 * k2).atan2(k1 + (k1 * k1 + 8.0 * k2 * k2).sqrt())
}

/// Stress intensity at the tip of an infinitesimal kink by `theta` (Cotterell and Rice 1980).
#[must_use]
pub fn kinked(k1: f64, k2: f64, theta: f64) -> (f64, f64) {
    let (s, c) = (0.5 * theta).sin_cos();
    kinked_half(k1, k2, s, c)
}

/// [`kinked`] from sine and cosine of the half angle.
#[inline(always)]
pub(crate) fn kinked_half(k1: f64, k2: f64, s: f64, c: f64) -> (f64, f64) {
    let (s3, c3) = (3.0 * s - 4.0 * s * s * s, 4.0 * c * c * c - 3.0 * c);
    let (c11, c12) = (0.25 * (3.0 * c + c3), -0.75 * (s + s3));
    let (c21, c22) = (0.25 * (s + s3), 0.25 * (c + 3.0 * c3));
    (c11 * k1 + c12 * k2, c21 * k1 + c22 * k2)
}

/// Energy release rate times E': K_I^2 + K_II^2; a closed crack (K_I < 0) releases nothing by opening.
#[inline(always)]
#[must_use]
pub fn release(k1: f64, k2: f64) -> f64 {
    k1.max(0.0).powi(2) + k2 * k2
}

/// Stress intensity per unit stress of a crack of half-length `a` whose faces are loaded within `zone` of the center
/// (Tada, Paris, Irwin, *The Stress Analysis of Cracks Handbook*): `sqrt(pi a)` for a <= zone, else
/// `2 sqrt(a/pi) asin(zone/a)`.
///
/// It grows with the crack up to the zone's edge and falls beyond, so a crack that a local load opens (impact, wedge,
/// hot spot) comes to rest, while `zone = inf` is the uniformly loaded plate in which it never does.
#[must_use]
pub fn zone_factor(a: f64, zone: f64) -> f64 {
    if a <= zone { (PI * a).sqrt() } else { 2.0 * (a / PI).sqrt() * (zone / a).asin() }
}

/// Opening `w(x) = (4 s_n/E') sqrt(a^2 - x^2)` of a through crack.
#[must_use]
pub fn opening(x: f64, half_length: f64, strain: f64) -> f64 {
    4.0 * strain * (half_length * half_length - x * x).max(0.0).sqrt()
}

/// Opening `(8 K_I/E') sqrt(r / 2 pi)` at distance `r` behind the tip.
#[must_use]
pub fn tip_opening(r: f64, k1_over_modulus: f64) -> f64 {
    8.0 * k1_over_modulus * (r.max(0.0) / (2.0 * PI)).sqrt()
}
