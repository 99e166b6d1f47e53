//! Where on an outline a piece can break off.

use rand::{Rng, RngCore};

use crate::Domain;

/// Places that are looked at; the one with the most room is taken.
const PLACES: usize = 8;

/// Middle of a cut's mouth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site {
    /// (row, column), half way between a pixel of the outline and the outside.
    pub(super) at: [f64; 2],
    /// Unit vector into the object.
    pub(super) inward: [f64; 2],
    /// Thickness of the object along it, px.
    pub(super) thickness: f64,
}

/// Pixels of the domain's outline, the frame's border not counted, in row order.
pub(super) fn outline(domain: &Domain) -> Vec<(usize, usize)> {
    let b = domain.bbox();
    let rows = (b.top..b.bottom).flat_map(|y| (b.left..b.right).map(move |x| (y, x)));
    rows.filter(|&(y, x)| domain.is_on_outline(y, x)).collect()
}

/// Draws the place with the most room, for a cut `depth` px deep, among some on the outline.
pub(super) fn roomiest(
    domain: &Domain,
    outline: &[(usize, usize)],
    depth: f64,
    share: f64,
    rng: &mut dyn RngCore,
) -> Option<Site> {
    let places: [usize; PLACES] = std::array::from_fn(|_| rng.random_range(0..outline.len().max(1)));
    let mut best: Option<(f64, Site)> = None;
    for place in places {
        let Some(site) = outline.get(place).and_then(|&p| site(domain, p, (0.5 * depth).clamp(3.0, 24.0))) else {
            continue;
        };
        // Enough object inside and enough background outside to be shown.
        let inside = (share * site.thickness / depth).min(1.0);
        let (mut ground, (height, width)) = (0.0, domain.dim());
        while ground < depth {
            let (y, x) = (site.at[0] - ground * site.inward[0], site.at[1] - ground * site.inward[1]);
            let seen = y >= 0.0 && x >= 0.0 && y < height as f64 && x < width as f64;
            if !seen || (ground > 1.5 && domain.contains(y + 0.5, x + 0.5)) {
                break;
            }
            ground += 1.0;
        }
        let room = inside + 0.5 * (ground / depth).min(1.0);
        if best.is_none_or(|(most, _)| room > most) {
            best = Some((room, site));
        }
    }
    best.map(|(_, site)| site)
}

/// The site at a pixel of the outline; the normal is that over `radius` px.
fn site(domain: &Domain, (y, x): (usize, usize), radius: f64) -> Option<Site> {
    let mask = domain.mask();
    let reach = radius.ceil() as i64;
    // From the middle of the outside to the middle of the inside.
    let (mut inner, mut outer) = ([0.0f64; 3], [0.0f64; 3]);
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            if (dy * dy + dx * dx) as f64 > radius * radius {
                continue;
            }
            let (Ok(v), Ok(u)) = (usize::try_from(y as i64 + dy), usize::try_from(x as i64 + dx)) else { continue };
            let Some(&inside) = mask.get((v, u)) else { continue };
            let sum = if inside { &mut inner } else { &mut outer };
            sum[0] += dy as f64;
            sum[1] += dx as f64;
            sum[2] += 1.0;
        }
    }
    let normal = [inner[0] / inner[2] - outer[0] / outer[2], inner[1] / inner[2] - outer[1] / outer[2]];
    let norm = normal[0].hypot(normal[1]);
    if !(norm.is_finite() && norm > 1e-6) {
        return None;
    }
    let inward = [normal[0] / norm, normal[1] / norm];
    let at = [y as f64 - 0.5 * inward[0], x as f64 - 0.5 * inward[1]];
    let mut thickness = 0.5;
    while domain.contains(at[0] + thickness * inward[0] + 0.5, at[1] + thickness * inward[1] + 0.5) {
        thickness += 0.5;
    }
    Some(Site { at, inward, thickness })
}
