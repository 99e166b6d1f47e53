//! What an inspection says of a photo, as one line of JSON.

use serde::{Deserialize, Serialize};

use super::defects::Defect;

/// Version of the lines' schema. Keys may be added; one that changes its meaning or goes makes a new version.
pub(super) const SCHEMA: u32 = 1;

/// Decision on a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Decision {
    /// The score does not exceed the threshold.
    Good,
    /// The score exceeds the threshold.
    Anomalous,
}

/// Result of the inspection of a photo, one line of JSON Lines. A photo that could not be inspected has `error`, and
/// `null` for what is not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InspectionLine {
    /// Version of the schema: 1.
    pub schema: u32,
    /// Path of the photo, as [`escaped`](imgkit::file::escaped) writes it.
    pub photo: String,
    /// SHA-256 of the photo's file in hexadecimal.
    pub photo_sha256: Option<String>,
    /// SHA-256 of the detector's file in hexadecimal, if the [`Inspector`](crate::Inspector) was told.
    pub model_sha256: Option<String>,
    /// Height of the upright photo, px.
    pub height: Option<usize>,
    /// Width of the upright photo, px.
    pub width: Option<usize>,
    /// Image score, from the pixels that are inspected.
    pub score: Option<f64>,
    /// Image score above which a photo is anomalous.
    pub threshold: f64,
    /// Score less threshold.
    pub margin: Option<f64>,
    /// The same in \[0, 1\], by [`scaled_margin`]: 0.5 at the threshold.
    pub scaled_margin: Option<f64>,
    /// Decision.
    pub decision: Option<Decision>,
    /// Pixel score above which a pixel can belong to a defect. Each defect has a threshold of its own above it.
    pub pixel_threshold: f64,
    /// Defects, from the highest peak to the lowest.
    pub defects: Vec<Defect>,
    /// Time from reading the file to this result, ms; other photos may have been inspected meanwhile.
    pub milliseconds: f64,
    /// Why the photo could not be inspected.
    pub error: Option<String>,
}

impl InspectionLine {
    /// The line as JSON, without its end.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() // plain data with texts for keys always is JSON
    }
}

/// Scales the margin m = score - threshold to \[0, 1\]: 0.5 + 0.5 m / (|m| + s) with s = |threshold|, at least 0.001.
///
/// It rises with the score, is 0.5 at the threshold and 0.75 at twice a positive one, and needs nothing but the two. It
/// is no probability.
///
/// ```
/// use maphc2f::scaled_margin;
/// assert_eq!([0.0, 2.0, 4.0, f64::MAX].map(|score| scaled_margin(score, 2.0)), [0.25, 0.5, 0.75, 1.0]);
/// ```
#[must_use]
pub fn scaled_margin(score: f64, threshold: f64) -> f64 {
    let margin = score - threshold;
    // written so that neither zero nor infinity is divided by itself
    let share = 1.0 / (1.0 + threshold.abs().max(1e-3) / margin.abs());
    0.5 + 0.5 * share.copysign(margin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use imgkit::Rect;
    use proptest::prelude::*;

    /// The schema, which programs rely on: change the version with it.
    #[test]
    fn the_schema_is_this_one() {
        let defect = Defect {
            area: 1,
            bounds: Rect { top: 2, left: 3, bottom: 3, right: 4 },
            contour: vec![vec![(3, 2), (4, 2), (4, 3), (3, 3)]],
            peak: 4.5,
            pixel_threshold: 3.25,
            mean: 4.25,
            centroid: (3.5, 2.5),
            kind: None,
        };
        let seen = InspectionLine {
            schema: SCHEMA,
            photo: "in/a.png".to_owned(),
            photo_sha256: Some("ab".to_owned()),
            model_sha256: Some("cd".to_owned()),
            height: Some(20),
            width: Some(30),
            score: Some(3.0),
            threshold: 2.0,
            margin: Some(1.0),
            scaled_margin: Some(scaled_margin(3.0, 2.0)),
            decision: Some(Decision::Anomalous),
            pixel_threshold: 2.0,
            defects: vec![defect],
            milliseconds: 12.5,
            error: None,
        };
        let text = concat!(
            r#"{"schema":1,"photo":"in/a.png","photo_sha256":"ab","model_sha256":"cd","height":20,"width":30,"#,
            r#""score":3.0,"threshold":2.0,"margin":1.0,"scaled_margin":0.6666666666666666,"decision":"anomalous","#,
            r#""pixel_threshold":2.0,"defects":[{"area":1,"box":{"top":2,"left":3,"bottom":3,"right":4},"#,
            r#""contour":[[[3,2],[4,2],[4,3],[3,3]]],"peak":4.5,"pixel_threshold":3.25,"mean":4.25,"#,
            r#""centroid":[3.5,2.5],"kind":null}],"#,
            r#""milliseconds":12.5,"error":null}"#
        );
        assert_eq!(seen.to_json(), text);
        assert_eq!(serde_json::from_str::<InspectionLine>(text).unwrap(), seen);
        assert_eq!(serde_json::to_string(&Decision::Good).unwrap(), "\"good\"");
    }

    proptest! {
        #[test]
        fn the_scaled_margin_rises_within_its_range_and_is_half_at_the_threshold(
            threshold in prop_oneof![Just(0.0), -1e3..1e3f64, -f64::MAX..f64::MAX],
            a in prop_oneof![-1e3..1e3f64, -f64::MAX..f64::MAX],
            b in prop_oneof![-1e3..1e3f64, -f64::MAX..f64::MAX],
        ) {
            let (low, high) = (scaled_margin(a.min(b), threshold), scaled_margin(a.max(b), threshold));
            prop_assert!((0.0..=1.0).contains(&low) && low <= high && high <= 1.0, "{low} {high}");
            prop_assert_eq!(scaled_margin(threshold, threshold), 0.5);
            prop_assert!(a > threshold || scaled_margin(a, threshold) <= 0.5);
            prop_assert!(a < threshold || scaled_margin(a, threshold) >= 0.5);
        }
    }

    #[test]
    fn the_scale_is_the_threshold_or_a_thousandth() {
        for (score, threshold, scaled) in [
            (6.0, 2.0, 5.0 / 6.0),
            (-2.0, 2.0, 1.0 / 6.0),
            (-1.0, -2.0, 2.0 / 3.0),
            (1e-3, 0.0, 0.75),
            (-1e-3, 0.0, 0.25),
        ] {
            assert!((scaled_margin(score, threshold) - scaled).abs() < 1e-12, "{score} {threshold}");
        }
    }
}
