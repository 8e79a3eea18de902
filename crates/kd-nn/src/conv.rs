//! Convolution.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, FloatDType, Tensor};

#[cfg(feature = "flex")]
use kd_kernels::serves;

use crate::Activation;

/// Convolution of `x` with `weight`, plus `bias`, as `burn::tensor::module::conv2d`: by `kd-kernels`
/// where it serves, and by Burn elsewhere, there in bf16 after
/// [`kd_kernels::set_bf16`], but for depthwise convolutions.
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
    activation.apply(unserved(x, weight, bias, options), residual)
}

/// The convolution where the kernels of the CPU do not serve.
fn unserved(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
) -> Tensor<4> {
    // No product of matrices, so that nothing is gained by it.
    let depthwise = options.groups > 1 && weight.dims()[1] == 1;
    if kd_kernels::bf16() && x.dtype() == DType::F32 && !depthwise {
        return in_bf16(x, weight, bias, options);
    }
    #[cfg(feature = "cube")]
    {
        use kd_kernels::{gpu, serves_gpu};

        let learns = weight.is_autodiff() && bias.is_none();
        let served = || serves_gpu(&x) && serves_gpu(&weight);
        if learns && served() && gpu::conv::serves(weight.dims(), &options) {
            return gpu::conv::conv2d(x, weight, options);
        }
    }
    burn::tensor::module::conv2d(x, weight, bias, options)
}

/// Convolution of bf16 copies of `x` and `weight`, whose gradients are of f32 again.
fn in_bf16(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
) -> Tensor<4> {
    let [x, weight] = [x, weight].map(|tensor| tensor.cast(FloatDType::BF16));
    let output = burn::tensor::module::conv2d(x, weight, None, options).cast(FloatDType::F32);
    match bias {
        Some(bias) => {
            let outputs = bias.dims()[0];
            output + bias.reshape([1, outputs, 1, 1])
        }
        None => output,
    }
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

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, Tolerance};

    use super::*;

    #[test]
    fn a_convolution_in_bf16_is_close_and_its_gradients_are_f32() {
        let device = Device::default().autodiff();
        let normal = Distribution::Normal(0.0, 1.0);
        let random = |dims| Tensor::<4>::random(dims, normal, &device).require_grad();
        let (x, weight) = (random([2, 3, 6, 6]), random([4, 3, 3, 3]));
        let bias = Tensor::<1>::ones([4], &device).require_grad();
        let options = || ConvOptions::new([1, 1], [1, 1], [1, 1], 1);

        let numbers = |output: Tensor<4>| {
            let grads = output.clone().square().mean().backward();
            let of_bias = bias.grad(&grads).expect("a gradient");
            let [of_x, of_weight] = [&x, &weight].map(|tensor| {
                let gradient = tensor.grad(&grads).expect("a gradient");
                let elements = gradient.shape().num_elements();
                gradient.reshape([elements])
            });
            Tensor::cat(
                vec![output.inner().flatten(0, 3), of_x, of_weight, of_bias],
                0,
            )
        };
        let bias_ = Some(bias.clone());
        let found = numbers(in_bf16(x.clone(), weight.clone(), bias_.clone(), options()));
        let expected = conv2d(x.clone(), weight.clone(), bias_, options());
        assert_eq!(found.dtype(), DType::F32);
        // Eight bits of each factor, sums of 27.
        let tolerance = Tolerance::<f32>::rel_abs(2e-2, 1e-1);
        let expected = numbers(expected).into_data();
        found.into_data().assert_approx_eq(&expected, tolerance);
    }
}
