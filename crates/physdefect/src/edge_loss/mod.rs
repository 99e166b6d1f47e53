//! Edge loss: a chip, notch or broken rim of an object's outline. Not a mechanism of the paper: this project's own.

mod calibrate;
mod cut;
mod params;
mod shown;
mod site;

use imgkit::Rect;
use ndarray::{Array2, Array3};
use rand::{Rng, RngCore};

pub use cut::Cut;
pub use params::EdgeLossParams;

use crate::noise::GaussianField;
use crate::outline::support_box;
use crate::params::{built_from, severity as check_severity};
use crate::{Defect, Domain, Error, Measures, Mechanism, MechanismKind};
use cut::Shape;
use shown::Ground;
use site::Site;

const MODEL: &str = "edge-loss";
/// Smallest domain that a piece can break off.
const LEAST_AREA: usize = 64;
/// Fewest lost pixels.
const LEAST_LOST: usize = 4;
/// Smallest width of a cut, px.
const LEAST_WIDTH: f64 = 8.0;
/// Least distance of the mirror from the outline, px.
const LEAST_CLEARANCE: f64 = 1.5;
/// Opacity where the background is shown: it takes the shift, but next to no shading, which is the object's.
const SHOWN: f32 = 0.004;
/// Width over which the new outline takes over the blur of the old one, px.
const RIM: f64 = 1.5;
/// Grain of a fracture surface, px.
const GRAIN: f64 = 2.2;

/// Piece broken off the object's outline: a chip, a notch or a broken rim, with its fracture surface and the background
/// that shows where the whole thickness is gone.
///
/// Not a mechanism of the paper: this project's own. The outline is the border of the domain inside the photo; where
/// the domain runs into the frame's border there is none, and a domain that fills the frame is refused
/// ([`Error::NoEdge`]). It starts at pixels of the outline alone: where none of them is a site ([`Domain::is_site`]),
/// as with [`Place::Inside`](crate::Place::Inside), it refuses ([`Error::OffPlace`]).
///
/// - Shape ([`Cut`]): a circular segment of width w and depth h, whose area on a straight outline is
///   r^2 acos((r - h)/r) - (r - h) sqrt(2 r h - h^2) with r = (w^2/4 + h^2)/(2 h), or a notch of straight facets; its
///   outline is perturbed by smooth harmonics, star-shaped around the middle of the mouth.
/// - The depth is limited to a share of the object's thickness there, measured along the normal.
/// - Fracture surface: a band along the inside of the cut that drops as 1 - u^2 from the surface (u = 1) to the far
///   edge (u = 0), with ripples around the origin (Wallner lines) on conchoidal cuts and roughness of 2.2 px; fresh
///   material reflects otherwise than the old surface. A piece that did not go through leaves fracture surface only.
/// - Background: a pixel at the depth d inside the old outline shows the photo at d + 2 c beyond it: mirrored across a
///   line at c = `clearance` outside the nearest point of the outline, so that the outline's own blur is not seen again
///   and goes with the piece; the background's texture, noise and shadow are the photo's own. Within 2 c of the new
///   outline it shows what lies as far from the old one, whose blur it takes over.
///
/// **Severity** sets the width geometrically; the cut of a larger severity holds that of a smaller one, so the lost
/// area, the size measure, never falls. Outside the domain only the blur of the lost outline changes, within the
/// clearance: burrs are not drawn.
///
/// Where the background shows, `opacity` is small but above 0: the shift is not blended, and the object's shading has
/// no business there.
///
/// Measures: `area_px2` (lost from the outline), `through_area_px2` (showing background), `width_px`, `depth_px`,
/// `thickness_px` (of the object), `volume_px3` (under the old surface, as far as the relief goes), `fresh_factor`,
/// `cut_index` (place in [`Cut::ALL`]).
///
/// ```
/// use ndarray::Array2;
/// use physdefect::edge_loss::{Cut, EdgeLoss, EdgeLossParams};
/// use physdefect::{Domain, Error, Mechanism, SampleKey};
///
/// let disc = Array2::from_shape_fn((200, 200), |(y, x)| (y as f64 - 100.0).hypot(x as f64 - 100.0) < 70.0);
/// let model = EdgeLoss::new(EdgeLossParams::default().with_cuts(vec![Cut::Conchoidal]))?;
/// let mut rng = SampleKey { seed: 1, index: 0 }.rng();
/// let defect = model.generate(&Domain::from_mask(disc)?, 0.7, &mut rng)?;
/// assert!(defect.measures["area_px2"] > 50.0);
/// let refused = model.generate(&Domain::full(200, 200)?, 0.7, &mut rng);
/// assert!(matches!(refused, Err(Error::NoEdge { .. })));
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "EdgeLossParams", into = "EdgeLossParams"))]
pub struct EdgeLoss {
    params: EdgeLossParams,
}

