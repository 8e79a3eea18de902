//! Counting multiply-accumulates while a network runs.

use std::cell::Cell;

use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use kd_nn::{Activation, conv2d_layer, conv2d_options, conv2d_with};

thread_local! {
    /// The count of the run in progress on this thread; `None` while nobody counts.
    static MACS: Cell<Option<u64>> = const { Cell::new(None) };
}

/// What `run` returns, and the multiply-accumulates of the convolutions and linear layers that it
/// ran on this thread.
pub(crate) fn count<T>(run: impl FnOnce() -> T) -> (T, u64) {
    let outer = MACS.replace(Some(0));
    let result = run();
    (result, MACS.replace(outer).unwrap_or_default())
}

fn record(macs: usize) {
    if let Some(count) = MACS.get() {
        MACS.set(Some(count + macs as u64));
    }
}

/// Runs a convolution, counted.
pub(crate) fn conv(layer: &Conv2d, input: Tensor<4>) -> Tensor<4> {
    let output = conv2d_layer(layer, input);
    record_conv(layer, &output);
    output
}

/// Runs a convolution, adds `residual` and applies `activation`, counted.
pub(crate) fn conv_with(
    layer: &Conv2d,
    input: Tensor<4>,
    residual: Option<Tensor<4>>,
    activation: Activation,
) -> Tensor<4> {
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    conv_of(layer, input, layer.weight.val(), bias, residual, activation)
}

/// The same with other parameters than the layer's.
pub(crate) fn conv_of(
    layer: &Conv2d,
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    residual: Option<Tensor<4>>,
    activation: Activation,
) -> Tensor<4> {
    let Some(options) = conv2d_options(layer) else {
        unreachable!("`ConvSpec` says the padding in numbers")
    };
    let output = conv2d_with(input, weight, bias, options, residual, activation);
    record_conv(layer, &output);
    output
}

fn record_conv(layer: &Conv2d, output: &Tensor<4>) {
    let [batch, _, height, width] = output.dims();
    // `[output, input / groups, kernel, kernel]`: each weight acts once at each position.
    record(batch * height * width * layer.weight.shape().num_elements());
}

/// Rows of a product that the CPU's matrix library sums up in the same order whatever their number.
const ROWS: usize = 64;

/// Runs a linear layer, counted.
///
/// In evaluation by the kernels, an image's output does not depend on the batch, to the last digit.
/// Products of more rows may be cut into other sums, so that there they are computed in parts.
pub(crate) fn linear(layer: &Linear, input: Tensor<2>) -> Tensor<2> {
    let rows = input.dims()[0];
    let output = if rows > ROWS && !input.is_autodiff() && kd_kernels::serves(&input) {
        let parts = input.split(ROWS, 0).into_iter();
        Tensor::cat(parts.map(|part| layer.forward(part)).collect(), 0)
    } else {
        layer.forward(input)
    };
    record(output.dims()[0] * layer.weight.shape().num_elements());
    output
}
