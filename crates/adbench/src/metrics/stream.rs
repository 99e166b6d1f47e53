//! Pixel metrics of test sets that do not fit into memory.

use imgkit::components::label_components;
use ndarray::ArrayView2;

use super::check::check_map;
use super::error::MetricError;
use super::pixels::RankedPixels;
use super::ranking::{Counter, Group, Ranked, check_classes, counter, groups, key};
use super::regions::Regions;

/// First of two passes over the images: collects their anomalous pixels.
///
/// The second pass, [`StreamedPixels`], counts the normal pixels around them. The result is exact, that of
/// [`PixelPool`](super::PixelPool), and memory is bounded by the anomalous pixels (some 200 bytes each at worst) and
/// one image, however many images there are. Passes over parts of the images can be merged.
///
/// ```
/// use adbench::metrics::AnomalousPixels;
/// use ndarray::arr2;
/// let images = [
///     (arr2(&[[0.1, 0.9], [0.2, 0.3]]), arr2(&[[false, true], [false, false]])),
///     (arr2(&[[0.1, 0.2], [0.0, 0.1]]), arr2(&[[false, false], [false, false]])),
/// ];
/// let mut first = AnomalousPixels::new();
/// for (map, mask) in &images {
///     first.push(map.view(), mask.view())?;
/// }
/// let mut second = first.into_counting()?;
/// for (map, mask) in &images {
///     second.push(map.view(), mask.view())?;
/// }
/// assert_eq!(second.rank()?.au_pro(0.3)?, 1.0);
/// # Ok::<(), adbench::metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct AnomalousPixels {
    regions: Regions,
    /// Pixels of both classes.
    pixels: usize,
}

impl AnomalousPixels {
    /// Creates a first pass without images.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an image's anomalous pixels.
    ///
    /// # Errors
    /// [`MetricError::Shape`], [`MetricError::NotFinite`]; nothing is added then.
    pub fn push(&mut self, map: ArrayView2<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<(), MetricError> {
        check_map(&map, &mask)?;
        self.pixels += map.len();
        let components = label_components(mask);
        for (&score, &label) in map.iter().zip(&components.labels) {
            if label > 0 {
                self.regions.push(key(score), label - 1);
            }
        }
        self.regions.close_image(&components.sizes);
        Ok(())
    }

    /// Adds the images of another first pass.
    pub fn merge(&mut self, other: &Self) {
        self.regions.append(&other.regions);
        self.pixels += other.pixels;
    }

    /// Ends the first pass.
    ///
    /// # Errors
    /// [`MetricError::MissingClass`] when no pixel is anomalous.
    pub fn into_counting(mut self) -> Result<StreamedPixels, MetricError> {
        let anomalous = self.regions.pixels.len();
        if anomalous == 0 {
            return Err(MetricError::MissingClass { class: "anomalous", count: self.pixels });
        }
        self.regions.sort();
        let groups = groups(self.regions.pixels.iter().map(|p| p.key));
        Ok(StreamedPixels {
            counter: counter(&groups),
            groups,
            regions: self.regions,
            anomalous: 0,
            buffer: Vec::new(),
        })
    }
}

/// Second pass, from [`AnomalousPixels::into_counting`]: counts the normal pixels of the same images, in any order.
#[derive(Debug, Clone)]
pub struct StreamedPixels {
    groups: Vec<Group<u32>>,
    counter: Counter,
    regions: Regions,
    anomalous: usize,
    buffer: Vec<u32>,
}

impl StreamedPixels {
    /// Counts an image's normal pixels.
    ///
    /// # Errors
    /// [`MetricError::Shape`], [`MetricError::NotFinite`]; nothing is counted then.
    pub fn push(&mut self, map: ArrayView2<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<(), MetricError> {
        check_map(&map, &mask)?;
        self.buffer.clear();
        self.buffer.extend(map.iter().zip(&mask).filter(|(_, m)| !**m).map(|(s, _)| key(*s)));
        self.anomalous += map.len() - self.buffer.len();
        self.counter.push_keys(&self.buffer);
        Ok(())
    }

    /// Adds the counts of another second pass: a clone of this one, made before the first image, that saw other images.
    ///
    /// # Errors
    /// [`MetricError::Length`] when the other one comes from another first pass.
    pub fn merge(&mut self, other: Self) -> Result<(), MetricError> {
        if self.groups != other.groups {
            return Err(MetricError::Length {
                what: "distinct anomalous scores of the first pass",
                expected: self.groups.len(),
                found: other.groups.len(),
            });
        }
        self.anomalous += other.anomalous;
        self.counter.merge(other.counter);
        Ok(())
    }

    /// Ends the second pass.
    ///
    /// # Errors
    /// [`MetricError::Length`] when the two passes saw different numbers of anomalous pixels, and
    /// [`MetricError::MissingClass`] when no pixel is normal.
    pub fn rank(self) -> Result<RankedPixels, MetricError> {
        let expected = self.regions.pixels.len();
        if self.anomalous != expected {
            return Err(MetricError::Length {
                what: "anomalous pixels of the second pass",
                expected,
                found: self.anomalous,
            });
        }
        let ranked = Ranked::from_normal(self.groups, self.counter);
        check_classes(ranked.normal(), ranked.anomalous())?;
        Ok(RankedPixels::new(ranked, self.regions))
    }
}
