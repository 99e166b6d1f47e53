//! Appearance: material, light and camera, and the pixels that a defect has under them.

use imgkit::Rect;
use imgkit::simd::widely;
use ndarray::{Array2, Array3, ArrayView3, Zip};

use super::camera::{Camera, CameraSource};
use super::environment::Environment;
use super::filter::{blur, remainder};
use super::shade::{Relief, Scratch, Shader};
use super::srgb::Tables;
use super::{Light, LightSource, Material, warp};
use crate::finalize::{self, UncheckedSample};
use crate::params::parameters;
use crate::visibility::Visibility;
use crate::{Defect, Domain, Error};

/// Distance of what a coat reflects, over the defect's size.
const REFLECTED: f32 = 0.15;
/// How far the eye's own blur makes a change visible beyond it, px: it belongs to the mask.
const EYE: usize = 2;
/// Change of linear light below which a pixel keeps its value.
const NOTHING: f32 = 1e-5;

parameters! {
    /// Material of the surface, the light on it, the camera that sees it, and how visible defects are.
    #[derive(Copy)]
    pub struct Appearance {
        /// Reflectance of the surface.
        material / with_material: Material = Material::MATTE,
        /// Where the light comes from.
        light / with_light: LightSource = LightSource::Estimated,
        /// Where sharpness and noise come from.
        camera / with_camera: CameraSource = CameraSource::Estimated,
        /// Range of visibilities that samples are brought to; `None` leaves defects as strong as their parameters make
        /// them. A baseline takes no notice.
        visibility / with_visibility: Option<Visibility> = Some(Visibility::default()),
    }
}

impl Appearance {
    /// Creates the appearance of a material under light and camera that are estimated from each photo.
    #[must_use]
    pub fn new(material: Material) -> Self {
        Self { material, ..Self::default() }
    }

    /// Sets a known light.
    #[must_use]
    pub fn lit(self, light: Light) -> Self {
        Self { light: LightSource::Given(light), ..self }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        self.material.check()?;
        if let LightSource::Given(light) = self.light {
            light.check()?;
        }
        if let CameraSource::Given(camera) = self.camera {
            camera.check()?;
        }
        self.visibility.as_ref().map_or(Ok(()), Visibility::check)
    }

    /// Measures or takes over camera and light around a box.
    pub(crate) fn surroundings(&self, photo: ArrayView3<'_, f32>, domain: &Domain, bbox: Rect) -> Surroundings {
        Surroundings {
            camera: match self.camera {
                CameraSource::Given(camera) => camera,
                CameraSource::Estimated => Camera::estimate(photo, domain, bbox),
            },
            light: match self.light {
                LightSource::Given(light) => light,
                LightSource::Estimated => Light::estimate(photo, domain),
            },
            brightest: if self.material.coat() > 0.0 { brightest(photo, domain) } else { 0.0 },
        }
    }

