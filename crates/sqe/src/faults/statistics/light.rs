//! Shading of a defect by direction from the light.

use std::f64::consts::TAU;

use super::bands::{Bands, INSIDE, Planes, RING};
use super::place::Whole;
use super::tame;

/// Directions that the mask, and that its outline, are divided into.
const SECTORS: usize = 8;
const SIDES: usize = 4;
/// Bands along the outline that have sides.
const OUTLINE: std::ops::Range<usize> = 1..5;

/// Coordinates along and across the light.
struct Turned {
    azimuth: f64,
    sin: f64,
    cos: f64,
}

impl Turned {
    fn new(azimuth: f64) -> Self {
        let (sin, cos) = azimuth.sin_cos();
        Self { azimuth, sin, cos }
    }
    fn of(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (x * self.cos + y * self.sin, y * self.cos - x * self.sin)
    }
    /// Which of `parts` directions, the first towards the light.
    fn part(&self, (x, y): (f64, f64), parts: usize) -> usize {
        let share = (y.atan2(x) - self.azimuth).rem_euclid(TAU) / TAU;
        (share * parts as f64 + 0.5) as usize % parts
    }
}

/// A mean that is built up.
#[derive(Default, Clone, Copy)]
struct Mean(f64, f64);

impl Mean {
    fn add(&mut self, value: f64) {
        self.0 += value;
        self.1 += 1.0;
    }
}

/// Appends the statistics of shading.
pub(super) fn measure(planes: &Planes, bands: &Bands, whole: &Whole, out: &mut Vec<f32>) {
    let light = Turned::new(whole.light.0);
    let ring = &bands.sums[RING];
    let (mean, deviation) = (bands.inside(|s| s.luma), ring.deviation());
    let [fine, soft, _] = &planes.smooth;
    let inside = |band: u8| INSIDE.contains(&usize::from(band));
    let pixels = || bands.band.indexed_iter().map(|((y, x), &band)| (y, x, band));

    let (mut cy, mut cx, mut count) = (0.0, 0.0, 0.0);
    for (y, x, _) in pixels().filter(|(.., band)| inside(*band)) {
        (cy, cx, count) = (cy + y as f64, cx + x as f64, count + 1.0);
    }
    (cy, cx) = (cy / f64::max(count, 1.0), cx / f64::max(count, 1.0));

    // first moments of brightness, of the picture and smoothed, and second ones of the mask
    let mut moments = [[0.0f64; 3]; 2];
    let (mut along2, mut across2, mut both) = (1e-9, 1e-9, 0.0);
    let mut slopes = [0.0f64; 4];
    let mut sectors = [Mean::default(); 2 * SECTORS];
    let extent = |along2: f64, across2: f64| ((along2 + across2) / f64::max(count, 1.0)).sqrt().max(1.0);
    for (y, x, _) in pixels().filter(|(.., band)| inside(*band)) {
        let (a, p) = light.of((x as f64 - cx, y as f64 - cy));
        (along2, across2, both) = (along2 + a * a, across2 + p * p, both + a * p);
        for (moments, plane) in moments.iter_mut().zip([&planes.luma, soft]) {
            let v = (plane.value(y, x) - mean) / deviation;
            (moments[0], moments[1], moments[2]) = (moments[0] + v * a, moments[1] + v * p, moments[2] + v * v);
        }
        let slope = light.of(fine.gradient(y, x)).0;
        let terms = [slope, slope.abs(), slope.powi(3), slope.abs().powi(3)];
        slopes.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
    }
    let extent = extent(along2, across2);
    for [along, across, square] in moments {
        let share = |moment: f64, squares: f64| moment / (squares * square).sqrt().max(1e-9);
        let (a, p) = (share(along, along2), share(across, across2));
        let apart = p.abs() / (a.abs() + p.abs() + 1e-6);
        out.extend([a, p, a.abs(), p.abs(), p * p - a * a, apart].map(|v| v as f32));
    }
    out.push((slopes[0] / (slopes[1] + 1e-9)) as f32);
    out.push((slopes[2] / (slopes[3] + 1e-12)) as f32);
    out.push((along2 / across2).ln() as f32);
    out.push((both / (along2 * across2).sqrt()) as f32);
    out.push(whole.light.1 as f32);

    // squared gradients along and across, inside and at the outline over those of the ring
    for plane in [fine, soft] {
        let mut squares = [[1e-9f64; 3]; 2];
        for (y, x, band) in pixels().filter(|(.., band)| *band < 4 || usize::from(*band) == RING) {
            let (a, p) = light.of(plane.gradient(y, x));
            let sums = &mut squares[usize::from(usize::from(band) == RING)];
            (sums[0], sums[1], sums[2]) = (sums[0] + a * a, sums[1] + p * p, sums[2] + 1.0);
        }
        let [own, ring] = squares.map(|[a, p, n]| [a / f64::max(n, 1.0), p / f64::max(n, 1.0)]);
        let left = |i: usize| f64::max(own[i] - ring[i], 1e-7);
        out.push((left(0) / left(1)).ln().clamp(-4.0, 4.0) as f32);
        out.push(((own[0] / own[1]).ln() - (ring[0] / ring[1]).ln()) as f32);
    }

    // brightness by direction: parts of the mask, and sides of the outline
    let mut sides = [[Mean::default(); SIDES]; OUTLINE.end - OUTLINE.start];
    for (y, x, band) in pixels() {
        let band = usize::from(band);
        if INSIDE.contains(&band) {
            let from = (x as f64 - cx, y as f64 - cy);
            let outer = if from.0.hypot(from.1) > extent { SECTORS } else { 0 };
            sectors[light.part(from, SECTORS) + outer].add((fine.value(y, x) - mean) / deviation);
        }
        if OUTLINE.contains(&band) {
            let inwards = bands.depth.gradient(y, x);
            let side = &mut sides[band - OUTLINE.start][light.part(inwards, SIDES)];
            side.add((fine.value(y, x) - ring.mean()) / deviation);
        }
    }
    // few pixels say little
    out.extend(sectors.map(|Mean(sum, n)| tame(sum / (n + 4.0))));
    for sides in sides {
        let (sum, n) = sides.iter().fold((0.0, 0.0), |(s, n), side| (s + side.0, n + side.1));
        let mean = sum / f64::max(n, 1.0);
        out.extend(sides.map(|Mean(sum, n)| if n > 3.0 { tame(sum / n - mean) } else { 0.0 }));
    }
}
