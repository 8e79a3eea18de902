//! The frozen teacher.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_losses::{Classifier, Features, NormAffine, Upper};
use kd_models::weights::WeightsFile;
use kd_models::{AnyNetwork, Architecture, FeatureShapes, Network};
use kd_spot::features_for_losses;

use crate::TrainError;

/// A teacher outside the graph: evaluation mode, plain tensors, no gradients.
#[derive(Clone, Debug)]
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
    /// its own, or if its keys and shapes tell it.
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
        let name = match architecture {
            Some(architecture) => architecture,
            None => file.identify()?.architecture,
        };
        let network = file.into_network(architecture, Some(classes), device)?;
        Ok(Self::new(name.name(), &network))
    }

    /// The architecture's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shapes of its features for images of `[channels, height, width]`.
    pub fn shapes(&self, input: [usize; 3], device: &Device) -> FeatureShapes {
        self.network.feature_shapes(input, device)
    }

    /// Features of images `[batch, 3, height, width]`, which may be on an autodiff device.
    pub fn features(&self, images: Tensor<4>) -> Features {
        features_for_losses(self.network.features(images.inner()))
    }

    /// As [`features`](Self::features), with the maps before the activation.
    pub fn features_with_preact(&self, images: Tensor<4>) -> Features {
        features_for_losses(self.network.features_with_preact(images.inner()))
    }

    /// The network, taken out.
    pub(crate) fn into_network(self) -> AnyNetwork {
        self.network
    }

    /// The same teacher with another network.
    pub(crate) fn with_network(&self, network: &AnyNetwork) -> Self {
        Self::new(self.name.clone(), network)
    }

    /// The network itself.
    pub fn network(&self) -> &AnyNetwork {
        &self.network
    }

    /// The linear classifier; `None` for a network whose head has more than one layer.
    pub fn classifier(&self) -> Option<Classifier> {
        let linear = self.network.classifier()?;
        let bias = linear.bias.as_ref()?;
        Some(Classifier {
            // Burn's layers hold the transpose of PyTorch's weight.
            weight: linear.weight.val().transpose(),
            bias: bias.val(),
        })
    }

    /// Scale and shift of the batch norm before the last activation of each stage, the stem's
    /// first; `None` for a family whose stages do not end in one.
    pub fn norms(&self) -> Option<Vec<NormAffine>> {
        (0..=self.network.stages())
            .map(|stage| {
                let norm = self.network.last_norm(stage)?;
                Some(NormAffine {
                    weight: norm.weight.val(),
                    bias: norm.bias.val(),
                })
            })
            .collect()
    }

    /// The same teacher with its batch norms folded into the convolutions before them: the same
    /// features but for rounding, in less time.
    pub fn folded(self) -> Self {
        Self {
            network: self.network.fold_batch_norm(),
            ..self
        }
    }
}

/// A network as the methods that differentiate it see it, for
/// [`Step::with_networks`](kd_losses::Step::with_networks).
#[derive(Clone, Copy, Debug)]
pub struct Differentiable<'a>(pub &'a AnyNetwork);

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
