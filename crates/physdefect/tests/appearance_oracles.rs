//! Ratio-image rendering against closed forms: tilted planes under Lambert's and Blinn's laws, in linear light.
#![allow(clippy::unwrap_used)] // helpers outside #[test] functions; a panic is the failure wanted

use std::f64::consts::PI;

use ndarray::{Array2, Array3};
use physdefect::appearance::srgb::{to_encoded, to_linear};
use physdefect::appearance::{Appearance, Camera, CameraSource, Light, Material, Rendered};
use physdefect::baselines::{CutPasteScar, PerlinBlend};
use physdefect::fracture::FractureLine;
use physdefect::imgkit::Rect;
use physdefect::pitting::PittingLoss;
use physdefect::{Defect, Domain, Error, Measures, Sample, SampleKey, Synthesizer, Tint, compose};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

const SIDE: usize = 64;
const KEY: SampleKey = SampleKey { seed: 0, index: 0 };
/// Nothing but the shading ratio: no cavity, no rim.
fn plain() -> Material {
    Material::default()
        .with_diffuse(0.6)
        .with_specular(0.7)
        .with_gloss(4)
        .with_cavity(0.0)
        .with_rim(0.0)
        .with_albedo(0.4)
}

/// The relief gx x + gy y in the middle half of the frame. A displacement of nothing marks it as a bend, which keeps
/// its gloss.
fn plane(gx: f64, gy: f64, opacity: f32, bend: bool) -> Defect {
    let n = SIDE / 2;
    let (y0, x0) = (SIDE / 4, SIDE / 4);
    let bbox = Rect { top: y0, left: x0, bottom: y0 + n, right: x0 + n };
    let height = Array2::from_shape_fn((n, n), |(y, x)| (gx * x as f64 + gy * y as f64 - 40.0) as f32);
    let mut defect = Defect::new(bbox, height, Array2::from_elem((n, n), opacity), Measures::new());
    defect.displacement = bend.then(|| Array3::zeros((n, n, 2)));
    defect
}

/// The material under the light, seen by a camera without blur or noise.
fn ideal(material: Material, light: Light) -> Appearance {
    Appearance::new(material).lit(light).with_camera(CameraSource::Given(Camera::IDEAL))
}

fn rendered(material: Material, light: Light, photo: &Array3<f32>, defect: Defect) -> Sample {
    let (h, w, _) = photo.dim();
    let look = Rendered::new(FractureLine::default(), ideal(material, light)).unwrap();
    look.render(photo.view(), &Domain::full(h, w).unwrap(), defect, 0.5, KEY).unwrap()
}

/// Linear light over that of the photo in the middle of the frame.
fn ratio(sample: &Sample, photo: &Array3<f32>) -> f64 {
    let (y, x) = (SIDE / 2, SIDE / 2);
    let new = sample.patch[[y - sample.bbox.top, x - sample.bbox.left, 0]];
    f64::from(to_linear(new)) / f64::from(to_linear(photo[[y, x, 0]]))
}

/// (a + (1 - a)(kd n.l + ks (n.h)^p)) over the same of the flat surface.
fn shading(material: &Material, light: &Light, gx: f64, gy: f64) -> f64 {
    let (se, ce) = light.elevation().sin_cos();
    let l = [ce * light.azimuth().cos(), ce * light.azimuth().sin(), se];
    let dot = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).map(|(p, q)| p * q).sum::<f64>();
    let unit = |v: [f64; 3]| v.map(|c| c / dot(v, v).sqrt());
    let half = unit([l[0], l[1], l[2] + 1.0]);
    let shade = |n: [f64; 3]| {
        let spark = dot(n, half).max(0.0).powf(2f64.powi(material.gloss().into()));
        light.ambient()
            + (1.0 - light.ambient()) * (material.diffuse() * dot(n, l).max(0.0) + material.specular() * spark)
    };
    shade(unit([-gx, -gy, 1.0])) / shade([0.0, 0.0, 1.0])
}

fn gray(value: f32) -> Array3<f32> {
    Array3::from_elem((SIDE, SIDE, 3), value)
}

