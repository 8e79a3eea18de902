//! Parts of a network that some losses copy.

use burn::tensor::Tensor;

/// A linear classifier.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// `[classes, features]`, as PyTorch stores it.
    pub weight: Tensor<2>,
    /// `[classes]`.
    pub bias: Tensor<1>,
}

/// Scale and shift of a batch norm.
#[derive(Clone, Debug)]
pub struct NormAffine {
    /// Scale, `[channels]`.
    pub weight: Tensor<1>,
    /// Shift, `[channels]`.
    pub bias: Tensor<1>,
}
