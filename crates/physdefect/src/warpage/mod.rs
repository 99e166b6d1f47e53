//! PW, plastic warpage: what a plate keeps of a bend after the load is gone.
//!
//! The paper names the mechanism and publishes nothing on it; all of this is this project's own formulation from plate
//! theory and plasticity.

mod calibrate;
mod load;
mod params;
mod plastic;
mod plate;

use imgkit::Rect;
use imgkit::simd::widely;
use std::f64::consts::{PI, TAU};

use ndarray::{Array2, Array3};
use rand::{Rng, RngCore};

pub use load::Load;
pub use params::WarpageParams;
pub use plastic::{Residual, Tolerance, section_moment};
pub use plate::Plate;

use crate::params::{built_from, severity as check_severity};
use crate::{Defect, Domain, Error, Measures, Mechanism, MechanismKind};
use load::Footprint;
use plate::matmul;

const MODEL: &str = "plastic-warpage";
/// Interior nodes a side of the plate's grid.
const NODES: usize = 32;
/// Smallest domain on which a plate means anything.
const LEAST_AREA: usize = 64;
/// Fewest visible pixels of a defect.
const LEAST_VISIBLE: usize = 16;
/// Where the support starts and where it is full, of the larger of slope over steepest slope and half of deflection
/// over peak: what shading and shift can show. The wide, flat uplift around a dent stays out.
const SUPPORT: (f64, f64) = (0.08, 0.2);
/// Width over which the support fades towards the plate's edge, over its side: that edge is a cut through the part, not
/// something to be seen.
const FADE: f64 = 0.15;

/// Elastic-plastic bending of a thin plate and its permanent shape after unloading.
///
/// A square piece of plate around the place of loading, on an elastic foundation, is loaded to a multiple of its
/// first-yield load, yields, and is unloaded ([`Plate::load_and_unload`]); the residual deflection is the relief.
///
/// **Severity** sets both the size (width of the visible bend) and the load over the yield load, linearly between their
/// two ends; `peak_residual_px`, the size measure, grows with both.
///
/// Lengths are fractions of the domain's scale (square root of its area). With D = E h^3 / (12 (1 - nu^2)) and
/// first-yield moment sigma_y h^2 / 6, the deflection in px is the unit plate's times 2 (1 - nu^2) (sigma_y / E) B^2 /
/// h, B being the plate's side and h its thickness.
///
/// The picture shifts by w (v_x, v_y) / v_z for the view direction v.
///
/// Measures: `peak_residual_px` (largest residual deflection of the plate, at the grid's nodes), `peak_loaded_px`,
/// `plastic_strain` (largest, at the plate's surface), `yielded_fraction`, `load_ratio`, `size_px`, `thickness_px`,
/// `area_px2` (support above one half), `max_slope`, `max_shift_px`, `iterations`.
///
/// ```
/// use physdefect::warpage::{Load, PlasticWarpage, WarpageParams};
/// use physdefect::{Domain, Mechanism, SampleKey};
///
/// let domain = Domain::full(256, 256)?;
/// let model = PlasticWarpage::new(WarpageParams::default().with_loads(vec![Load::Line]))?;
/// let defect = model.generate(&domain, 0.5, &mut SampleKey { seed: 1, index: 0 }.rng())?;
/// assert!(defect.measures["peak_residual_px"] > 0.0);
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "WarpageParams", into = "WarpageParams"))]
pub struct PlasticWarpage {
    params: WarpageParams,
}

built_from!(PlasticWarpage, WarpageParams, mechanism MODEL);

/// Side of the plate over the defect's size: its supported edges are far enough not to be seen.
const SIDE: f64 = 1.6;

