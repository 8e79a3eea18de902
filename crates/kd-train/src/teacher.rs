//! The frozen teacher.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_losses::{Classifier, FeatureShapes, Features, NormAffine, Upper};
use kd_models::weights::{WeightsFile, state_dict};
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
        let network = file.into_network(architecture, Some(classes), device)?;
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
        features_for_losses(self.network.features(images.inner()))
    }

    /// As [`features`](Self::features), with the maps before the activation.
    pub fn features_with_preact(&self, images: Tensor<4>) -> Features {
        features_for_losses(self.network.features_with_preact(images.inner()))
    }

    /// The network itself.
    pub fn network(&self) -> &AnyNetwork {
        &self.network
    }

    /// The linear classifier: the last matrix of the network and the vector behind it.
    ///
    /// # Errors
    ///
    /// If a parameter cannot be read from the device.
    pub fn classifier(&self) -> Result<Option<Classifier>, TrainError> {
        let entries = state_dict(&self.network)?;
        let matrix = entries
            .iter()
            .rposition(|(_, data)| data.shape().num_dims() == 2);
        let Some(at) = matrix else {
            return Ok(None);
        };
        let Some((_, bias)) = entries.get(at + 1) else {
            return Ok(None);
        };
        let device = self.network.devices().into_iter().next();
        Ok(device.map(|device| Classifier {
            weight: Tensor::from_data(entries[at].1.clone(), &device),
            bias: Tensor::from_data(bias.clone(), &device),
        }))
    }

    /// Scale and shift of the batch norm that ends each stage, the stem's first, for the families
    /// whose stages end in one (the ResNets).
    ///
    /// # Errors
    ///
    /// If a parameter cannot be read from the device.
    pub fn norms(&self) -> Result<Option<Vec<NormAffine>>, TrainError> {
        if !self.name.starts_with("resnet") {
            return Ok(None);
        }
        let entries = state_dict(&self.network)?;
        let Some(device) = self.network.devices().into_iter().next() else {
            return Ok(None);
        };
        let vector = |key: &str| {
            let found = entries.iter().find(|(name, _)| name == key);
            found.map(|(_, data)| Tensor::<1>::from_data(data.clone(), &device))
        };
        let mut norms = Vec::new();
        for stage in 0..=self.network.stages() {
            let prefix = match stage {
                0 => "bn1".to_owned(),
                _ => {
                    let start = format!("layer{stage}.");
                    let last = entries
                        .iter()
                        .filter_map(|(key, _)| key.strip_prefix(&start)?.split('.').next())
                        .filter_map(|block| block.parse::<usize>().ok())
                        .max();
                    format!("{start}{}.bn2", last.unwrap_or(0))
                }
            };
            let (weight, bias) = (
                vector(&format!("{prefix}.weight")),
                vector(&format!("{prefix}.bias")),
            );
            match (weight, bias) {
                (Some(weight), Some(bias)) => norms.push(NormAffine { weight, bias }),
                _ => return Ok(None),
            }
        }
        Ok(Some(norms))
    }
}

/// A network as the methods that differentiate it see it.
pub(crate) struct Differentiable<'a>(pub(crate) &'a AnyNetwork);

impl Upper for Differentiable<'_> {
    fn from_images(&self, images: Tensor<4>) -> Tensor<2> {
        self.0.forward(images)
    }

    fn from_map(&self, stage: usize, map: Tensor<4>) -> Tensor<2> {
        self.0
            .run(stage + 1..self.0.head() + 1, map.into())
            .vector()
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
