//! Max pooling.

mod autodiff;
mod flex;
mod kernel;
mod ops;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use ops::PoolOps;

pub use kernel::Window;

/// The largest number of each window. Of equal numbers in a window, the first one gets the gradient;
/// a window with NaN gives NaN.
///
/// # Shapes
///
/// - x: `[batch, channels, height, width]`
/// - output: `[batch, channels, output height, output width]`
///
/// # Panics
///
/// If the kernels do not [serve](crate::serves) the tensor, or if a window does not fit.
pub fn max_pool2d(x: Tensor<4>, window: Window) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as PoolOps>::kd_max_pool2d(
        x.into_dispatch(),
        window,
    ))
}
