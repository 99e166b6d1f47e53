//! The `ReportBuilder`: collects the results of test images, one after another, and computes the report.

use std::collections::{BTreeMap, HashSet};

use imgkit::Size;
use imgkit::components::{Components, label_components};
use ndarray::{Array2, ArrayView2, ArrayView3};
use rayon::prelude::*;

use super::curves::{Curves, pro, roc};
use super::error::ReportError;
use super::histogram::Histogram;
use super::model::{Figure, ImageResult, PixelFigures, Report, Row};
use super::pictures::{Thumbnail, heat_scale};
use super::threshold_grid::{Grid, GridFigure, Scored};
use crate::metrics::bootstrap::bootstrap_each;
use crate::metrics::check::check_finite;
use crate::metrics::{BootstrapParams, MetricError, PixelPool, auroc, average_precision, f1_max};

/// Result of a detector on one test image.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    id: &'a str,
    kind: Option<&'a str>,
    score: f64,
    map: Option<(ArrayView2<'a, f32>, Option<ArrayView2<'a, bool>>)>,
    photo: Option<ArrayView3<'a, f32>>,
}

impl<'a> Outcome<'a> {
    /// Creates the result of an image from its score; `kind` is `None` for a good one. The id is the image's name in
    /// the report, such as [`Sample::id`](crate::dataset::Sample::id), and no other image's.
    #[must_use]
    pub fn new(id: &'a str, kind: Option<&'a str>, score: impl Into<f64>) -> Self {
        Self { id, kind, score: score.into(), map: None, photo: None }
    }

    /// Adds the score map and the ground truth, both height x width. Add the maps of all images or of none.
    #[must_use]
    pub fn with_map(self, map: ArrayView2<'a, f32>, mask: ArrayView2<'a, bool>) -> Self {
        Self { map: Some((map, Some(mask))), ..self }
    }

    /// Adds the score map of an image whose ground truth is not known: it takes no part in pixel figures.
    #[must_use]
    pub fn with_map_alone(self, map: ArrayView2<'a, f32>) -> Self {
        Self { map: Some((map, None)), ..self }
    }

    /// Adds the photo, to be shown in the gallery: height x width of the map x 1 (gray) or 3 (RGB) channels, in
    /// `[0, 1]`. It takes no part in any figure.
    #[must_use]
    pub fn with_photo(self, photo: ArrayView3<'a, f32>) -> Self {
        Self { photo: Some(photo), ..self }
    }
}

/// Collects the results of the test images of a category, one after another.
///
/// Memory: 4 bytes a pixel of the maps pushed, 8 where the mask marks a pixel, and 4 to 8 more while
/// [`ReportBuilder::finish`] ranks them.
///
/// ```
/// use adbench::report::{Outcome, ReportBuilder};
/// let mut builder = ReportBuilder::new("bottle");
/// builder.push(&Outcome::new("good/0.png", None, 0.1))?;
/// builder.push(&Outcome::new("good/1.png", None, 0.3))?;
/// builder.push(&Outcome::new("crack/0.png", Some("crack"), 0.2))?;
/// builder.push(&Outcome::new("stain/0.png", Some("stain"), 0.9))?;
/// let report = builder.finish()?;
/// assert_eq!(report.overall.image_auroc.map(|figure| figure.value), Some(0.75));
/// assert_eq!(report.kinds[0].image_auroc.map(|figure| figure.value), Some(0.5));
/// println!("{report}");
/// # Ok::<(), adbench::report::ReportError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ReportBuilder {
    name: String,
    training_images: Option<usize>,
    bootstrap: BootstrapParams,
    images: Vec<Image>,
    ids: HashSet<String>,
}

/// An image as pushed.
#[derive(Debug, Clone)]
struct Image {
    id: String,
    kind: Option<String>,
    score: f64,
    pixels: Option<Pixels>,
    thumbnail: Option<Thumbnail>,
}

/// The score map of an image, and its ground truth.
#[derive(Debug, Clone)]
struct Pixels {
    map: Array2<f32>,
    /// Whether there is a mask.
    has_mask: bool,
    /// The regions of the mask; `None` when it marks no pixel.
    components: Option<Components>,
}

