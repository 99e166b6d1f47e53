//! Statistics of a surface, and the materials that look like it.

use std::fmt;

use ndarray::ArrayView3;

use crate::Domain;

/// Pixels of a photo that are looked at, about.
const LOOKED_AT: usize = 40_000;
/// Luma from which a pixel is a highlight: near the sensor's end.
const BRIGHT: f32 = 0.94;
/// Luma below which a color says nothing.
const DARK: f32 = 0.08;

/// Statistics of the surface of a product, from which [`Self::materials`] tells what it may be made of.
///
/// ```
/// use ndarray::Array3;
/// use physdefect::Domain;
/// use physdefect::appearance::SurfaceStatistics;
///
/// // gray stripes, as of brushed metal
/// let photo = Array3::from_shape_fn((64, 64, 3), |(_, x, _)| 0.5 + 0.05 * (x as f32 * 1.9).sin());
/// let found = SurfaceStatistics::measure(photo.view(), &Domain::full(64, 64)?);
/// assert!(found.anisotropy > 0.9 && found.saturation < 0.01);
/// assert_eq!(found.materials()[0], "brushed");
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct SurfaceStatistics {
    /// Mean of (largest - smallest channel) / largest, in \[0, 1\]; 0 for gray photos.
    pub saturation: f64,
    /// Hue of the mean color, degrees in \[0, 360): 0 red, 60 yellow, 120 green.
    pub hue: f64,
    /// Mean luma, encoded, in \[0, 1\].
    pub brightness: f64,
    /// Share of pixels near the end of the scale, in \[0, 1\].
    pub highlights: f64,
    /// Coherence of the gradients, in \[0, 1\]: 1 for parallel lines, 0 where no direction is preferred.
    pub anisotropy: f64,
    /// Standard deviation of the finest detail over the mean luma, at least 0.
    pub grain: f64,
}

impl SurfaceStatistics {
    /// Measures the pixels of the domain of a photo `(H, W, C)`, f32 in \[0, 1\]; on a grid where there are many.
    #[must_use]
    pub fn measure(photo: ArrayView3<'_, f32>, domain: &Domain) -> Self {
        let (height, width, channels) = photo.dim();
        if channels == 0 || domain.dim() != (height, width) {
            return Self::default();
        }
        let (mask, bbox) = (domain.mask(), domain.bbox());
        let step = ((domain.area() / LOOKED_AT) as f64).sqrt().max(1.0) as usize;
        let luma = |y: usize, x: usize| (0..channels).map(|k| photo[[y, x, k]]).sum::<f32>() / channels as f32;
        let (mut n, mut colored, mut sum, mut saturation, mut bright) = (0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64);
        let (mut color, mut tensor) = ([0.0f64; 3], [0.0f64; 3]);
        let (mut detail, mut details) = (0.0f64, 0.0f64);
        for y in (bbox.top..bbox.bottom).step_by(step) {
            for x in (bbox.left..bbox.right).step_by(step) {
                let v = luma(y, x);
                if !mask[[y, x]] || !v.is_finite() {
                    continue;
                }
                n += 1.0;
                sum += f64::from(v);
                bright += f64::from(u8::from(v >= BRIGHT));
                if channels == 3 && v > DARK {
                    let pixel = [photo[[y, x, 0]], photo[[y, x, 1]], photo[[y, x, 2]]];
                    let (high, low) = (pixel.into_iter().fold(0.0, f32::max), pixel.into_iter().fold(1.0, f32::min));
                    saturation += f64::from((high - low) / high.max(1e-6));
                    color.iter_mut().zip(pixel).for_each(|(c, p)| *c += f64::from(p));
                    colored += 1.0;
                }
                let inner = y > 0 && x > 0 && y + 1 < height && x + 1 < width;
                if inner && mask[[y - 1, x]] && mask[[y + 1, x]] && mask[[y, x - 1]] && mask[[y, x + 1]] {
                    let (up, down, left, right) = (luma(y - 1, x), luma(y + 1, x), luma(y, x - 1), luma(y, x + 1));
                    let (gy, gx) = (f64::from(down - up), f64::from(right - left));
                    let fine = f64::from(v - 0.25 * (up + down + left + right));
                    if fine.is_finite() && gy.is_finite() && gx.is_finite() {
                        tensor[0] += gx * gx;
                        tensor[1] += gy * gy;
                        tensor[2] += gx * gy;
                        detail += fine * fine;
                        details += 1.0;
                    }
                }
            }
        }
        if n == 0.0 {
            return Self::default();
        }
        let brightness = sum / n;
        let [xx, yy, xy] = tensor;
        Self {
            saturation: saturation / colored.max(1.0),
            hue: hue(color),
            brightness,
            highlights: bright / n,
            anisotropy: if xx + yy > 0.0 { ((xx - yy).powi(2) + 4.0 * xy * xy).sqrt() / (xx + yy) } else { 0.0 },
            grain: (detail / details.max(1.0)).sqrt() / brightness.max(0.05),
        }
    }