#[test]
fn a_tilted_plane_has_lamberts_and_blinns_ratio_in_linear_light() {
    let mut seen = 0;
    for (azimuth, elevation) in [(0.3, 0.9), (-2.2, 0.7), (1.8, 1.2)] {
        let light = Light::default().with_azimuth(azimuth).with_elevation(elevation).with_ambient(0.3);
        for (gx, gy) in [(0.4, 0.0), (-0.3, 0.2), (0.0, -0.5), (0.25, 0.35)] {
            for material in [plain(), plain().with_specular(0.0), plain().with_gloss(6)] {
                let exact = shading(&material, &light, gx, gy);
                if (exact - 1.0).abs() < 0.03 {
                    continue; // too little to be seen
                }
                seen += 1;
                let photo = gray(0.45);
                let found = ratio(&rendered(material, light, &photo, plane(gx, gy, 1.0, true)), &photo);
                assert!((found / exact - 1.0).abs() < 2e-3, "{found} for {exact}, slope {gx} {gy}, {material:?}");
            }
        }
    }
    assert!(seen >= 24, "{seen} of 36 cases can be seen");
}

#[test]
fn a_laid_open_surface_does_not_shine() {
    // A wall of a pit, below zero by more than a pixel: Lambert's part alone, over the flat surface with its gloss.
    let light = Light::default().with_azimuth(0.0).with_elevation(0.8).with_ambient(0.3);
    let photo = gray(0.5);
    let found = ratio(&rendered(plain(), light, &photo, plane(-0.3, 0.0, 1.0, false)), &photo);
    let flat = |m: &Material| {
        0.3 + 0.7 * (m.diffuse() * 0.8f64.sin() + m.specular() * ((0.5 * PI - 0.8) * 0.5).cos().powi(16))
    };
    let dull = plain().with_specular(0.0);
    let exact = shading(&dull, &light, -0.3, 0.0) * flat(&dull) / flat(&plain());
    assert!((found / exact - 1.0).abs() < 2e-3, "{found} for {exact}");
}

#[test]
fn noise_is_neither_shaded_nor_moved() {
    // The camera's noise lies on the picture: what a 3 x 3 binomial filter takes off, within 2.5 deviations, is put
    // back as it was on the shaded surface, whether the defect bends the surface (here by nothing) or not.
    let light = Light::default().with_azimuth(0.0).with_elevation(0.8).with_ambient(0.3);
    let (sigma, material) = (0.02f32, plain().with_specular(0.0));
    let normal = Normal::new(0.0, f64::from(sigma)).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let photo = Array3::from_shape_fn((SIDE, SIDE, 1), |_| (0.5 + normal.sample(&mut rng)) as f32);
    let camera = CameraSource::Given(Camera::IDEAL.with_noise(f64::from(sigma)));
    let look = Rendered::new(FractureLine::default(), ideal(material, light).with_camera(camera)).unwrap();
    let exact = shading(&material, &light, 0.5, 0.0) as f32;
    for bend in [false, true] {
        let defect = plane(0.5, 0.0, 1.0, bend);
        let sample = look.render(photo.view(), &Domain::full(SIDE, SIDE).unwrap(), defect, 0.5, KEY).unwrap();
        let image = sample.paste(photo.view()).unwrap();
        for y in SIDE / 4 + 4..3 * SIDE / 4 - 4 {
            for x in SIDE / 4 + 4..3 * SIDE / 4 - 4 {
                let near = |v: usize, u: usize| photo[[y + v - 1, x + u - 1, 0]];
                let weight = [0.25, 0.5, 0.25f32];
                let smooth: f32 = (0..9).map(|i| weight[i / 3] * weight[i % 3] * near(i / 3, i % 3)).sum();
                let noise = (photo[[y, x, 0]] - smooth).clamp(-2.5 * sigma, 2.5 * sigma);
                let expected = to_encoded(to_linear(photo[[y, x, 0]] - noise) * exact) + noise;
                let found = image[[y, x, 0]];
                assert!((found - expected).abs() < 1e-3, "{y} {x}, bend {bend}: {found} for {expected}");
            }
        }
    }
}

#[test]
fn opacity_blends_in_linear_light() {
    let light = Light::default().with_azimuth(0.0).with_elevation(0.8).with_ambient(0.2);
    let exact = shading(&plain(), &light, 0.5, 0.0);
    for opacity in [0.25, 0.5, 1.0] {
        let photo = gray(0.5);
        let found = ratio(&rendered(plain(), light, &photo, plane(0.5, 0.0, opacity, true)), &photo);
        let blended = 1.0 + f64::from(opacity) * (exact - 1.0);
        assert!((found / blended - 1.0).abs() < 2e-3, "{found} for {blended} at opacity {opacity}");
    }
}

