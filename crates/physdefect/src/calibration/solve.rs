//! Solution of one defect: the mechanism's own size and width, the strength of its relief and its reflectance, until
//! the annotator's mask measures what is wanted and is as visible.

use std::marker::PhantomData;

use imgkit::Rect;
use ndarray::{Array2, Array3, ArrayView3};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::fit::is_long;
use super::measure::Places;
use super::shape::{self, Course, Sizes};
use super::target::{Calibrate, Target};
use crate::annotation::Outline;
use crate::appearance::srgb::Tables;
use crate::appearance::{Appearance, Conditions, Surroundings};
use crate::finalize::{self, UncheckedSample};
use crate::visibility::{SEEN, Threshold, visibility};
use crate::{Defect, Domain, Error, Measures, MechanismKind};

/// Passes, and the error at which they stop.
const PASSES: usize = 7;
const CLOSE: f64 = 0.08;
/// Passes of which nothing can be seen, and passes that bring nothing, after which the place is given up.
const UNSEEN: usize = 2;
const WORSE: usize = 2;
/// Error of the place from which another place is tried at once.
const MISPLACED: f64 = 0.3;
/// ln of the strengths of a relief, and of the reflectance's factor: physical ranges.
const GAIN: (f64, f64) = (-3.9, 2.5);
const SHADE: (f64, f64) = (-3.0, 1.5);
/// Steepest slope of a bend.
const STEEPEST: f64 = 0.5;
/// Defects of one sample keep this distance, px: nearer ones would be counted as one.
const APART: usize = 6;

/// One defect as wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// px.
    pub(super) size: f64,
    pub(super) width: f64,
    pub(super) visibility: f64,
    pub(super) polarity: f64,
    pub(super) darker: bool,
    pub(super) contrast: f64,
    /// Weight of the visibility; the rest is the contrast's.
    pub(super) trust: f64,
    pub(super) mottle: f64,
    pub(super) aspect: f64,
    pub(super) solidity: f64,
    pub(super) at_edge: bool,
    /// Distance from the outline over half of the object's thickness.
    pub(super) inset: Option<f64>,
    /// A crack's axis and waviness, where they were measured.
    pub(super) course: Option<Course>,
}

/// What an annotator would mark of a draft.
struct Seen {
    sizes: Sizes,
    visibility: f64,
    /// Mean signed change over the mean size of the change.
    polarity: f64,
    /// Size of the mean ln of light over the surface below.
    contrast: f64,
    /// Standard deviation over size of the mean of ln of light over the surface below.
    mottle: f64,
    touches: bool,
    inset: f64,
}

/// Solver of a mechanism's defects on one photo.
pub(super) struct Solver<'a, M> {
    photo: ArrayView3<'a, f32>,
    domain: &'a Domain,
    /// Scale that relative sizes are of, px.
    scale: f64,
    places: &'a Places,
    appearance: Appearance,
    /// Strength at a mask's outline, over that of its strong pixels.
    level: f32,
    /// ln of the strength that suited the last defect: another place on the same photo needs much the same.
    strength: f64,
    /// Camera and light, measured at the first defect.
    around: Option<Surroundings>,
    mechanism: PhantomData<fn() -> M>,
}

impl<'a, M: Calibrate> Solver<'a, M> {
    pub(super) fn new(
        photo: ArrayView3<'a, f32>,
        domain: &'a Domain,
        scale: f64,
        places: &'a Places,
        appearance: Appearance,
        level: f32,
    ) -> Self {
        Self { photo, domain, scale, places, appearance, level, strength: 0.0, around: None, mechanism: PhantomData }
    }

    pub(super) fn around(&self) -> Option<Surroundings> {
        self.around
    }

