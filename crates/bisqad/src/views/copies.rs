//! Copies of few normal images, by the flips and quarter turns that the product is seen to allow.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use super::light::Light;
use super::motion::Motion;
use super::registration::gray;
use crate::features::gaussians::FOLDS;
use crate::training::anomaly_source::Anomaly;

/// Most photos that are copied.
pub(crate) const FEW: usize = 8;
/// Images below which small motions fill up, and to how many.
const TOO_FEW: usize = FOLDS;
const FILLED: usize = 2 * FOLDS;
/// Shorter side at which photos are compared, px.
const SIDE: usize = 32;
/// Factor by which a turned photo may lie farther from the others than they lie from each other.
const FACTOR: f32 = 1.25;
/// Angle and shift of the small motions: 2 degrees, 1 % of the shorter side.
const ANGLE: f32 = std::f32::consts::PI / 90.0;
const SHIFT: f32 = 0.01;

/// One of the eight symmetries of a rectangle and of a square: transposed first, then reversed along each axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    transpose: bool,
    down: bool,
    right: bool,
}

impl Turn {
    /// All but the one that changes nothing; those that keep the shape of any image first.
    const ALL: [Self; 7] = [
        Self { transpose: false, down: true, right: true },
        Self { transpose: false, down: false, right: true },
        Self { transpose: false, down: true, right: false },
        Self { transpose: true, down: false, right: false },
        Self { transpose: true, down: true, right: true },
        Self { transpose: true, down: true, right: false },
        Self { transpose: true, down: false, right: true },
    ];

    fn plane<T: Copy>(self, plane: ArrayView2<'_, T>) -> Array2<T> {
        let turned = if self.transpose { plane.reversed_axes() } else { plane };
        let (h, w) = turned.dim();
        let at = |i: usize, n: usize, reverse: bool| if reverse { n - 1 - i } else { i };
        Array2::from_shape_fn((h, w), |(y, x)| turned[[at(y, h, self.down), at(x, w, self.right)]])
    }

    fn image(self, image: ArrayView3<'_, f32>) -> Array3<f32> {
        let turned = if self.transpose { image.permuted_axes([1, 0, 2]) } else { image };
        let (h, w, c) = turned.dim();
        let at = |i: usize, n: usize, reverse: bool| if reverse { n - 1 - i } else { i };
        Array3::from_shape_fn((h, w, c), |(y, x, k)| turned[[at(y, h, self.down), at(x, w, self.right), k]])
    }
}

/// How a copy differs from its photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Change {
    Turned(Turn),
    Moved(Motion),
    Relit(Light),
}

/// A normal image that is fitted to: a photo, or a copy of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct View {
    /// Number of the photo among those that were given.
    pub(crate) photo: usize,
    /// Number of the photo among those that are used.
    pub(crate) number: usize,
    /// `None` for the photo itself.
    pub(crate) change: Option<Change>,
}

impl View {
    /// Each of some photos itself.
    pub(crate) fn photos(order: &[usize]) -> Vec<Self> {
        order.iter().enumerate().map(|(number, &photo)| Self { photo, number, change: None }).collect()
    }

    pub(crate) fn is_copy(self) -> bool {
        self.change.is_some()
    }

    /// The same view of an image of its photo.
    pub(crate) fn image(self, image: Array3<f32>) -> Array3<f32> {
        match self.change {
            None => image,
            Some(Change::Turned(turn)) => turn.image(image.view()),
            Some(Change::Moved(motion)) => motion.warp(image.view()),
            Some(Change::Relit(light)) => light.apply(image),
        }
    }

    /// The same view of a defect that was drawn on its photo.
    pub(crate) fn anomaly(self, anomaly: Anomaly) -> Anomaly {
        let mask = match self.change {
            None => return anomaly,
            Some(Change::Relit(light)) => return Anomaly { image: light.apply(anomaly.image), ..anomaly },
            Some(Change::Turned(turn)) => turn.plane(anomaly.mask.view()),
            Some(Change::Moved(motion)) => motion.warp_mask(anomaly.mask.view()),
        };
        Anomaly { image: self.image(anomaly.image), mask, ..anomaly }
    }
}

/// Views of some photos and their copies, in the order of their folds: image i belongs to fold i modulo [`FOLDS`].
///
/// The photos come first. From four photos on, each copy lies in the fold of its photo, so that no photo is judged by
/// its own copies, and folds are filled evenly. Of fewer photos, copies help to judge each other; where even they are
/// too few, small motions fill up.
pub(crate) fn with_copies(normals: &[Array3<f32>], order: &[usize]) -> Vec<View> {
    let mut views = View::photos(order);
    let photos: Vec<&Array3<f32>> = order.iter().map(|&i| &normals[i]).collect();
    let turns = allowed(&photos);
    let n = order.len();
    let mut copies: Vec<View> = (turns.iter())
        .flat_map(|&turn| (0..n).map(move |i| (i, Change::Turned(turn))))
        .map(|(i, change)| View { change: Some(change), ..views[i] })
        .collect();
    if n < FOLDS {
        views.append(&mut copies);
        let photos = views[..n].to_vec();
        if views.len() < TOO_FEW {
            let moved = motions().into_iter().flat_map(|motion| {
                photos.iter().map(move |photo| View { change: Some(Change::Moved(motion)), ..*photo })
            });
            let missing = FILLED - views.len();
            views.extend(moved.take(missing));
        }
        return views;
    }
    let more = in_their_folds(views.len(), copies);
    views.extend(more);
    views
}