#[test]
fn a_cavity_darkens_by_its_share_of_hidden_sky() {
    // Under ambient light alone the ratio is 1 - cavity (1 - sky): linear in the material's cavity. The bottom of a
    // V-groove of width w and depth d sees (w/2)/sqrt(d^2 + w^2/4) of it, across the groove's own direction.
    let light = Light::default().with_ambient(1.0);
    let photo = gray(0.5);
    let groove = || {
        let mut defect = plane(0.0, 0.0, 1.0, false);
        defect.height = Array2::from_shape_fn((SIDE / 2, SIDE / 2), |(_, x)| {
            let off = (x as f32 - (SIDE / 4) as f32).abs();
            -8.0 * (1.0 - off / 4.0).max(0.0)
        });
        defect
    };
    let dark = |cavity: f64| {
        let material = plain().with_cavity(cavity).with_specular(0.0);
        1.0 - ratio(&rendered(material, light, &photo, groove()), &photo)
    };
    let (half, whole) = (dark(0.5), dark(1.0));
    assert!((whole / half - 2.0).abs() < 0.01, "{half} {whole}");
    let exact = 1.0 - 4.0 / (64.0f64 + 16.0).sqrt();
    // Eight directions sample the circle: a groove along an axis is off by some hundredths.
    assert!((whole - exact).abs() < 0.06, "{whole} for {exact}");
}

#[test]
fn a_lit_lip_gains_by_its_bend_and_slope() {
    // The crest h = -c r^2/2: a pixel lies c/2 above the mean of its four neighbors, and faces the light by c x
    // cos(elevation).
    let (light, c) = (Light::default().with_azimuth(0.0).with_elevation(0.6).with_ambient(0.4), 0.05f64);
    let photo = gray(0.5);
    let lit = |rim: f64, off: usize| {
        let mut defect = plane(0.0, 0.0, 1.0, true);
        defect.height = Array2::from_shape_fn((SIDE / 2, SIDE / 2), |(y, x)| {
            let (dy, dx) = (y as f64 - 16.0, x as f64 - 16.0 + off as f64);
            (-0.5 * c * (dy * dy + dx * dx)) as f32
        });
        ratio(&rendered(plain().with_rim(rim), light, &photo, defect), &photo)
    };
    for off in [2, 6] {
        let exact = 1.0 + 2.0 * 0.5 * c * c * off as f64 * 0.6f64.cos();
        let found = lit(2.0, off) / lit(0.0, off);
        assert!((found / exact - 1.0).abs() < 1e-3, "{found} for {exact}");
    }
}

#[test]
fn a_wall_throws_a_shadow_as_long_as_the_light_is_low() {
    // A wall 3 px high, 4 px towards the light, hides a sun below atan(3/4); the penumbra runs from 0.7 to 1.3 of its
    // rise.
    let photo = gray(0.5);
    for (rise, exact) in
        [(0.75f64, 0.5), (0.62, 1.0 - (0.75 / 0.62 - 0.7) / 0.6), (0.68, 1.0 - (0.75 / 0.68 - 0.7) / 0.6)]
    {
        let light = Light::default().with_azimuth(0.0).with_elevation(rise.atan()).with_ambient(0.0);
        let mut defect = plane(0.0, 0.0, 1.0, true);
        defect.height = Array2::from_shape_fn((SIDE / 2, SIDE / 2), |(_, x)| if x >= 20 { 3.0 } else { 0.0 });
        let material = plain().with_cavity(1.0);
        let found = ratio(&rendered(material, light, &photo, defect), &photo);
        assert!((found - exact).abs() < 2e-3, "{found} for {exact} at rise {rise}");
    }
}