    /// Draws one defect and adjusts it: the best of the passes and its error, 0 where all is as wanted.
    pub(super) fn solve(&mut self, wanted: &Wanted, seed: u64) -> Result<(f64, Defect), Error> {
        let long = is_long(M::KIND);
        // Sizes that the mechanism is asked for, px of its own domain, whose scale it multiplies them with.
        let (mut size, mut width) = (wanted.size, wanted.width);
        if long {
            // The camera and the eye widen what they see.
            width = (width - 2.0).max(0.3 * width);
        }
        let (mut gain, mut shade) = (self.strength, 0.0f64);
        let sign = if wanted.darker { -1.0 } else { 1.0 };
        let adjusted = self.appearance.visibility().is_some();
        let mut best: Option<(f64, Defect)> = None;
        let (mut unseen, mut worse) = (0, 0);
        for pass in 0..PASSES {
            let own = self.domain.scale();
            let target = Target {
                size: size / own,
                width: width / own,
                aspect: wanted.aspect,
                solidity: wanted.solidity,
                at_edge: wanted.at_edge,
                course: wanted.course,
                darker: wanted.darker,
                contrast: wanted.contrast,
                mottle: wanted.mottle,
            };
            let model = M::with_target(&target)?;
            let defect = model.generate(self.domain, 0.5, &mut ChaCha8Rng::seed_from_u64(seed))?;
            let bends = defect.displacement.is_some() && !defect.shows_background;
            let fixed = defect.shows_background || !adjusted;
            let steepest = defect.measures.get("max_slope").filter(|_| bends);
            let most = steepest.map_or(GAIN.1, |slope| (STEEPEST / slope.max(1e-9)).ln().clamp(0.0, GAIN.1));
            gain = gain.clamp(GAIN.0, most);
            let around =
                *self.around.get_or_insert_with(|| self.appearance.surroundings(self.photo, self.domain, defect.bbox));
            let drawn = strengthened(defect, gain, (shade * gain.exp()).clamp(SHADE.0, SHADE.1));
            let conditions = Conditions::new(self.photo, self.domain, &drawn, around)?;
            let draft = self.appearance.draft(self.photo, self.domain, &drawn, &conditions, 1.0)?;
            let Some(seen) = self.seen(long, draft)? else {
                unseen += 1;
                if unseen > UNSEEN {
                    break;
                }
                gain += 0.7;
                size *= 1.1;
                continue;
            };
            let (ds, dw) = ((wanted.size / seen.sizes.size).ln(), (wanted.width / seen.sizes.width).ln());
            let dv = if fixed {
                0.0
            } else {
                wanted.trust * (wanted.visibility / seen.visibility.max(0.05)).ln()
                    + (1.0 - wanted.trust) * (wanted.contrast / seen.contrast.max(0.005)).ln()
            };
            // Neither as one-sided nor as even as the real ones: more reflectance, less relief.
            let uneven = seen.mottle - wanted.mottle - 0.05;
            let lacking =
                if bends || fixed { 0.0 } else { (wanted.polarity - sign * seen.polarity).max(0.5 * uneven.min(1.0)) };
            let place = misplaced(wanted, &seen);
            let off = ds.abs()
                + if long { 0.5 * dw.abs() } else { 0.0 }
                + 0.6 * dv.abs()
                + 0.5 * (lacking - 0.05).max(0.0)
                + place;
            if best.as_ref().is_none_or(|b| off < b.0) {
                best = Some((off, drawn));
                self.strength = gain;
                worse = 0;
            } else {
                worse += 1;
            }
            if worse > WORSE || (off - place < CLOSE && dv.abs() < 0.6 * CLOSE) || (pass == 0 && place > MISPLACED) {
                break;
            }
            size = (size * ds.exp()).clamp(0.3 * wanted.size, 2.5 * wanted.size);
            if long {
                // A crack that is too faint at its deepest is too narrow for the camera: what is wider is darker.
                let crack = M::KIND == MechanismKind::FractureLine;
                let faint = crack && gain >= most && dv > 0.1 && !fixed;
                let step = 0.8 * (wanted.width - seen.sizes.width);
                let next = width + if faint { step.max(width * ((0.5 * dv).exp().min(1.6) - 1.0)) } else { step };
                width = next.clamp(0.1 * wanted.width, 2.0 * wanted.width);
            }
            // It grows and falls with the relief, so that the strength moves both.
            let per = (-gain).exp();
            if lacking > 0.05 {
                shade += sign * per * (0.5 * lacking + 0.05);
            } else if lacking < -0.1 {
                // More one-sided than asked for: as little change of reflectance as does it.
                shade *= 0.8;
            }
            let step = (dv / 0.8).clamp(-1.5, 1.5);
            if gain + step > most && !bends {
                // The relief is as deep as it can be: the rest is the surface's own color.
                shade += sign * per * 0.5 * (gain + step - most);
            }
            gain += step;
        }
        best.ok_or(Error::Invisible { model: M::NAME, reason: "nothing of it could be seen" })
    }

    /// What an annotator would mark, and how it looks; `None` for nothing.
    fn seen(&self, long: bool, draft: UncheckedSample) -> Result<Option<Seen>, Error> {
        let UncheckedSample { bbox, patch, support } = draft;
        let original = finalize::crop(self.photo, bbox)?;
        let ratios = Threshold::of(self.photo, bbox).ratios(&original, &patch);
        let allowed = bbox.crop(self.domain.mask());
        let visible = finalize::marked(&ratios, (&original, &patch), allowed, self.level);
        let mask = Outline::for_scale(self.scale).of(&visible, &support, allowed);
        let parts = shape::components(mask.view());
        let Some(pixels) = parts.into_iter().max_by_key(Vec::len) else { return Ok(None) };
        let Some(around) = Rect::around(pixels.iter().copied()) else { return Ok(None) };
        let (mut signed, mut size, mut n) = (0.0f64, 0.0f64, 0.0f64);
        let (mut log, mut squares) = (0.0f64, 0.0f64);
        let tables = Tables::get();
        let channels = patch.dim().2;
        for &(y, x) in pixels.iter().filter(|&&p| ratios[p] >= SEEN) {
            let change = (0..channels).map(|k| f64::from(patch[[y, x, k]] - original[[y, x, k]])).sum::<f64>();
            let light = |a: &Array3<f32>| (0..channels).map(|k| tables.linear(a[[y, x, k]])).sum::<f32>().max(1e-3);
            let ratio = f64::from((light(&patch) / light(&original)).ln());
            n += 1.0;
            log += ratio;
            squares += ratio * ratio;
            signed += change;
            size += change.abs();
        }
        let (mean, variance) = (log / n.max(1.0), (squares / n.max(1.0) - (log / n.max(1.0)).powi(2)).max(0.0));
        let there: Vec<(usize, usize)> = pixels.iter().map(|&(y, x)| (y + bbox.top, x + bbox.left)).collect();
        let (touches, inset) = self.places.place(&there);
        Ok(Some(Seen {
            sizes: shape::sizes(long, &pixels, around),
            visibility: visibility(&ratios, mask.view()),
            polarity: if size > 0.0 { signed / size } else { 0.0 },
            contrast: mean.abs(),
            mottle: variance.sqrt() / mean.abs().max(0.02),
            touches,
            inset,
        }))
    }
}