    /// Mean over photos of a set; the hue is that of the most saturated ones. `None` for none.
    #[must_use]
    pub fn mean(of: &[Self]) -> Option<Self> {
        let n = of.len() as f64;
        let mean = |value: fn(&Self) -> f64| of.iter().map(value).sum::<f64>() / n;
        let turned = of.iter().fold((0.0, 0.0), |(x, y), s| {
            let angle = s.hue.to_radians();
            (x + s.saturation * angle.cos(), y + s.saturation * angle.sin())
        });
        (n > 0.0).then(|| Self {
            saturation: mean(|s| s.saturation),
            hue: turned.1.atan2(turned.0).to_degrees().rem_euclid(360.0),
            brightness: mean(|s| s.brightness),
            highlights: mean(|s| s.highlights),
            anisotropy: mean(|s| s.anisotropy),
            grain: mean(|s| s.grain),
        })
    }

    /// Names of three materials that a surface with these statistics is likely made of, the likeliest first.
    ///
    /// A rule of thumb of this project: gray with lines is brushed or ground metal, gray with highlights polished
    /// metal or plastic, dark gray rubber or plastic, bright and even ceramic or paint. A strong color rules bare
    /// metal, and with it rust, out; a weak one with highlights and lines may be brass under warm light. Green and busy
    /// is a circuit board, brown with lines wood, brown and rough leather, rough else fabric, smooth plastic or paint.
    /// A photo does not tell a material for sure: name it where it is known.
    #[must_use]
    pub fn materials(&self) -> [&'static str; 3] {
        // Where most of it is blown out it is bright, not shiny.
        let shiny = (0.004..0.3).contains(&self.highlights);
        let lines = self.anisotropy > 0.3;
        // Of dark pixels the color is uncertain.
        if self.saturation < if self.brightness < 0.3 { 0.25 } else { 0.16 } {
            return match () {
                () if lines && self.brightness > 0.15 => ["brushed", "metal", "cast"],
                () if self.brightness < 0.3 && !shiny => ["rubber", "glossy-plastic", "matte"],
                () if shiny && self.grain < 0.06 => ["metal", "glossy-plastic", "ceramic"],
                () if self.brightness > 0.55 && self.grain < 0.03 => ["ceramic", "painted", "matte"],
                () => ["matte", "fabric", "cast"],
            };
        }
        let brown = (10.0..60.0).contains(&self.hue);
        match () {
            () if (70.0..180.0).contains(&self.hue) && self.grain > 0.08 => ["circuit-board", "painted", "matte"],
            () if shiny && lines && self.saturation < 0.38 => ["brushed", "metal", "glossy-plastic"],
            () if shiny => ["glossy-plastic", "painted", "ceramic"],
            () if brown && self.anisotropy > 0.25 => ["wood", "matte", "leather"],
            () if brown && self.grain > 0.03 => ["leather", "matte", "wood"],
            () if self.grain > 0.05 => ["fabric", "leather", "matte"],
            () if brown && self.brightness < 0.56 => ["matte", "leather", "painted"],
            () => ["glossy-plastic", "painted", "matte"],
        }
    }
}

