//! Gradient-domain compositing: seamless cloning, inpainting and smoothing inside a mask.

use crate::coarse::{Field, Guidance, Scene, write_box};
use crate::error::Error;
use crate::poisson::Multigrid;
use crate::refine::{RefineStats, Refined, check_finite, check_inputs};
use imgkit::{boxes, ensure};
use ndarray::{Array2, ArrayView2, ArrayView3, Axis};

/// Seamless cloning, or Poisson image editing (Perez, Gangnet and Blake, 2003): gives the pixels of `mask` the
/// gradients of `source` and fits them to the colors of `target` around the mask.
///
/// Solves, per channel, `lap u = div v` inside the mask with `u = target` around it, `v` the [`Guidance`] formed of
/// the two images' differences between neighboring pixels, also across the mask's edge. The region is the mask itself,
/// not its bounding box; where it touches the frame, the edge of the frame is a zero-flux boundary. The relative
/// residual of the result is at most 1e-6, in `stats.solve`; a solve that misses it is an error.
///
/// `target` and `source` are (H, W, C), `mask` is (H, W); to move the source, shift it first. Any units: the result is
/// not clamped, and may leave the range of the images. Pixels outside the mask equal `target` bit for bit, and `source`
/// is read in the mask and one pixel beside it only.
///
/// # Errors
/// [`Error::Shape`] on mismatched shapes, [`Error::NonFinite`] if an image holds a NaN or an infinity in or near the
/// mask, [`Error::NoBoundary`] if the mask covers the whole frame, [`Error::Parameter`] for a blend outside 0 to 1,
/// [`Error::NotConverged`].
///
/// ```
/// use ndarray::{Array2, Array3};
/// use pde_refine::{Guidance, seamless_clone};
///
/// let target = Array3::from_shape_fn((64, 64, 3), |(_, x, _)| 0.3 + 0.4 * x as f32 / 64.0);
/// let source = Array3::from_shape_fn((64, 64, 3), |(y, x, _)| if (y / 4 + x / 4) % 2 == 0 { 0.9 } else { 0.8 });
/// let mask = Array2::from_shape_fn((64, 64), |(y, x)| (y as f32 - 32.0).hypot(x as f32 - 32.0) < 20.0);
/// let cloned = seamless_clone(target.view(), source.view(), mask.view(), Guidance::Import)?;
/// assert!(cloned.stats.solve.residual <= 1e-6);
/// assert_eq!(cloned.image[(5, 5, 0)], target[(5, 5, 0)]);
/// // the checks are there, at the target's brightness
/// let step = cloned.image[(32, 31, 0)] - cloned.image[(32, 32, 0)];
/// assert!((step.abs() - 0.1).abs() < 0.02 && (cloned.image[(32, 32, 0)] - 0.5).abs() < 0.1);
/// # Ok::<(), pde_refine::Error>(())
/// ```
pub fn seamless_clone(
    target: ArrayView3<'_, f32>,
    source: ArrayView3<'_, f32>,
    mask: ArrayView2<'_, bool>,
    guidance: Guidance,
) -> Result<Refined, Error> {
    seamless_clone_with(target, source, mask, guidance, &Multigrid::default())
}

/// Seamless cloning with a given solver, which sets the tolerance, the limit on cycles and the sweeps; see
/// [`seamless_clone`].
///
/// # Errors
/// As [`seamless_clone`].
///
/// ```
/// use ndarray::{Array2, Array3};
/// use pde_refine::poisson::{Multigrid, MultigridParams, Stopping};
/// use pde_refine::{Guidance, seamless_clone_with};
///
/// let (target, source) = (Array3::zeros((16, 16, 1)), Array3::ones((16, 16, 1)));
/// let mask = Array2::from_shape_fn((16, 16), |(y, _)| y > 4);
/// let stopping = Stopping::default().with_tolerance(1e-8);
/// let tight = Multigrid::new(MultigridParams::default().with_stopping(stopping))?;
/// let cloned = seamless_clone_with(target.view(), source.view(), mask.view(), Guidance::Import, &tight)?;
/// assert!(cloned.image.iter().all(|v| v.abs() < 1e-6)); // a constant source has no gradients
/// # Ok::<(), pde_refine::Error>(())
/// ```
pub fn seamless_clone_with(
    target: ArrayView3<'_, f32>,
    source: ArrayView3<'_, f32>,
    mask: ArrayView2<'_, bool>,
    guidance: Guidance,
    solver: &Multigrid,
) -> Result<Refined, Error> {
    guidance.check()?;
    compose(target, source, mask, guidance.into(), None, solver)
}

