//! Two-dimensional convolution.
//!
//! The input of some images is copied into *planes*, padded and split by the stride, so that each
//! element of a filter reads a plane at a constant shift (see `axis`). A tile of eight filters
//! and three vectors of neighboring outputs then stays in registers while all elements pass by:
//! no matrix of patches is built, and all of stride, padding and dilation is in the table of
//! shifts. The gradient of the input is the same product with the gradients of the output in
//! planes; the gradient of the weight is the inner product of both. A depthwise convolution is
//! the case of one filter and one channel a group. Small maps are better served with the images of
//! a batch side by side (see `small`). Wide 3×3 convolutions take fewer multiplications by
//! Winograd's form (see `winograd`), but for the gradient of the weight.
//!
//! Between the rows of a plane lie zeros, and sums over outputs go over them: an infinite input can
//! turn other weights' gradients into NaN than it would by the definition. In Winograd's form
//! all four outputs of a patch with an infinite input can be NaN.

mod autodiff;
mod axis;
#[cfg(test)]
mod bounds;
mod depthwise;
mod driver;
mod epilogue;
mod filters;
mod flex;
mod mask;
mod ops;
mod pack;
mod pairs;
mod parts;
mod plan;
mod planes;
mod scratch;
mod select;
mod shape;
mod small;
mod strategy;
mod tile;
mod winograd;

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;

use crate::optional::optional;
use ops::ConvOps;

/// Convolution of `x` with `weight`, plus `bias` and `residual`, clamped at 0 from below if `relu`.
///
/// # Shapes
///
/// - x: `[batch, inputs, height, width]`
/// - weight: `[outputs, inputs / groups, kernel height, kernel width]`
/// - bias: `[outputs]`
/// - residual: as the output
/// - output: `[batch, outputs, output height, output width]`
///
/// # Panics
///
/// If the kernels do not [serve](crate::serves) a tensor, or if the shapes do not fit each other. Of
/// asymmetric padding, the side before is taken for both.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
    residual: Option<Tensor<4>>,
    relu: bool,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as ConvOps>::kd_conv2d(
        x.into_dispatch(),
        weight.into_dispatch(),
        optional(bias),
        options,
        optional(residual),
        relu,
    ))
}
