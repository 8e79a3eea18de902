//! Networks that a loss differentiates itself.

use burn::tensor::Tensor;

use crate::Network;

/// The part of a network above one of its features, for losses that differentiate the network
/// with respect to its input or to a map. Every [`Network`] is one.
// These are names of starting points, not conversions.
#[allow(clippy::wrong_self_convention)]
pub trait DifferentiableHead {
    /// Logits `[batch, classes]` of images `[batch, channels, height, width]`.
    fn from_images(&self, images: Tensor<4>) -> Tensor<2>;

    /// Logits `[batch, classes]` of the map of a stage (the stem is 0).
    fn from_map(&self, stage: usize, map: Tensor<4>) -> Tensor<2>;
}

impl<N: Network> DifferentiableHead for N {
    fn from_images(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images)
    }

    fn from_map(&self, stage: usize, map: Tensor<4>) -> Tensor<2> {
        self.run(stage + 1..self.head() + 1, map.into()).vector()
    }
}
