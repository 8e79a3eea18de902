//! What flows between stages, and what a network hands out.

use burn::tensor::Tensor;

/// The value between two stages: a feature map until the pooling, a vector after it.
#[derive(Clone, Debug)]
pub enum Feature {
    /// A feature map, `[batch, channels, height, width]`.
    Map(Tensor<4>),
    /// A pooled feature or logits, `[batch, features]`.
    Vector(Tensor<2>),
}

impl Feature {
    /// The feature map.
    ///
    /// # Panics
    ///
    /// If this is a vector: a stage before the pooling was given the output of one after it.
    #[track_caller]
    pub fn map(self) -> Tensor<4> {
        match self {
            Feature::Map(map) => map,
            Feature::Vector(vector) => {
                panic!("expected a feature map, got a vector {:?}", vector.dims())
            }
        }
    }

    /// The vector.
    ///
    /// # Panics
    ///
    /// If this is a feature map: a stage after the pooling was given the output of one before it.
    #[track_caller]
    pub fn vector(self) -> Tensor<2> {
        match self {
            Feature::Vector(vector) => vector,
            Feature::Map(map) => panic!("expected a vector, got a feature map {:?}", map.dims()),
        }
    }

    /// Shape with the batch dimension.
    pub fn dims(&self) -> Vec<usize> {
        match self {
            Feature::Map(map) => map.dims().to_vec(),
            Feature::Vector(vector) => vector.dims().to_vec(),
        }
    }
}

impl From<Tensor<4>> for Feature {
    fn from(map: Tensor<4>) -> Self {
        Feature::Map(map)
    }
}

impl From<Tensor<2>> for Feature {
    fn from(vector: Tensor<2>) -> Self {
        Feature::Vector(vector)
    }
}

/// All that one forward pass hands out.
#[derive(Clone, Debug)]
pub struct Features {
    /// One map for the stem and one for each stage, `[batch, channels, height, width]`.
    pub maps: Vec<Tensor<4>>,
    /// The same maps before their last activation; empty unless they were asked for.
    pub preact: Vec<Tensor<4>>,
    /// The pooled feature, `[batch, features]`.
    pub pooled: Tensor<2>,
    /// The logits, `[batch, classes]`.
    pub logits: Tensor<2>,
}