impl Mechanism for PlasticWarpage {
    fn name(&self) -> &'static str {
        MODEL
    }

    fn kind(&self) -> MechanismKind {
        MechanismKind::PlasticWarpage
    }

    fn size_measure(&self) -> &'static str {
        "peak_residual_px"
    }

    fn generate(&self, domain: &Domain, severity: f64, rng: &mut dyn RngCore) -> Result<Defect, Error> {
        check_severity(MODEL, severity)?;
        if domain.area() < LEAST_AREA {
            return Err(Error::DomainTooSmall { model: MODEL, found: domain.area(), needed: LEAST_AREA });
        }
        let scale = domain.scale();
        let load = self.params.loads[rng.random_range(0..self.params.loads.len())];
        let footprint = Footprint::draw(load, self.params.irregularity, rng);
        let azimuth: f64 = rng.random_range(0.0..TAU);
        let center = roomiest(domain, 0.5 * self.params.size.1 * scale, rng);
        let tilt = (20.0 * PI / 180.0).tan();
        let [vx, vy, vz] = self.params.view.unwrap_or([tilt * azimuth.cos(), tilt * azimuth.sin(), 1.0]);

        let mix = |(a, b): (f64, f64)| a + severity * (b - a);
        let (width, ratio) = (mix(self.params.size) * scale, mix(self.params.load_ratio));
        let side = width * SIDE;
        let bent = self.bend(&footprint, ratio)?;
        let thickness = self.params.thickness * scale;
        let unit = 2.0 * (1.0 - self.params.poisson * self.params.poisson) * self.params.yield_strain * side * side
            / thickness;
        let sign = if self.params.outward { unit } else { -unit };

        let plate = &bent.plate;
        let grid = |c: usize| (c as f64 + 0.5 - 0.5 * side, c as f64 + 0.5 + 0.5 * side);
        let b = domain.bbox();
        let within = |c: usize, lo: usize, hi: usize| {
            let (a, z) = grid(c);
            ((a.floor().max(lo as f64)) as usize, (z.ceil().min(hi as f64)) as usize)
        };
        let ((y0, y1), (x0, x1)) = (within(center.0, b.top, b.bottom), within(center.1, b.left, b.right));
        let reach = Rect { top: y0, left: x0, bottom: y1, right: x1 };
        let (coefficients, kept) = plate.smoothed(&bent.residual.residual);
        let origin = (grid(center.0).0, grid(center.1).0);
        let frame = Frame { reach, origin, side };
        let field = series(&coefficients, frame);

        let peak = kept.iter().fold(0.0f64, |a, w| a.max(w.abs()));
        let shift = [(vy / vz) as f32, (vx / vz) as f32];
        let mut defect = surface(domain, &field, frame, (sign, peak), shift)?;
        let peak_loaded = bent.residual.loaded.iter().fold(0.0f64, |a, w| a.max(w.abs()));
        let m = &mut defect.measures;
        m.insert("peak_residual_px".into(), peak * unit);
        m.insert("peak_loaded_px".into(), peak_loaded * unit);
        m.insert(
            "plastic_strain".into(),
            self.params.yield_strain * (bent.residual.peak_curvature_ratio - 1.0).max(0.0),
        );
        m.insert("yielded_fraction".into(), bent.residual.yielded_fraction);
        m.insert("load_ratio".into(), ratio);
        m.insert("size_px".into(), width);
        m.insert("thickness_px".into(), thickness);
        m.insert("iterations".into(), bent.residual.iterations as f64);
        Ok(defect)
    }
}

/// The unit plate (side 1, D = 1, first-yield moment 1) after its load cycle.
struct Bent {
    plate: Plate,
    residual: Residual,
}

impl PlasticWarpage {
    fn bend(&self, footprint: &Footprint, ratio: f64) -> Result<Bent, Error> {
        let fill = footprint.fill();
        let foundation = (self.params.foundation_length * footprint.transverse()).powi(-4);
        let plate = Plate::new(NODES, NODES, 1.0, 1.0, 1.0, self.params.poisson, foundation)?;
        let mut field = footprint.field(NODES, fill);
        let none = Vec::new();
        let hot = footprint.load() == Load::HotSpot;
        let first_yield = if hot {
            plate.load_and_unload(&none, &field, f64::INFINITY, Tolerance { change: 0.0, iterations: 1 })
        } else {
            plate.load_and_unload(&field, &none, f64::INFINITY, Tolerance { change: 0.0, iterations: 1 })
        };
        let peak = plate.peak_equivalent_moment(&first_yield.loaded, if hot { &field } else { &none });
        let factor = if peak > 0.0 { ratio / peak } else { 0.0 };
        field.iter_mut().for_each(|f| *f *= factor);
        let residual = if hot {
            plate.load_and_unload(&none, &field, 1.0, Tolerance::default())
        } else {
            plate.load_and_unload(&field, &none, 1.0, Tolerance::default())
        };
        Ok(Bent { plate, residual })
    }
}

