//! The frozen teacher.

use burn::tensor::{Device, Tensor};
use kd_core::{Classifier, FeatureShapes, Features, Network, NormAffine};

/// A teacher outside the graph: evaluation mode, plain tensors, no gradients.
#[derive(Clone, Debug)]
pub struct FrozenTeacher<T> {
    name: String,
    network: T,
}

impl<T: Network> FrozenTeacher<T> {
    /// Freezes a network; the name is for messages and records.
    pub fn new(name: impl Into<String>, network: &T) -> Self {
        Self {
            name: name.into(),
            network: network.valid(),
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shapes of its features for images of `[channels, height, width]`.
    pub fn shapes(&self, input: [usize; 3], device: &Device) -> FeatureShapes {
        self.network.feature_shapes(input, device)
    }

    /// Features of images `[batch, channels, height, width]`, which may be on an autodiff device.
    pub fn features(&self, images: Tensor<4>) -> Features {
        self.network.features(images.inner())
    }

    /// As [`features`](Self::features), with the maps before the activation.
    pub fn features_with_preact(&self, images: Tensor<4>) -> Features {
        self.network.features_with_preact(images.inner())
    }

    /// Pooled features and logits alone.
    pub fn summary(&self, images: Tensor<4>) -> Features {
        self.network.summary(images.inner())
    }

    /// The network itself.
    pub fn network(&self) -> &T {
        &self.network
    }

    /// The linear classifier; `None` for a network whose head has more than one layer.
    pub fn classifier(&self) -> Option<Classifier> {
        self.network.classifier()
    }

    /// Scale and shift of the last batch norm of each stage, the stem's first; `None` for a network
    /// whose stages do not end in one.
    pub fn norms(&self) -> Option<Vec<NormAffine>> {
        let stages = 0..=self.network.stages();
        stages.map(|stage| self.network.last_norm(stage)).collect()
    }

    /// The same teacher in its fastest form, batch norms folded into the convolutions before them:
    /// the same features but for rounding.
    pub fn folded(self) -> Self {
        Self {
            network: self.network.for_inference(),
            ..self
        }
    }
}
