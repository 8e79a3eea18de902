//! What a network hands out.

use burn::tensor::Tensor;

/// Features of one network for one batch.
#[derive(Clone, Debug)]
pub struct Features {
    /// Maps `[batch, channels, height, width]` after the activation: the stem's at index 0, then
    /// one for each stage.
    pub maps: Vec<Tensor<4>>,
    /// The same maps before the activation; empty unless they were asked for.
    pub preact: Vec<Tensor<4>>,
    /// The last map pooled over space, `[batch, features]`.
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
        let shape = |map: &Tensor<4>| {
            let [_, channels, height, width] = map.dims();
            [channels, height, width]
        };
        FeatureShapes {
            maps: self.maps.iter().map(shape).collect(),
            pooled: self.pooled.dims()[1],
            classes: self.logits.dims()[1],
        }
    }
}

impl FeatureShapes {
    /// Number of stages after the stem.
    pub fn stages(&self) -> usize {
        self.maps.len().saturating_sub(1)
    }
}
