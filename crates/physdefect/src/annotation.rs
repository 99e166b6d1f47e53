//! Masks as a person would draw them, from the pixels that can be seen.
//!
//! A person marks a defect as one closed region with a smooth outline; pixels that happen to keep their value inside it
//! are marked too, specks beside it are not. [`Outline::of`] does the same: closing, filling of holes, opening of the
//! outline, bridges between the visible parts of one physical part, one component a part. A hole is left only where
//! filling it would leave too little of the mask visible.

use std::f64::consts::PI;

use imgkit::components::{Components, label_components};
use imgkit::distance::{deepest_squared, near_background};
use imgkit::{Rect, bounding_box};
use ndarray::{Array2, ArrayView2};

/// Components below this many pixels are dropped unless all of the defect's are.
const LEAST: usize = 12;
/// Share of a mask that must be visible: the contract's three fifths, and some for pixels that are restored later.
const VISIBLE_SHARE: f64 = 0.65;

/// Radius of closing over half of the defect's width, at least: a bite out of a large soft dent is marked with it, one
/// out of a crack is not.
const ROUNDING: f64 = 0.4;
/// The same of a compact defect of one part, where as much of the mask as must be can be seen: light and dark flank of
/// a dent are marked as one.
const WHOLE: f64 = 1.2;
/// Least share of the largest disc inside of the area of what is compact.
const COMPACT: f64 = 0.3;
/// Radius of opening over that of closing: less is cut off than is filled.
const TRIMMED: f64 = 0.375;
/// Visible share of a mask around a pixel that is marked.
const DENSE: f64 = 0.5;
/// Largest radius, px.
const LARGEST: f64 = 24.0;

/// How outlines are drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outline {
    /// Least radius of closing and opening, px.
    pub(crate) radius: f64,
}

impl Outline {
    /// For an object of this scale, px: a radius of one hundredth, at least one pixel.
    pub(crate) fn for_scale(scale: f64) -> Self {
        Self { radius: (0.01 * scale).clamp(1.0, LARGEST) }
    }

    /// Mask of the `visible` pixels of the physical `support`, within `allowed`; all of one shape. Empty if less than
    /// [`VISIBLE_SHARE`] of any such mask is visible.
    pub(crate) fn of(
        self,
        visible: &Array2<bool>,
        support: &Array2<bool>,
        allowed: ArrayView2<'_, bool>,
    ) -> Array2<bool> {
        let empty = Array2::from_elem(visible.dim(), false);
        let Some(seen) = bounding_box(visible.view()) else { return empty };
        // Everything happens within reach of what is seen.
        let half = half_width(support);
        let radius = self.radius.max(ROUNDING * half).min(LARGEST);
        let wide = WHOLE * half;
        let reach = seen.grow(radius.max(wide).ceil() as usize + 1, visible.dim());
        let cut = |a: ArrayView2<'_, bool>| reach.cut(a);
        // Parts of the whole: a cut could sever one.
        let mut parts = label_components(support.view());
        parts.labels = reach.cut(parts.labels.view());
        let (visible, allowed) = (cut(visible.view()), cut(allowed));
        let mut found = None;
        let compact = |&area: &usize| PI * half * half >= COMPACT * area as f64;
        let whole = matches!(&parts.sizes[..], [area] if wide > radius && compact(area)).then_some(wide);
        let each = [radius, 0.5 * radius, 0.25 * radius, 0.0].map(|r| (r, (TRIMMED * r).max(self.radius.min(r))));
        for (closing, opening) in whole.map(|wide| (wide, each[0].1)).into_iter().chain(each) {
            let mut mask = drawn(&visible, &parts, &allowed, (closing, opening), self.radius);
            fill_where_visible(&mut mask, &visible, &allowed);
            let area = mask.iter().filter(|&&m| m).count();
            let shown = mask.iter().zip(&visible).filter(|(m, v)| **m && **v).count();
            if area > 0 && shown as f64 >= VISIBLE_SHARE * area as f64 {
                found = Some(mask);
                break;
            }
        }
        let mut out = empty;
        if let Some(mask) = found {
            reach.put(mask.view(), out.view_mut());
        }
        out
    }
}

