//! Drying drops: where the residue of a drop ends up.

use ndarray::{Array2, ArrayView2};

/// Areal density of the residue of a dried drop, in units of `film`, the density that it would have if it stayed where
/// it was.
///
/// `place` is the distance from the drop's center over that of the contact line, `wet` the share of each pixel that was
/// wet. The flow carries the share `transport` to the contact line (Deegan et al., Nature 389 (1997) 827), where the
/// line stood: at the places `lines` (radius in units of the drop's, share of the carried residue). From each the
/// deposit falls off inward with the length `width`; the profile is our choice. What is carried away is taken from the
/// film evenly, so the sum over the wet pixels is that of the film.
pub(super) fn residue(
    place: ArrayView2<'_, f64>,
    wet: ArrayView2<'_, f64>,
    film: f64,
    transport: f64,
    lines: &[(f64, f64)],
    width: f64,
) -> Array2<f64> {
    let area: f64 = wet.sum();
    let mut density = wet.mapv(|w| if w > 0.0 { film * (1.0 - transport) } else { 0.0 });
    let shares: f64 = lines.iter().map(|l| l.1).sum();
    for &(radius, share) in lines {
        let ridge = |g: f64| {
            let inward = (radius - g.min(1.0)) / width;
            // Outside a line that has moved inward the ridge ends within a fifth of its width.
            if inward >= 0.0 { (-inward).exp() } else { (5.0 * inward).exp() }
        };
        let total: f64 = place.iter().zip(&wet).map(|(&g, w)| w * ridge(g)).sum();
        let gain = film * transport * share / shares * area / total.max(f64::MIN_POSITIVE);
        ndarray::Zip::from(&mut density).and(place).and(wet).for_each(|d, &g, &w| {
            if w > 0.0 {
                *d += gain * ridge(g);
            }
        });
    }
    density
}

/// Density at the contact line over that of the film in the continuum limit of a narrow ridge around a round drop:
/// 1 - f + f / (2 width) with one line.
pub(super) fn crest(transport: f64, width: f64) -> f64 {
    // The ridge's mean over the disc: 2 width (1 - width (1 - e^(-1/width))).
    let mean = 2.0 * width * (1.0 - width * (1.0 - (-1.0 / width).exp()));
    1.0 - transport + transport / mean
}
