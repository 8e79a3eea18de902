//! Pooling.

use burn::tensor::Tensor;
use burn::tensor::ops::MaxPoolOptions;

/// Max pooling as `burn::tensor::module::max_pool2d`: by `kd-kernels` where it serves, and by
/// Burn elsewhere.
///
/// Of equal numbers in a window, the first one gets the gradient; a window with NaN gives NaN.
///
/// # Shapes
///
/// - x: `[batch, channels, height, width]`
/// - output: `[batch, channels, output height, output width]`
///
/// # Panics
///
/// If a window does not fit.
pub fn max_pool2d(x: Tensor<4>, size: usize, stride: usize, padding: usize) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if kd_kernels::serves(&x) && 2 * padding <= size {
        let window = kd_kernels::pool::Window {
            size: [size; 2],
            stride: [stride; 2],
            padding: [padding; 2],
        };
        return kd_kernels::pool::max_pool2d(x, window);
    }
    let options = MaxPoolOptions::new([size, size])
        .with_stride([stride, stride])
        .with_padding([padding, padding]);
    burn::tensor::module::max_pool2d(x, options)
}
