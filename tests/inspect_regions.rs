//! Inspection as a library, with a detector whose map is the photo: regions, scores and defects in closed form.
#![allow(clippy::unwrap_used)] // a test may panic

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use image::{GrayImage, Luma};
use maphc2f::bisqad::{Detector, Error as DetectorError, Prediction, Provenance};
use maphc2f::imgkit::Rect;
use maphc2f::{
    Decision, Error, InspectionLine, InspectionParams, InspectionRegions, Inspector, PhotoReader, inspect_folder,
    list_photos,
};
use ndarray::{ArrayView3, Axis};

/// A detector whose pixel scores are the photo's first channel.
#[derive(Debug)]
struct Mirror {
    side: Option<usize>,
}

impl Detector for Mirror {
    fn name(&self) -> &'static str {
        "mirror"
    }

    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, DetectorError> {
        Ok(Prediction::of_map(image.index_axis(Axis(2), 0).to_owned()))
    }

    fn provenance(&self) -> Provenance {
        Provenance::new(self.side, Vec::new())
    }
}

fn save(path: &Path, size: (u32, u32), level: impl Fn(u32, u32) -> u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_fn(size.0, size.1, |x, y| Luma([level(x, y)])).save(path).unwrap();
}

fn white(inside: bool) -> u8 {
    if inside { 255 } else { 0 }
}

/// A folder with a photo that gets brighter to the right by 4 levels a column, and masks.
struct Set {
    folder: tempfile::TempDir,
}

impl Set {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        save(&folder.path().join("photos/a.png"), (64, 64), |x, _| 4 * x as u8);
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn mask(&self, name: &str, is_white: impl Fn(u32, u32) -> bool) -> PathBuf {
        let path = self.path(name);
        save(&path, (64, 64), |x, y| white(is_white(x, y)));
        path
    }
}

/// The line of photo `a.png`, with a threshold of 101 levels.
fn line(set: &Set, side: Option<usize>, regions: InspectionRegions) -> Result<InspectionLine, Error> {
    let (detector, reader) = (Mirror { side }, PhotoReader::default());
    let params = InspectionParams::new(101.0 / 255.0).with_least_area(Some(1));
    let inspector = Inspector::new(&detector, &reader, params).unwrap().with_regions(regions);
    let photo = set.path("photos/a.png");
    let checked = inspector.check_regions(std::slice::from_ref(&photo));
    let inspection = inspector.inspect(&photo);
    // the check before says what the inspection says
    assert_eq!(checked.as_ref().err().map(ToString::to_string), inspection.line.error);
    let seen = inspection.outcome?;
    assert_eq!(Some(seen.score), inspection.line.score);
    Ok(inspection.line)
}

fn levels(line: &InspectionLine) -> f64 {
    line.score.unwrap() * 255.0
}