    /// Renders `defect` on `photo`; `strength` scales its relief, shift, tint and change of reflectance. Changes only
    /// pixels of the domain.
    ///
    /// The photo's noise is taken off, the scene is changed in linear light, the change passes the camera's point
    /// spread function, and the same noise is put back.
    pub(crate) fn draft(
        &self,
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        defect: &Defect,
        conditions: &Conditions,
        strength: f32,
    ) -> Result<UncheckedSample, Error> {
        let tables = Tables::get();
        let Canvas { bbox, inner, original, noise, linear } = &conditions.canvas;
        let mut scene = inner.cut(linear.view());
        if let Some(shift) = &defect.displacement {
            let shift = self.shift(defect, shift, strength);
            let mut moved = inner.cut(original.view());
            warp::warp(photo, defect.bbox, shift.view(), defect.opacity.view(), &mut moved);
            // The noise does not move with the surface.
            moved -= &inner.cut(noise.view());
            let channels = photo.dim().2.max(1);
            if let (Some(scene), Some(moved)) = (scene.as_slice_mut(), moved.as_slice()) {
                let pixels = scene.chunks_exact_mut(channels).zip(moved.chunks_exact(channels));
                for ((scene, moved), _) in pixels.zip(&defect.opacity).filter(|(_, a)| **a > 0.0) {
                    scene.iter_mut().zip(moved).for_each(|(v, m)| *v = tables.linear(*m));
                }
            }
        }
        // What lies behind the object was seen through the camera already: only what is new passes it.
        let old = inner.cut(linear.view());
        let behind = defect.shows_background.then(|| scene.clone());
        self.light_scene(conditions, defect, strength, &mut scene);
        scene -= behind.as_ref().unwrap_or(&old);
        let mut change = Array3::zeros(linear.dim());
        inner.put(scene.view(), change.view_mut());
        blur(&mut change, conditions.around.camera.blur() as f32);
        if let Some(behind) = behind {
            inner.crop_mut(change.view_mut()).scaled_add(1.0, &(behind - old));
        }
        let mut support = Array2::from_elem((bbox.height(), bbox.width()), false);
        let mut patch = original.clone();
        let (Some(pixels), Some(change), Some(linear), Some(noise)) =
            (patch.as_slice_mut(), change.as_slice(), linear.as_slice(), noise.as_slice())
        else {
            return Ok(UncheckedSample { bbox: *bbox, patch, support });
        };
        let channels = photo.dim().2.max(1);
        let allowed = bbox.cut(domain.mask());
        widely(
            #[inline(always)]
            || {
                let all = pixels.chunks_exact_mut(channels).zip(change.chunks_exact(channels));
                let all = all.zip(linear.chunks_exact(channels).zip(noise.chunks_exact(channels)));
                let marks = support.iter_mut().zip(&allowed);
                for ((support, &allowed), ((new, change), (linear, noise))) in marks.zip(all) {
                    *support = allowed && change.iter().any(|c| c.abs() > NOTHING);
                    if *support {
                        for ((v, light), (c, n)) in new.iter_mut().zip(linear).zip(change.iter().zip(noise)) {
                            *v = (tables.encoded(light + c) + n).clamp(0.0, 1.0);
                        }
                    }
                }
            },
        );
        // What keeps its value within the defect belongs to it: two lobes of a dent are one defect.
        let within = inner.crop(allowed.view());
        Zip::from(inner.crop_mut(support.view_mut())).and(&defect.opacity).and(within).for_each(
            |support, &a, &allowed| {
                *support |= allowed && a > 0.0;
            },
        );
        Ok(UncheckedSample { bbox: *bbox, patch, support })
    }

    /// Shift of the picture: where to look for what lies behind, or that of the surface and of what a coat reflects,
    /// which moves by twice the slope times its distance.
    fn shift(&self, defect: &Defect, shift: &Array3<f32>, strength: f32) -> Array3<f32> {
        if defect.shows_background {
            return shift.clone();
        }
        let mut shift = shift.mapv(|v| v * strength);
        let coat = self.material.coat() as f32;
        if coat > 0.0 {
            let (h, w) = defect.height.dim();
            let distance = coat * strength * REFLECTED * h.max(w) as f32;
            let at = |y: usize, x: usize| defect.height[[y, x]];
            for y in 0..h {
                let (up, down) = (y.saturating_sub(1), (y + 1).min(h - 1));
                for x in 0..w {
                    let (left, right) = (x.saturating_sub(1), (x + 1).min(w - 1));
                    shift[[y, x, 0]] += distance * (at(down, x) - at(up, x));
                    shift[[y, x, 1]] += distance * (at(y, right) - at(y, left));
                }
            }
        }
        shift
    }

