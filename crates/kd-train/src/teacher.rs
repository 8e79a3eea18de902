//! The frozen teacher.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_losses::{FeatureShapes, Features};
use kd_models::weights::WeightsFile;
use kd_models::{AnyNetwork, Architecture, Network};

use crate::TrainError;

/// A teacher outside the graph: evaluation mode, plain tensors, no gradients.
#[derive(Debug)]
pub struct FrozenTeacher {
    name: String,
    network: AnyNetwork,
}

impl FrozenTeacher {
    /// Freezes a network.
    pub fn new(name: impl Into<String>, network: &AnyNetwork) -> Self {
        Self {
            name: name.into(),
            network: network.valid(),
        }
    }

    /// Reads a teacher from a weights file. The architecture may be left out if the file names
    /// its own.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or does not fit the architecture or the number of classes.
    pub fn load(
        path: &Path,
        architecture: Option<Architecture>,
        classes: usize,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let file = WeightsFile::open(path)?;
        let name = architecture.or(file.info().map(|info| info.architecture));
        let network = file.into_network(architecture, classes, device)?;
        Ok(Self::new(
            name.map_or_else(String::new, |name| name.to_string()),
            &network,
        ))
    }

    /// The architecture's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shapes of its features for images of `[channels, height, width]`.
    pub fn shapes(&self, input: [usize; 3], device: &Device) -> FeatureShapes {
        shapes_for_losses(&self.network, input, device)
    }

    /// Features of images `[batch, 3, height, width]`, which may be on an autodiff device.
    pub fn features(&self, images: Tensor<4>) -> Features {
        let images = if images.is_autodiff() {
            images.inner()
        } else {
            images
        };
        features_for_losses(self.network.features(images))
    }
}

/// A network's features in the form that the losses take.
pub fn features_for_losses(features: kd_models::Features) -> Features {
    Features {
        maps: features.maps,
        preact: features.preact,
        pooled: features.pooled,
        logits: features.logits,
    }
}

/// Shapes of a network's features in the form that the losses take.
pub(crate) fn shapes_for_losses(
    network: &AnyNetwork,
    input: [usize; 3],
    device: &Device,
) -> FeatureShapes {
    let shapes = network.feature_shapes(input, device);
    FeatureShapes {
        maps: shapes.maps,
        pooled: shapes.pooled,
        classes: shapes.classes,
    }
}
