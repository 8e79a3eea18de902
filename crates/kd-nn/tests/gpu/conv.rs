//! Gradients of weights.

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use kd_nn::conv2d;

use crate::support::{assert_close, device, tensor};

/// Output, and gradients of input and weight.
fn step(
    device: &Device,
    [x, weight]: [[usize; 4]; 2],
    options: &ConvOptions<2>,
    channels_last: bool,
) -> [Tensor<4>; 3] {
    let moved = |dims: [usize; 4], seed| match channels_last {
        true => {
            let [a, b, c, d] = dims;
            let tensor = tensor(seed, [a, c, d, b], device);
            tensor.permute([0, 3, 1, 2])
        }
        false => tensor(seed, dims, device),
    };
    let [x, weight] = [(x, 91), (weight, 92)]
        .map(|(dims, seed)| Tensor::from_inner(moved(dims, seed)).require_grad());
    let output = conv2d(x.clone(), weight.clone(), None, options.clone());
    let factors = Tensor::from_inner(tensor(93, output.dims(), device));
    let grads = (output.clone() * factors).sum().backward();
    let [of_x, of_weight] = [&x, &weight].map(|tensor| tensor.grad(&grads).expect("a gradient"));
    [output.inner(), of_x, of_weight]
}

/// Compares a step with that of the CPU, in both layouts of memory.
fn check(device: &Device, shapes: [[usize; 4]; 2], options: &ConvOptions<2>, what: &str) {
    for channels_last in [false, true] {
        let found = step(device, shapes, options, channels_last);
        let expected = step(&Device::flex(), shapes, options, channels_last);
        for (part, name) in ["output", "input's gradient", "weight's gradient"]
            .into_iter()
            .enumerate()
        {
            assert_close(&found[part], &expected[part], &format!("{what}: {name}"));
        }
    }
}

#[test]
fn gradients_of_weights_are_those_of_the_cpu() {
    let Some(device) = device() else { return };
    let options = |stride, padding| ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
    for (shapes, options, what) in [
        ([[3, 3, 9, 10], [5, 3, 3, 3]], options(1, 1), "few channels"),
        (
            [[2, 20, 8, 8], [33, 20, 3, 3]],
            options(1, 1),
            "several tiles",
        ),
        ([[2, 16, 9, 9], [16, 16, 3, 3]], options(2, 1), "stride"),
        ([[1, 4, 5, 70], [4, 4, 3, 3]], options(1, 0), "wide maps"),
        ([[2, 4, 6, 6], [4, 4, 2, 2]], options(2, 0), "two by two"),
    ] {
        check(&device, shapes, &options, what);
    }
}

#[test]
fn gradients_of_depthwise_weights_are_those_of_the_cpu() {
    let Some(device) = device() else { return };
    for (x, kernel, [stride, padding], what) in [
        ([3, 5, 9, 10], 3, [1, 1], "few channels"),
        ([2, 40, 8, 8], 3, [2, 1], "several tiles, stride"),
        // More positions than one block takes.
        ([4, 4, 24, 25], 3, [1, 0], "several parts"),
        ([2, 4, 7, 7], 5, [1, 2], "five by five"),
    ] {
        let channels = x[1];
        let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], channels);
        let weight = [channels, 1, kernel, kernel];
        assert!(kd_kernels::gpu::conv::serves(weight, &options), "{what}");
        check(&device, [x, weight], &options, what);
    }
}