/// Error of a place.
fn misplaced(wanted: &Wanted, seen: &Seen) -> f64 {
    let outline = if wanted.at_edge == seen.touches { 0.0 } else { 0.5 };
    outline + wanted.inset.map_or(0.0, |inset| 0.4 * ((inset - seen.inset).abs() - 0.15).max(0.0))
}

/// The defect as strong as `exp(gain)` makes it, its reflectance times `exp(shade)`.
fn strengthened(mut defect: Defect, gain: f64, shade: f64) -> Defect {
    let strength = gain.exp() as f32;
    defect.height.mapv_inplace(|v| v * strength);
    if let Some(shift) = defect.displacement.as_mut().filter(|_| !defect.shows_background) {
        shift.mapv_inplace(|v| v * strength);
    }
    if let Some(tint) = &mut defect.tint {
        tint.weight.mapv_inplace(|w| 1.0 - (1.0 - w.clamp(0.0, 1.0)).powf(strength));
    }
    if let Some(factor) = &mut defect.reflectance {
        factor.mapv_inplace(|v| v.max(0.0).powf(strength));
    }
    if shade != 0.0 {
        let factor = shade.exp() as f32;
        let all = defect.reflectance.get_or_insert_with(|| Array2::ones(defect.opacity.dim()));
        all.mapv_inplace(|v| v * factor);
    }
    defect.measures.insert("relief_gain".to_owned(), gain.exp());
    defect.measures.insert("reflectance_factor".to_owned(), shade.exp());
    defect
}

/// Whether two defects come nearer than [`APART`].
pub(super) fn near(a: &Defect, b: &Defect) -> bool {
    let (p, q) = (a.bbox, b.bbox);
    if p.top >= q.bottom + APART || q.top >= p.bottom + APART || p.left >= q.right + APART || q.left >= p.right + APART
    {
        return false;
    }
    b.opacity.indexed_iter().filter(|&(_, &v)| v > 0.0).any(|((y, x), _)| {
        let (y, x) = (y + q.top, x + q.left);
        let rows = y.saturating_sub(APART).max(p.top)..(y + APART + 1).min(p.bottom);
        rows.into_iter().any(|v| {
            let mut columns = x.saturating_sub(APART).max(p.left)..(x + APART + 1).min(p.right);
            columns.any(|u| a.opacity[[v - p.top, u - p.left]] > 0.0)
        })
    })
}

/// Defects that do not overlap as one; `None` for none.
pub(super) fn merged(mut all: Vec<Defect>) -> Option<Defect> {
    if all.len() < 2 {
        return all.pop();
    }
    let bbox = all.iter().map(|d| d.bbox).reduce(Rect::union)?;
    let dim = (bbox.height(), bbox.width());
    let mut whole = Defect::new(bbox, Array2::zeros(dim), Array2::zeros(dim), Measures::new());
    for defect in &all {
        let at = defect.bbox.relative_to(bbox);
        let (oy, ox) = (at.top, at.left);
        whole.shows_background |= defect.shows_background;
        if let Some(tint) = &defect.tint {
            let own = whole.tint.get_or_insert_with(|| crate::Tint { weight: Array2::zeros(dim), color: tint.color });
            ndarray::Zip::from(at.crop_mut(own.weight.view_mut())).and(&tint.weight).for_each(|w, &v| *w = w.max(v));
        }
        for ((y, x), &a) in defect.opacity.indexed_iter().filter(|&(_, &a)| a > 0.0) {
            let there = [y + oy, x + ox];
            whole.opacity[there] = a;
            if let Some(factor) = &defect.reflectance {
                whole.reflectance.get_or_insert_with(|| Array2::ones(dim))[there] = factor[[y, x]];
            }
            if let Some(shift) = &defect.displacement {
                let all = whole.displacement.get_or_insert_with(|| Array3::zeros((dim.0, dim.1, 2)));
                (0..2).for_each(|k| all[[there[0], there[1], k]] = shift[[y, x, k]]);
            }
        }
        // Relief goes on outside the support: its slopes are read there.
        for ((y, x), &h) in defect.height.indexed_iter().filter(|(_, h)| **h != 0.0) {
            whole.height[[y + oy, x + ox]] = h;
        }
    }
    Some(whole)
}
