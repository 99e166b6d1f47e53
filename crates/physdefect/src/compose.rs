//! Composition of several defects on one photo.

use imgkit::ParameterError;
use ndarray::{Array2, Array3, ArrayView3};

use crate::noise::mix;
use crate::{Domain, Error, Record, SampleKey, Synthesizer};

/// Photo with several defects.
#[derive(Debug, Clone)]
pub struct Composite {
    /// The photo with all defects `(H, W, C)`.
    pub image: Array3<f32>,
    /// 0 outside the defects' masks, else one more than the index into `records` `(H, W)`; the later defect wins where
    /// two overlap.
    pub instances: Array2<u16>,
    /// One record per defect, in order.
    pub records: Vec<Record>,
}

/// Composes one defect of each synthesizer on `photo`, each on top of the former ones.
///
/// Defect k has the key (seed mixed with k, index). Where `instances` is 0 the image equals the photo bit for bit. A
/// defect that later ones cover wholly keeps its record but has no pixels.
///
/// # Errors
/// Those of [`Synthesizer::synthesize`]; [`Error::Parameter`] for more than 65 535 synthesizers.
///
/// ```
/// use ndarray::Array3;
/// use physdefect::appearance::{Appearance, Material, Rendered};
/// use physdefect::baselines::CutPasteScar;
/// use physdefect::fracture::FractureLine;
/// use physdefect::{Domain, SampleKey, compose};
///
/// let photo = Array3::from_elem((96, 96, 3), 0.5f32);
/// let crack = Rendered::new(FractureLine::default(), Appearance::new(Material::MATTE))?;
/// let scar = CutPasteScar::default();
/// let key = SampleKey { seed: 7, index: 3 };
/// let all = compose(photo.view(), &Domain::full(96, 96)?, &[&crack, &crack, &scar], key)?;
/// assert_eq!(all.records.len(), 3);
/// # Ok::<(), physdefect::Error>(())
/// ```
pub fn compose(
    photo: ArrayView3<'_, f32>,
    domain: &Domain,
    synthesizers: &[&dyn Synthesizer],
    key: SampleKey,
) -> Result<Composite, Error> {
    if synthesizers.len() > usize::from(u16::MAX) {
        return Err(ParameterError::new("compose", "synthesizers", synthesizers.len(), "at most 65535").into());
    }
    let (h, w, _) = photo.dim();
    let mut image = photo.to_owned();
    let mut instances = Array2::zeros((h, w));
    let mut records = Vec::with_capacity(synthesizers.len());
    for (k, synthesizer) in synthesizers.iter().enumerate() {
        let own = SampleKey { seed: mix(key.seed ^ mix(k as u64)), index: key.index };
        let sample = synthesizer.synthesize(image.view(), domain, own)?;
        let b = sample.bbox;
        image.slice_each_axis_mut(|axis| b.slice_of(axis.axis)).assign(&sample.patch);
        for ((y, x), &masked) in sample.mask.indexed_iter() {
            if masked {
                instances[[b.top + y, b.left + x]] = k as u16 + 1;
            }
        }
        records.push(sample.record);
    }
    Ok(Composite { image, instances, records })
}
