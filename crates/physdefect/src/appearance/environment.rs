//! Environment that a glossy coat reflects: three soft lights around the camera's axis.

use super::Light;

/// Lights: azimuth from the key light, angle from the camera's axis, half-width, radians, and strength.
const LIGHTS: [(f32, f32, f32, f32); 3] = [(0.0, 0.4, 0.3, 1.0), (2.1, 0.7, 0.3, 0.4), (-1.8, 1.0, 0.4, 0.3)];

/// Radiance of the environment seen in a coat over a relief.
///
/// A surface of slope g reflects the camera's axis by the angle 2 atan |g|; what is seen there is the sum of the
/// lights, each with the profile `(1 - (angle / half-width)^2)^2`. A flat surface under the camera sees none of them.
/// The arrangement is a photographer's, chosen by eye; no photo says what stood around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Environment {
    /// Directions (x, y, z), cosine of the half-width, strength.
    lights: [([f32; 3], f32, f32); 3],
    flat: f32,
}

impl Environment {
    /// `strength` is what the brightest light adds in linear light.
    pub(super) fn new(light: &Light, strength: f32) -> Self {
        let lights = LIGHTS.map(|(turn, tilt, half, share)| {
            let azimuth = light.azimuth() as f32 + turn;
            let direction = [tilt.sin() * azimuth.cos(), tilt.sin() * azimuth.sin(), tilt.cos()];
            (direction, half.cos(), share * strength)
        });
        let mut environment = Self { lights, flat: 0.0 };
        environment.flat = environment.radiance([0.0, 0.0]);
        environment
    }

    /// Radiance at the slope (dh/dx, dh/dy) less that of the flat surface.
    #[inline]
    pub(super) fn change(&self, slope: [f32; 2]) -> f32 {
        self.radiance(slope) - self.flat
    }

    #[inline]
    fn radiance(&self, [gx, gy]: [f32; 2]) -> f32 {
        let square = gx * gx + gy * gy;
        let inverse = 1.0 / (1.0 + square);
        let r = [-2.0 * gx * inverse, -2.0 * gy * inverse, (1.0 - square) * inverse];
        let mut sum = 0.0;
        for (d, edge, strength) in &self.lights {
            let cosine = r[0] * d[0] + r[1] * d[1] + r[2] * d[2];
            // 1 - cos is half the angle's square.
            let inside = ((cosine - edge) / (1.0 - edge)).clamp(0.0, 1.0);
            sum += strength * inside * inside;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_sees_each_light_where_its_slope_points_to_it() {
        let light = Light::default().with_azimuth(0.7);
        let environment = Environment::new(&light, 0.5);
        for (turn, tilt, half, share) in LIGHTS {
            // A slope of tan(tilt / 2) away from the light shows its middle.
            let (s, c) = (0.7 + turn).sin_cos();
            let slope = -(0.5 * tilt).tan();
            let seen = environment.radiance([slope * c, slope * s]);
            assert!(seen >= 0.5 * share - 1e-5, "{seen} for {share}");
            let beyond = -(0.5 * (tilt + half)).tan() - 0.01;
            assert!(environment.radiance([beyond * c, beyond * s]) < 0.5 * share * 0.2);
        }
        assert_eq!(environment.change([0.0, 0.0]), 0.0);
    }
}
