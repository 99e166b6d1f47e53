//! Odd input to every public constructor and function: the answer is a value or a typed error, never a panic.

#![allow(clippy::unwrap_used)] // helpers of tests, which the lint's own exception for tests does not reach

use ndarray::{Array2, Array3, Axis};
use pde_refine::filters::{
    Diffuse, EdgeEnhancing, EdgeEnhancingParams, EdgeStop, FilterScratch, PeronaMalik, PeronaMalikParams,
};
use pde_refine::poisson::{
    Direct, Multigrid, MultigridParams, MultigridPcg, Rectangle, Side, Sides, Solve, Solver, Stopping, System,
};
use pde_refine::{
    AllenCahn, AllenCahnParams, CoarseToFine, Diffusivity, Error, Guidance, Npcf, NpcfParams, NpcfPlus, NpcfPlusParams,
    Refine, Screening, inpaint, screened_smooth, seamless_clone, seamless_clone_with,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::Cell;

/// Runs `function` on many inputs; a panic fails, and so does a function that never accepts or never refuses.
fn answers<S: Strategy, T>(cases: u32, input: S, function: impl Fn(S::Value) -> Result<T, Error>) {
    let (accepted, refused) = (Cell::new(0), Cell::new(0));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
        .run(&input, |input| {
            let count = if function(input).is_ok() { &accepted } else { &refused };
            count.set(count.get() + 1);
            Ok(())
        })
        .unwrap();
    assert!(accepted.get() > 0 && refused.get() > 0, "{} accepted, {} refused", accepted.get(), refused.get());
}

fn number() -> impl Strategy<Value = f64> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, -1.0, 1e-300, 1e300, f64::MIN_POSITIVE, f64::MAX];
    prop_oneof![1 => prop::sample::select(odd.to_vec()), 4 => 0.0..=1.0f64, 1 => 0.0..50.0f64]
}

fn count() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..9usize, 1 => Just(usize::MAX)]
}

/// A pixel: mostly in [0, 1], rarely anything.
fn value() -> impl Strategy<Value = f32> {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, 1e30, f32::MAX, f32::MIN, f32::MIN_POSITIVE];
    prop_oneof![400 => 0.0..=1.0f32, 1 => prop::sample::select(odd.to_vec())]
}

fn image() -> impl Strategy<Value = Array3<f32>> {
    (0..24usize, 0..24usize, 0..4usize).prop_flat_map(|(h, w, c)| {
        let values = prop::collection::vec(value(), h * w * c);
        values.prop_map(move |values| Array3::from_shape_vec((h, w, c), values).unwrap())
    })
}

/// A mask of the image's size, or rarely of another.
fn mask(h: usize, w: usize) -> impl Strategy<Value = Array2<bool>> {
    (0..8usize, 0..5u32, any::<u64>()).prop_map(move |(other, kind, seed)| {
        let size = if other == 0 { (h + 1, w) } else { (h, w) };
        Array2::from_shape_fn(size, |(y, x)| match kind {
            0 => true,
            1 => false,
            2 => (seed >> ((y * 5 + x * 3) % 64)) & 1 == 1,
            3 => y > 0 && x > 0 && y + 1 < h && x + 1 < w,
            _ => (y, x) == ((seed % 24) as usize, (seed / 24 % 24) as usize),
        })
    })
}

fn scene() -> impl Strategy<Value = (Array3<f32>, Array3<f32>, Array2<bool>)> {
    image().prop_flat_map(|normal| {
        let (h, w, _) = normal.dim();
        let composite = normal.mapv(|v| 1.0 - v);
        (Just(normal), Just(composite), mask(h, w))
    })
}

fn guidance() -> impl Strategy<Value = Guidance> {
    prop_oneof![Just(Guidance::Import), Just(Guidance::Mixed), number().prop_map(Guidance::Blend)]
}

