//! Heat maps: a score map laid over a photo, for people.

use ndarray::{Array2, Array3, ArrayView3};

/// Overlays a score map `(H, W)` on a photo `(H, W, C)`: transparent below `low`, through yellow to red at `high`.
/// Pixels that the map lacks count as `low`.
#[must_use]
pub fn overlay_heatmap(photo: ArrayView3<'_, f32>, map: &Array2<f32>, low: f32, high: f32) -> Array3<f32> {
    let (h, w, c) = photo.dim();
    Array3::from_shape_fn((h, w, 3), |(y, x, k)| {
        let base = 0.7 * photo.get((y, x, if c >= 3 { k } else { 0 })).copied().unwrap_or(0.0);
        let t = ((map.get((y, x)).copied().unwrap_or(low) - low) / (high - low).max(1e-6)).clamp(0.0, 1.0);
        let color = [1.0, 1.0 - t, 0.0][k];
        base * (1.0 - 0.8 * t) + color * 0.8 * t
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_leaves_cold_pixels_gray_and_makes_hot_ones_red() {
        let photo = Array3::from_elem((1, 2, 1), 0.5);
        let map = Array2::from_shape_vec((1, 2), vec![0.0, 9.0]).unwrap();
        let out = overlay_heatmap(photo.view(), &map, 1.0, 3.0);
        assert_eq!(out[[0, 0, 0]], out[[0, 0, 1]]);
        assert!(out[[0, 1, 0]] > 0.8 && out[[0, 1, 1]] < 0.2);
    }
}
