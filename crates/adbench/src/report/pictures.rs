//! Small pictures of a test image: photo, ground truth, heat map, and all three laid over each other.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use imgkit::rank::at_most;
use imgkit::resize::{Kernel, ResizeError, resize, resize_map};

/// Longest side of a picture in pixels; smaller images stay as they are.
const SIDE: usize = 224;
const QUALITY: u8 = 82;
/// The color of the ground truth's outline: far from every color of the heat map.
const OUTLINE: [f32; 3] = [0.0, 0.9, 1.0];
/// Matplotlib's `inferno` at nine equal steps (N. J. Smith and S. van der Walt, CC0): its lightness rises evenly.
const HEAT: [[f32; 3]; 9] = [
    [0.001, 0.000, 0.014],
    [0.122, 0.047, 0.283],
    [0.337, 0.072, 0.430],
    [0.532, 0.134, 0.416],
    [0.736, 0.216, 0.330],
    [0.891, 0.350, 0.199],
    [0.977, 0.550, 0.040],
    [0.964, 0.790, 0.227],
    [0.988, 0.998, 0.645],
];

/// Scale of all heat maps of a category: the scores that are darkest and brightest.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct HeatScale {
    /// Dark: the median pixel score of the good images.
    pub low: f32,
    /// Bright: the larger of the score that 0.1 % of the good images' pixels exceed and the one that 5 % of the
    /// defects' do.
    pub high: f32,
}

impl HeatScale {
    /// The place of a score between dark (0) and bright (1).
    fn level(self, score: f32) -> f32 {
        let (low, high) = (f64::from(self.low), f64::from(self.high));
        ((f64::from(score) - low) / (high - low)).clamp(0.0, 1.0) as f32
    }
}

/// Pictures of one image, each an encoded file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Pictures {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The photo, a JPEG.
    pub photo: Vec<u8>,
    /// The ground truth, white on black, a PNG.
    pub truth: Vec<u8>,
    /// The score map on the category's [`HeatScale`], a JPEG.
    pub heat: Vec<u8>,
    /// The heat map over the photo and the ground truth's outline, a JPEG.
    pub overlay: Vec<u8>,
}

/// An image at the pictures' size, before the heat scale is known.
#[derive(Debug, Clone)]
pub(super) struct Thumbnail {
    photo: Array3<f32>,
    map: Array2<f32>,
    mask: Array2<bool>,
}

impl Thumbnail {
    /// All three of one size, which is not 0.
    pub(super) fn new(
        photo: ArrayView3<'_, f32>,
        map: ArrayView2<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<Self, ResizeError> {
        let (height, width) = map.dim();
        let longest = height.max(width);
        let shrunk = |side: usize| if longest <= SIDE { side } else { (side * SIDE / longest).max(1) };
        let to = (shrunk(height), shrunk(width));
        let covered = resize_map(mask.mapv(|m| f32::from(u8::from(m))).view(), to, Kernel::Area)?;
        Ok(Self {
            photo: resize(photo, to, Kernel::Area)?,
            map: resize_map(map, to, Kernel::Area)?,
            // Thin defects stay visible: a pixel counts as soon as any of it is marked.
            mask: covered.mapv(|share| share > 1e-4),
        })
    }

    pub(super) fn pictures(&self, scale: HeatScale) -> Result<Pictures, ImageError> {
        let (height, width) = self.map.dim();
        let photo = Array3::from_shape_fn((height, width, 3), |(y, x, c)| {
            self.photo[(y, x, if self.photo.dim().2 == 1 { 0 } else { c })]
        });
        let level = self.map.mapv(|v| scale.level(v));
        let heat = Array3::from_shape_fn((height, width, 3), |(y, x, c)| heat(level[(y, x)])[c]);
        let outline = outline(&self.mask);
        let overlay = Array3::from_shape_fn((height, width, 3), |(y, x, c)| {
            let opacity = 0.75 * level[(y, x)];
            let below = photo[(y, x, c)].clamp(0.0, 1.0);
            if outline[(y, x)] { OUTLINE[c] } else { below + (heat[(y, x, c)] - below) * opacity }
        });
        Ok(Pictures {
            width,
            height,
            photo: jpeg(&photo)?,
            truth: png(&self.mask)?,
            heat: jpeg(&heat)?,
            overlay: jpeg(&overlay)?,
        })
    }
}

/// The scale for these images, each with whether it is anomalous.
pub(super) fn heat_scale<'a>(images: impl Iterator<Item = (bool, &'a Thumbnail)>) -> HeatScale {
    let (mut good, mut bad, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (is_anomalous, image) in images {
        if is_anomalous && image.mask.iter().all(|m| !m) {
            unknown.extend(image.map.iter().copied());
        } else if is_anomalous {
            bad.extend(image.map.iter().zip(&image.mask).filter(|(_, m)| **m).map(|(v, _)| *v));
        } else {
            good.extend(image.map.iter().copied());
        }
    }
    if good.is_empty() && bad.is_empty() {
        good = unknown; // nothing else is known of what is normal
    }
    let low = quantile(&mut good, 0.5).or_else(|| quantile(&mut bad, 0.0)).unwrap_or(0.0);
    let high = [quantile(&mut good, 0.999), quantile(&mut bad, 0.95)].into_iter().flatten().fold(low, f32::max);
    // Equal scores everywhere: any scale will do.
    HeatScale { low, high: if high > low { high } else { low + low.abs().max(1.0) } }
}

fn quantile(values: &mut [f32], share: f64) -> Option<f32> {
    let rank = at_most(share, values.len().checked_sub(1)?);
    Some(*values.select_nth_unstable_by(rank, f32::total_cmp).1)
}

fn heat(level: f32) -> [f32; 3] {
    let at = level * (HEAT.len() - 1) as f32;
    let low = (at as usize).min(HEAT.len() - 2);
    let part = at - low as f32;
    std::array::from_fn(|c| HEAT[low][c] + (HEAT[low + 1][c] - HEAT[low][c]) * part)
}

/// Marked pixels next to an unmarked one, and those at the border.
fn outline(mask: &Array2<bool>) -> Array2<bool> {
    let is_inner = |y: usize, x: usize| {
        let at = |dy: usize, dx: usize| mask.get(((y + dy).wrapping_sub(1), (x + dx).wrapping_sub(1)));
        (0..9).all(|i| at(i / 3, i % 3) == Some(&true))
    };
    Array2::from_shape_fn(mask.dim(), |(y, x)| mask[(y, x)] && !is_inner(y, x))
}

fn jpeg(pixels: &Array3<f32>) -> Result<Vec<u8>, ImageError> {
    let (height, width, _) = pixels.dim();
    let bytes: Vec<u8> = pixels.iter().map(|&v| imgkit::level::to_u8(v)).collect();
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, QUALITY).write_image(
        &bytes,
        width as u32,
        height as u32,
        ExtendedColorType::Rgb8,
    )?;
    Ok(file)
}

fn png(mask: &Array2<bool>) -> Result<Vec<u8>, ImageError> {
    let (height, width) = mask.dim();
    let bytes: Vec<u8> = mask.iter().map(|&m| if m { 255 } else { 0 }).collect();
    let mut file = Vec::new();
    PngEncoder::new(&mut file).write_image(&bytes, width as u32, height as u32, ExtendedColorType::L8)?;
    Ok(file)
}