fn diffusivity() -> impl Strategy<Value = Diffusivity> {
    prop_oneof![
        Just(Diffusivity::Constant),
        number().prop_map(|kappa| Diffusivity::Charbonnier { kappa }),
        number().prop_map(|kappa| Diffusivity::PeronaMalik { kappa }),
        number().prop_map(|kappa| Diffusivity::EdgeEnhancing { kappa }),
    ]
}

fn screening() -> impl Strategy<Value = Screening> {
    prop_oneof![
        number().prop_map(Screening::Uniform),
        (number(), number()).prop_map(|(ratio, max_half_width)| Screening::Proportional { ratio, max_half_width }),
    ]
}

fn npcf_params() -> impl Strategy<Value = NpcfParams> {
    (guidance(), diffusivity(), screening(), any::<bool>()).prop_map(|(guidance, diffusivity, screening, flow)| {
        NpcfParams::default()
            .with_guidance(guidance)
            .with_diffusivity(diffusivity)
            .with_screening(screening)
            .with_coherence(flow.then(|| AllenCahn::new(AllenCahnParams::default()).unwrap()))
    })
}

fn npcf_plus_params() -> impl Strategy<Value = NpcfPlusParams> {
    (count(), number(), number(), number(), number()).prop_map(|(bands, cutoff, noise, scale, fraction)| {
        NpcfPlusParams::default()
            .with_bands(bands)
            .with_texture_ratio_cutoff(1.0 + cutoff)
            .with_noise_floor(noise)
            .with_feather_scale(scale)
            .with_max_feather_fraction(fraction)
    })
}

fn flow_params() -> impl Strategy<Value = AllenCahnParams> {
    (number(), number(), number(), 0..9usize, number(), any::<bool>()).prop_map(
        |(width, fidelity, step, steps, tolerance, preserve)| {
            AllenCahnParams::default()
                .with_width(width)
                .with_fidelity(fidelity)
                .with_time_step(step)
                .with_max_steps(steps)
                .with_tolerance(tolerance)
                .with_preserve_volume(preserve)
        },
    )
}

fn stopping() -> impl Strategy<Value = Stopping> {
    (number(), 0..40usize).prop_map(|(tolerance, iterations)| {
        Stopping::default().with_tolerance(tolerance).with_max_iterations(iterations)
    })
}

#[test]
fn stages_take_any_parameters_and_scene() {
    answers(400, (npcf_params(), scene()), |(params, (normal, composite, mask))| {
        Npcf::new(params)?.refine(normal.view(), composite.view(), mask.view())
    });
    answers(400, (npcf_plus_params(), scene()), |(params, (normal, composite, mask))| {
        NpcfPlus::new(params)?.refine(normal.view(), composite.view(), mask.view())
    });
    answers(200, scene(), |(normal, composite, mask)| {
        CoarseToFine::default().stages(normal.view(), composite.view(), mask.view())?;
        CoarseToFine::default().refine(normal.view(), composite.view(), mask.view())
    });
}

#[test]
fn compositing_takes_any_scene() {
    answers(300, (scene(), guidance()), |((target, source, mask), guidance)| {
        seamless_clone(target.view(), source.view(), mask.view(), guidance)
    });
    answers(300, (scene(), stopping(), count()), |((target, source, mask), stopping, sweeps)| {
        let params = MultigridParams::default().with_stopping(stopping).with_sweeps(sweeps);
        let solver = Multigrid::new(params)?;
        seamless_clone_with(target.view(), source.view(), mask.view(), Guidance::Import, &solver)
    });
    answers(300, scene(), |(image, _, mask)| inpaint(image.view(), mask.view()));
    answers(300, (scene(), number()), |((image, _, mask), lambda)| screened_smooth(image.view(), mask.view(), lambda));
}

#[test]
fn the_flow_takes_any_parameters_and_mask() {
    answers(400, (flow_params(), image()), |(params, image)| {
        let flow = AllenCahn::new(params)?;
        match image.axis_iter(Axis(2)).next() {
            Some(plane) => flow.relax(plane),
            None => flow.relax(Array2::zeros((0, 3)).view()),
        }
    });
}