/// Copies in the order in which they lie in the folds of their photos behind `before` views; what fills folds unevenly
/// is left out.
fn in_their_folds(before: usize, mut copies: Vec<View>) -> Vec<View> {
    let mut ordered = Vec::with_capacity(copies.len());
    loop {
        let fold = (before + ordered.len()) % FOLDS;
        match copies.iter().position(|copy| copy.number % FOLDS == fold) {
            Some(next) => ordered.push(copies.remove(next)),
            None => return ordered,
        }
    }
}

/// Copies in other light of the photos among `views`, to lie behind these, each in the fold of its photo.
pub(crate) fn in_other_light(views: &[View], seed: u64) -> Vec<View> {
    let photos = views.iter().filter(|view| !view.is_copy());
    let relit = |view: &View| View { change: Some(Change::Relit(Light::draw(seed, view.number as u64))), ..*view };
    in_their_folds(views.len(), photos.map(relit).collect())
}

/// Small motions: turned both ways, and shifted to four sides.
fn motions() -> Vec<Motion> {
    let (turn, shift) = (Motion { angle: ANGLE, ..Motion::NONE }, |down, right| Motion { down, right, angle: 0.0 });
    let back = Motion { angle: -ANGLE, ..Motion::NONE };
    let diagonal = shift(SHIFT, SHIFT);
    vec![turn, back, shift(SHIFT, 0.0), shift(0.0, SHIFT), shift(-SHIFT, 0.0), shift(0.0, -SHIFT), diagonal]
}

/// Flips and quarter turns that keep the shape of the photos and after which they look as before: no farther from the
/// nearest other photo than the photos lie from each other, but for a factor; for one photo, than it lies from itself
/// shifted by a pixel of [`SIDE`].
fn allowed(photos: &[&Array3<f32>]) -> Vec<Turn> {
    let Some(small) = photos.iter().map(|photo| gray(photo.view(), SIDE)).collect::<Option<Vec<_>>>() else {
        return Vec::new();
    };
    let is_kept = |turn: &Turn| !turn.transpose || photos.iter().all(|photo| photo.dim().0 == photo.dim().1);
    let own = match &small[..] {
        [] => return Vec::new(),
        [one] => shifted(one),
        _ => mean((0..small.len()).filter_map(|i| nearest(&small[i], &small, i))),
    };
    let turned = |turn: Turn| match &small[..] {
        [one] => distance(&turn.plane(one.view()), one).unwrap_or(f32::INFINITY),
        _ => mean((0..small.len()).filter_map(|i| nearest(&turn.plane(small[i].view()), &small, i))),
    };
    Turn::ALL.into_iter().filter(is_kept).filter(|&turn| own > 0.0 && turned(turn) <= FACTOR * own).collect()
}

/// Root mean square of the difference of two images of one size.
fn distance(a: &Array2<f32>, b: &Array2<f32>) -> Option<f32> {
    let squares = || a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    (a.dim() == b.dim() && !a.is_empty()).then(|| (squares() / a.len() as f32).sqrt())
}

/// Distance from the nearest of `others` but number `without`.
fn nearest(image: &Array2<f32>, others: &[Array2<f32>], without: usize) -> Option<f32> {
    let kept = others.iter().enumerate().filter(|(j, _)| *j != without);
    kept.filter_map(|(_, other)| distance(image, other)).min_by(f32::total_cmp)
}

/// Mean distance of an image from itself shifted by one pixel to four sides, borders replicated.
fn shifted(image: &Array2<f32>) -> f32 {
    let (h, w) = image.dim();
    let by = |dy: usize, dx: usize| {
        let at = |i: usize, d: usize, n: usize| (i + d).saturating_sub(1).min(n - 1);
        distance(&Array2::from_shape_fn((h, w), |(y, x)| image[[at(y, dy, h), at(x, dx, w)]]), image)
    };
    mean([(0, 1), (2, 1), (1, 0), (1, 2)].into_iter().filter_map(|(dy, dx)| by(dy, dx)))
}

fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let values: Vec<f32> = values.collect();
    if values.is_empty() { f32::INFINITY } else { values.iter().sum::<f32>() / values.len() as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imgkit::rng::keyed_stream;
    use rand::Rng;

    /// Noise of its own, and squares about the corners of pixels `spots`.
    fn photo(i: usize, size: (usize, usize), spots: &[(usize, usize)]) -> Array3<f32> {
        let mut rng = keyed_stream(3, i as u64);
        let coarse = Array2::from_shape_fn((12, 12), |_| rng.random_range(-0.05..0.05f32));
        Array3::from_shape_fn((size.0, size.1, 1), |(y, x, _)| {
            let lies_in = |i: usize, middle: usize| (middle - 8..middle + 8).contains(&i);
            let spot = spots.iter().any(|&(v, u)| lies_in(y, v) && lies_in(x, u));
            0.3 + coarse[[y / 8, x / 8]] + if spot { 0.5 } else { 0.0 }
        })
    }

    fn turns(photos: &[Array3<f32>]) -> Vec<Turn> {
        allowed(&photos.iter().collect::<Vec<_>>())
    }

    #[test]
    fn copies_follow_the_symmetry_of_the_product() {
        let of = |spots: &[(usize, usize)], size| (0..4).map(|i| photo(i, size, spots)).collect::<Vec<_>>();
        // a spot in the middle: all seven; above the middle: left and right may change places; in a corner of a
        // diagonal: the transposition; off every axis: none
        assert_eq!(turns(&of(&[(32, 32)], (64, 64))).len(), 7);
        let [mirror] = turns(&of(&[(12, 32)], (64, 64)))[..] else { panic!("one") };
        assert_eq!(mirror, Turn { transpose: false, down: false, right: true });
        let [diagonal] = turns(&of(&[(12, 12)], (64, 64)))[..] else { panic!("one") };
        assert_eq!(diagonal, Turn { transpose: true, down: false, right: false });
        assert_eq!(turns(&of(&[(12, 24)], (64, 64))), []);
        // what does not keep the shape is out
        assert_eq!(turns(&of(&[(32, 48)], (64, 96))).len(), 3);
        // one photo, by its own shifts
        assert_eq!(turns(&of(&[(32, 32)], (64, 64))[..1]).len(), 7);
        assert_eq!(turns(&of(&[(12, 24)], (64, 64))[..1]), []);
        assert_eq!(turns(&[]), []);
    }

    #[test]
    fn turns_are_those_of_the_square() {
        let image = Array3::from_shape_fn((3, 3, 1), |(y, x, _)| (3 * y + x) as f32);
        let mut seen: Vec<Vec<u32>> =
            Turn::ALL.iter().map(|t| t.image(image.view()).iter().map(|v| *v as u32).collect()).collect();
        // a quarter turn, by hand
        assert!(seen.contains(&vec![2, 5, 8, 1, 4, 7, 0, 3, 6]));
        assert!(seen.iter().all(|s| s[4] == 4 && s[0] % 2 == 0), "the middle stays, corners are corners");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 7);
        for turn in Turn::ALL {
            let mask = image.index_axis(ndarray::Axis(2), 0).mapv(|v| v == 5.0);
            let found = turn.plane(mask.view());
            let pixel = turn.image(image.view());
            assert!(found.indexed_iter().all(|((y, x), m)| *m == (pixel[[y, x, 0]] == 5.0)));
        }
    }

    #[test]
    fn copies_share_the_fold_of_their_photo_and_folds_are_even() {
        for n in 4..=8 {
            let photos: Vec<_> = (0..n).map(|i| photo(i, (64, 64), &[(32, 32)])).collect();
            let order: Vec<usize> = (0..n).rev().collect();
            let views = with_copies(&photos, &order);
            assert!(views.iter().enumerate().all(|(p, view)| view.number % FOLDS == p % FOLDS), "{n}");
            assert!(views[..n].iter().all(|v| !v.is_copy()) && views[n..].iter().all(|v| v.is_copy()));
            assert!(views.len() >= 7 * 4, "{n}: {}", views.len());
            assert!(views.iter().all(|v| v.photo == order[v.number]));
        }
    }

    #[test]
    fn photos_in_other_light_share_the_folds_of_the_photos() {
        for n in [4, 10, 11, 40] {
            let views = View::photos(&(0..n).rev().collect::<Vec<_>>());
            let relit = in_other_light(&views, 5);
            assert!(relit.len() + 3 >= n && relit.len() <= n, "{n}: {}", relit.len());
            for (i, view) in relit.iter().enumerate() {
                assert_eq!(view.number % FOLDS, (n + i) % FOLDS, "{n}");
                assert_eq!((view.photo, view.is_copy()), (n - 1 - view.number, true));
            }
            assert_eq!(relit, in_other_light(&views, 5));
        }
    }

    #[test]
    fn small_motions_fill_up_where_nothing_else_is_allowed() {
        for n in 1..4 {
            let photos: Vec<_> = (0..n).map(|i| photo(i, (64, 64), &[(12, 24)])).collect();
            let views = with_copies(&photos, &(0..n).collect::<Vec<_>>());
            assert_eq!(views.len(), 8, "{n}");
            assert!(views[n..].iter().all(|v| matches!(v.change, Some(Change::Moved(_)))));
            let mut folds: Vec<Vec<View>> = vec![Vec::new(); FOLDS];
            views.iter().enumerate().for_each(|(p, view)| folds[p % FOLDS].push(*view));
            assert!(folds.iter().all(|fold| fold.len() == 2));
        }
    }
}
