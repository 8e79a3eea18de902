//! Max pooling.

mod autodiff;
mod flex;
mod kernel;
mod ops;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use ops::PoolOps;

pub(crate) use kernel::Window;

/// Max pooling of a tensor that the kernels serve.
pub(crate) fn max_pool2d(x: Tensor<4>, window: Window) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as PoolOps>::kd_max_pool2d(
        x.into_dispatch(),
        window,
    ))
}