impl ReportBuilder {
    /// Creates a builder for the category of this name, with the intervals of [`BootstrapParams::default`].
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            training_images: None,
            bootstrap: BootstrapParams::default(),
            images: Vec::new(),
            ids: HashSet::new(),
        }
    }

    /// Sets the number of images that the detector was trained on.
    #[must_use]
    pub fn with_training_images(self, count: usize) -> Self {
        Self { training_images: Some(count), ..self }
    }

    /// Sets the parameters of the intervals.
    #[must_use]
    pub fn with_bootstrap(self, bootstrap: BootstrapParams) -> Self {
        Self { bootstrap, ..self }
    }

    /// Adds the result of an image.
    ///
    /// # Errors
    /// [`ReportError::Image`] for a score that is not finite, or a mask of another size than its map;
    /// [`ReportError::Duplicate`], [`ReportError::MapsOfSome`], [`ReportError::Photo`]. Nothing is added then.
    pub fn push(&mut self, outcome: &Outcome<'_>) -> Result<(), ReportError> {
        let id = || outcome.id.to_owned();
        let refuse = |source| ReportError::Image { id: id(), source };
        check_finite(&[outcome.score]).map_err(refuse)?;
        if self.ids.contains(outcome.id) {
            return Err(ReportError::Duplicate { id: id() });
        }
        let has_map = outcome.map.is_some();
        if self.images.first().is_some_and(|first| first.pixels.is_some() != has_map) {
            return Err(ReportError::MapsOfSome { id: id(), has_map });
        }
        let pixels = match outcome.map {
            None => None,
            Some((map, mask)) => {
                if map.is_empty() {
                    return Err(refuse(MetricError::EmptyMap));
                }
                if let Some(mask) = mask.filter(|mask| mask.dim() != map.dim()) {
                    return Err(refuse(MetricError::mask_size(map.dim(), mask.dim())));
                }
                let map = map.as_standard_layout().into_owned();
                check_finite(map.as_slice().unwrap_or_default()).map_err(refuse)?;
                let components = mask.map(label_components).filter(|found| !found.sizes.is_empty());
                Some(Pixels { map, has_mask: mask.is_some(), components })
            }
        };
        let thumbnail = match outcome.photo {
            None => None,
            Some(photo) => {
                let expected: Size = outcome.map.map_or((0, 0), |(map, _)| map.dim()).into();
                let (height, width, channels) = photo.dim();
                let found = Size { height, width };
                let refuse = || ReportError::Photo { id: id(), expected, found, channels };
                let fits = found == expected && [1, 3].contains(&channels);
                let (map, mask) = outcome.map.filter(|_| fits).ok_or_else(refuse)?;
                let blank = Array2::from_elem(map.dim(), false);
                Some(Thumbnail::new(photo, map, mask.unwrap_or(blank.view())).map_err(|_| refuse())?)
            }
        };
        self.ids.insert(id());
        let kind = outcome.kind.map(str::to_owned);
        self.images.push(Image { id: id(), kind, score: outcome.score, pixels, thumbnail });
        Ok(())
    }

    /// Computes the report. Figures that are not defined, because a class has no image or no pixel, are `None` in it;
    /// [`Report::notes`] says which and why.
    ///
    /// # Errors
    /// [`ReportError::Figure`] when there is no image, or when the bootstrap's settings are out of range;
    /// [`ReportError::Picture`].
    pub fn finish(self) -> Result<Report, ReportError> {
        let Self { name, training_images, bootstrap, images, .. } = self;
        let name = name.as_str();
        let refuse = |kind: &str, source| ReportError::Figure { name: format!("{name}, {kind}"), source };
        let of = |wanted: Option<&str>| -> Vec<usize> {
            (0..images.len()).filter(|&i| images[i].kind.as_deref() == wanted).collect()
        };
        let good = of(None);
        let mut by_kind: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for kind in images.iter().filter_map(|i| i.kind.as_deref()) {
            by_kind.entry(kind).or_insert_with(|| of(Some(kind)));
        }
        if images.is_empty() {
            return Err(refuse("overall", MetricError::MissingClass { class: "normal", count: 0 }));
        }
        bootstrap.check().map_err(|e| refuse("overall", e.into()))?;
        let scores = ByScore::new(&images, &good);
        let mut test = TestSet::new(&images, &good, bootstrap);
        let mut kinds = Vec::new();
        for (&kind, members) in &by_kind {
            kinds.push(test.row(kind, members).map_err(|e| refuse(kind, e))?);
        }
        let anomalous: Vec<usize> = by_kind.into_values().flatten().collect();
        let overall = test.row("overall", &anomalous).map_err(|e| refuse("overall", e))?;
        test.curves.overall_first();
        let (curves, image_scores, pixel_scores) = (test.curves, test.image_scores, test.pixel_scores);
        let shown = images.iter().filter_map(|i| Some((i.kind.is_some(), i.thumbnail.as_ref()?)));
        let heat_scale = shown.clone().next().map(|_| heat_scale(shown));
        let result = |image: Image| {
            let pictures = image.thumbnail.zip(heat_scale).map(|(thumbnail, scale)| thumbnail.pictures(scale));
            let failed = |e: image::ImageError| ReportError::Picture { id: image.id.clone(), source: e.into() };
            Ok(ImageResult {
                misranked: scores.misranked(image.kind.is_some(), image.score),
                pictures: pictures.transpose().map_err(failed)?,
                id: image.id,
                kind: image.kind,
                score: image.score,
            })
        };
        let images = images.into_par_iter().map(result).collect::<Result<_, ReportError>>()?;
        Ok(Report {
            name: name.to_owned(),
            training_images,
            kinds,
            overall,
            bootstrap,
            curves,
            image_scores,
            pixel_scores,
            heat_scale,
            images,
        })
    }
}