built_from!(EdgeLoss, EdgeLossParams, mechanism MODEL);

/// A cut at its place and size.
struct Piece {
    site: Site,
    shape: Shape,
    cut: Cut,
    /// Half width, px.
    half: f64,
    /// Width of the fracture surface, px; infinite if the piece did not go through.
    band: f64,
    ragged: GaussianField,
    grain: GaussianField,
}

/// Place of a pixel in a cut.
struct Place {
    /// Distance from the cut's outline, px, positive inside.
    inside: f64,
    /// Width of the fracture surface in this direction, px.
    band: f64,
}

impl Piece {
    fn place(&self, y: f64, x: f64) -> Place {
        let (dy, dx) = (y - self.site.at[0], x - self.site.at[1]);
        let [ny, nx] = self.site.inward;
        let (inward, along) = (dy * ny + dx * nx, dx * ny - dy * nx);
        let angle = along.atan2(inward);
        let edge = self.half * self.shape.radius(angle);
        let band = (self.band * (0.35 * self.ragged.at(0.5, 1.6 * angle)).exp()).min(edge);
        Place { inside: edge - inward.hypot(along), band }
    }

    /// Relief of the fracture surface, px, at most 0.
    fn height(&self, place: &Place, (y, x): (usize, usize), steepness: f64, roughness: f64) -> f64 {
        if place.inside <= 0.0 || place.band <= 0.0 {
            return 0.0;
        }
        let u = (1.0 - place.inside / place.band).max(0.0);
        let drop = steepness * place.band;
        let rough = self.grain.at(y as f64 / GRAIN, x as f64 / GRAIN);
        let ripple = if self.cut == Cut::Conchoidal {
            // Closer towards the lip, where the crack ran slower.
            (std::f64::consts::TAU * (1.0 + place.band / 8.0).min(5.0) * u * u).sin()
        } else {
            0.0
        };
        let texture = roughness * drop.min(4.0) * (0.6 * rough + 0.5 * ripple) * (4.0 * (1.0 - u)).min(1.0);
        (texture - drop * (1.0 - u * u)).min(0.0)
    }
}

impl Mechanism for EdgeLoss {
    fn name(&self) -> &'static str {
        MODEL
    }

    fn kind(&self) -> MechanismKind {
        MechanismKind::EdgeLoss
    }

    fn size_measure(&self) -> &'static str {
        "area_px2"
    }

    fn generate(&self, domain: &Domain, severity: f64, rng: &mut dyn RngCore) -> Result<Defect, Error> {
        check_severity(MODEL, severity)?;
        let small = |found: usize, needed: usize| Error::DomainTooSmall { model: MODEL, found, needed };
        if domain.area() < LEAST_AREA {
            return Err(small(domain.area(), LEAST_AREA));
        }
        let outline = site::outline(domain);
        if outline.is_empty() {
            return Err(Error::NoEdge { model: MODEL });
        }
        let places: Vec<(usize, usize)> = outline.iter().copied().filter(|&(y, x)| domain.is_site(y, x)).collect();
        if places.is_empty() {
            return Err(Error::OffPlace { model: MODEL, place: domain.place() });
        }
        let p = &self.params;
        let scale = domain.scale();
        let between = |(a, b): (f64, f64), t: f64| a + t * (b - a);
        let cut = p.cuts[rng.random_range(0..p.cuts.len())];
        let ratio = between(p.depth, rng.random());
        let shape = Shape::draw(cut, ratio, p.irregularity, rng);
        let band = between(p.band, rng.random());
        let through = rng.random::<f64>() < p.through;
        let change = between(p.fresh, rng.random());
        let fresh = if rng.random::<f64>() < p.brighter { change.exp() } else { (-change).exp() };
        let (ragged, grain) = (GaussianField::new(rng.next_u64()), GaussianField::new(rng.next_u64()));
        let largest = ratio * p.size.1 * scale;
        let Some(site) = site::roomiest(domain, &places, largest, p.thickness, rng) else {
            return Err(small(outline.len(), LEAST_LOST));
        };
        let asked = (p.size.0 * (p.size.1 / p.size.0).powf(severity) * scale).max(LEAST_WIDTH);
        let width = asked.min(p.thickness * site.thickness / ratio);
        let half = 0.5 * width;
        let depth = half * shape.depth();
        let band = if through { band * depth } else { f64::INFINITY };
        let piece = Piece { site, shape, cut, half, band, ragged, grain };

        let mut draft = self.draw(domain, &outline, &piece, fresh as f32);
        let m = &mut draft.measures;
        m.insert("width_px".into(), width);
        m.insert("depth_px".into(), depth);
        m.insert("thickness_px".into(), site.thickness);
        m.insert("fresh_factor".into(), fresh);
        let index = Cut::ALL.iter().position(|&c| c == cut);
        m.insert("cut_index".into(), index.unwrap_or_default() as f64);
        let lost = m["area_px2"] as usize;
        let tight = support_box(draft.opacity.view()).filter(|_| lost >= LEAST_LOST);
        let Some(inner) = tight else { return Err(small(lost, LEAST_LOST)) };
        let cut = |map: &Array2<f32>| inner.cut(map.view());
        let reflectance = draft.reflectance.as_ref().map(cut);
        let displacement = draft.displacement.as_ref().map(|shift| inner.cut(shift.view()));
        let (height, opacity) = (cut(&draft.height), cut(&draft.opacity));
        let bbox = inner.offset_by(draft.bbox);
        Ok(Defect {
            reflectance,
            shows_background: displacement.is_some(),
            displacement,
            ..Defect::new(bbox, height, opacity, draft.measures)
        })
    }
}

