//! Estimation of the priors.

use super::measure::{Look, Marked, Measured, Part, measure};
use super::priors::Calibration;
use super::shape;
use super::statistics::{CountPrior, Prior, Scale, Share};
use crate::{Error, MechanismKind};

/// Fewest photos: with two, Student's t is 12.7 and an interval says nothing.
pub(super) const LEAST_IMAGES: usize = 3;
/// Most photos: with more than some dozens a detector is better trained on them.
pub(super) const MOST_IMAGES: usize = 64;
/// What a pixel grid resolves, px, and what 8 bits resolve of contrasts.
const RESOLUTION: (f64, f64) = (0.25, 0.01);

/// Visibility below which nothing counts as seen.
const UNSEEN: f64 = 0.5;

/// Share of a photo's masks that must be seen for it to say how dark and how even its defects are.
const CLEAR: f64 = 0.4;

/// Whether a mechanism's defects are measured along their skeleton.
pub(super) fn is_long(mechanism: MechanismKind) -> bool {
    matches!(mechanism, MechanismKind::FractureLine | MechanismKind::Abrasion)
}

/// Measures all photos, or says which one is refused.
pub(super) fn measure_all(long: bool, samples: &[Marked<'_>]) -> Result<Vec<Measured>, Error> {
    if samples.len() < LEAST_IMAGES {
        return Err(Error::TooFewSamples { found: samples.len(), needed: LEAST_IMAGES });
    }
    if samples.len() > MOST_IMAGES {
        return Err(Error::TooManySamples { found: samples.len(), most: MOST_IMAGES });
    }
    let one = |(index, sample): (usize, &Marked<'_>)| {
        measure(long, sample).map_err(|e| Error::CalibrationImage { index, source: Box::new(e) })
    };
    let measured: Vec<Measured> = samples.iter().enumerate().map(one).collect::<Result<_, _>>()?;
    let largest = samples.iter().map(Marked::largest_part);
    let (found, index) = largest.zip(0..).max_by_key(|&(n, i)| (n, std::cmp::Reverse(i))).unwrap_or((0, 0));
    let needed = Marked::LEAST_PIXELS;
    if found < needed {
        return Err(Error::CalibrationImage { index, source: Box::new(Error::TinyDefects { found, needed }) });
    }
    Ok(measured)
}

/// Estimates the priors from 3 to 64 photos with masks; sizes may differ from photo to photo.
///
/// # Errors
/// [`Error::TooFewSamples`] below three, [`Error::TooManySamples`] above 64; [`Error::CalibrationImage`] around
/// [`Error::Shape`], [`Error::NotFinite`], [`Error::EmptyMask`] or [`Error::NoSurround`] of one photo, or
/// [`Error::TinyDefects`] of the largest if all are below [`Marked::LEAST_PIXELS`];
/// [`Error::WrongMechanism`] for [`MechanismKind::Baseline`].
pub fn fit(mechanism: MechanismKind, samples: &[Marked<'_>]) -> Result<Calibration, Error> {
    if mechanism == MechanismKind::Baseline {
        return Err(Error::WrongMechanism { wanted: mechanism, found: mechanism });
    }
    let long = is_long(mechanism);
    let photos = measure_all(long, samples)?;
    let mut scales: Vec<f64> = photos.iter().map(|photo| photo.scale).collect();
    scales.sort_by(f64::total_cmp);
    let object_scale = scales[scales.len() / 2];
    let grid = RESOLUTION.0 / object_scale;
    let each = |get: &dyn Fn(&Part, f64) -> f64| -> Vec<Vec<f64>> {
        photos.iter().map(|m| m.parts.iter().map(|p| get(p, m.scale)).collect()).collect()
    };
    let looks: Vec<&Measured> = photos.iter().filter(|m| m.parts.iter().any(|p| p.look.is_some())).collect();
    let by_photo = |get: &dyn Fn(&Look) -> f64| -> Vec<Vec<f64>> { looks.iter().map(|m| vec![m.mean(get)]).collect() };
    // A defect that can hardly be seen says nothing of its color.
    let clear: Vec<&Measured> = looks.iter().copied().filter(|m| m.mean(|look| look.seen) >= CLEAR).collect();
    let clear = if clear.len() >= LEAST_IMAGES { clear } else { looks.clone() };
    let of_looks = |scale, least: f64, get: &dyn Fn(&Look) -> f64| {
        let values: Vec<Vec<f64>> = clear.iter().map(|m| vec![m.mean(|look| get(look).max(least))]).collect();
        Prior::estimate(scale, &values, RESOLUTION.1)
    };
    let visibilities = by_photo(&|look| look.visibility.max(UNSEEN));
    let depths: Vec<Vec<f64>> = photos
        .iter()
        .filter_map(|m| {
            let contrast = m.mean(|look| look.log_contrast);
            let depth = |p: &Part| apparent_depth(mechanism, p.sizes.width / m.scale, contrast);
            m.parts.iter().map(depth).collect::<Option<Vec<f64>>>()
        })
        .collect();
    let counts: Vec<usize> = photos.iter().map(|m| m.parts.len()).collect();
    let defects: usize = counts.iter().sum();
    let parts = || photos.iter().flat_map(|m| &m.parts);
    let colored = samples.iter().all(|s| s.photo().dim().2 == 3)
        && by_photo(&|look| look.color.iter().fold(0.0f64, |a, c| a.max(c.abs()))).concat().iter().any(|&c| c > 1e-4);
    let insets: Vec<Vec<f64>> = photos
        .iter()
        .map(|m| m.parts.iter().filter(|p| !p.touches).map(|p| p.inset).collect::<Vec<_>>())
        .filter(|inner| !inner.is_empty())
        .collect();
    let seen = looks.iter().map(|m| m.mean(|look| look.seen)).sum::<f64>() / looks.len().max(1) as f64;
    let known: Vec<&Look> = clear.iter().flat_map(|m| &m.parts).filter_map(|p| p.look.as_ref()).collect();
    Ok(Calibration {
        mechanism,
        images: photos.len(),
        defects,
        object_scale,
        size: Prior::estimate(Scale::Log, &each(&|p, scale| p.sizes.size / scale), grid),
        width: Prior::estimate(Scale::Log, &each(&|p, scale| p.sizes.width / scale), grid),
        // What cannot be seen counts as if it just could.
        visibility: Prior::estimate(Scale::Log, &visibilities, RESOLUTION.1),
        contrast: of_looks(Scale::Log, 0.02, &|look| look.log_contrast.abs()),
        darker: Share::of(known.iter().filter(|look| look.polarity < 0.0).count(), known.len()),
        polarity: of_looks(Scale::Linear, 0.0, &|look| look.polarity.abs()),
        mottle: of_looks(Scale::Log, 0.01, &|look| look.spread),
        texture: of_looks(Scale::Log, 0.05, &|look| look.texture),
        level: of_looks(Scale::Linear, 0.0, &|look| look.level),
        solidity: Prior::estimate(Scale::Linear, &each(&|p, _| shape::form(&p.pixels, p.bbox).solidity), RESOLUTION.1),
        color: colored.then(|| {
            [0, 1, 2].map(|k| Prior::estimate(Scale::Linear, &by_photo(&move |look| look.color[k]), RESOLUTION.1))
        }),
        depth: (depths.len() >= LEAST_IMAGES).then(|| Prior::estimate(Scale::Log, &depths, grid)),
        count: CountPrior::estimate(&counts),
        at_edge: Share::of(parts().filter(|p| p.touches).count(), defects),
        inset: (!insets.is_empty()).then(|| Prior::estimate(Scale::Linear, &insets, RESOLUTION.1)),
        seen,
        courses: if long {
            parts().map(|p| p.sizes).filter(|s| s.size > 3.0 * s.width).map(|s| s.course).collect()
        } else {
            Vec::new()
        },
    })
}

/// Depth at which a cavity of this width (both in one unit) is darker than its surround by `log_contrast` (negative) on
/// average, under an overcast sky and without light between its walls; `None` for a defect that is not darker.
///
/// The mean share of sky over a cavity's walls is its opening over its walls' area (reciprocity of view factors): a
/// V-groove has R = w / (2 sqrt(d^2 + w^2/4)), a spherical cap R = 1 / (1 + 4 d^2/w^2). Dirt or oxide makes a defect
/// darker than that, so this is an upper bound of the true depth.
#[must_use]
pub fn apparent_depth(mechanism: MechanismKind, width: f64, log_contrast: f64) -> Option<f64> {
    let seen = log_contrast.exp();
    if !(seen > 0.0 && seen < 1.0 && width > 0.0) {
        return None;
    }
    let ratio =
        if is_long(mechanism) { 0.5 * (1.0 / (seen * seen) - 1.0).sqrt() } else { 0.5 * (1.0 / seen - 1.0).sqrt() };
    Some(ratio * width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apparent_depth_is_the_view_factor_of_the_walls() {
        // V-groove 8 px wide, 3 px deep: walls of 5 px, R = 8 / 10. Cap of 10 px, 5 px deep (half a sphere): R = 1/2.
        let groove = apparent_depth(MechanismKind::FractureLine, 8.0, 0.8f64.ln()).unwrap();
        let bowl = apparent_depth(MechanismKind::PittingLoss, 10.0, 0.5f64.ln()).unwrap();
        assert!((groove - 3.0).abs() < 1e-9 && (bowl - 5.0).abs() < 1e-9, "{groove} {bowl}");
        assert_eq!(apparent_depth(MechanismKind::PittingLoss, 10.0, 0.1), None);
    }
}
