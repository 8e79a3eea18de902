//! The operation as backends see it.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

use crate::backend::Contiguous;
use crate::optional::Optional;

/// Batch normalization by the kernels of this crate.
#[backend_extension(Flex, Autodiff)]
pub trait NormOps: Backend {
    /// Normalizes by the statistics of the batch, adds `residual` and cuts off at 0 if `relu`.
    /// Returns the output, and mean and biased variance of each channel, through which nothing is
    /// differentiated.
    fn kd_norm_train(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        #[extension_type] residual: Optional<Self>,
        relu: bool,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// `x · scale + shift + residual` per channel, cut off at 0 if `relu`. Not differentiable.
    fn kd_affine(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        #[extension_type] residual: Optional<Self>,
        relu: bool,
    ) -> FloatTensor<Self>;
}

/// What the backward pass needs of a backend.
pub trait NormGradients: NormOps + Contiguous {
    /// Gradients of input, weight, bias and, if it is wanted, residual.
    fn kd_norm_backward(
        saved: Saved<Self>,
        gradient: FloatTensor<Self>,
        residual: bool,
    ) -> ([FloatTensor<Self>; 3], Option<FloatTensor<Self>>);
}

/// What the forward pass leaves to the backward pass.
#[derive(Clone, Debug)]
pub struct Saved<B: Backend> {
    pub(super) x: FloatTensor<B>,
    /// The output, if a ReLU made it.
    pub(super) activated: Option<FloatTensor<B>>,
    pub(super) weight: FloatTensor<B>,
    pub(super) mean: FloatTensor<B>,
    pub(super) variance: FloatTensor<B>,
    pub(super) epsilon: f64,
}
