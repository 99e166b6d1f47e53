//! Arrival times of a spreading front: |grad T| F = 1 by fast marching.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ndarray::Array2;

use crate::Error;
use crate::params::check_size;

/// Starting point of a front.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seed {
    /// Row of the point; pixel centers are whole numbers.
    pub y: f64,
    /// Column of the point.
    pub x: f64,
    /// Time at which the front starts there (>= 0).
    pub time: f64,
    /// Factor on the local speed for everything that this seed's front reaches first (> 0).
    pub speed_factor: f64,
}

/// Arrival times of a spreading front, as [`fast_march`] returns them.
#[derive(Debug, Clone)]
pub struct Front {
    /// Arrival time `(h, w)`; infinity where the front did not come before the stop time.
    pub time: Array2<f32>,
    /// Index into the seeds of the front that came first; [`Front::UNREACHED`] if none did.
    pub owner: Array2<u32>,
}

impl Front {
    /// Owner of a pixel that no front reached.
    pub const UNREACHED: u32 = u32::MAX;
}

/// One pixel, its four numbers side by side in memory.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Final arrival time; infinity until the front came.
    arrived: f32,
    /// Earliest arrival found so far.
    trial: f32,
    /// 1 / F; NaN until asked for, infinity for a wall.
    slowness: f32,
    owner: u32,
}

/// Grid with a one-pixel rim of walls, so that neighbors need no bounds check.
struct Marcher<'a, S> {
    stride: usize,
    seeds: &'a [Seed],
    stop: f32,
    speed: S,
    cells: Vec<Cell>,
    heap: BinaryHeap<Reverse<u64>>,
}

/// Solves the eikonal equation |grad T| F = 1 on a `(h, w)` grid of unit spacing by fast marching with the first-order
/// Godunov upwind difference.
///
/// `speed(y, x)` is F in pixels per unit of time; zero, negative or non-finite values are walls. It is called at most
/// once a pixel and only near the front, so the cost is proportional to the pixels reached before `stop`. Fronts of
/// several seeds merge by themselves (the smaller time wins). Seeds outside the grid are ignored. The error is of first
/// order in the grid spacing away from a seed.
///
/// Source: J. A. Sethian, "A fast marching level set method for monotonically advancing fronts", PNAS 93 (1996) 1591.
///
/// ```
/// use physdefect::pitting::{Seed, fast_march};
/// let seed = Seed { y: 20.0, x: 20.0, time: 0.0, speed_factor: 1.0 };
/// let front = fast_march((41, 41), &[seed], f64::INFINITY, |_, _| 2.0)?;
/// assert!((front.time[[20, 40]] - 10.0).abs() < 1e-4); // 20 px at 2 px per unit of time
/// # Ok::<(), physdefect::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] for a grid of more than 2^32 pixels.
pub fn fast_march<S: Fn(usize, usize) -> f32>(
    dim: (usize, usize),
    seeds: &[Seed],
    stop: f64,
    speed: S,
) -> Result<Front, Error> {
    let (h, w) = dim;
    check_size("fast_march", dim)?;
    if h == 0 || w == 0 {
        return Ok(Front { time: Array2::zeros(dim), owner: Array2::zeros(dim) });
    }
    let stride = w + 2;
    let wall = Cell { arrived: f32::INFINITY, trial: f32::INFINITY, slowness: f32::INFINITY, owner: Front::UNREACHED };
    let mut cells = vec![wall; (h + 2) * stride];
    for y in 1..=h {
        cells[y * stride + 1..y * stride + 1 + w].fill(Cell { slowness: f32::NAN, ..wall });
    }
    let mut marcher = Marcher { stride, seeds, stop: stop as f32, speed, cells, heap: BinaryHeap::with_capacity(1024) };
    for index in 0..seeds.len() {
        marcher.plant(index, h, w);
    }
    marcher.march();
    let (mut time, mut owner) = (Array2::zeros(dim), Array2::zeros(dim));
    for (y, (mut times, mut owners)) in time.rows_mut().into_iter().zip(owner.rows_mut()).enumerate() {
        let row = &marcher.cells[(y + 1) * stride + 1..(y + 1) * stride + 1 + w];
        for ((t, o), cell) in times.iter_mut().zip(&mut owners).zip(row) {
            *t = cell.arrived;
            *o = cell.owner;
        }
    }
    Ok(Front { time, owner })
}