impl fmt::Display for SurfaceStatistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { saturation, hue, brightness, highlights, anisotropy, grain } = self;
        write!(
            f,
            "saturation {saturation:.2}, hue {hue:.0} degrees, brightness {brightness:.2}, highlights {highlights:.3}, \
             anisotropy {anisotropy:.2}, grain {grain:.3}"
        )
    }
}

/// Hue of a color, degrees; 0 for gray.
fn hue([r, g, b]: [f64; 3]) -> f64 {
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    let spread = high - low;
    if spread <= 0.0 {
        return 0.0;
    }
    let sixth = if high == r {
        (g - b) / spread
    } else if high == g {
        2.0 + (b - r) / spread
    } else {
        4.0 + (r - g) / spread
    };
    (60.0 * sixth).rem_euclid(360.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use imgkit::rng::keyed_stream;
    use ndarray::Array3;
    use rand::Rng;

    fn of(photo: &Array3<f32>) -> Result<SurfaceStatistics, Error> {
        let (h, w, _) = photo.dim();
        Ok(SurfaceStatistics::measure(photo.view(), &Domain::full(h, w)?))
    }

    #[test]
    fn statistics_of_known_surfaces() -> Result<(), Error> {
        // An even color: hue and saturation by their definitions, nothing else.
        let orange = Array3::from_shape_fn((40, 40, 3), |(_, _, k)| [0.8, 0.5, 0.2][k]);
        let found = of(&orange)?;
        assert!((found.saturation - 0.75).abs() < 1e-6 && (found.hue - 30.0).abs() < 1e-4, "{found}");
        assert!((found.brightness - 0.5).abs() < 1e-6 && found.grain < 1e-6 && found.highlights == 0.0, "{found}");
        // White noise of deviation s: its Laplacian's quarter has the deviation s sqrt(1 + 4 / 16); no direction.
        let mut rng = keyed_stream(3, 0);
        let s = 0.05 / 12f64.sqrt() * 2.0;
        let noise = Array3::from_shape_fn((200, 200, 1), |_| 0.5 + rng.random_range(-0.05..0.05f32));
        let found = of(&noise)?;
        assert!((found.grain / (s * 1.25f64.sqrt() / 0.5) - 1.0).abs() < 0.03, "{found}");
        assert!(found.anisotropy < 0.03 && found.saturation == 0.0, "{found}");
        // A quarter of the frame is blown out.
        let lit = Array3::from_shape_fn((40, 40, 1), |(y, x, _)| if y < 20 && x < 20 { 1.0 } else { 0.4 });
        assert!((of(&lit)?.highlights - 0.25).abs() < 1e-9);
        Ok(())
    }

    #[test]
    fn only_the_product_counts() -> Result<(), Error> {
        let photo = Array3::from_shape_fn((40, 40, 3), |(_, x, k)| if x < 20 { 0.5 } else { [0.9, 0.1, 0.1][k] });
        let mask = ndarray::Array2::from_shape_fn((40, 40), |(_, x)| x < 19);
        let found = SurfaceStatistics::measure(photo.view(), &Domain::from_mask(mask)?);
        assert!(found.saturation < 1e-6 && found.anisotropy == 0.0, "{found}");
        Ok(())
    }

    #[test]
    fn colored_surfaces_are_no_bare_metal() {
        for hue in 0..36 {
            for highlights in [0.0, 0.02] {
                for (anisotropy, grain) in [(0.0, 0.01), (0.5, 0.01), (0.0, 0.1), (0.5, 0.1)] {
                    let (hue, saturation, brightness) = (f64::from(hue) * 10.0, 0.4, 0.5);
                    let s = SurfaceStatistics { saturation, hue, brightness, highlights, anisotropy, grain };
                    for name in s.materials() {
                        assert!(!crate::appearance::Material::by_name(name).unwrap().corrodes(), "{name} for {s}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_mean_of_hues_goes_the_short_way_round() {
        let of = |hue| SurfaceStatistics { saturation: 0.5, hue, ..SurfaceStatistics::default() };
        let mean = SurfaceStatistics::mean(&[of(350.0), of(20.0)]).unwrap();
        assert!((mean.hue - 5.0).abs() < 1e-6, "{mean}");
        assert!(SurfaceStatistics::mean(&[]).is_none());
    }
}
