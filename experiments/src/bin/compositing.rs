//! Draws gradient-domain compositing of the photographs in `assets`, and the convergence of the solvers.
//!
//! ```text
//! cargo run --release -p experiments --bin compositing [-- --peers DIR]
//! ```
//!
//! Writes `docs/images/compositing.jpg`, a contact sheet, and `docs/images/convergence.svg`, the relative residual
//! against work and against time; ends with `result residual=<f> folder=<path>`. With `--peers` it also writes every
//! scene to `DIR/<name>/{target,source,mask}.png`; once `experiments/peers/seamless_clone.py DIR` has put
//! `seamless_clone.png` beside them, the next run shows OpenCV's picture too.

use experiments::bars::bar;
use experiments::plot::{Line, Panel, VerticalAxis, svg};
use experiments::program::{Result, finish};
use experiments::sheet_file::save_jpeg;
use image::imageops::{FilterType, crop_imm, replace, resize};
use image::{GrayImage, Luma, RgbImage};
use maphc2f::imgkit::file::write_atomic;
use maphc2f::pde_refine::poisson::{Direct, Multigrid, MultigridParams, MultigridPcg, Solve, Stopping, System};
use maphc2f::pde_refine::{Error, Guidance, seamless_clone};
use maphc2f::{Cell, Sheet};
use ndarray::{Array2, Array3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Side of every scene.
const SIDE: u32 = 200;
/// Side of the square that the convergence is measured on.
const GRID: usize = 513;
/// Most iterations plotted.
const ITERATIONS: usize = 10;
/// Times that every solve is timed.
const ROUNDS: usize = 30;

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String> {
    let mut peers = None;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("peers") => peers = Some(PathBuf::from(args.value()?)),
            _ => return Err(arg.unexpected().into()),
        }
    }
    let images = experiments::workspace().join("docs/images");
    std::fs::create_dir_all(&images)?;
    let (sheet, worst) = sheet(peers.as_deref())?;
    save_jpeg(&sheet, &images.join("compositing.jpg"))?;
    write_atomic(images.join("convergence.svg"), &convergence()?)?;
    Ok(format!("result residual={worst:.2e} folder={}", images.display()))
}

/// A compositing problem: images of [`SIDE`] by [`SIDE`].
struct Scene {
    name: &'static str,
    target: RgbImage,
    source: RgbImage,
    mask: GrayImage,
}

/// A square of a photograph, at [`SIDE`].
fn cut(file: &str, left: u32, top: u32, side: u32) -> Result<RgbImage> {
    let path = experiments::workspace().join("assets/photos").join(file);
    let photo = image::open(&path).map_err(|e| format!("{}: {e}", path.display()))?.to_rgb8();
    Ok(resize(&crop_imm(&photo, left, top, side, side).to_image(), SIDE, SIDE, FilterType::CatmullRom))
}

/// White where `inside(x, y)`, in fractions of the side.
fn mask(inside: impl Fn(f32, f32) -> bool) -> GrayImage {
    let share = |v: u32| (v as f32 + 0.5) / SIDE as f32;
    GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([if inside(share(x), share(y)) { 255 } else { 0 }]))
}

fn scenes() -> Result<[Scene; 3]> {
    let oval = |x: f32, y: f32, [cx, cy, rx, ry]: [f32; 4]| ((x - cx) / rx).hypot((y - cy) / ry) < 1.0;
    // a portrait, as large as the surface of the coffee
    let portrait = resize(&cut("objects/coins.png", 324, 163, 44)?, 98, 58, FilterType::CatmullRom);
    let coffee = [0.526, 0.475, 0.225, 0.125];
    let mut milk = RgbImage::new(SIDE, SIDE);
    let share = |v: f32, length: u32| (v * SIDE as f32) as i64 - i64::from(length / 2);
    replace(&mut milk, &portrait, share(coffee[0], 98), share(coffee[1], 58));
    Ok([
        Scene {
            name: "coin carved in wood",
            target: cut("objects/coffee.jpg", 475, 275, 125)?,
            source: cut("objects/coins.png", 305, 145, 80)?,
            mask: mask(|x, y| oval(x, y, [0.531, 0.523, 0.375, 0.37])),
        },
        Scene {
            name: "portrait on coffee",
            target: cut("objects/coffee.jpg", 130, 10, 300)?,
            source: milk,
            mask: mask(|x, y| oval(x, y, coffee)),
        },
        Scene {
            name: "felt on leather",
            target: cut("leather/01.jpg", 42, 42, 256)?,
            source: cut("felt/01.jpg", 0, 0, 256)?,
            mask: mask(|x, y| {
                let (dx, dy) = (x - 0.5, y - 0.5);
                let angle = dy.atan2(dx);
                dx.hypot(dy) < 0.36 * (1.0 + 0.18 * (3.0 * angle + 0.7).sin() + 0.1 * (7.0 * angle).sin())
            }),
        },
    ])
}