/// All images, and what is common to the rows.
struct TestSet<'a> {
    images: &'a [Image],
    good: &'a [usize],
    settings: BootstrapParams,
    image_grid: Grid,
    pixel_grid: Option<Grid>,
    image_scores: Histogram,
    pixel_scores: Option<Histogram>,
    /// Kinds in the order of the calls of [`TestSet::row`].
    curves: Curves,
}

impl<'a> TestSet<'a> {
    fn new(images: &'a [Image], good: &'a [usize], settings: BootstrapParams) -> Self {
        // The first image stands for all, as `push` has seen to.
        let maps: Option<Vec<&Pixels>> = images.iter().map(|i| i.pixels.as_ref()).collect();
        let maps = maps.filter(|maps| maps.iter().any(|m| m.has_mask));
        Self {
            images,
            good,
            settings,
            image_grid: Grid::new(images),
            pixel_grid: maps.as_deref().map(Grid::new),
            image_scores: Histogram::new(images, 30),
            pixel_scores: maps.as_deref().map(|maps| Histogram::new(maps, 60)),
            curves: Curves::default(),
        }
    }

    /// The figures of these anomalous images and all good ones, as far as they are defined.
    fn row(&mut self, name: &str, anomalous: &[usize]) -> Result<Row, MetricError> {
        let members: Vec<usize> = self.good.iter().chain(anomalous).copied().collect();
        let scores: Vec<f64> = members.iter().map(|&i| self.images[i].score).collect();
        let labels: Vec<bool> = (0..members.len()).map(|i| i >= self.good.len()).collect();
        let mut weights = vec![0.0; self.images.len()];
        members.iter().for_each(|&i| weights[i] = 1.0);
        let has_both = !self.good.is_empty() && !anomalous.is_empty();
        let [image_auroc, image_average_precision, image_f1_max] = if has_both {
            let of_images = [GridFigure::Auroc, GridFigure::AveragePrecision, GridFigure::F1Max];
            let values = [auroc(&scores, &labels)?, average_precision(&scores, &labels)?, f1_max(&scores, &labels)?.f1];
            self.curves.image_roc.push(roc(&self.image_grid, name, &weights));
            self.figures(&self.image_grid, &members, &labels, of_images, values)?.map(Some)
        } else {
            [None; 3]
        };
        let is_without_mask = |i: &&usize| self.images[**i].pixels.as_ref().is_some_and(|p| !p.has_mask);
        let mut row = Row {
            name: name.to_owned(),
            normal: self.good.len(),
            anomalous: anomalous.len(),
            without_mask: anomalous.iter().filter(is_without_mask).count(),
            image_auroc,
            image_average_precision,
            image_f1_max,
            pixels: None,
        };
        if let Some(grid) = &self.pixel_grid {
            let mut pool = PixelPool::new();
            let (mut members, mut labels) = (Vec::new(), Vec::new());
            for &i in self.good.iter().chain(anomalous) {
                if let Some(pixels) = self.images[i].pixels.as_ref().filter(|p| p.has_mask) {
                    pool.push_labeled(pixels.map.view(), pixels.components.as_ref());
                    members.push(i);
                    labels.push(self.images[i].kind.is_some());
                }
            }
            if pool.normal() == 0 || pool.anomalous() == 0 {
                return Ok(row);
            }
            let ranked = pool.rank()?;
            let of_pixels = [
                GridFigure::Auroc,
                GridFigure::AveragePrecision,
                GridFigure::F1Max,
                GridFigure::AuPro(0.3),
                GridFigure::AuPro(0.05),
                GridFigure::AuPro(0.01),
            ];
            let values = [
                ranked.auroc(),
                ranked.average_precision(),
                ranked.f1_max().f1,
                ranked.au_pro(0.3)?,
                ranked.au_pro(0.05)?,
                ranked.au_pro(0.01)?,
            ];
            let [auroc, average_precision, f1_max, au_pro, au_pro_05, au_pro_01] =
                self.figures(grid, &members, &labels, of_pixels, values)?;
            let prevalence = ranked.prevalence();
            row.pixels =
                Some(PixelFigures { auroc, average_precision, f1_max, au_pro, au_pro_05, au_pro_01, prevalence });
            self.curves.pixel_roc.push(roc(grid, name, &weights));
            self.curves.pro.push(pro(grid, name, &weights));
        }
        Ok(row)
    }

