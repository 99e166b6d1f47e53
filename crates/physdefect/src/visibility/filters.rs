//! Filters of planes: the eye's blur, and means over areas.

/// Filters a plane of `w` columns with (1 4 6 4 1) / 16 along both axes; the edge is repeated.
pub(super) fn binomial(plane: &mut [f32], w: usize) {
    let h = plane.len() / w.max(1);
    if h == 0 {
        return;
    }
    let mut line = vec![0.0f32; w + 4];
    for row in plane.chunks_exact_mut(w) {
        line[2..w + 2].copy_from_slice(row);
        (line[0], line[1], line[w + 2], line[w + 3]) = (row[0], row[0], row[w - 1], row[w - 1]);
        for (v, t) in row.iter_mut().zip(line.windows(5)) {
            *v = (t[0] + t[4] + 4.0 * (t[1] + t[3]) + 6.0 * t[2]) * (1.0 / 16.0);
        }
    }
    let mut window: [Vec<f32>; 5] = std::array::from_fn(|k| {
        let y = k.saturating_sub(2).min(h - 1);
        plane[y * w..][..w].to_vec()
    });
    for y in 0..h {
        let out = &mut plane[y * w..][..w];
        let [a, b, c, d, e] = &window;
        for (x, v) in out.iter_mut().enumerate() {
            *v = (a[x] + e[x] + 4.0 * (b[x] + d[x]) + 6.0 * c[x]) * (1.0 / 16.0);
        }
        let next = (y + 3).min(h - 1);
        window.rotate_left(1);
        if next > y {
            window[4].copy_from_slice(&plane[next * w..][..w]);
        } else {
            window[4] = window[3].clone();
        }
    }
}

/// Replaces each value by the mean over a window of `half` to each side, cut off at the edges.
pub(super) fn window_mean(plane: &mut [f32], w: usize, half: usize) {
    let h = plane.len() / w.max(1);
    let side = 2 * half + 1;
    let mut sums = vec![0.0f64; w];
    let copy = plane.to_vec();
    // Running sums in double precision over columns, then along rows.
    let add = |sums: &mut [f64], y: usize, sign: f64| {
        sums.iter_mut().zip(&copy[y * w..][..w]).for_each(|(s, &v)| *s += sign * f64::from(v));
    };
    for y in 0..half.min(h) {
        add(&mut sums, y, 1.0);
    }
    for y in 0..h {
        if y + half < h {
            add(&mut sums, y + half, 1.0);
        }
        if y > half {
            add(&mut sums, y - half - 1, -1.0);
        }
        let rows = (y + half + 1).min(h) - y.saturating_sub(half);
        let mut run: f64 = sums.iter().take(half).sum();
        let out = &mut plane[y * w..][..w];
        if w <= side {
            for (x, v) in out.iter_mut().enumerate() {
                run += sums.get(x + half).copied().unwrap_or(0.0);
                if x > half {
                    run -= sums[x - half - 1];
                }
                let columns = (x + half + 1).min(w) - x.saturating_sub(half);
                *v = (run / (rows * columns) as f64) as f32;
            }
            continue;
        }
        // Cut on the left, whole, cut on the right.
        let (left, rest) = out.split_at_mut(half + 1);
        let (middle, right) = rest.split_at_mut(w - side);
        for (x, (v, enters)) in left.iter_mut().zip(&sums[half..]).enumerate() {
            run += enters;
            *v = (run / (rows * (x + half + 1)) as f64) as f32;
        }
        let per = 1.0 / (rows * side) as f64;
        for ((v, enters), leaves) in middle.iter_mut().zip(&sums[side..]).zip(&sums) {
            run += enters - leaves;
            *v = (run * per) as f32;
        }
        for (x, (v, leaves)) in right.iter_mut().zip(&sums[w - side..]).enumerate() {
            run -= leaves;
            *v = (run / (rows * (side - 1 - x)) as f64) as f32;
        }
    }
}
