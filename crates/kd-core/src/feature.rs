//! What flows between stages.

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
