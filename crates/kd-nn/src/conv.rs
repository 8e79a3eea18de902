//! Convolution.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;

#[cfg(feature = "flex")]
use kd_kernels::serves;

use crate::Activation;

/// Convolution of `x` with `weight`, plus `bias`, as `burn::tensor::module::conv2d`: by `kd-kernels`
/// where it serves, and by Burn elsewhere.
///
/// # Shapes
///
/// - x: `[batch, inputs, height, width]`
/// - weight: `[outputs, inputs / groups, kernel height, kernel width]`
/// - bias: `[outputs]`
/// - output: `[batch, outputs, output height, output width]`
///
/// # Panics
///
/// If the shapes do not fit each other.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
) -> Tensor<4> {
    conv2d_with(x, weight, bias, options, None, Activation::None)
}

/// Runs one of Burn's convolution layers by [`conv2d`].
///
/// # Shapes
///
/// - x: `[batch, inputs, height, width]`
/// - output: `[batch, outputs, output height, output width]`
///
/// # Panics
///
/// If the shapes do not fit each other.
pub fn conv2d_layer(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    match conv2d_options(layer) {
        Some(options) => {
            let bias = layer.bias.as_ref().map(|bias| bias.val());
            conv2d(x, layer.weight.val(), bias, options)
        }
        None => layer.forward(x),
    }
}

/// The options of one of Burn's convolution layers; `None` if its padding depends on the input.
pub fn conv2d_options(layer: &Conv2d) -> Option<ConvOptions<2>> {
    let padding = match layer.padding {
        PaddingConfig2d::Valid => [(0, 0); 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
        PaddingConfig2d::Same => return None,
    };
    let Conv2d {
        stride,
        dilation,
        groups,
        ..
    } = layer;
    Some(ConvOptions::new_with_padding(
        *stride, padding, *dilation, *groups,
    ))
}

/// As [`conv2d`], then adds `residual` and applies `activation`: one pass over memory where
/// `kd-kernels` serves.
///
/// # Shapes
///
/// - residual: as the output
///
/// # Panics
///
/// If the shapes do not fit each other.
pub fn conv2d_with(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
    residual: Option<Tensor<4>>,
    activation: Activation,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if served(&x, &weight, bias.as_ref(), residual.as_ref(), &options) {
        let relu = activation.is_relu();
        return kd_kernels::conv::conv2d(x, weight, bias, options, residual, relu);
    }
    let output = burn::tensor::module::conv2d(x, weight, bias, options);
    activation.apply(output, residual)
}

/// Whether the kernels serve all of it.
#[cfg(feature = "flex")]
fn served(
    x: &Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<&Tensor<1>>,
    residual: Option<&Tensor<4>>,
    options: &ConvOptions<2>,
) -> bool {
    serves(x)
        && serves(weight)
        && bias.is_none_or(serves)
        && residual.is_none_or(serves)
        && !options.is_asymmetric()
}