    /// Lights the relief and lays on tint and reflectance: `scene` is the box of the defect in linear light.
    fn light_scene(&self, conditions: &Conditions, defect: &Defect, strength: f32, scene: &mut Array3<f32>) {
        let (h, w, channels) = scene.dim();
        let shader = Shader::new(&conditions.around.light, &self.material);
        // A bend moves the old surface and keeps its gloss; a crack or a pit lays open a new one.
        let bends = defect.displacement.is_some() && !defect.shows_background;
        let relief = Relief::new(defect.height.view(), strength).roughened(!bends);
        let coat = if bends { self.material.coat() as f32 } else { 0.0 };
        let environment = Environment::new(&conditions.around.light, coat * conditions.around.brightest);
        let tint = defect.tint.as_ref().filter(|_| self.material.corrodes()).map(|tint| {
            let colorless = is_gray(scene);
            let mean = scene.iter().sum::<f32>() / scene.len().max(1) as f32;
            let illumination = (mean / self.material.albedo() as f32).clamp(0.02, 1.0);
            let gray = (tint.color[0] + tint.color[1] + tint.color[2]) / 3.0;
            let color: Vec<f32> = (0..channels)
                .map(|k| illumination * if channels == 3 && !colorless { tint.color[k] } else { gray })
                .collect();
            (&tint.weight, color)
        });
        let (opacity, reflectance) = (defect.opacity.as_standard_layout(), defect.reflectance.as_ref());
        // Most factors are 1, and the first strength is: neither needs a power.
        let power = |v: f32| if v == 1.0 || strength == 1.0 { v } else { v.powf(strength) };
        let mut scratch = Scratch::default();
        let Some(pixels) = scene.as_slice_mut() else { return };
        widely(
            #[inline(always)]
            || {
                for y in 0..h {
                    let row = opacity.row(y);
                    let Some(first) = row.iter().position(|&a| a > 0.0) else { continue };
                    let last = row.iter().rposition(|&a| a > 0.0).unwrap_or(first);
                    shader.row(&relief, y, first, last + 1 - first, &mut scratch);
                    for (x, &factor) in (first..=last).zip(&scratch.factor) {
                        let a = if row[x] > 0.0 { row[x].min(1.0) } else { continue };
                        let at = (y * w + x) * channels;
                        let paint = reflectance.map_or(1.0, |factor| power(factor[[y, x]].max(0.0)));
                        let gain = 1.0 + a * (factor * paint - 1.0);
                        let covered = |weight: f32| 1.0 - power(1.0 - weight.clamp(0.0, 1.0));
                        let stain = tint.as_ref().map(|(weight, color)| (covered(weight[[y, x]]), color));
                        let glint = if coat > 0.0 { a * environment.change(relief.slope(y, x)) } else { 0.0 };
                        for (k, v) in pixels[at..at + channels].iter_mut().enumerate() {
                            let mut light = *v * gain + glint;
                            if let Some((t, color)) = &stain {
                                light += t * (color[k] * gain - light);
                            }
                            *v = light.clamp(0.0, 1.0);
                        }
                    }
                }
            },
        );
    }
}

/// Whether the channels of a patch agree to within two thousandths on average: a gray photo stored in color.
fn is_gray(scene: &Array3<f32>) -> bool {
    let spread = |pixel: ndarray::ArrayView1<'_, f32>| {
        pixel.iter().fold(f32::MIN, |a, &v| a.max(v)) - pixel.iter().fold(f32::MAX, |a, &v| a.min(v))
    };
    let rows = scene.rows();
    let n = rows.into_iter().len().max(1) as f32;
    scene.rows().into_iter().map(spread).sum::<f32>() < 2e-3 * n
}

/// Camera and light of a photo around a defect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings {
    camera: Camera,
    light: Light,
    /// Linear light of what a light source looks like.
    brightest: f32,
}

/// Camera and light of a photo around a defect, and the pixels there.
#[derive(Debug)]
pub(crate) struct Conditions {
    around: Surroundings,
    canvas: Canvas,
}