fn drawn(
    visible: &Array2<bool>,
    parts: &Components,
    allowed: &Array2<bool>,
    (radius, opening): (f64, f64),
    least: f64,
) -> Array2<bool> {
    let mut mask = and(closed(visible, radius), allowed);
    thin_out(&mut mask, visible, least.min(radius));
    if radius > 0.0 {
        fill_holes(&mut mask);
        mask = and(mask, allowed);
        trim(&mut mask, opening);
    }
    if radius > 0.0 {
        bridge(&mut mask, &parts.labels, parts.sizes.len(), radius);
        mask = and(mask, allowed);
    }
    keep_one_a_part(&mask, &parts.labels, parts.sizes.len(), visible)
}

fn and(mut mask: Array2<bool>, other: &Array2<bool>) -> Array2<bool> {
    mask.zip_mut_with(other, |m, &o| *m &= o);
    mask
}

/// The mask with `pad` unset pixels around it.
pub(crate) fn padded(mask: &Array2<bool>, pad: usize) -> Array2<bool> {
    let (h, w) = mask.dim();
    let mut out = Array2::from_elem((h + 2 * pad, w + 2 * pad), false);
    Rect { top: pad, left: pad, bottom: pad + h, right: pad + w }.put(mask.view(), out.view_mut());
    out
}

/// Morphological closing with a disc; beyond the array nothing is set.
fn closed(mask: &Array2<bool>, radius: f64) -> Array2<bool> {
    if radius < 1.0 {
        return mask.clone();
    }
    let (h, w) = mask.dim();
    let pad = radius.ceil() as usize + 1;
    let limit = (radius * radius) as u64;
    let inner = Rect { top: pad, left: pad, bottom: pad + h, right: pad + w };
    let away = padded(mask, pad).mapv(|m| !m);
    // Within reach of a set pixel; then out of reach of what is not.
    let grown = near_background(away.view(), limit);
    let outer = near_background(grown.view(), limit);
    inner.crop(outer.view()).mapv(|o| !o)
}

/// Takes off where of the mask around, within a window of `radius` and a pixel to each side, less than [`DENSE`] is
/// visible: specks that a closing joins are no defect that a person would mark.
fn thin_out(mask: &mut Array2<bool>, visible: &Array2<bool>, radius: f64) {
    if radius < 1.0 {
        return;
    }
    let half = radius.ceil() as usize + 1;
    let both = and(mask.clone(), visible);
    let (shown, all) = (window_counts(&both, half), window_counts(mask, half));
    ndarray::Zip::from(mask).and(&shown).and(&all).for_each(|m, &shown, &all| {
        *m &= f64::from(shown) >= DENSE * f64::from(all);
    });
}

/// Set pixels within `half` to each side, cut off at the edges.
fn window_counts(mask: &Array2<bool>, half: usize) -> Array2<u32> {
    let (h, w) = mask.dim();
    let mut counts = Array2::<u32>::zeros((h, w));
    // Counts of the columns' parts within the window, added up along the row, with the edge's sum on both sides.
    let (mut columns, mut sums) = (vec![0u32; w], vec![0u32; w + 2 * half + 1]);
    let rows: Vec<_> = mask.rows().into_iter().collect();
    let entering = |columns: &mut [u32], y: usize| {
        if let Some(row) = rows.get(y) {
            columns.iter_mut().zip(row).for_each(|(c, &m)| *c += u32::from(m));
        }
    };
    (0..half).for_each(|y| entering(&mut columns, y));
    for (y, mut counts) in counts.rows_mut().into_iter().enumerate() {
        entering(&mut columns, y + half);
        if y > half {
            columns.iter_mut().zip(&rows[y - half - 1]).for_each(|(c, &m)| *c -= u32::from(m));
        }
        let mut sum = 0;
        for (after, &column) in sums[half + 1..].iter_mut().zip(&columns) {
            sum += column;
            *after = sum;
        }
        sums[half + 1 + w..].fill(sum);
        let ends = sums[2 * half + 1..].iter().zip(&sums);
        counts.iter_mut().zip(ends).for_each(|(count, (to, from))| *count = to - from);
    }
    counts
}

