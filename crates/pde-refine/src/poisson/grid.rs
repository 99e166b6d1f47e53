//! Padded grids and the row operations on them.

/// Cells a kernel works on at a time: one AVX-512 register of f32.
pub(crate) const LANES: usize = 16;

/// Padded grid: cell `(y, x)` lives at `(y + 1) * stride + x + 1`. Rows are padded to whole groups of [`LANES`] and
/// one cell more on either side, so that kernels have no remainder; the cells added are outside the region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) stride: usize,
}

impl Grid {
    pub(crate) fn new(height: usize, width: usize) -> Self {
        Grid { height, width, stride: width.next_multiple_of(LANES) + 4 }
    }

    /// Number of values in a padded array.
    pub(crate) fn len(self) -> usize {
        self.stride * (self.height + 3)
    }

    #[inline(always)]
    pub(crate) fn at(self, y: usize, x: usize) -> usize {
        (y + 1) * self.stride + x + 1
    }

    /// Groups of [`LANES`] in a row.
    #[inline(always)]
    pub(crate) fn groups(self) -> usize {
        self.width.div_ceil(LANES)
    }

    /// Row `y` with its padding: cell `x` at `x + 1`.
    #[inline(always)]
    pub(crate) fn row(self, a: &[f32], y: usize) -> &[f32] {
        &a[(y + 1) * self.stride..][..self.stride]
    }

    #[inline(always)]
    pub(crate) fn row_mut(self, a: &mut [f32], y: usize) -> &mut [f32] {
        &mut a[(y + 1) * self.stride..][..self.stride]
    }

    /// Rows above, at and below `y`, the middle one to write to.
    #[inline(always)]
    pub(crate) fn rows_mut(self, a: &mut [f32], y: usize) -> (&[f32], &mut [f32], &[f32]) {
        let s = self.stride;
        let (head, tail) = a.split_at_mut((y + 1) * s);
        let (row, below) = tail.split_at_mut(s);
        (&head[y * s..], row, &below[..s])
    }

    /// Rows above, at and below `y`.
    #[inline(always)]
    pub(crate) fn rows(self, a: &[f32], y: usize) -> [&[f32]; 3] {
        let s = self.stride;
        let a = &a[y * s..][..3 * s];
        [&a[..s], &a[s..2 * s], &a[2 * s..]]
    }
}

/// `m` groups of a row from its cell `offset - 1` on: 1 for the cell itself, 0 for its left neighbor, 2 for its right.
#[inline(always)]
pub(crate) fn lanes<T>(row: &[T], offset: usize, m: usize) -> &[[T; LANES]] {
    &row[offset..offset + m * LANES].as_chunks().0[..m]
}

/// [`lanes`], to write to.
#[inline(always)]
pub(crate) fn lanes_mut<T>(row: &mut [T], offset: usize, m: usize) -> &mut [[T; LANES]] {
    &mut row[offset..offset + m * LANES].as_chunks_mut().0[..m]
}

/// Left neighbors, cells and right neighbors of group `g` of a padded row.
#[inline(always)]
pub(crate) fn near(row: &[f32], g: usize) -> [[f32; LANES]; 3] {
    let cells = &row[g * LANES..][..LANES + 2];
    let mut out = [[0.0; LANES]; 3];
    for (offset, out) in out.iter_mut().enumerate() {
        out.copy_from_slice(&cells[offset..][..LANES]);
    }
    out
}

/// The groups of each row that hold cells of the region, `from .. to`.
pub(crate) type Spans = Vec<(u32, u32)>;

/// [`Spans`] of an array that is positive in the region.
pub(crate) fn spans(grid: Grid, diag: &[f32]) -> Spans {
    let span = |y| {
        let row = &grid.row(diag, y)[1..];
        let first = row.iter().position(|&d| d > 0.0).unwrap_or(0);
        let last = row.iter().rposition(|&d| d > 0.0).map_or(0, |x| x + 1);
        ((first / LANES) as u32, last.div_ceil(LANES) as u32)
    };
    (0..grid.height).map(span).collect()
}

/// One row's span, `from .. to`.
#[inline(always)]
pub(crate) fn span(spans: &Spans, y: usize) -> (usize, usize) {
    (spans[y].0 as usize, spans[y].1 as usize)
}

/// Group `g` of a row of coefficients, or `regular` in the run.
#[inline(always)]
pub(crate) fn pick<'a>(
    run: (usize, usize),
    g: usize,
    regular: &'a [f32; LANES],
    row: &'a [[f32; LANES]],
) -> &'a [f32; LANES] {
    if (run.0..run.1).contains(&g) { regular } else { &row[g] }
}