/// The one of eight random places with most of a disc of `radius` px inside the domain; the first that holds nine
/// tenths.
fn roomiest(domain: &Domain, radius: f64, rng: &mut dyn RngCore) -> (usize, usize) {
    let places: [(usize, usize); 8] = std::array::from_fn(|_| domain.pick(rng));
    let mut best = (0, places[0]);
    for place in places {
        let mut inside = 0;
        for ring in [0.4, 0.7, 1.0] {
            for k in 0..12 {
                let (sin, cos) = (TAU * f64::from(k) / 12.0).sin_cos();
                let (dy, dx) = (ring * radius * sin, ring * radius * cos);
                inside += usize::from(domain.contains(place.0 as f64 + dy, place.1 as f64 + dx));
            }
        }
        if inside > best.0 {
            best = (inside, place);
        }
        if inside * 10 >= 36 * 9 {
            break;
        }
    }
    best.1
}

/// Where the plate lies: pixels in sight, its first corner (row, column) and its side, px.
#[derive(Clone, Copy)]
struct Frame {
    reach: Rect,
    origin: (f64, f64),
    side: f64,
}

impl Frame {
    /// Plate coordinate in (0, 1) of a pixel's center.
    fn at(&self, pixel: usize, origin: f64) -> f64 {
        (pixel as f64 + 0.5 - origin) / self.side
    }
}

/// Evaluates the sine series of a unit plate at the pixels of `reach`: exact interpolation of the nodes, and smooth.
fn series(coefficients: &[f64], frame: Frame) -> Vec<f64> {
    let Frame { reach, origin, .. } = frame;
    let n = NODES;
    let (h, w) = (reach.height(), reach.width());
    // sin(k a) for k = 1..n by the three-term recurrence; zero outside the plate.
    let sines = |p: f64, out: &mut dyn FnMut(usize, f64)| {
        if p <= 0.0 || p >= 1.0 {
            return;
        }
        let (s1, c1) = (PI * p).sin_cos();
        let (mut before, mut now) = (0.0, s1);
        for k in 0..n {
            out(k, now);
            (before, now) = (now, 2.0 * c1 * now - before);
        }
    };
    let mut sy = vec![0.0; h * n];
    for y in 0..h {
        sines(frame.at(reach.top + y, origin.0), &mut |k, v| sy[y * n + k] = v);
    }
    let mut sx = vec![0.0; n * w];
    for x in 0..w {
        sines(frame.at(reach.left + x, origin.1), &mut |k, v| sx[k * w + x] = v);
    }
    let mut half = vec![0.0; n * w];
    let mut field = vec![0.0; h * w];
    widely(
        #[inline(always)]
        || {
            matmul(coefficients, &sx, &mut half, n, n, w);
            matmul(&sy, &half, &mut field, h, n, w);
        },
    );
    field
}

fn smooth(t: f64) -> f64 {
    t * t * (3.0 - 2.0 * t)
}