fn to_array(image: &RgbImage) -> Array3<f32> {
    let (w, h) = image.dimensions();
    let at = |(y, x, k): (usize, usize, usize)| f32::from(image.get_pixel(x as u32, y as u32)[k]) / 255.0;
    Array3::from_shape_fn((h as usize, w as usize, 3), at)
}

/// Makes the contact sheet; returns the worst relative residual of our solves beside it.
fn sheet(peers: Option<&Path>) -> Result<(Sheet, f64)> {
    let scenes = scenes()?;
    let folder = |scene: &Scene| peers.map(|p| p.join(scene.name.replace(' ', "-")));
    let theirs: Vec<Option<RgbImage>> = scenes
        .iter()
        .map(|scene| {
            let Some(folder) = folder(scene) else { return Ok(None) };
            std::fs::create_dir_all(&folder)?;
            scene.target.save(folder.join("target.png"))?;
            scene.source.save(folder.join("source.png"))?;
            scene.mask.save(folder.join("mask.png"))?;
            let path = folder.join("seamless_clone.png");
            let found = path.exists().then(|| image::open(&path).map(|i| i.to_rgb8())).transpose()?;
            match found.filter(|i| i.dimensions() != (SIDE, SIDE)) {
                Some(_) => Err(format!("{}: not {SIDE} x {SIDE}", path.display()).into()),
                None => Ok(path.exists().then(|| image::open(&path).map(|i| i.to_rgb8())).transpose()?),
            }
        })
        .collect::<Result<_>>()?;
    let shown = theirs.iter().all(Option::is_some);
    let mut labels = vec!["target", "source", "mask", "pasted"];
    labels.extend(shown.then_some("OpenCV seamlessClone"));
    labels.extend(["ours: import", "ours: mixed", "ours: blend 0.5"]);
    let mut sheet = Sheet::new(labels);
    let mut worst = 0.0f64;
    for (scene, theirs) in scenes.iter().zip(theirs) {
        let (target, source) = (to_array(&scene.target), to_array(&scene.source));
        let inside = Array2::from_shape_fn((SIDE as usize, SIDE as usize), |(y, x)| {
            scene.mask.get_pixel(x as u32, y as u32)[0] > 127
        });
        let pasted =
            Array3::from_shape_fn(
                target.dim(),
                |(y, x, k)| {
                    if inside[(y, x)] { source[(y, x, k)] } else { target[(y, x, k)] }
                },
            );
        let cell = |image: &Array3<f32>| Cell::photo(image.view(), SIDE);
        let mut row = vec![cell(&target), cell(&source), Cell::mask(inside.view(), SIDE), cell(&pasted)];
        row.extend(theirs.filter(|_| shown).map(|i| cell(&to_array(&i))));
        for guidance in [Guidance::Import, Guidance::Mixed, Guidance::Blend(0.5)] {
            let cloned = seamless_clone(target.view(), source.view(), inside.view(), guidance)?;
            worst = worst.max(cloned.stats.solve.residual);
            row.push(cell(&cloned.image));
        }
        sheet.push(row)?;
    }
    Ok((sheet, worst))
}

/// A solver that stops after a given number of iterations, and its cost in sweeps of the finest grid.
struct Runner {
    name: &'static str,
    color: &'static str,
    /// Makes the solver for a number of iterations.
    solver: fn(usize) -> Result<Box<dyn Solve>>,
    /// Sweeps of the first and of every further iteration; `None` for the direct solver.
    sweeps: Option<(f64, f64)>,
}

/// A tolerance that no solver reaches, so that it makes all of its iterations.
const NEVER: f64 = 1e-30;

fn at_most(iterations: usize) -> Stopping {
    Stopping::default().with_tolerance(NEVER).with_max_iterations(iterations)
}

fn multigrid(iterations: usize, nested_start: bool) -> Result<Multigrid> {
    Ok(Multigrid::new(MultigridParams::default().with_stopping(at_most(iterations)).with_nested_start(nested_start))?)
}