    /// These values with their intervals, all from the same resamples; none where a resample leaves the figures
    /// undefined.
    fn figures<const N: usize>(
        &self,
        grid: &Grid,
        members: &[usize],
        labels: &[bool],
        figures: [GridFigure; N],
        values: [f64; N],
    ) -> Result<[Figure; N], MetricError> {
        let of_resample = |sampled: &[usize]| {
            let mut weights = vec![0.0; self.images.len()];
            sampled.iter().for_each(|&i| weights[members[i]] += 1.0);
            grid.figures(&weights, figures)
                .ok_or(MetricError::MissingClass { class: "anomalous", count: sampled.len() })
        };
        let intervals = match bootstrap_each(labels, self.settings, of_resample) {
            Ok(intervals) => Some(intervals),
            Err(MetricError::MissingClass { .. }) => None,
            Err(e) => return Err(e),
        };
        Ok(std::array::from_fn(|i| Figure { value: values[i], interval: intervals.map(|of| of[i]) }))
    }
}

impl Scored for Image {
    type Score = f64;

    fn for_each_score(&self, each: &mut dyn FnMut(f64, Option<f64>)) {
        each(self.score, self.kind.is_some().then_some(1.0));
    }

    fn regions(&self) -> usize {
        usize::from(self.kind.is_some())
    }
}

impl Scored for &Pixels {
    type Score = f32;

    fn for_each_score(&self, each: &mut dyn FnMut(f32, Option<f64>)) {
        if !self.has_mask {
            return;
        }
        let Some(components) = &self.components else {
            self.map.iter().for_each(|&score| each(score, None));
            return;
        };
        for (&score, &label) in self.map.iter().zip(&components.labels) {
            let weight = |region: u32| 1.0 / components.sizes[region as usize] as f64;
            each(score, label.checked_sub(1).map(weight));
        }
    }

    fn regions(&self) -> usize {
        self.components.as_ref().map_or(0, |found| found.sizes.len())
    }
}

/// The scores of both classes, ascending.
struct ByScore {
    good: Vec<f64>,
    bad: Vec<f64>,
}

impl ByScore {
    fn new(images: &[Image], good: &[usize]) -> Self {
        let sorted = |mut scores: Vec<f64>| {
            scores.sort_unstable_by(f64::total_cmp);
            scores
        };
        let bad = images.iter().filter(|i| i.kind.is_some()).map(|i| i.score).collect();
        Self { good: sorted(good.iter().map(|&i| images[i].score).collect()), bad: sorted(bad) }
    }

    /// See [`ImageResult::misranked`].
    fn misranked(&self, is_anomalous: bool, score: f64) -> f64 {
        let others = if is_anomalous { &self.good } else { &self.bad };
        let below = others.partition_point(|&s| s < score);
        let at_or_below = others.partition_point(|&s| s <= score);
        let above = others.len() - at_or_below;
        let wrong = if is_anomalous { above } else { below };
        (wrong as f64 + (at_or_below - below) as f64 / 2.0) / others.len().max(1) as f64
    }
}