#[test]
fn a_given_defect_stays_inside_the_domain() {
    let mask = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| y + x < SIDE);
    let domain = Domain::from_mask(mask.clone()).unwrap();
    let look = Rendered::new(FractureLine::default(), ideal(plain(), Light::default())).unwrap();
    let sample = look.render(gray(0.5).view(), &domain, plane(0.4, 0.0, 1.0, true), 0.5, KEY).unwrap();
    let (marked, changed) = (sample.full_mask(SIDE, SIDE).unwrap(), sample.full_changed(SIDE, SIDE).unwrap());
    // What the defect covers of the domain is a right triangle of legs of 32 px: its middle lies 9.4 px from the sides,
    // so its outline is drawn with discs of 0.15 * 9.4 = 1.4 px, rounded up by a pixel of the raster. They reach to
    // within 2.4 px * 1 / sin(22.5 degrees) - 2.4 px of the sharper corners; everywhere else every pixel is changed.
    let corners = [(16.0, 16.0), (16.0, 47.0), (47.0, 16.0f64)];
    let reach = 2.4 / 22.5f64.to_radians().sin() - 2.4 + 1.0;
    let mut cut = 0;
    for ((y, x), &m) in changed.indexed_iter() {
        let inside = (SIDE / 4..3 * SIDE / 4).contains(&y) && (SIDE / 4..3 * SIDE / 4).contains(&x) && mask[[y, x]];
        let at_corner = corners.iter().any(|&(v, u)| (y as f64 - v).hypot(x as f64 - u) <= reach);
        assert!(m == inside || (inside && at_corner), "{y} {x}: {m}");
        assert!(!marked[[y, x]] || mask[[y, x]], "{y} {x} is marked outside the domain");
        cut += usize::from(inside && !m);
    }
    // Area outside a disc of 2.4 px in the corners: r^2 (cot(a / 2) - (pi - a) / 2), twice for 45 and once for 90
    // degrees.
    assert!(cut as f64 <= 2.4 * 2.4 * (2.0 * 1.236 + 0.215), "{cut} px cut off");
}

/// A flat defect with nothing but a tint, on a matte metal.
fn tinted(photo: &Array3<f32>, weight: f32, color: [f32; 3]) -> Sample {
    let light = Light::default().with_azimuth(0.0).with_elevation(0.8).with_ambient(0.2);
    let mut defect = plane(0.0, 0.0, 1.0, false);
    defect.height.fill(0.0);
    defect.tint = Some(Tint { weight: Array2::from_elem((SIDE / 2, SIDE / 2), weight), color });
    rendered(plain().with_specular(0.0).with_corrodes(true), light, photo, defect)
}

#[test]
fn a_tint_is_its_reflectance_under_the_photos_illumination() {
    // A Lambert surface of albedo rho under E shows rho E: full weight replaces rho by the product's color. The
    // illumination is white, so E is the mean of the channels over the albedo.
    let own = [0.62, 0.6, 0.57f32];
    let photo = Array3::from_shape_fn((SIDE, SIDE, 3), |(_, _, k)| own[k]);
    let illumination = own.map(to_linear).iter().sum::<f32>() / 3.0 / plain().albedo() as f32;
    let color = [0.24, 0.085, 0.03];
    for weight in [0.5f32, 1.0] {
        let sample = tinted(&photo, weight, color);
        for (k, rho) in color.iter().enumerate() {
            let exact = to_encoded(to_linear(own[k]) + weight * (illumination * rho - to_linear(own[k])));
            let found = sample.patch[[16, 16, k]];
            assert!((found - exact).abs() < 1e-3, "channel {k}: {found} for {exact}");
        }
    }
}

#[test]
fn a_tint_has_no_color_on_a_photo_without_color() {
    // A gray photo stored in three channels, and one of a single channel: the mean of the tint's reflectances.
    let color = [0.24, 0.09, 0.03];
    let exact = to_encoded(to_linear(0.6) / plain().albedo() as f32 * 0.12);
    for channels in [1, 3] {
        let photo = Array3::from_elem((SIDE, SIDE, channels), 0.6);
        let sample = tinted(&photo, 1.0, color);
        for k in 0..channels {
            let found = sample.patch[[16, 16, k]];
            assert!((found - exact).abs() < 1e-3, "{channels} channels, {k}: {found} for {exact}");
        }
    }
}