/// Inpaints the mask with the smoothest surface that meets the image around it: solves `lap u = 0` (a membrane), per
/// channel.
///
/// `image` is (H, W, C), `mask` is (H, W); what the image holds inside the mask is not read, so it may be NaN there.
/// Each value filled in lies between the least and the greatest beside its part of the mask. Pixels outside the mask
/// are returned bit for bit. The edge of the frame is a zero-flux boundary.
///
/// # Errors
/// [`Error::Shape`] on mismatched shapes, [`Error::NonFinite`] beside the mask, [`Error::NoBoundary`] if the mask
/// covers the whole frame, [`Error::NotConverged`].
///
/// ```
/// use ndarray::{Array2, Array3};
/// let mut image = Array3::from_shape_fn((32, 32, 1), |(y, x, _)| (x + 2 * y) as f32);
/// let ramp = image.clone();
/// let mask = Array2::from_shape_fn((32, 32), |(y, x)| (8..20).contains(&y) && (5..25).contains(&x));
/// for (i, _) in mask.indexed_iter().filter(|(_, m)| **m) { image[(i.0, i.1, 0)] = f32::NAN; }
/// let filled = pde_refine::inpaint(image.view(), mask.view())?;
/// assert!((&filled.image - &ramp).iter().all(|d| d.abs() < 1e-3)); // a ramp is harmonic
/// # Ok::<(), pde_refine::Error>(())
/// ```
pub fn inpaint(image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<Refined, Error> {
    check_inputs(&image, &image, &mask)?;
    let mut known = image.to_owned();
    for (&m, mut pixel) in mask.iter().zip(known.lanes_mut(Axis(2))) {
        if m {
            pixel.fill(0.0);
        }
    }
    // the solution starts from 0 inside
    compose(known.view(), known.view(), mask, Field::Flat, None, &Multigrid::default())
}

/// Smooths the image inside the mask: minimizes `1/2 Int |grad u|^2 + lambda / 2 Int (u - image)^2` with `u = image`
/// around it, per channel.
///
/// `image` is (H, W, C), `mask` is (H, W), `lambda > 0` is in 1 / pixel^2: details smaller than `1 / sqrt(lambda)`
/// pixels vanish. The mask may cover the whole frame, whose edge is a zero-flux boundary.
///
/// # Errors
/// [`Error::Parameter`] if `lambda` is not in 1e-6 to 1e6, [`Error::Shape`] on mismatched shapes, [`Error::NonFinite`]
/// if the image holds a NaN or an infinity in or near the mask, [`Error::NotConverged`].
///
/// ```
/// use ndarray::{Array2, Array3};
/// let checks = Array3::from_shape_fn((32, 32, 1), |(y, x, _)| ((y + x) % 2) as f32);
/// let all = Array2::from_elem((32, 32), true);
/// let smooth = pde_refine::screened_smooth(checks.view(), all.view(), 0.1)?.image;
/// // a checkerboard has the Laplacian's largest eigenvalue, 8: it fades to lambda / (8 + lambda) of itself
/// assert!(((smooth[(16, 16, 0)] - 0.5).abs() - 0.5 * 0.1 / 8.1).abs() < 1e-4);
/// # Ok::<(), pde_refine::Error>(())
/// ```
pub fn screened_smooth(image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>, lambda: f64) -> Result<Refined, Error> {
    ensure((1e-6..=1e6).contains(&lambda), "screened_smooth", "lambda", lambda, "1e-6 to 1e6")?;
    compose(image, image, mask, Field::Flat, Some(lambda as f32), &Multigrid::default())
}

/// Solves every box of the mask independently.
fn compose(
    target: ArrayView3<'_, f32>,
    source: ArrayView3<'_, f32>,
    mask: ArrayView2<'_, bool>,
    field: Field,
    lambda: Option<f32>,
    solver: &Multigrid,
) -> Result<Refined, Error> {
    check_inputs(&target, &source, &mask)?;
    let mut image = target.to_owned();
    let mut stats = RefineStats { strength: 1.0, ..RefineStats::default() };
    for rect in boxes::separate(mask) {
        let rect = rect.grow(1, mask.dim());
        check_finite(rect, [("target", &target), ("source", &source)])?;
        let (normal, composite, mask) = (rect.crop(target), rect.crop(source), rect.crop(mask));
        let scene = Scene { normal, composite, mask, field, known_beside: true };
        let lambda = lambda.map(|l| Array2::from_elem(mask.dim(), l));
        let solve = scene.solve(lambda, solver, |from, e| {
            write_box(&mut image, rect, mask, (from, e.len()), |y| {
                let c = composite.index_axis_move(Axis(0), y);
                let e: Vec<_> = e.iter().map(|e| e.row(y)).collect();
                move |x, k| c[(x, k)] + e[k - from].at(x)
            });
        })?;
        stats.boxes += 1;
        stats.solve.merge(&solve);
    }
    Ok(Refined { image, stats })
}
