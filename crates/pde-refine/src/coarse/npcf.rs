//! npcF, the coarse stage: makes a composite coherent with the image around it by a screened Poisson solve.

use super::compose::{Field, Scene};
use super::diffusivity::Diffusivity;
use super::guidance::Guidance;
use super::screening::Screening;
use crate::coherence::AllenCahn;
use crate::error::Error;
use crate::parallel;
use crate::params::accessors;
use crate::poisson::{Solve, SolveStats, Solver};
use crate::refine::{Refine, RefineStats, Refined, check_finite, check_inputs};
use imgkit::{Rect, boxes};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};

/// Parameters of [`Npcf`].
///
/// ```
/// use pde_refine::{Guidance, Npcf, NpcfParams, Screening};
/// let cloning = NpcfParams::default().with_guidance(Guidance::Mixed).with_screening(Screening::Uniform(0.0));
/// let stage = Npcf::new(cloning)?;
/// # Ok::<(), pde_refine::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct NpcfParams {
    coherence: Option<AllenCahn>,
    guidance: Guidance,
    diffusivity: Diffusivity,
    screening: Screening,
}

accessors!(NpcfParams {
    /// Structure coherence, the step before the solve; `None` (the default) leaves it out.
    ///
    /// The mask's indicator is relaxed by the flow, and inside the mask the composite enters as `m c + (1 - m) I`,
    /// with `m` the relaxed mask clamped to `[0, 1]`: specks narrower than the interface fall back to the normal image,
    /// and the defect's edge takes on the flow's profile, one half at the edge of the mask. Where the flow would fill a
    /// gap of the mask nothing changes, because pixels outside the given mask always equal the normal image.
    ///
    /// Meant for ragged masks, as a threshold yields them. Not the default, because it cannot distinguish a speck from
    /// a defect: a crack narrower than about twice [`AllenCahnParams::width`](crate::AllenCahnParams::width) almost
    /// vanishes.
    coherence, with_coherence: Option<AllenCahn>;
    /// Guidance field.
    guidance, with_guidance: Guidance;
    /// Diffusivity.
    diffusivity, with_diffusivity: Diffusivity;
    /// Screening.
    screening, with_screening: Screening;
});

impl NpcfParams {
    /// Checks the parameters; [`Npcf::new`] calls it.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a parameter is NaN or outside the range its type documents.
    pub fn check(&self) -> Result<(), Error> {
        self.guidance.check()?;
        self.diffusivity.check()?;
        self.screening.check()
    }
}

/// npcF, the coarse stage. Minimizes, per channel,
/// `1/2 Int D |grad u - v|^2 + 1/2 Int lambda (u - c)^2` over the mask with `u = I` around it, that is, solves
/// `-div(D grad u) + lambda u = -div(D v) + lambda c`.
///
/// `I` is the normal image, `c` the composite, `v` the [`Guidance`], `D` the [`Diffusivity`], `lambda` the
/// [`Screening`]. If asked for, the composite's soft mask is made coherent first ([`NpcfParams::coherence`]). The edge
/// of the frame is a zero-flux boundary. The result is clamped to `[0, 1]`. The model is this project's own; the
/// abstract of arXiv 2504.12970 says only that npcF enforces a PDE-based consistency.
///
/// Work is proportional to the bounding boxes of the mask's groups of pixels.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use pde_refine::{Npcf, Refine};
///
/// let normal = Array3::from_elem((64, 64, 3), 0.6f32);
/// let mask = Array2::from_shape_fn((64, 64), |(y, x)| (20..44).contains(&y) && (20..44).contains(&x));
/// let mut composite = normal.clone();
/// for ((y, x), _) in mask.indexed_iter().filter(|(_, m)| **m) {
///     for c in 0..3 { composite[(y, x, c)] = 0.3; }
/// }
/// let refined = Npcf::default().refine(normal.view(), composite.view(), mask.view())?;
/// assert_eq!(refined.image[(19, 30, 0)], 0.6);                // outside: the normal image
/// assert!((refined.image[(32, 32, 0)] - 0.3).abs() < 0.01);   // the middle keeps its contrast
/// assert!(refined.image[(20, 32, 0)] > 0.35);                 // the seam's step has become a ramp
/// # Ok::<(), pde_refine::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Npcf {
    params: NpcfParams,
    solver: Solver,
}

impl Default for Npcf {
    /// Import guidance, `D = 1`, proportional screening, no coherence step, multigrid to 1e-6.
    fn default() -> Self {
        Npcf { params: NpcfParams::default(), solver: Solver::default() }
    }
}

impl Npcf {
    /// Checks the parameters. The solver is [`Multigrid`](crate::poisson::Multigrid) with its defaults.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a parameter is NaN or outside the range its type documents.
    pub fn new(params: NpcfParams) -> Result<Self, Error> {
        params.check()?;
        Ok(Npcf { params, ..Npcf::default() })
    }

    /// Uses another solver. Wrap an implementation of [`Solve`] from outside this crate by [`Solver::custom`].
    #[must_use]
    pub fn with_solver(mut self, solver: impl Into<Solver>) -> Self {
        self.solver = solver.into();
        self
    }

    /// Parameters.
    #[must_use]
    pub fn params(&self) -> NpcfParams {
        self.params
    }

    /// Pixels around the box of a mask that its result depends on.
    pub(crate) fn reach(&self) -> usize {
        1 + self.params.coherence.map_or(0, margin)
    }

