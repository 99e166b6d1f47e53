//! Sets of drawn photos with known foregrounds: objects of several shapes on backgrounds as they are met on benches.
// Each test file uses a part of this module.
#![allow(dead_code, unreachable_pub)]

use ndarray::{Array2, Array3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Photos `(H, W, 3)` of a set and the pixels of their objects.
pub struct Scene {
    pub photos: Vec<Array3<f32>>,
    pub masks: Vec<Array2<bool>>,
}

/// What a set looks like.
#[derive(Debug, Clone)]
pub struct Look {
    pub size: (usize, usize),
    pub objects: std::ops::RangeInclusive<usize>,
    /// Color of the ground, upper and lower tone (equal for one tone).
    pub ground: [[f32; 3]; 2],
    /// Standard deviation of the ground's pixel noise, and of the object's.
    pub grain: [f32; 2],
    pub object: [f32; 3],
    /// Light falls by this factor over the frame.
    pub gradient: f32,
    /// Light that is left in the middle of a shadow, 1 for none.
    pub shadow: f32,
    /// Where objects lie.
    pub place: Place,
    pub shapes: &'static [Shape],
    /// Typical radius, as a share of the shorter side.
    pub radius: f64,
    /// Stripes on the objects.
    pub ribs: f32,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            size: (192, 240),
            objects: 1..=1,
            ground: [[0.6, 0.6, 0.6]; 2],
            grain: [0.012, 0.012],
            object: [0.3, 0.28, 0.33],
            gradient: 1.0,
            shadow: 1.0,
            place: Place::Anywhere,
            shapes: &[Shape::Disc, Shape::Ring, Shape::Bar, Shape::Star],
            radius: 0.16,
            ribs: 0.0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    Anywhere,
    /// In contact with a corner.
    Corner,
    /// Cut by one side of the frame.
    Side,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    Disc,
    /// A disc with a hole of 0.45 radii.
    Ring,
    /// A long rod with a head, as a screw.
    Bar,
    /// A five-lobed outline.
    Star,
}

struct Object {
    at: (f64, f64),
    radius: f64,
    turn: f64,
    shape: Shape,
}

impl Object {
    fn contains(&self, y: f64, x: f64) -> bool {
        let (dy, dx) = (y - self.at.0, x - self.at.1);
        let (u, v) = (dx * self.turn.cos() + dy * self.turn.sin(), dy * self.turn.cos() - dx * self.turn.sin());
        let (r, d) = (self.radius, dy.hypot(dx));
        match self.shape {
            Shape::Disc => d < r,
            Shape::Ring => (0.45 * r..r).contains(&d),
            Shape::Bar => {
                (u.abs() < 1.4 * r && v.abs() < 0.3 * r) || ((u - 1.2 * r).abs() < 0.25 * r && v.abs() < 0.6 * r)
            }
            Shape::Star => d < r * (0.8 + 0.2 * (5.0 * dy.atan2(dx)).cos()),
        }
    }
}

/// Draws `count` photos of a look.
pub fn scene(look: &Look, count: usize, seed: u64) -> Scene {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut photos, mut masks) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (photo, mask) = draw(look, &mut rng);
        photos.push(photo);
        masks.push(mask);
    }
    Scene { photos, masks }
}

fn draw(look: &Look, rng: &mut ChaCha8Rng) -> (Array3<f32>, Array2<bool>) {
    let (h, w) = look.size;
    let (fh, fw) = (h as f64, w as f64);
    let wanted = rng.random_range(look.objects.clone());
    let mut objects: Vec<Object> = Vec::new();
    for _ in 0..400 {
        if objects.len() == wanted {
            break;
        }
        let radius = look.radius * fh.min(fw) * rng.random_range(0.8..1.2);
        let reach = (1.5 * radius).min(0.49 * fh.min(fw));
        let shape = look.shapes[rng.random_range(0..look.shapes.len())];
        let at = match look.place {
            Place::Anywhere => (rng.random_range(reach..fh - reach), rng.random_range(reach..fw - reach)),
            Place::Corner => (
                if rng.random() { 0.6 * radius } else { fh - 0.6 * radius },
                if rng.random() { 0.6 * radius } else { fw - 0.6 * radius },
            ),
            Place::Side => (fh - 0.3 * radius, rng.random_range(reach..fw - reach)),
        };
        if objects.iter().all(|o| (o.at.0 - at.0).hypot(o.at.1 - at.1) > 1.5 * (o.radius + radius)) {
            objects.push(Object { at, radius, turn: rng.random_range(0.0..3.1), shape });
        }
    }
    let exposure = rng.random_range(0.95..1.05f32);
    let edge = fh * 0.55;
    let covered = |y: f64, x: f64| objects.iter().any(|o| o.contains(y, x));
    // The middle of a pixel decides the truth; colors are averaged over 2 x 2 points of it, as by a lens.
    let mask = Array2::from_shape_fn((h, w), |(y, x)| covered(y as f64 + 0.5, x as f64 + 0.5));
    let shade = shadow(look, &objects, (h, w));
    let photo = Array3::from_shape_fn((h, w, 3), |(y, x, k)| {
        let share = [(0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)]
            .iter()
            .filter(|(a, b)| covered(y as f64 + a, x as f64 + b))
            .count() as f32
            / 4.0;
        let light = exposure * look.gradient.powf(-((x + y) as f32) / (h + w) as f32);
        let ground = look.ground[usize::from(y as f64 > edge)][k] * shade[[y, x]];
        let ground = ground + look.grain[0] * gauss(rng);
        let ribs = 1.0 + look.ribs * ((y as f32) * 0.6).sin();
        let object = look.object[k] * ribs + look.grain[1] * gauss(rng);
        (light * (share * object + (1.0 - share) * ground)).clamp(0.0, 1.0)
    });
    (photo, mask)
}

/// Light left on the ground: an offset copy of the objects with a penumbra.
fn shadow(look: &Look, objects: &[Object], (h, w): (usize, usize)) -> Array2<f32> {
    if look.shadow >= 1.0 {
        return Array2::ones((h, w));
    }
    let reach = 9i32;
    let hard = Array2::from_shape_fn((h, w), |(y, x)| {
        objects.iter().any(|o| o.contains(y as f64 - 0.3 * o.radius, x as f64 - 0.35 * o.radius))
    });
    Array2::from_shape_fn((h, w), |(y, x)| {
        let (mut n, mut dark) = (0.0, 0.0);
        for dy in (-reach..=reach).step_by(3) {
            for dx in (-reach..=reach).step_by(3) {
                let (yy, xx) = (y as i32 + dy, x as i32 + dx);
                if (0..h as i32).contains(&yy) && (0..w as i32).contains(&xx) {
                    n += 1.0;
                    dark += f32::from(u8::from(hard[[yy as usize, xx as usize]]));
                }
            }
        }
        1.0 - (1.0 - look.shadow) * dark / n
    })
}

/// A normal deviate.
pub fn gauss(rng: &mut ChaCha8Rng) -> f32 {
    let (a, b): (f32, f32) = (rng.random_range(1e-6..1.0), rng.random_range(0.0..1.0));
    (-2.0 * a.ln()).sqrt() * (std::f32::consts::TAU * b).cos()
}
