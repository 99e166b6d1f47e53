//! Places on an object: where defects may start.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use imgkit::distance::squared_to_background;
use imgkit::{ParameterError, Rect};
use ndarray::{Array2, ArrayView2, Zip};

use crate::runs::Runs;
use crate::{Domain, Error, Sample};

/// Width of the edge: share of the object's scale, and the least, px.
const EDGE: (f64, f64) = (0.03, 2.0);
/// Distance from the outline at which the inside begins: share of the object's scale, and the least, px.
const INSIDE: (f64, f64) = (0.15, 4.0);

/// Strip along a strong outline in which its own contrast hides a change, px: the mask of a defect that starts at the
/// outline begins beyond it.
const HIDDEN: usize = 5;

/// Place on an object where defects may start.
///
/// The outline is the object's border inside the photo, holes included; where the object runs into the frame's border
/// there is none. Distances are relative to the object's scale ([`Domain::scale`]), each object of a photo by itself.
///
/// ```
/// use physdefect::Place;
/// assert_eq!("edge".parse::<Place>()?, Place::Edge);
/// assert!("rim".parse::<Place>().unwrap_err().to_string().contains("inside"));
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Place {
    /// Every pixel of the object.
    #[default]
    Anywhere,
    /// Pixels more than 15 % of the scale, and 4 px, from the outline. A defect that touches the outline all the same
    /// is drawn again.
    Inside,
    /// Pixels within 3 % of the scale, at least 2 px, of the outline. Cracks start at the outline itself. A defect
    /// whose mask, of what can be seen of it, does not come within 5 px of such a pixel is drawn again.
    Edge,
}

impl Place {
    /// Every place.
    pub const ALL: [Self; 3] = [Self::Anywhere, Self::Inside, Self::Edge];

    /// Name, as it is parsed and written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Anywhere => "anywhere",
            Self::Inside => "inside",
            Self::Edge => "edge",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Self::ALL.into_iter().find(|place| place.name() == text);
        known.ok_or_else(|| ParameterError::new("place", "place", text, "anywhere, inside or edge").into())
    }
}

/// Pixels of a domain that defects may start at, where these are not all.
#[derive(Debug, Clone)]
pub(crate) struct Sites {
    pub(crate) place: Place,
    pub(crate) mask: Array2<bool>,
    pub(crate) pixels: Runs,
}

impl Sites {
    fn new(place: Place, mask: Array2<bool>) -> Arc<Self> {
        let pixels = Runs::of(&mask);
        Arc::new(Self { place, mask, pixels })
    }
}

