//! Detectors that hold others: what those hold lies in the same file, under a name of its own.

use std::sync::Arc;

use frozen_backbone::Backbone;

use super::{File, Parts, matrix, vector};
use crate::detectors::ensemble::Ensemble;
use crate::detectors::projected::Projected;
use crate::detectors::tiled::Tiled;
use crate::error::Error;
use crate::features::projection::ChannelProjection;

pub(super) const ENSEMBLE: &str = "bisqad-ensemble-1";
pub(super) const TILED: &str = "bisqad-tiled-1";
pub(super) const PROJECTED: &str = "bisqad-projected-1";

impl Ensemble {
    pub(crate) fn to_parts(&self) -> Result<Parts, Error> {
        let tensors = vec![
            ("scales".to_owned(), vector(self.scales.iter().flat_map(|&(m, s)| [m, s]).collect())?),
            ("normal_scores".to_owned(), vector(self.normal_scores.clone())?),
        ];
        let [one, other] = &self.members;
        Ok(Parts::new(ENSEMBLE, tensors).holding("one", one.parts()?).holding("other", other.parts()?))
    }

    pub(super) fn read(mut file: File<'_>, backbones: &[Arc<dyn Backbone>]) -> Result<Self, Error> {
        let members = [file.held("one").detector(backbones)?, file.held("other").detector(backbones)?];
        let scales: Vec<f32> = file.vector("scales")?;
        let &[m, s, n, t] = scales.as_slice() else { return Err(file.damaged("scales")) };
        Ok(Self { members, scales: [(m, s), (n, t)], normal_scores: file.vector("normal_scores")? })
    }
}

impl Tiled {
    pub(crate) fn to_parts(&self) -> Result<Parts, Error> {
        let sizes = [self.tile.0, self.tile.1, self.overlap].map(|v| v as u32);
        let tensors = vec![("tile".to_owned(), vector(sizes.to_vec())?)];
        Ok(Parts::new(TILED, tensors).holding("detector", self.detector.parts()?))
    }

    pub(super) fn read(mut file: File<'_>, backbones: &[Arc<dyn Backbone>]) -> Result<Self, Error> {
        let detector = file.held("detector").detector(backbones)?;
        let sizes: Vec<u32> = file.vector("tile")?;
        let &[height, width, overlap] = sizes.as_slice() else { return Err(file.damaged("tile")) };
        Self::new(detector, (height as usize, width as usize), overlap as usize).map_err(|_| file.damaged("tile"))
    }
}

impl Projected {
    pub(crate) fn to_parts(&self) -> Result<Parts, Error> {
        let tensors = vec![
            ("weights".to_owned(), matrix(&self.projection.weights)?),
            ("offset".to_owned(), vector(self.projection.offset.to_vec())?),
        ];
        Ok(Parts::new(PROJECTED, tensors).holding("detector", self.detector.parts()?))
    }

    pub(super) fn read(mut file: File<'_>, backbones: &[Arc<dyn Backbone>]) -> Result<Self, Error> {
        let detector = file.held("detector").detector(backbones)?;
        let (weights, offset) = (file.matrix("weights")?, file.vector::<f32>("offset")?);
        let offset = offset.as_slice().try_into().map_err(|_| file.damaged("offset"))?;
        let projection = ChannelProjection::fixed(weights, offset).map_err(|_| file.damaged("weights"))?;
        Ok(Self::new(detector, projection))
    }
}
