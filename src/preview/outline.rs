//! Outline of a mask as an SVG path.

use std::fmt::Write as _;

use imgkit::contour::contours;
use ndarray::ArrayView2;

/// Outline of a mask `(H, W)` as the data of an SVG path, in px from the upper left corner of the upper left pixel. It
/// runs along the edges of pixels, around regions and around holes in them, the mask on its right; filled by either of
/// SVG's rules it is the mask. Empty for an empty mask.
pub(super) fn outline(mask: ArrayView2<'_, bool>) -> String {
    let mut path = String::new();
    for contour in contours(mask) {
        let mut at: Option<(usize, usize)> = None;
        for (x, y) in contour.corners {
            // writing to a string cannot fail
            let _ = match at {
                None => write!(path, "M{x} {y}"),
                Some((_, before)) if before != y => write!(path, "v{}", y as isize - before as isize),
                Some((before, _)) => write!(path, "h{}", x as isize - before as isize),
            };
            at = Some((x, y));
        }
        path.push('z'); // and the last straight piece
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    fn mask(rows: &[&str]) -> Array2<bool> {
        let width = rows.first().map_or(0, |r| r.len());
        Array2::from_shape_fn((rows.len(), width), |(y, x)| rows[y].as_bytes()[x] == b'#')
    }

    #[test]
    fn known_masks_have_known_paths() {
        for (rows, path) in [
            (&["...", "..#"] as &[&str], "M2 1h1v1h-1z"),
            (&["###", "###"], "M0 0h3v2h-3z"),
            (&[".#.", "###"], "M1 0h1v1h1v1h-3v-1h1z"),
            // a hole runs the other way round
            (&["###", "#.#", "###"], "M0 0h3v3h-3zM1 1v1h1v-1z"),
            // two pixels that touch at a corner are outlined together, two apart are not
            (&["#.", ".#"], "M0 0h1v1h1v1h-1v-1h-1z"),
            (&["#.#"], "M0 0h1v1h-1zM2 0h1v1h-1z"),
            (&["..", ".."], ""),
            (&[], ""),
        ] {
            assert_eq!(outline(mask(rows).view()), path, "{rows:?}");
        }
    }

    /// Vertical edges of a path: column, and the rows from..to in its direction.
    fn vertical_edges(path: &str) -> Vec<(i32, i32, i32)> {
        let mut edges = Vec::new();
        for loop_ in path.split('z').filter(|l| !l.is_empty()) {
            let spaced = loop_.replace('h', " h ").replace('v', " v ").replace('M', "");
            let mut words = spaced.split_whitespace();
            let mut number = || words.next().map(str::to_owned);
            let parse = |text: Option<String>| text.unwrap().parse::<i32>().unwrap();
            let (mut x, mut y) = (parse(number()), parse(number()));
            let start = (x, y);
            while let Some(command) = number() {
                let by = parse(number());
                if command == "v" {
                    edges.push((x, y, y + by));
                    y += by;
                } else {
                    x += by;
                }
            }
            assert!(x == start.0 || y == start.1, "closed by a straight line: {path}");
            edges.push((x, y, start.1));
        }
        edges
    }

    proptest! {
        #[test]
        fn the_filled_path_is_the_mask(cells in prop::collection::vec(prop::bool::weighted(0.6), 9 * 7)) {
            let mask = Array2::from_shape_vec((7, 9), cells).unwrap();
            let edges = vertical_edges(&outline(mask.view()));
            for ((y, x), &inside) in mask.indexed_iter() {
                // a ray to the left from the pixel's center: winding number and number of crossings
                let (y, x) = (y as i32, x as i32);
                let crossed = edges.iter().filter(|(column, from, to)| {
                    *column <= x && (from.min(to)..from.max(to)).contains(&&y)
                });
                let (mut winding, mut crossings) = (0, 0);
                for (_, from, to) in crossed {
                    winding += (to - from).signum();
                    crossings += 1;
                }
                prop_assert_eq!(winding != 0, inside);
                prop_assert_eq!(crossings % 2 == 1, inside);
            }
        }
    }
}
