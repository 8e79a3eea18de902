//! Convolution.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;

use crate::Activation;

/// Convolution of `x` with `weight`, plus `bias`, as `burn::tensor::module::conv2d`: by the kernels
/// of this crate where they serve, and by Burn elsewhere.
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
    #[cfg(feature = "flex")]
    if served(&x, &weight, bias.as_ref(), &options) {
        return crate::native::conv::conv2d(x, weight, bias, options);
    }
    burn::tensor::module::conv2d(x, weight, bias, options)
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

/// As [`conv2d`], then adds `residual` and applies `activation`: one pass over memory where the
/// kernels of this crate serve.
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
    if served(&x, &weight, bias.as_ref(), &options) && residual.as_ref().is_none_or(crate::serves) {
        return crate::native::conv::conv2d_with(x, weight, bias, options, residual, activation);
    }
    activation.after(conv2d(x, weight, bias, options), residual)
}

/// Whether the kernels serve all of it.
#[cfg(feature = "flex")]
fn served(
    x: &Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<&Tensor<1>>,
    options: &ConvOptions<2>,
) -> bool {
    crate::serves(x)
        && crate::serves(weight)
        && bias.is_none_or(crate::serves)
        && !options.is_asymmetric()
}