#[test]
fn the_score_and_the_defects_are_those_of_the_pixels_inside() {
    let set = Set::new();
    let whole = line(&set, None, InspectionRegions::default()).unwrap();
    // the brightest hundredth of 4096 pixels, 40, are of the last column
    assert!((levels(&whole) - 252.0).abs() < 1e-4, "{}", levels(&whole));
    assert_eq!((whole.height, whole.width, whole.decision), (Some(64), Some(64), Some(Decision::Anomalous)));
    // columns 26 to 63 are above 101 levels, and 45 to 63 above the middle of that and 252
    assert_eq!(whole.defects.len(), 1);
    assert!((whole.defects[0].pixel_threshold * 255.0 - 176.5).abs() < 1e-4, "{:?}", whole.defects[0]);
    assert_eq!((whole.defects[0].area, whole.defects[0].centroid), (19 * 64, (54.5, 32.0)));

    let left = set.mask("left.png", |x, _| x < 32);
    let right = set.mask("right.png", |x, _| x >= 32);
    let all = set.mask("all-white.png", |_, _| true);
    let none = InspectionRegions::default;
    for regions in [
        none().with_inspected(&left).unwrap(),
        none().with_ignored(&right).unwrap(),
        none().with_inspected(&all).unwrap().with_ignored(&right).unwrap(),
    ] {
        let half = line(&set, None, regions).unwrap();
        // 20 of 2048 pixels, of column 31
        assert!((levels(&half) - 124.0).abs() < 1e-4, "{}", levels(&half));
        assert_eq!(half.defects.len(), 1);
        assert_eq!(half.defects[0].area, 3 * 64);
        assert_eq!(half.defects[0].bounds, Rect { top: 0, left: 29, bottom: 64, right: 32 });
        assert_eq!(half.defects[0].contour, [[(29, 0), (32, 0), (32, 64), (29, 64)]]);
        assert!((half.defects[0].mean * 255.0 - 120.0).abs() < 1e-4);
    }
    // everything inspected, nothing ignored: the score to the bit
    let black = set.mask("black.png", |_, _| false);
    let same = line(&set, None, none().with_inspected(&all).unwrap().with_ignored(&black).unwrap()).unwrap();
    assert_eq!((same.score, &same.defects), (whole.score, &whole.defects));
    // good inside, whatever is outside
    let dark = set.mask("dark.png", |x, _| x < 20);
    let good = line(&set, None, none().with_inspected(&dark).unwrap()).unwrap();
    assert_eq!((good.decision, good.defects.len()), (Some(Decision::Good), 0));
    assert!(good.margin.unwrap() < 0.0 && good.scaled_margin.unwrap() < 0.5, "{good:?}");
    // gray beside black and white, as compression and brushes leave it
    save(&set.path("soft.png"), (64, 64), |x, _| if x < 32 { 200 } else { 40 });
    let soft = line(&set, None, none().with_inspected(&set.path("soft.png")).unwrap()).unwrap();
    assert!((levels(&soft) - 124.0).abs() < 1e-4, "{}", levels(&soft));
}

#[test]
fn a_detector_of_smaller_photos_sees_the_region_at_its_size() {
    let set = Set::new();
    let left = set.mask("left.png", |x, _| x < 32);
    let half = line(&set, Some(32), InspectionRegions::default().with_inspected(&left).unwrap()).unwrap();
    // columns 30 and 31 of the photo are column 15
    assert!((levels(&half) - 122.0).abs() < 0.6, "{}", levels(&half));
    // the map is as large as the photo again, and cut at the region's edge
    assert_eq!(half.defects[0].bounds.right, 32);
    // a pixel that is no half of a pixel at that size
    let dot = set.mask("dot.png", |x, y| (x, y) == (10, 10));
    let regions = || InspectionRegions::default().with_inspected(&dot).unwrap();
    assert_eq!(levels(&line(&set, None, regions()).unwrap()).round(), 40.0);
    let refused = line(&set, Some(32), regions()).unwrap_err();
    assert!(matches!(&refused, Error::NothingToInspect { region, .. } if *region == dot), "{refused}");
}

