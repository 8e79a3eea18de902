//! What the methods read of a network.

use burn::tensor::Tensor;

/// Features of one network for one batch: plain tensors, from whatever network they come.
#[derive(Clone, Debug)]
pub struct Features {
    /// Maps `[batch, channels, height, width]` after the activation: the stem's at index 0, then
    /// one for each stage.
    pub maps: Vec<Tensor<4>>,
    /// The same maps before the activation. Empty unless the method asks for them.
    pub preact: Vec<Tensor<4>>,
    /// The last map pooled over space, `[batch, channels]`.
    pub pooled: Tensor<2>,
    /// The logits, `[batch, classes]`.
    pub logits: Tensor<2>,
}

/// Shapes of [`Features`] without the batch dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureShapes {
    /// `[channels, height, width]` of the stem's map and of each stage's.
    pub maps: Vec<[usize; 3]>,
    /// Length of the pooled feature.
    pub pooled: usize,
    /// Number of classes.
    pub classes: usize,
}

impl Features {
    /// The shapes of these features.
    pub fn shapes(&self) -> FeatureShapes {
        FeatureShapes {
            maps: self
                .maps
                .iter()
                .map(|map| {
                    let [_, channels, height, width] = map.dims();
                    [channels, height, width]
                })
                .collect(),
            pooled: self.pooled.dims()[1],
            classes: self.logits.dims()[1],
        }
    }
}
