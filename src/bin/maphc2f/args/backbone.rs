//! The backbone of a command: of the file that the user has, or the standard one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use maphc2f::bisqad::Detector;
use maphc2f::frozen_backbone::Backbone;
use maphc2f::{load_detector, open_backbone};

use crate::Result;

/// Where the weights of the backbone are.
#[derive(Debug, clap::Args)]
pub struct BackboneArgs {
    /// Network that computes the image features, as safetensors file of pretrained weights: DINOv2 or DINOv3, small or
    /// base, or WideResNet-50-2. A detector needs the file that it was trained with [default: EfficientNet-Lite0, built
    /// in]
    #[arg(long, value_name = "FILE")]
    pub backbone: Option<PathBuf>,
}

impl BackboneArgs {
    /// Opens the file, or the standard weights without one.
    pub fn open(&self) -> Result<Arc<dyn Backbone>> {
        Ok(open_backbone(self.backbone.as_deref())?)
    }

    /// Reads a detector that `train` wrote with this backbone.
    pub fn load(&self, model: &Path) -> Result<Arc<dyn Detector>> {
        Ok(load_detector(model, &self.open()?)?)
    }
}
