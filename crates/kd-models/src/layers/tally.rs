//! Counting multiply-accumulates while a network runs.

use std::cell::Cell;

use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

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
    let output = layer.forward(input);
    let [batch, _, height, width] = output.dims();
    // `[output, input / groups, kernel, kernel]`: each weight acts once at each position.
    record(batch * height * width * layer.weight.shape().num_elements());
    output
}

/// Runs a linear layer, counted.
pub(crate) fn linear(layer: &Linear, input: Tensor<2>) -> Tensor<2> {
    let output = layer.forward(input);
    record(output.dims()[0] * layer.weight.shape().num_elements());
    output
}