/// A cycle smooths twice and forms one residual, on grids that together have 4/3 of the pixels, and the true residual
/// is formed once in f64; full multigrid makes a cycle on every grid; a conjugate-gradient iteration also applies the
/// matrix and updates three vectors, counted as one sweep each.
fn runners() -> [Runner; 4] {
    let cycle = 3.0 * 4.0 / 3.0;
    [
        Runner {
            name: "multigrid, full start",
            color: "#0072b2",
            solver: |n| Ok(Box::new(multigrid(n, true)?)),
            sweeps: Some((cycle * 4.0 / 3.0 + 1.0, cycle + 1.0)),
        },
        Runner {
            name: "multigrid, V-cycles",
            color: "#56b4e9",
            solver: |n| Ok(Box::new(multigrid(n, false)?)),
            sweeps: Some((cycle + 1.0, cycle + 1.0)),
        },
        Runner {
            name: "CG with multigrid",
            color: "#d55e00",
            solver: |n| Ok(Box::new(MultigridPcg::new(at_most(n))?)),
            sweeps: Some((cycle + 3.0, cycle + 3.0)),
        },
        Runner {
            name: "direct (sine transform)",
            color: "#009e73",
            solver: |_| Ok(Box::new(Direct::default())),
            sweeps: None,
        },
    ]
}

/// Plots the relative residual against work and time: random right-hand side, constant coefficients, one channel, one
/// thread.
fn convergence() -> Result<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let rhs = Array3::from_shape_fn((1, GRID, GRID), |_| rng.random::<f64>() - 0.5);
    let inside = Array2::from_shape_fn((GRID, GRID), |(y, x)| y > 0 && x > 0 && y < GRID - 1 && x < GRID - 1);
    let system = System::new(inside.view(), Array2::ones((GRID, GRID)).view(), Array2::zeros((GRID, GRID)).view())?;
    let guess = Array3::zeros((1, GRID, GRID));
    // every solver at every number of iterations; the best of rounds that take turns, so that a busy moment hits all
    // alike
    let runners = runners();
    let counts = |r: &Runner| if r.sweeps.is_some() { ITERATIONS } else { 1 };
    let mut runs = Vec::new();
    for (k, runner) in runners.iter().enumerate() {
        for n in 1..=counts(runner) {
            runs.push((k, n, (runner.solver)(n)?, f64::MAX, f64::NAN));
        }
    }
    let progress = bar("convergence", ROUNDS);
    for _ in 0..ROUNDS {
        for (.., solver, seconds, reached) in &mut runs {
            let start = Instant::now();
            *reached = match solver.solve(&system, rhs.view(), guess.view()) {
                Err(Error::NotConverged { residual, .. }) => residual,
                other => other?.1.residual,
            };
            *seconds = seconds.min(start.elapsed().as_secs_f64());
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let (mut by_work, mut by_time) = (Vec::new(), Vec::new());
    for (k, &Runner { name, color, sweeps, .. }) in runners.iter().enumerate() {
        let (mut work, mut time) = (vec![(0.0, 1.0)], vec![(0.0, 1.0)]);
        for &(_, n, _, seconds, residual) in runs.iter().filter(|r| r.0 == k) {
            if let Some((first, further)) = sweeps {
                work.push((first + (n - 1) as f64 * further, residual));
            }
            time.push((1e3 * seconds, residual));
        }
        // n iterations are the start of any more: they take no longer
        for n in (0..time.len() - 1).rev() {
            time[n].0 = time[n].0.min(time[n + 1].0);
        }
        let line = |points| Line { name: name.into(), color, points };
        if sweeps.is_some() {
            by_work.push(line(work));
        }
        by_time.push(line(time));
    }
    let reach = |lines: &[Line], unit: f64| {
        let most = lines.iter().flat_map(|l| &l.points).map(|p| p.0).fold(0.0, f64::max);
        unit * (most / unit).ceil()
    };
    let panels = [
        Panel {
            title: "against work".into(),
            x_label: "work, in sweeps of the finest grid".into(),
            x_max: reach(&by_work, 25.0),
            lines: by_work,
        },
        Panel {
            title: "against time".into(),
            x_label: format!("time in ms, setup included ({} x {} unknowns, one thread)", GRID - 2, GRID - 2),
            x_max: reach(&by_time, 25.0),
            lines: by_time,
        },
    ];
    Ok(svg(&panels, "relative residual (f64)", VerticalAxis::Log(-14), (1e-6, "default tolerance")))
}