impl Conditions {
    /// Prepares the pixels of a defect for any strength of it.
    ///
    /// # Errors
    /// [`Error::Shape`] if the defect's arrays disagree with its box or the box leaves the photo.
    pub(crate) fn new(
        photo: ArrayView3<'_, f32>,
        domain: &Domain,
        defect: &Defect,
        around: Surroundings,
    ) -> Result<Self, Error> {
        check_defect(defect, domain)?;
        Ok(Self { around, canvas: Canvas::new(photo, defect.bbox, &around.camera)? })
    }
}

/// Pixels that a defect is drawn on: what does not depend on its strength.
#[derive(Debug)]
struct Canvas {
    /// Box of the defect with all that the camera's blur and the eye's may touch.
    bbox: Rect,
    /// Box of the defect in it.
    inner: Rect,
    /// The photo `(h, w, C)` as it is, and its noise; encoded.
    original: Array3<f32>,
    noise: Array3<f32>,
    /// What is left without the noise, in linear light.
    linear: Array3<f32>,
}

impl Canvas {
    fn new(photo: ArrayView3<'_, f32>, defect: Rect, camera: &Camera) -> Result<Self, Error> {
        let (height, width, _) = photo.dim();
        let bbox = defect.grow((2.0 * camera.blur()).ceil() as usize + EYE, (height, width));
        let inner = defect.relative_to(bbox);
        let original = finalize::crop(photo, bbox)?;
        let noise = remainder(&original, 2.5 * camera.noise() as f32);
        let mut linear = &original - &noise;
        let tables = Tables::get();
        linear.mapv_inplace(|v| tables.linear(v));
        Ok(Self { bbox, inner, original, noise, linear })
    }
}

/// Linear light of the brightest fiftieth of the domain, on about a thousand pixels: what a light source looks like.
fn brightest(photo: ArrayView3<'_, f32>, domain: &Domain) -> f32 {
    let (bbox, mask, tables) = (domain.bbox(), domain.mask(), Tables::get());
    let step = ((bbox.area() as f64 / 1024.0).sqrt() as usize).max(1);
    let channels = photo.dim().2.max(1) as f32;
    let mut found = Vec::with_capacity(2048);
    for y in (bbox.top..bbox.bottom).step_by(step) {
        for x in (bbox.left..bbox.right).step_by(step) {
            if mask[[y, x]] {
                found.push(tables.linear((0..photo.dim().2).map(|k| photo[[y, x, k]]).sum::<f32>() / channels));
            }
        }
    }
    if found.is_empty() {
        return 1.0;
    }
    let at = found.len() * 49 / 50;
    let (_, v, _) = found.select_nth_unstable_by(at, f32::total_cmp);
    v.clamp(0.3, 1.0)
}

/// Refuses a defect whose arrays disagree with its box or whose box leaves the photo.
fn check_defect(defect: &Defect, domain: &Domain) -> Result<(), Error> {
    let ((height, width), b) = (domain.dim(), defect.bbox);
    let shape = |what, found: &[usize], expected: &[usize]| {
        Err(Error::Shape { what, found: found.to_vec(), expected: expected.to_vec() })
    };
    if b.is_empty() || b.bottom > height || b.right > width {
        return shape(
            "defect box (top, left, bottom, right)",
            &[b.top, b.left, b.bottom, b.right],
            &[0, 0, height, width],
        );
    }
    let size = [b.height(), b.width()];
    for (what, found) in [("defect height", defect.height.shape()), ("defect opacity", defect.opacity.shape())] {
        if found != size {
            return shape(what, found, &size);
        }
    }
    if let Some(shift) = &defect.displacement
        && shift.shape() != [size[0], size[1], 2]
    {
        return shape("defect displacement", shift.shape(), &[size[0], size[1], 2]);
    }
    if let Some(reflectance) = defect.reflectance.as_ref().filter(|factor| factor.shape() != size) {
        return shape("defect reflectance", reflectance.shape(), &size);
    }
    match &defect.tint {
        Some(tint) if tint.weight.shape() != size => shape("defect tint", tint.weight.shape(), &size),
        _ => Ok(()),
    }
}