/// Fills holes, the smallest first, as long as [`VISIBLE_SHARE`] of the mask stays visible.
fn fill_where_visible(mask: &mut Array2<bool>, visible: &Array2<bool>, allowed: &Array2<bool>) {
    let mut holes = mask.clone();
    fill_holes(&mut holes);
    holes.zip_mut_with(mask, |hole, &m| *hole &= !m);
    if !holes.iter().any(|&hole| hole) {
        return;
    }
    let parts = label_components(holes.view());
    // Pixels to fill, and those of them that are visible.
    let mut counts = vec![(0usize, 0usize); parts.sizes.len()];
    ndarray::Zip::from(&parts.labels).and(visible).and(allowed).for_each(|&label, &v, &inside| {
        if label > 0 && inside {
            let (area, shown) = &mut counts[label as usize - 1];
            *area += 1;
            *shown += usize::from(v);
        }
    });
    let mut area = mask.iter().filter(|&&m| m).count();
    let mut shown = mask.iter().zip(visible).filter(|(m, v)| **m && **v).count();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&i| (counts[i].0, i));
    let mut filled = vec![false; counts.len()];
    for i in order {
        let (a, s) = (area + counts[i].0, shown + counts[i].1);
        if s as f64 >= VISIBLE_SHARE * a as f64 {
            (area, shown, filled[i]) = (a, s, true);
        }
    }
    ndarray::Zip::from(mask).and(&parts.labels).and(allowed).for_each(|m, &label, &inside| {
        *m |= inside && label > 0 && filled[label as usize - 1];
    });
}

/// Sets background that is not joined (four neighbors) to the array's border.
fn fill_holes(mask: &mut Array2<bool>) {
    let (h, w) = mask.dim();
    let stride = w + 2;
    // With a border of background; what is reached from it is closed to further visits.
    let mut closed = vec![false; (h + 2) * stride];
    for (row, line) in mask.rows().into_iter().zip(closed.chunks_exact_mut(stride).skip(1)) {
        line[1..=w].iter_mut().zip(row).for_each(|(c, &m)| *c = m);
    }
    let mut stack = vec![0usize];
    closed[0] = true;
    while let Some(i) = stack.pop() {
        for next in [i.wrapping_sub(stride), i.wrapping_sub(1), i + 1, i + stride] {
            if let Some(c) = closed.get_mut(next).filter(|c| !**c) {
                *c = true;
                stack.push(next);
            }
        }
    }
    // Now what was neither set nor reached is a hole.
    for (mut row, line) in mask.rows_mut().into_iter().zip(closed.chunks_exact(stride).skip(1)) {
        row.iter_mut().zip(&line[1..=w]).for_each(|(m, &c)| *m |= !c);
    }
}

/// Opens the outline: spikes that no disc of `radius` fits go, thin parts that are long (a crack) or alone stay.
fn trim(mask: &mut Array2<bool>, radius: f64) {
    let limit = (radius * radius) as u64;
    let (h, w) = mask.dim();
    // All but the core.
    let rim = near_background(padded(mask, 1).view(), limit);
    if rim.iter().all(|&r| r) {
        return;
    }
    let opened = near_background(rim.view(), limit);
    let opened = Rect { top: 1, left: 1, bottom: h + 1, right: w + 1 }.crop(opened.view());
    let components = label_components(mask.view());
    let mut thick = vec![false; components.sizes.len()];
    let mut rest = mask.clone();
    ndarray::Zip::from(&mut rest).and(&opened).and(&components.labels).for_each(|m, &o, &label| {
        *m &= !o;
        if o && label > 0 {
            thick[label as usize - 1] = true;
        }
    });
    let rest = label_components(rest.view());
    let long = LEAST.max((4.0 * radius * radius) as usize);
    ndarray::Zip::from(mask).and(&rest.labels).and(&components.labels).for_each(|m, &part, &label| {
        let spike = part > 0 && rest.sizes[part as usize - 1] < long && thick[label as usize - 1];
        *m &= !spike;
    });
}