impl EdgeLoss {
    /// Relief, support, shift and reflectance of a piece in a box around it.
    fn draw(&self, domain: &Domain, outline: &[(usize, usize)], piece: &Piece, fresh: f32) -> Defect {
        let p = &self.params;
        let clearance = (p.clearance * domain.scale()).max(LEAST_CLEARANCE);
        let b = domain.bbox().grow(clearance.ceil() as usize, domain.dim());
        let reach = piece.half * piece.shape.farthest() + 2.0;
        let low = |c: f64, least: usize, most: usize| ((c - reach).floor().max(least as f64) as usize).min(most);
        let high = |c: f64, least: usize, most: usize| ((c + reach).ceil().max(0.0) as usize + 1).clamp(least, most);
        let area = Rect {
            top: low(piece.site.at[0], b.top, b.bottom),
            left: low(piece.site.at[1], b.left, b.right),
            bottom: high(piece.site.at[0], b.top, b.bottom),
            right: high(piece.site.at[1], b.left, b.right),
        };
        let dim = (area.height(), area.width());
        let through = piece.band.is_finite();
        let ground = if through { Ground::near(domain, outline, area, reach, clearance) } else { Ground::none() };
        let mask = domain.mask();
        let mut height = Array2::<f32>::zeros(dim);
        let mut opacity = Array2::<f32>::zeros(dim);
        let mut reflectance = Array2::<f32>::ones(dim);
        let mut shift = Array3::<f32>::zeros((dim.0, dim.1, 2));
        let (mut lost, mut gone, mut volume) = (0usize, 0usize, 0.0);
        for y in 0..dim.0 {
            for x in 0..dim.1 {
                let (v, u) = (y + area.top, x + area.left);
                let place = piece.place(v as f64, u as f64);
                // The relief goes on outside the object: its border casts no shadow.
                let relief = piece.height(&place, (v, u), p.steepness, p.roughness);
                height[[y, x]] = relief as f32;
                let inside = mask[[v, u]];
                // Positive where the whole thickness is gone.
                let beyond = if through { place.inside - place.band } else { f64::NEG_INFINITY };
                if place.inside <= -0.5 || (!inside && beyond <= 0.0) {
                    continue;
                }
                if inside && place.inside > 0.0 {
                    lost += 1;
                    volume -= relief;
                }
                let mut fade = 1.0;
                if beyond > -RIM {
                    // Outside, the old outline's blur goes with the piece.
                    let Some([dy, dx]) = ground.shift((v, u), beyond, domain) else { continue };
                    (shift[[y, x, 0]], shift[[y, x, 1]]) = (dy as f32, dx as f32);
                    fade = (-beyond / RIM).clamp(0.0, 1.0);
                }
                if beyond > 0.0 {
                    gone += usize::from(inside);
                    opacity[[y, x]] = SHOWN;
                    continue;
                }
                opacity[[y, x]] = (place.inside + 0.5).clamp(f64::from(SHOWN), 1.0) as f32;
                let mottle = (0.12 * piece.grain.at(v as f64 / 3.1 + 77.0, u as f64 / 3.1)).exp() as f32;
                reflectance[[y, x]] = (fade as f32 * (fresh * mottle).ln()).exp();
            }
        }
        let mut measures = Measures::new();
        measures.insert("area_px2".into(), lost as f64);
        measures.insert("through_area_px2".into(), gone as f64);
        measures.insert("volume_px3".into(), volume);
        let displacement = (gone > 0).then_some(shift);
        Defect { displacement, reflectance: Some(reflectance), ..Defect::new(area, height, opacity, measures) }
    }
}