#[test]
fn a_region_that_leaves_nothing_or_does_not_fit_is_a_typed_error_with_both_names() {
    let set = Set::new();
    let named = |refused: &Error, file: &str| {
        let text = refused.to_string();
        assert!(text.contains("a.png") && text.contains(file), "{text}");
    };
    let none = InspectionRegions::default;
    let (black, all) = (set.mask("black.png", |_, _| false), set.mask("full.png", |_, _| true));
    let left = set.mask("left.png", |x, _| x < 32);
    let empty = [
        (none().with_inspected(&black).unwrap(), "black.png"),
        (none().with_ignored(&all).unwrap(), "full.png"),
        (none().with_inspected(&left).unwrap().with_ignored(&left).unwrap(), "left.png"),
        (none().with_inspected(&black).unwrap().with_ignored(&left).unwrap(), "black.png"),
    ];
    for (regions, file) in empty {
        let refused = line(&set, None, regions).unwrap_err();
        assert!(matches!(refused, Error::NothingToInspect { .. }), "{refused}");
        named(&refused, file);
    }
    save(&set.path("wide.png"), (65, 64), |_, _| 255);
    let refused = line(&set, None, none().with_inspected(&set.path("wide.png")).unwrap()).unwrap_err();
    assert!(matches!(refused, Error::RegionSize { found, .. } if found.width == 65), "{refused}");
    named(&refused, "wide.png");

    // a folder: by name, or all.png
    set.mask("masks/b.png", |_, _| true);
    let folder = |regions: InspectionRegions| regions.with_inspected(&set.path("masks")).unwrap();
    let missing = folder(none());
    let refused = line(&set, None, missing.clone()).unwrap_err();
    assert!(matches!(refused, Error::NoRegion { .. }), "{refused}");
    named(&refused, "masks");
    set.mask("masks/a_mask.png", |x, _| x < 16);
    // found although it came after the folder was listed
    assert_eq!(levels(&line(&set, None, missing).unwrap()).round(), 60.0);
    fs::rename(set.path("masks/a_mask.png"), set.path("masks/all.png")).unwrap();
    assert_eq!(levels(&line(&set, None, folder(none())).unwrap()).round(), 60.0);

    fs::write(set.path("broken.png"), "no mask").unwrap();
    assert!(matches!(none().with_ignored(&set.path("broken.png")), Err(Error::Read(_))));
    assert!(matches!(none().with_inspected(&set.path("nowhere")), Err(Error::Folder { .. })));
}

#[test]
fn nothing_is_written_where_a_region_is_refused_and_lines_are_those_of_the_table() {
    let set = Set::new();
    save(&set.path("photos/b.png"), (64, 64), |_, _| 20);
    fs::write(set.path("photos/c.png"), "no photo").unwrap();
    fs::write(set.path("photos/d.webp"), "no photo").unwrap();
    let (detector, reader) = (Mirror { side: None }, PhotoReader::default());
    let inspector = |regions| {
        let inspector = Inspector::new(&detector, &reader, InspectionParams::new(0.5)).unwrap();
        inspector.with_regions(regions).with_model_sha256("ab".to_owned())
    };
    let (list, out) = (list_photos(&set.path("photos")).unwrap(), set.path("out"));
    let black = set.mask("black.png", |_, _| false);
    let regions = InspectionRegions::default().with_inspected(&black).unwrap();
    let refused = inspect_folder(&inspector(regions), &list, &out, &|_| Ok(())).unwrap_err();
    assert!(matches!(refused, Error::NothingToInspect { .. }) && !out.exists(), "{refused}");

    let lines = Mutex::new(Vec::new());
    let keep = |line: &InspectionLine| {
        lines.lock().unwrap().push(line.clone());
        Ok(())
    };
    let scores = inspect_folder(&inspector(InspectionRegions::default()), &list, &out, &keep).unwrap();
    let mut lines = lines.into_inner().unwrap();
    lines.sort_by(|a, b| a.photo.cmp(&b.photo));
    let names: Vec<&str> = lines.iter().map(|line| &line.photo[line.photo.len() - 5..]).collect();
    assert_eq!(names, ["a.png", "b.png", "c.png", ".webp"]);
    let decisions: Vec<_> = lines.iter().map(|line| line.decision).collect();
    assert_eq!(decisions, [Some(Decision::Anomalous), Some(Decision::Good), None, None]);
    assert_eq!(
        scores.iter().map(|s| s.as_ref().ok().copied()).collect::<Vec<_>>(),
        lines[..3].iter().map(|line| line.score).collect::<Vec<_>>()
    );
    for line in &lines {
        assert_eq!(line.model_sha256.as_deref(), Some("ab"));
        assert!(line.photo_sha256.as_ref().is_some_and(|sha256| sha256.len() == 64), "{line:?}");
        assert_eq!(line.error.is_some(), line.score.is_none());
    }
    // 5 px are the least area where the detector sees the photo as it is
    let inspect = |level: u8, count: u32| {
        save(&set.path("spot.png"), (64, 64), |x, y| if y == 5 && x < count { level } else { 0 });
        inspector(InspectionRegions::default()).inspect(&set.path("spot.png")).line.defects.len()
    };
    assert_eq!((inspect(200, 5), inspect(200, 4)), (1, 0));
}