/// Relief, shift and support of the domain's pixels, in their tight box.
fn surface(
    domain: &Domain,
    field: &[f64],
    frame: Frame,
    (unit, peak): (f64, f64),
    shift: [f32; 2],
) -> Result<Defect, Error> {
    let reach = frame.reach;
    let (h, w) = (reach.height(), reach.width());
    let mask = domain.mask();
    // Slope by central differences, one-sided at the border of the box.
    let mut slope = vec![0.0f64; field.len()];
    let mut steepest = 0.0f64;
    for y in 0..h {
        let (up, down) = (y.saturating_sub(1), (y + 1).min(h - 1));
        for x in 0..w {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(w - 1));
            let dy = (field[down * w + x] - field[up * w + x]) / (down - up).max(1) as f64;
            let dx = (field[y * w + right] - field[y * w + left]) / (right - left).max(1) as f64;
            let s = (dy * dy + dx * dx).sqrt();
            slope[y * w + x] = s;
            steepest = steepest.max(s);
        }
    }
    let (per_peak, per_slope) = (0.5 / peak.max(f64::MIN_POSITIVE), 1.0 / steepest.max(f64::MIN_POSITIVE));
    let mut tight = Rect { top: reach.bottom, left: reach.right, bottom: reach.top, right: reach.left };
    let mut visible = 0;
    let mut support = slope;
    for y in 0..h {
        for x in 0..w {
            let i = y * w + x;
            let seen = (support[i] * per_slope).max(field[i].abs() * per_peak);
            let s = ((seen - SUPPORT.0) / (SUPPORT.1 - SUPPORT.0)).clamp(0.0, 1.0);
            let (py, px) = (y + reach.top, x + reach.left);
            let (v, u) = (frame.at(py, frame.origin.0), frame.at(px, frame.origin.1));
            let edge = (v.min(1.0 - v).min(u).min(1.0 - u) / FADE).clamp(0.0, 1.0);
            support[i] = if mask[[py, px]] { smooth(s) * smooth(edge) } else { 0.0 };
            if support[i] > 0.0 {
                tight.top = tight.top.min(py);
                tight.left = tight.left.min(px);
                tight.bottom = tight.bottom.max(py + 1);
                tight.right = tight.right.max(px + 1);
                visible += 1;
            }
        }
    }
    if visible < LEAST_VISIBLE {
        return Err(Error::DomainTooSmall { model: MODEL, found: visible, needed: LEAST_VISIBLE });
    }
    let dim = (tight.height(), tight.width());
    let at = |y: usize, x: usize| (y + tight.top - reach.top) * w + x + tight.left - reach.left;
    let height = Array2::from_shape_fn(dim, |(y, x)| (unit * field[at(y, x)]) as f32);
    let opacity = Array2::from_shape_fn(dim, |(y, x)| support[at(y, x)] as f32);
    let displacement = Array3::from_shape_fn((dim.0, dim.1, 2), |(y, x, c)| height[[y, x]] * shift[c]);
    let lift = height.iter().zip(&opacity).filter(|(_, o)| **o > 0.0).fold(0.0f32, |a, (z, _)| a.max(z.abs()));
    let mut measures = Measures::new();
    measures.insert("area_px2".into(), opacity.iter().filter(|&&o| o > 0.5).count() as f64);
    measures.insert("max_slope".into(), unit.abs() * steepest);
    measures.insert("max_shift_px".into(), f64::from(lift * shift[0].hypot(shift[1])));
    Ok(Defect { displacement: Some(displacement), ..Defect::new(tight, height, opacity, measures) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SampleKey;

    #[test]
    fn measures_are_those_of_the_plate_in_units() {
        // The same footprint on a plate of real side, thickness and modulus: D = E h^3 / (12 (1 - nu^2)), first yield
        // at sigma_y h^2 / 6.
        let (domain, key) = (Domain::full(256, 256).unwrap(), SampleKey { seed: 2, index: 0 });
        let (strain, nu, ratio, size) = (0.004, 0.25, 4.0, 0.3);
        for load in [Load::Indenter, Load::Line] {
            let params = WarpageParams::default().with_loads(vec![load]).with_size((size, size));
            let params = params.with_load_ratio((ratio, ratio)).with_yield_strain(strain).with_poisson(nu);
            let model = PlasticWarpage::new(params).unwrap();
            let m = model.generate(&domain, 0.5, &mut key.rng()).unwrap().measures;
            let mut rng = key.rng();
            rng.random_range(0..1usize); // the draw of the load
            let footprint = Footprint::draw(load, 0.25, &mut rng);
            let (modulus, h, side) = (210e3, 0.007 * 256f64, size * 256.0 * SIDE);
            let rigidity = modulus * h.powi(3) / (12.0 * (1.0 - nu * nu));
            let length = 0.37 * footprint.transverse() * side;
            let plate = Plate::new(NODES, NODES, side, side, rigidity, nu, rigidity / length.powi(4)).unwrap();
            let q = footprint.field(NODES, footprint.fill());
            let yield_moment = modulus * strain * h * h / 6.0;
            let scale = ratio * yield_moment / plate.peak_equivalent_moment(&plate.deflection(&q), &[]);
            let q: Vec<f64> = q.iter().map(|v| v * scale).collect();
            let cycle = plate.load_and_unload(&q, &[], yield_moment, Tolerance::default());
            let peak = |w: &[f64]| w.iter().fold(0.0f64, |a, v| a.max(v.abs()));
            let exact = [peak(&cycle.loaded), peak(&plate.smoothed(&cycle.residual).1)];
            for (name, exact) in ["peak_loaded_px", "peak_residual_px"].into_iter().zip(exact) {
                assert!((m[name] / exact - 1.0).abs() < 1e-6, "{load:?} {name}: {} for {exact}", m[name]);
            }
            // Surface strain is curvature times half the thickness: (k/k_y - 1) yield strains are plastic.
            let plastic = strain * (cycle.peak_curvature_ratio - 1.0);
            assert!((m["plastic_strain"] / plastic - 1.0).abs() < 1e-6, "{} for {plastic}", m["plastic_strain"]);
        }
    }
}