#[test]
fn filters_take_any_parameters_and_image() {
    let stop = prop::sample::select(vec![EdgeStop::Exponential, EdgeStop::Rational, EdgeStop::Constant]);
    answers(300, (number(), stop, number(), image(), 0..4usize), |(kappa, stop, step, image, steps)| {
        let params = PeronaMalikParams::default().with_kappa(kappa).with_edge_stop(stop).with_time_step(0.25 * step);
        run(&PeronaMalik::new(params)?, &image, steps)
    });
    let scales = (number(), number(), number());
    answers(300, (scales, 0..10u32, number(), number(), image()), |(scales, power, floor, step, image)| {
        let params = EdgeEnhancingParams::default()
            .with_kappa(scales.0)
            .with_noise_scale(scales.1)
            .with_integration_scale(scales.2)
            .with_power(power)
            .with_floor(floor)
            .with_time_step(0.25 * step);
        run(&EdgeEnhancing::new(params)?, &image, 2)
    });
}

/// Also steps on the image as it is, NaN and all.
fn run(filter: &impl Diffuse, image: &Array3<f32>, steps: usize) -> Result<Array3<f32>, Error> {
    filter.step(image.clone().permuted_axes([2, 0, 1]).view_mut(), &mut FilterScratch::new());
    filter.filter(image.view(), steps)
}

#[test]
fn rectangles_of_any_size_and_any_lambda() {
    let sides = prop::collection::vec(prop::sample::select(vec![Side::Dirichlet, Side::Neumann]), 4);
    answers(400, (count(), count(), sides, number()), |(height, width, sides, lambda)| {
        let sides = Sides { top: sides[0], bottom: sides[1], left: sides[2], right: sides[3] };
        let plan = Rectangle::new((height, width), sides, lambda)?;
        let mut plane = vec![1.0f32; height * width];
        plan.process(&mut plane, &mut plan.scratch())?;
        assert!(plan.process(&mut plane[1..], &mut plan.scratch()).is_err());
        plan.solve(Array2::<f64>::ones((height, width)).view_mut())
    });
}

#[test]
fn systems_and_solvers_take_any_coefficients() {
    let solver = (stopping(), 0..4usize).prop_map(|(stopping, kind)| -> Result<Solver, Error> {
        Ok(match kind {
            0 => Multigrid::new(MultigridParams::default().with_stopping(stopping))?.into(),
            1 => MultigridPcg::new(stopping)?.into(),
            2 => Direct::new(stopping)?.into(),
            _ => Solver::custom(MultigridPcg::new(stopping)?),
        })
    });
    answers(800, (scene(), solver, 0..3usize), |((a, b, mask), solver, kind)| {
        let solver = solver?;
        let plane = |image: &Array3<f32>| image.axis_iter(Axis(2)).next().map(|p| p.to_owned()).unwrap_or_default();
        let (a, b) = (plane(&a), plane(&b));
        let one = Array2::ones(mask.dim());
        let system = match kind {
            0 => System::new(mask.view(), a.view(), b.view())?,
            1 => System::new(mask.view(), one.view(), Array2::from_elem(mask.dim(), 0.3).view())?,
            _ => System::with_tensor(mask.view(), [one.view(), a.mapv(|v| v - 0.5).view(), one.view()], b.view())?,
        };
        let source = system.minus_divergence(|i, j| i.0 as f64 - j.1 as f64);
        let rhs = system.rhs(a.view(), source.view())?;
        system.energy(system.apply(rhs.view())?.view(), rhs.view())?;
        assert!(system.energy(Array2::zeros((0, 1)).view(), rhs.view()).is_err());
        assert!(system.rhs(Array2::zeros((77, 1)).view(), source.view()).is_err());
        let rhs = rhs.insert_axis(Axis(0));
        assert!(solver.solve(&system, rhs.view(), Array3::zeros((2, 1, 77)).view()).is_err());
        solver.solve(&system, rhs.view(), Array3::zeros(rhs.dim()).view())
    });
}