/// Joins visible components of one physical part where the gap is no wider than the part: its pixels within that
/// distance of two of them.
fn bridge(mask: &mut Array2<bool>, labels: &Array2<u32>, parts: usize, radius: f64) {
    let components = label_components(mask.view());
    if components.sizes.len() < 2 {
        return;
    }
    let mut touching: Vec<Vec<u32>> = vec![Vec::new(); parts];
    for (&part, &component) in labels.iter().zip(&components.labels) {
        if part > 0 && component > 0 && !touching[part as usize - 1].contains(&component) {
            touching[part as usize - 1].push(component);
        }
    }
    for (i, all) in touching.iter().enumerate().filter(|(_, all)| all.len() > 1) {
        let part = labels.mapv(|label| label as usize == i + 1);
        let Some(bbox) = bounding_box(part.view()) else { continue };
        let own = bbox.cut(part.view());
        let reach = (2.0 * half_width(&own)).max(radius);
        let limit = (reach * reach) as u64;
        let inside = components.labels.slice_each_axis(|axis| bbox.slice_of(axis.axis));
        let mut near = Array2::<u32>::zeros(own.dim());
        for &component in all {
            // Beyond its reach a component joins nothing.
            let there = inside.mapv(|label| label == component);
            let Some(there_box) = bounding_box(there.view()) else { continue };
            let around = there_box.grow(reach.ceil() as usize, own.dim());
            let reached = near_background(around.crop(there.view()).mapv(|t| !t).view(), limit);
            around.crop_mut(near.view_mut()).zip_mut_with(&reached, |n, &r| *n += u32::from(r));
        }
        let mut target = mask.slice_each_axis_mut(|axis| bbox.slice_of(axis.axis));
        ndarray::Zip::from(&mut target).and(&near).and(&own).for_each(|m, &n, &o| *m |= n > 1 && o);
    }
}

/// Half of the part's largest width, px.
fn half_width(part: &Array2<bool>) -> f64 {
    f64::from((deepest_squared(padded(part, 1).view()) as f64).sqrt() as f32)
}