#[test]
fn the_light_comes_from_the_brighter_side() {
    let domain = Domain::full(80, 120).unwrap();
    for azimuth in [0.0, 0.8, 2.4, -1.9f64] {
        let photo = Array3::from_shape_fn((80, 120, 3), |(y, x, _)| {
            (0.5 + 0.002 * ((x as f64 - 60.0) * azimuth.cos() + (y as f64 - 40.0) * azimuth.sin())) as f32
        });
        let light = Light::estimate(photo.view(), &domain);
        assert!((light.azimuth() - azimuth).abs() < 1e-3, "{} for {azimuth}", light.azimuth());
        // A plane explains all of the variance: the lowest elevation.
        assert!((light.elevation() - 30f64.to_radians()).abs() < 1e-3, "{}", light.elevation());
        light.check().unwrap();
    }
    // Half of the variance is noise: half way between 30 and 50 degrees.
    let slope = 0.1 / 40.0;
    let noise = Normal::new(0.0, slope * 80.0 / 12f64.sqrt()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let photo = Array3::from_shape_fn((80, 80, 1), |(y, _, _)| {
        (0.5 + slope * (y as f64 - 40.0) + noise.sample(&mut rng)) as f32
    });
    let light = Light::estimate(photo.view(), &Domain::full(80, 80).unwrap());
    assert!((light.elevation().to_degrees() - 40.0).abs() < 1.5, "{}", light.elevation().to_degrees());
    assert!((light.azimuth() - 0.5 * PI).abs() < 0.15, "{}", light.azimuth());
    // A flat photo says nothing.
    assert_eq!(Light::estimate(gray(0.5).view(), &Domain::full(SIDE, SIDE).unwrap()), Light::default());
}

#[test]
fn contrast_to_noise_is_the_change_over_the_surrounds_deviation() {
    let (side, light) = (200, Light::default().with_azimuth(0.0).with_elevation(0.8).with_ambient(0.2));
    let exact = shading(&plain(), &light, 0.4, 0.0) as f32;
    for sigma in [0.01, 0.03] {
        let noise = Normal::new(0.0, sigma).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let photo = Array3::from_shape_fn((side, side, 1), |_| (0.5 + noise.sample(&mut rng)) as f32);
        let mut defect = plane(0.4, 0.0, 1.0, true);
        // A hole in the support: it is marked, as a person would, but it is not changed.
        for y in 8..24 {
            for x in 8..24 {
                defect.opacity[[y, x]] = 0.0;
            }
        }
        let sample = rendered(plain(), light, &photo, defect);
        let change = f64::from((to_encoded(to_linear(0.5) * exact) - 0.5).abs());
        let cnr = sample.record.contrast_to_noise;
        assert!((cnr / (change / sigma) - 1.0).abs() < 0.08, "{cnr} for {}", change / sigma);
        // A disc of 2 px, one hundredth of the side, leaves (1 - pi/4) 2^2 px of each corner.
        let changed = sample.changed.iter().filter(|&&m| m).count();
        assert!((0..=4).contains(&(32 * 32 - 16 * 16 - changed as i64)), "{changed} px changed");
        let marked = sample.mask.iter().filter(|&&m| m).count();
        assert!(marked >= changed + 16 * 16, "the hole is marked: {marked} px");
        assert_eq!(sample.record.area_fraction, marked as f64 / (side * side) as f64);
    }
}

#[test]
fn instances_say_which_defect_a_pixel_belongs_to() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let photo = Array3::from_shape_fn((96, 96, 3), |_| rng.random_range(0.46..0.54f32));
    let domain = Domain::full(96, 96).unwrap();
    let pits = Rendered::new(PittingLoss::default(), Appearance::new(Material::METAL)).unwrap();
    let (blend, scar) = (PerlinBlend::default(), CutPasteScar::default());
    let all: [&dyn Synthesizer; 4] = [&pits, &scar, &blend, &scar];
    let mut composites = 0;
    for index in 0..10 {
        let done = match compose(photo.view(), &domain, &all, SampleKey { seed: 4, index }) {
            Ok(done) => done,
            // One of the four found no place where it is as visible as asked for.
            Err(Error::VisibilityOutOfReach { .. } | Error::Invisible { .. }) => continue,
            Err(other) => panic!("#{index}: {other}"),
        };
        composites += 1;
        // One after the other by hand, each with the key of its record; the later one owns a pixel.
        let (mut image, mut owner) = (photo.clone(), Array2::<u16>::zeros((96, 96)));
        for (k, (synth, record)) in all.iter().zip(&done.records).enumerate() {
            assert_eq!((record.model.as_str(), record.key.index), (synth.name(), index));
            let sample = synth.synthesize(image.view(), &domain, record.key).unwrap();
            let mask = sample.full_mask(96, 96).unwrap();
            owner.zip_mut_with(&mask, |o, &m| *o = if m { k as u16 + 1 } else { *o });
            image = sample.paste(image.view()).unwrap();
        }
        for ((y, x), &id) in done.instances.indexed_iter() {
            let back = (0..3).all(|k| (image[[y, x, k]] - photo[[y, x, k]]).abs() < 1.0 / 255.0);
            assert!(id == owner[[y, x]] || (id == 0 && back), "#{index} {y},{x}: {id} for {}", owner[[y, x]]);
        }
        // Only what later defects cover has no pixels.
        let has = |id| done.instances.iter().any(|&i| i == id);
        assert!(
            (1..=4).all(|id| has(id) || owner.iter().all(|&o| o != id)) && has(4),
            "#{index}: a defect without pixels"
        );
    }
    assert!(composites >= 8, "{composites} of 10 composites");
}
