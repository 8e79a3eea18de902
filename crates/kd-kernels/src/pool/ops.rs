//! The operation as backends see it.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

use super::Window;

/// Max pooling by the kernels of this crate.
#[backend_extension(Flex, Autodiff)]
pub trait PoolOps: Backend {
    /// The largest number of each window.
    fn kd_max_pool2d(x: FloatTensor<Self>, window: Window) -> FloatTensor<Self>;
}

/// What the backward pass needs of a backend.
pub trait PoolGradients: PoolOps {
    /// The gradient of the input for that of the output, which goes to the first of the largest
    /// numbers of each window.
    fn kd_max_pool2d_backward(
        x: FloatTensor<Self>,
        output: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self>;
}
