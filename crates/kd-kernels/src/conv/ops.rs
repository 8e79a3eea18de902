//! The operation as backends see it.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use burn::tensor::ops::ConvOptions;

use crate::backend::Contiguous;
use crate::optional::Optional;

use super::mask::GradMask;

/// Convolution by the kernels of this crate.
#[backend_extension(Flex, Autodiff)]
pub trait ConvOps: Backend {
    /// See [`conv2d`](super::conv2d).
    fn kd_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Optional<Self>,
        options: ConvOptions<2>,
        #[extension_type] residual: Optional<Self>,
        relu: bool,
    ) -> FloatTensor<Self>;
}

/// What the backward pass needs of a backend.
pub trait ConvGradients: ConvOps + Contiguous {
    /// Gradients of input and weight for those of the output, as far as they are asked for.
    fn kd_conv2d_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: ConvOptions<2>,
        mask: GradMask,
    ) -> (Option<FloatTensor<Self>>, Option<FloatTensor<Self>>);
}