    fn solve_box(&self, solver: &Solver, scene: &Scene<'_>) -> Result<(Array3<f64>, SolveStats), Error> {
        let Scene { normal, composite, mask, .. } = *scene;
        let (h, w, channels) = normal.dim();
        let lambda = self.params.screening.lambda(mask).unwrap_or_else(|| Array2::zeros(mask.dim()));
        let system = self.params.diffusivity.system(normal, mask, lambda.view())?;
        let mut rhs = Array3::zeros((channels, h, w));
        let mut guess = Array3::zeros((channels, h, w));
        for k in 0..channels {
            let (i, c) = (normal.index_axis(Axis(2), k), composite.index_axis(Axis(2), k));
            let mut source = system.minus_divergence(|i, j| scene.flux(i, j, k));
            ndarray::Zip::from(&mut source)
                .and(&lambda)
                .and(&c)
                .for_each(|s, &l, &c| *s += f64::from(l) * f64::from(c));
            rhs.index_axis_mut(Axis(0), k).assign(&system.rhs(i, source.view())?);
            guess.index_axis_mut(Axis(0), k).assign(&c.mapv(f64::from));
        }
        solver.solve(&system, rhs.view(), guess.view())
    }
}

impl Refine for Npcf {
    fn refine(
        &self,
        normal: ArrayView3<'_, f32>,
        composite: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<Refined, Error> {
        check_inputs(&normal, &composite, &mask)?;
        let mut image = normal.to_owned();
        let mut stats = RefineStats { strength: 1.0, ..RefineStats::default() };
        for rect in boxes::separate(mask) {
            let rect = rect.grow(1, mask.dim());
            check_finite(rect, [("normal", &normal), ("composite", &composite)])?;
            let coherent = match self.params.coherence {
                Some(flow) => Some(coherent(flow, normal, composite, mask, rect)?),
                None => None,
            };
            let mask = rect.crop(mask);
            let (normal, composite) = (rect.crop(normal), rect.crop(composite));
            let composite = coherent.as_ref().map_or(composite, |c| c.view());
            let field = Field::from(self.params.guidance);
            let scene = Scene { normal, composite, mask, field, known_beside: false };
            let unit = self.params.diffusivity == Diffusivity::Constant;
            let solve = match &self.solver {
                Solver::Multigrid(multigrid) if unit && Scene::reaches(multigrid) => {
                    scene.solve(self.params.screening.lambda(mask), multigrid, |from, e| {
                        write_box(&mut image, rect, mask, (from, e.len()), |y| {
                            let c = composite.index_axis_move(Axis(0), y);
                            let e: Vec<_> = e.iter().map(|e| e.row(y)).collect();
                            move |x, k| (c[(x, k)] + e[k - from].at(x)).clamp(0.0, 1.0)
                        });
                    })?
                }
                solver => {
                    let (u, solve) = self.solve_box(solver, &scene)?;
                    let u = &u;
                    write_box(&mut image, rect, mask, (0, normal.dim().2), |y| {
                        move |x, k| (u[(k, y, x)] as f32).clamp(0.0, 1.0)
                    });
                    solve
                }
            };
            stats.boxes += 1;
            stats.solve.merge(&solve);
        }
        Ok(Refined { image, stats })
    }
}

/// Distance at which the frame of the flow lies: some interface widths.
fn margin(flow: AllenCahn) -> usize {
    (6.0 * flow.params().width() as f32).ceil().min(1e6) as usize
}

/// Blends composite and normal image by the relaxed mask, inside the mask, over a box.
fn coherent(
    flow: AllenCahn,
    normal: ArrayView3<'_, f32>,
    composite: ArrayView3<'_, f32>,
    mask: ArrayView2<'_, bool>,
    rect: Rect,
) -> Result<Array3<f32>, Error> {
    let wide = rect.grow(margin(flow), mask.dim());
    let (soft, _) = flow.relax(wide.crop(mask).mapv(|m| f32::from(u8::from(m))).view())?;
    let soft = rect.relative_to(wide).crop(soft.view());
    let (normal, composite, mask) = (rect.crop(normal), rect.crop(composite), rect.crop(mask));
    Ok(Array3::from_shape_fn(composite.dim(), |(y, x, k)| {
        let (i, c) = (normal[(y, x, k)], composite[(y, x, k)]);
        if mask[(y, x)] { i + soft[(y, x)].clamp(0.0, 1.0) * (c - i) } else { c }
    }))
}

/// Rows of a box that one task writes.
const BAND: usize = 64;

/// Writes channels `from` to `from + n` of the mask's pixels in a box; `row(y)` returns the values of a row as a
/// function of column and channel.
pub(crate) fn write_box<V: Fn(usize, usize) -> f32>(
    image: &mut Array3<f32>,
    rect: Rect,
    mask: ArrayView2<'_, bool>,
    (from, n): (usize, usize),
    row: impl Fn(usize) -> V + Send + Sync,
) {
    let pixels = mask.len();
    let mut rows = rect.crop_mut(image.view_mut());
    let bands: Vec<_> = rows.axis_chunks_iter_mut(Axis(0), BAND).enumerate().collect();
    parallel::each(bands, pixels, |(band, mut rows)| {
        for (y, mut out) in rows.outer_iter_mut().enumerate() {
            let y = band * BAND + y;
            let value = row(y);
            for (x, _) in mask.row(y).iter().enumerate().filter(|(_, m)| **m) {
                for k in from..from + n {
                    out[(x, k)] = value(x, k);
                }
            }
        }
    });
}