impl<S: Fn(usize, usize) -> f32> Marcher<'_, S> {
    #[inline]
    fn slowness(&mut self, cell: usize) -> f32 {
        let known = self.cells[cell].slowness;
        if !known.is_nan() {
            return known;
        }
        let f = (self.speed)(cell / self.stride - 1, cell % self.stride - 1);
        let s = if f.is_finite() && f > 0.0 { 1.0 / f } else { f32::INFINITY };
        self.cells[cell].slowness = s;
        s
    }

    /// Gives the 3x3 pixels around a seed their exact distance: the point singularity is what spoils the order.
    fn plant(&mut self, index: usize, h: usize, w: usize) {
        let seed = self.seeds[index];
        let (cy, cx) = (seed.y.round(), seed.x.round());
        if !(seed.speed_factor > 0.0 && seed.time >= 0.0 && cy.abs() < 1e9 && cx.abs() < 1e9) {
            return;
        }
        for dy in -1..=1 {
            for dx in -1..=1 {
                let (y, x) = (cy as i64 + dy, cx as i64 + dx);
                if y < 0 || x < 0 || y >= h as i64 || x >= w as i64 {
                    continue;
                }
                let cell = (y as usize + 1) * self.stride + x as usize + 1;
                let distance = (y as f64 - seed.y).hypot(x as f64 - seed.x);
                let t = (seed.time + distance * f64::from(self.slowness(cell)) / seed.speed_factor) as f32;
                self.offer(cell, t, index as u32);
            }
        }
    }

    #[inline]
    fn offer(&mut self, cell: usize, t: f32, owner: u32) {
        let c = &mut self.cells[cell];
        if t < c.trial && t <= self.stop {
            c.trial = t;
            c.owner = owner;
            // Times are not negative, so their bit patterns sort like the numbers.
            self.heap.push(Reverse((u64::from(t.to_bits()) << 32) | cell as u64));
        }
    }

    fn march(&mut self) {
        while let Some(Reverse(key)) = self.heap.pop() {
            let cell = (key & 0xffff_ffff) as usize;
            let c = &mut self.cells[cell];
            if c.arrived < f32::INFINITY {
                continue; // an older, larger value of this pixel
            }
            c.arrived = c.trial;
            for next in [cell - self.stride, cell - 1, cell + 1, cell + self.stride] {
                if self.cells[next].arrived == f32::INFINITY {
                    self.update(next);
                }
            }
        }
    }

    /// Godunov's upwind solution from the pixels the front has reached.
    #[inline]
    fn update(&mut self, cell: usize) {
        let slowness = self.slowness(cell);
        if slowness == f32::INFINITY {
            return;
        }
        let earlier =
            |p: &Cell, q: &Cell| if p.arrived <= q.arrived { (p.arrived, p.owner) } else { (q.arrived, q.owner) };
        let (a, a_owner) = earlier(&self.cells[cell - 1], &self.cells[cell + 1]);
        let (b, b_owner) = earlier(&self.cells[cell - self.stride], &self.cells[cell + self.stride]);
        let (first, second, owner) = if a <= b { (a, b, a_owner) } else { (b, a, b_owner) };
        let step = slowness / self.seeds[owner as usize].speed_factor as f32;
        let gap = second - first;
        let t = if gap < step {
            0.5 * (first + second + (2.0 * step * step - gap * gap).max(0.0).sqrt())
        } else {
            first + step
        };
        self.offer(cell, t, owner);
    }
}
