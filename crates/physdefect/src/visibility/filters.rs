//! Filters of planes of pixels: the eye's blur, and means over areas. Values of a pixel's channels lie side by side.

use imgkit::simd::widely;

/// Filters a plane of `w` columns with (1 4 6 4 1) / 16 along both axes; the edge is repeated.
pub(super) fn binomial(plane: &mut [f32], w: usize, channels: usize) {
    let row = w * channels;
    let h = plane.len() / row.max(1);
    if h == 0 {
        return;
    }
    let mut line = vec![0.0f32; row + 4 * channels];
    let mut ring: [Vec<f32>; 5] = std::array::from_fn(|_| vec![0.0f32; row]);
    widely(
        #[inline(always)]
        || {
            // A row is filtered along once the one two below has been filtered across.
            for y in 0..h + 2 {
                if y < h {
                    let source = &plane[y * row..][..row];
                    line[2 * channels..][..row].copy_from_slice(source);
                    for side in 0..2 {
                        line[side * channels..][..channels].copy_from_slice(&source[..channels]);
                        let end = row + (2 + side) * channels;
                        line[end..][..channels].copy_from_slice(&source[row - channels..]);
                    }
                    let at = |k: usize| &line[k * channels..][..row];
                    five(&mut ring[y % 5], [at(0), at(1), at(2), at(3), at(4)]);
                }
                if y >= 2 {
                    let at = |k: usize| &ring[(y + k).saturating_sub(4).min(h - 1) % 5][..];
                    five(&mut plane[(y - 2) * row..][..row], [at(0), at(1), at(2), at(3), at(4)]);
                }
            }
        },
    );
}

#[inline(always)]
fn five(out: &mut [f32], [a, b, c, d, e]: [&[f32]; 5]) {
    let n = out.len();
    let (a, b, c, d, e) = (&a[..n], &b[..n], &c[..n], &d[..n], &e[..n]);
    for x in 0..n {
        out[x] = (a[x] + e[x] + 4.0 * (b[x] + d[x]) + 6.0 * c[x]) * (1.0 / 16.0);
    }
}

/// Replaces each value by the mean over a window of `half` to each side, cut off at the edges.
pub(super) fn window_mean(plane: &mut [f32], w: usize, channels: usize, half: usize) {
    let row = w * channels;
    let h = plane.len() / row.max(1);
    let side = 2 * half + 1;
    let copy = plane.to_vec();
    let parts: Vec<f64> = (0..w)
        .map(|x| 1.0 / ((x + half + 1).min(w) - x.saturating_sub(half)) as f64)
        .flat_map(|part| std::iter::repeat_n(part, channels))
        .collect();
    // Sums over columns, in double precision as they run, with nothing on both sides.
    let margin = half * channels;
    let mut columns = vec![0.0f64; row + 2 * margin];
    let (mut power, mut next, mut sums) = (columns.clone(), columns.clone(), vec![0.0f64; row]);
    widely(
        #[inline(always)]
        || {
            let add = |columns: &mut [f64], y: usize, sign: f64| {
                let columns = &mut columns[margin..][..row];
                columns.iter_mut().zip(&copy[y * row..][..row]).for_each(|(s, &v)| *s += sign * f64::from(v));
            };
            for y in 0..half.min(h) {
                add(&mut columns, y, 1.0);
            }
            for y in 0..h {
                if y + half < h {
                    add(&mut columns, y + half, 1.0);
                }
                if y > half {
                    add(&mut columns, y - half - 1, -1.0);
                }
                // Sums of 1, 2, 4, ... neighbors by doubling; the window's are those that its number is made of.
                sums.fill(0.0);
                power.copy_from_slice(&columns);
                let (mut length, mut done) = (1, 0);
                loop {
                    if side & length != 0 {
                        sums.iter_mut().zip(&power[done * channels..]).for_each(|(s, p)| *s += p);
                        done += length;
                    }
                    if done == side {
                        break;
                    }
                    let beyond = &power[length * channels..];
                    next.iter_mut().zip(&power).zip(beyond).for_each(|((n, a), b)| *n = a + b);
                    std::mem::swap(&mut power, &mut next);
                    length *= 2;
                }
                let per = 1.0 / ((y + half + 1).min(h) - y.saturating_sub(half)) as f64;
                for ((v, s), part) in plane[y * row..][..row].iter_mut().zip(&sums).zip(&parts) {
                    *v = (s * (per * part)) as f32;
                }
            }
        },
    );
}