impl Domain {
    /// Restricts where defects start to a place on each of its objects. Its mask, outline, size and scale stay as they
    /// are: defects are as large as without, and may leave the place unless it says otherwise.
    ///
    /// [`Place::Anywhere`] changes nothing.
    ///
    /// # Errors
    /// [`Error::NoSites`] if no pixel is left: an object that fills the frame has no edge, one of a few pixels across
    /// no inside.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use physdefect::{Domain, Error, Place};
    ///
    /// let disc = Array2::from_shape_fn((90, 90), |(y, x)| (y as f64 - 45.0).hypot(x as f64 - 45.0) < 40.0);
    /// let domain = Domain::from_mask(disc)?.placed(Place::Edge)?;
    /// assert!(domain.is_site(45, 6) && !domain.is_site(45, 45) && domain.contains(45.0, 45.0));
    /// let refused = Domain::full(90, 90)?.placed(Place::Edge);
    /// assert!(matches!(refused, Err(Error::NoSites { place: Place::Edge, .. })));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn placed(self, place: Place) -> Result<Self, Error> {
        if place == Place::Anywhere {
            return Ok(self);
        }
        let scale = self.scale();
        let keep = |object: &Self| object.sites_of(place);
        self.restricted(place, &keep).ok_or(Error::NoSites { place, scale })
    }

    /// Restricts where defects start to the true pixels of a mask `(H, W)`, such as a painted region; the domain's own
    /// mask, outline, size and scale stay as they are. Together with [`Self::placed`] both hold.
    ///
    /// # Errors
    /// [`Error::Shape`] if the mask is not as large as the photo, [`Error::RegionMissesObject`] if it leaves no pixel.
    pub fn with_sites(self, mask: ArrayView2<'_, bool>) -> Result<Self, Error> {
        let ((height, width), (h, w)) = (mask.dim(), self.dim());
        if (height, width) != (h, w) {
            return Err(Error::Shape { what: "region", found: vec![height, width], expected: vec![h, w] });
        }
        let place = self.place();
        self.restricted(place, &|_| mask.to_owned()).ok_or(Error::RegionMissesObject { height, width, place })
    }

    /// The domain with fewer sites; `None` if no pixel is left.
    fn restricted(mut self, place: Place, keep: &dyn Fn(&Self) -> Array2<bool>) -> Option<Self> {
        let mask = if self.objects().is_empty() {
            let mut mask = keep(&self);
            Zip::from(&mut mask).and(self.mask()).for_each(|site, &inside| *site &= inside);
            if let Some(before) = self.sites.as_ref() {
                mask.zip_mut_with(&before.mask, |site, &was| *site &= was);
            }
            mask
        } else {
            // Each object has its own outline and scale; what is too small to be one has no sites.
            let mut all = Array2::from_elem(self.dim(), false);
            let mut objects = Vec::with_capacity(self.objects().len());
            for object in self.objects() {
                let mut kept = object.clone();
                kept.sites = Some(Sites::new(place, all.mapv(|_| false)));
                let object = object.clone().restricted(place, keep).unwrap_or(kept);
                if let Some(sites) = &object.sites {
                    all.zip_mut_with(&sites.mask, |site, &own| *site |= own);
                }
                objects.push(object);
            }
            self.set_objects(objects);
            all
        };
        let sites = Sites::new(place, mask);
        if sites.pixels.is_empty() {
            return None;
        }
        self.sites = Some(sites);
        Some(self)
    }

    /// Pixels of a single object that a place takes in.
    fn sites_of(&self, place: Place) -> Array2<bool> {
        // With the nearest outside, if there is any in the frame.
        let window = self.bbox().grow(1, self.dim());
        let distance = squared_to_background(window.crop(self.mask()));
        let reach = |(share, least): (f64, f64)| (share * self.scale()).max(least).powi(2);
        let (edge, inside) = (reach(EDGE), reach(INSIDE));
        let mut mask = Array2::from_elem(self.dim(), false);
        window.crop_mut(mask.view_mut()).zip_mut_with(&distance, |site, &d| {
            *site = match place {
                Place::Anywhere => d > 0,
                Place::Inside => d as f64 > inside,
                Place::Edge => d > 0 && d as f64 <= edge,
            };
        });
        mask
    }

    /// Place that defects start at.
    #[must_use]
    pub fn place(&self) -> Place {
        self.sites.as_ref().map_or(Place::Anywhere, |sites| sites.place)
    }

    /// Pixels `(H, W)` that defects may start at; `None` where these are all of the domain.
    #[must_use]
    pub fn sites(&self) -> Option<ArrayView2<'_, bool>> {
        self.sites.as_ref().map(|sites| sites.mask.view())
    }

    /// Whether a defect may start at the pixel (row, column).
    #[must_use]
    pub fn is_site(&self, y: usize, x: usize) -> bool {
        let mask = self.sites().unwrap_or(self.mask());
        mask.get((y, x)).is_some_and(|&site| site)
    }

    /// Whether a pixel of the domain touches, by an edge, a pixel of the photo that is none.
    #[must_use]
    pub fn is_on_outline(&self, y: usize, x: usize) -> bool {
        let mask = self.mask();
        let inside = |y: usize, x: usize| mask.get((y, x)).copied();
        let near = [(y.wrapping_sub(1), x), (y + 1, x), (y, x.wrapping_sub(1)), (y, x + 1)];
        inside(y, x) == Some(true) && near.into_iter().any(|(y, x)| inside(y, x) == Some(false))
    }

    /// Whether a defect with the mask `(h, w)` in a box of the photo lies where it may: it comes within 5 px of the
    /// sites, and with [`Place::Inside`] reaches them and has no pixel on the outline. Always true where defects may
    /// start anywhere.
    #[must_use]
    pub fn admits(&self, bbox: Rect, mask: ArrayView2<'_, bool>) -> bool {
        let Some(sites) = &self.sites else { return true };
        let mut all = mask.indexed_iter().filter(|(_, m)| **m).map(|((y, x), _)| (bbox.top + y, bbox.left + x));
        let site = |at: (usize, usize)| sites.mask.get(at).is_some_and(|&site| site);
        if sites.place == Place::Inside {
            return all.clone().any(site) && !all.any(|(y, x)| self.is_on_outline(y, x));
        }
        if all.clone().any(site) {
            return true;
        }
        all.any(|at| {
            let near = Rect::pixel(at).grow(HIDDEN, self.dim());
            let far = |(y, x): (usize, usize)| y.abs_diff(at.0).pow(2) + x.abs_diff(at.1).pow(2);
            let within = near.crop(sites.mask.view());
            let mut there = within.indexed_iter().filter(|(_, s)| **s).map(|((y, x), _)| (near.top + y, near.left + x));
            there.any(|p| far(p) <= HIDDEN * HIDDEN)
        })
    }

    /// The sample, if it lies where it may.
    pub(crate) fn admit(&self, model: &'static str, sample: Sample) -> Result<Sample, Error> {
        if self.admits(sample.bbox, sample.mask.view()) {
            Ok(sample)
        } else {
            Err(Error::OffPlace { model, place: self.place() })
        }
    }

    /// The outline's point nearest to a site of the edge, and the angle of the way out; `None` where no outside is
    /// near. The point is the last one inside that is a site.
    pub(crate) fn onto_edge(&self, (y, x): (usize, usize)) -> Option<([f64; 2], f64)> {
        let reach = (EDGE.0 * self.scale()).max(EDGE.1).ceil() as usize + 1;
        let area = Rect::pixel((y, x)).grow(reach, self.dim());
        let mask = self.mask();
        let mut nearest: Option<(i64, i64, i64)> = None;
        for v in area.top..area.bottom {
            for u in area.left..area.right {
                let (dy, dx) = (v as i64 - y as i64, u as i64 - x as i64);
                let d = dy * dy + dx * dx;
                if !mask[[v, u]] && nearest.is_none_or(|n| d < n.0) {
                    nearest = Some((d, dy, dx));
                }
            }
        }
        let (_, dy, dx) = nearest?;
        let out = (dy as f64).atan2(dx as f64);
        let (sin, cos) = out.sin_cos();
        let mut at = [y as f64, x as f64];
        loop {
            let next = [at[0] + sin, at[1] + cos];
            let inside = self.contains(next[0] + 0.5, next[1] + 0.5);
            if !(inside && self.is_site((next[0] + 0.5) as usize, (next[1] + 0.5) as usize)) {
                return Some((at, out));
            }
            at = next;
        }
    }
}