/// Keeps of each physical part the component in which most of it can be seen.
fn keep_one_a_part(mask: &Array2<bool>, labels: &Array2<u32>, parts: usize, visible: &Array2<bool>) -> Array2<bool> {
    let components = label_components(mask.view());
    let n = components.sizes.len();
    let mut seen = vec![0usize; parts * n];
    for ((&part, &component), &v) in labels.iter().zip(&components.labels).zip(visible) {
        if part > 0 && component > 0 && v {
            seen[(part as usize - 1) * n + component as usize - 1] += 1;
        }
    }
    let mut kept = vec![false; n];
    for counts in seen.chunks_exact(n.max(1)) {
        let best = counts.iter().enumerate().max_by_key(|&(i, &count)| (count, n - i)).filter(|(_, c)| **c > 0);
        if let Some((i, _)) = best {
            kept[i] = true;
        }
    }
    let large = |i: usize| components.sizes[i] >= LEAST;
    if (0..n).any(|i| kept[i] && large(i)) {
        (0..n).filter(|&i| !large(i)).for_each(|i| kept[i] = false);
    }
    let mut out = mask.clone();
    out.zip_mut_with(&components.labels, |m, &label| *m &= label > 0 && kept[label as usize - 1]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(mask: &Array2<bool>) -> usize {
        mask.iter().filter(|&&m| m).count()
    }

    fn outline(visible: &Array2<bool>, support: &Array2<bool>, radius: f64) -> Array2<bool> {
        Outline { radius }.of(visible, support, Array2::from_elem(visible.dim(), true).view())
    }

    fn disc(y: usize, x: usize, cy: f64, cx: f64, r: f64) -> bool {
        (y as f64 - cy).hypot(x as f64 - cx) <= r
    }

    #[test]
    fn window_counts_are_sums_over_the_window() {
        for (h, w, half) in [(9, 13, 2), (1, 20, 3), (20, 3, 4), (5, 5, 9)] {
            let mask = Array2::from_shape_fn((h, w), |(y, x)| (y * 31 + x * 17) % 5 < 2);
            for ((y, x), &found) in window_counts(&mask, half).indexed_iter() {
                let near = |(v, u): (usize, usize)| v.abs_diff(y) <= half && u.abs_diff(x) <= half;
                let count = mask.indexed_iter().filter(|(at, m)| **m && near(*at)).count();
                assert_eq!(found as usize, count, "{h}x{w}, {half}: {y} {x}");
            }
        }
    }

    #[test]
    fn a_ragged_disc_becomes_a_whole_one() {
        // Every seventh pixel keeps its value, and specks lie around it.
        let whole = Array2::from_shape_fn((60, 60), |(y, x)| disc(y, x, 30.0, 30.0, 18.0));
        let visible = Array2::from_shape_fn((60, 60), |(y, x)| {
            whole[[y, x]] && (y * 60 + x) % 7 != 0 || (y, x) == (4, 5) || (y, x) == (58, 30)
        });
        let support = Array2::from_shape_fn((60, 60), |(y, x)| whole[[y, x]] || visible[[y, x]]);
        let mask = outline(&visible, &support, 2.0);
        let off = mask.iter().zip(&whole).filter(|(a, b)| a != b).count();
        assert!(off <= count(&whole) / 50, "{off} of {}", count(&whole));
        assert_eq!(label_components(mask.view()).sizes.len(), 1);
    }

    #[test]
    fn sparse_specks_beside_a_defect_are_not_joined_to_it() {
        // A quarter of the pixels of a wide halo can be seen, as on noise.
        let core = Array2::from_shape_fn((90, 90), |(y, x)| disc(y, x, 45.0, 45.0, 20.0));
        let halo = Array2::from_shape_fn((90, 90), |(y, x)| disc(y, x, 45.0, 45.0, 40.0));
        let visible =
            Array2::from_shape_fn((90, 90), |(y, x)| core[[y, x]] || (halo[[y, x]] && y % 2 == 0 && x % 2 == 0));
        let mask = outline(&visible, &halo, 4.0);
        let off = mask.iter().zip(&core).filter(|(a, b)| a != b).count();
        assert!(off <= count(&core) / 4, "{off} of {}", count(&core));
    }

    #[test]
    fn a_crack_is_bridged_where_it_is_hidden_for_less_than_its_width() {
        let support = Array2::from_shape_fn((40, 90), |(y, x)| (18..22).contains(&y) && (5..85).contains(&x));
        for (gap, joined) in [(3, true), (20, false)] {
            let mut visible = support.clone();
            visible.indexed_iter_mut().for_each(|((_, x), v)| *v &= !(50..50 + gap).contains(&x));
            let mask = outline(&visible, &support, 1.0);
            let components = label_components(mask.view());
            assert_eq!(components.sizes.len(), 1, "gap {gap}");
            let reaches = mask[[19, 10]] && mask[[19, 80]];
            assert_eq!(reaches, joined, "gap {gap}");
            assert!(mask.iter().zip(&support).all(|(m, s)| !m || *s));
        }
    }

    #[test]
    fn a_dent_seen_as_two_lobes_is_one_region() {
        let support = Array2::from_shape_fn((60, 60), |(y, x)| disc(y, x, 30.0, 30.0, 22.0));
        let visible = Array2::from_shape_fn((60, 60), |(y, x)| support[[y, x]] && x.abs_diff(30) > 4);
        let mask = outline(&visible, &support, 1.0);
        assert_eq!(label_components(mask.view()).sizes.len(), 1);
        assert!(mask[[30, 30]] && count(&mask) <= count(&support));
    }

    #[test]
    fn separate_pits_stay_separate_and_specks_are_kept_only_if_there_is_nothing_else() {
        let visible = Array2::from_shape_fn((60, 90), |(y, x)| {
            disc(y, x, 20.0, 20.0, 8.0) || disc(y, x, 20.0, 60.0, 8.0) || (40..42).contains(&y) && (40..43).contains(&x)
        });
        let mask = outline(&visible, &visible, 1.0);
        assert_eq!(label_components(mask.view()).sizes.len(), 2);
        let speck = Array2::from_shape_fn((60, 90), |(y, x)| (40..42).contains(&y) && (40..43).contains(&x));
        assert_eq!(outline(&speck, &speck, 1.0), speck);
    }

    #[test]
    fn a_mask_of_which_too_little_is_visible_is_none() {
        // A frame around a large hole: filled it would be hidden for the most part, so the hole stays.
        let frame = Array2::from_shape_fn((80, 80), |(y, x)| {
            let edge = y.min(79 - y).min(x).min(79 - x);
            (10..13).contains(&edge)
        });
        let mask = outline(&frame, &frame, 1.0);
        assert!(!mask[[40, 40]] && count(&mask) > 0);
        let shown = mask.iter().zip(&frame).filter(|(m, f)| **m && **f).count();
        assert!(shown as f64 >= VISIBLE_SHARE * count(&mask) as f64);
    }

    #[test]
    fn random_marks_keep_what_is_promised() {
        // Visible pixels of random blobs of random parts, from dense to sparse: whatever is drawn lies where it may, is
        // visible for the most part, has one component a part at most, none below 12 px unless all are, and no hole
        // that could be filled.
        use imgkit::rng::keyed_stream;
        use rand::Rng;
        let (mut drawn, mut holed) = (0, 0);
        for seed in 0..400 {
            let mut rng = keyed_stream(7, seed);
            let discs: Vec<[f64; 3]> = (0..rng.random_range(1..6))
                .map(|_| [rng.random_range(0.0..60.0), rng.random_range(0.0..70.0), rng.random_range(1.0..22.0)])
                .collect();
            let (share, radius) = (rng.random_range(0.3..1.0), rng.random_range(0.0..5.0));
            let ring = rng.random_bool(0.3);
            let support = Array2::from_shape_fn((60, 70), |(y, x)| discs.iter().any(|d| disc(y, x, d[0], d[1], d[2])));
            let visible = Array2::from_shape_fn((60, 70), |(y, x)| {
                let core = ring && discs.iter().any(|d| disc(y, x, d[0], d[1], 0.6 * d[2]));
                support[[y, x]] && !core && rng.random_bool(share)
            });
            let allowed = Array2::from_shape_fn((60, 70), |(y, x)| (y + 2 * x) % 23 != 0 || seed % 3 > 0);
            let mask = Outline { radius }.of(&visible, &support, allowed.view());
            let (area, components) = (count(&mask), label_components(mask.view()).sizes);
            if area == 0 {
                continue;
            }
            drawn += 1;
            assert!(mask.iter().zip(&allowed).all(|(m, a)| !m || *a), "#{seed}");
            let shown = mask.iter().zip(&visible).filter(|(m, v)| **m && **v).count();
            assert!(shown as f64 >= VISIBLE_SHARE * area as f64, "#{seed}: {shown} of {area}");
            assert!(components.len() <= label_components(support.view()).sizes.len(), "#{seed}");
            assert!(components.iter().all(|&n| n >= LEAST) || components.iter().all(|&n| n < LEAST), "#{seed}");
            let mut whole = mask.clone();
            fill_holes(&mut whole);
            let holes = Array2::from_shape_fn((60, 70), |at| whole[at] && !mask[at]);
            let parts = label_components(holes.view());
            for label in 1..=parts.sizes.len() as u32 {
                let inside =
                    || parts.labels.iter().zip(&allowed).zip(&visible).filter(|((l, a), _)| **l == label && **a);
                let (more, seen) = (inside().count(), inside().filter(|(_, v)| **v).count());
                let fillable = (shown + seen) as f64 >= VISIBLE_SHARE * (area + more) as f64;
                assert!(more == 0 || !fillable, "#{seed}: a hole of {more} px in {area}");
                holed += usize::from(more > 0);
            }
        }
        assert!(drawn > 200 && holed > 3, "{drawn} drawn, {holed} holes left");
    }

    #[test]
    fn nothing_leaves_what_is_allowed() {
        let visible = Array2::from_shape_fn((40, 40), |(y, x)| disc(y, x, 20.0, 20.0, 9.0) && x != 20);
        let allowed = Array2::from_shape_fn((40, 40), |(_, x)| x != 20);
        let mask = Outline { radius: 2.0 }.of(&visible, &visible, allowed.view());
        assert!(mask.iter().zip(&allowed).all(|(m, a)| !m || *a));
        assert_eq!(count(&Outline { radius: 2.0 }.of(&allowed.mapv(|_| false), &visible, allowed.view())), 0);
    }

    #[test]
    fn thin_and_degenerate_shapes_do_not_break_it() {
        for (h, w) in [(1, 1), (1, 9), (9, 1), (2, 2)] {
            let all = Array2::from_elem((h, w), true);
            assert_eq!(outline(&all, &all, 3.0), all);
        }
    }
}
