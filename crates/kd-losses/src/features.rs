//! What the methods look at.

use burn::tensor::Tensor;

/// Features of one network for one batch.
#[derive(Clone, Debug)]
pub struct Features {
    /// Feature maps `[batch, channels, height, width]`: the stem's, then one a stage.
    pub maps: Vec<Tensor<4>>,
    /// The same maps before their last activation; empty if they were not asked for.
    pub preact: Vec<Tensor<4>>,
    /// The pooled feature, `[batch, features]`.
    pub pooled: Tensor<2>,
    /// The logits, `[batch, classes]`.
    pub logits: Tensor<2>,
}

/// Shapes of [`Features`] without the batch dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureShapes {
    /// `[channels, height, width]` of the stem's map, then of each stage's.
    pub maps: Vec<[usize; 3]>,
    /// Length of the pooled feature.
    pub pooled: usize,
    /// Number of classes.
    pub classes: usize,
}
