//! Results do not depend on the number of threads: they are equal to the last bit.
#![cfg(feature = "flex")]

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use kd_kernels::conv::conv2d;
use kd_kernels::mix::mix;
use kd_kernels::norm::{affine, normalize};
use kd_kernels::pool::{Window, max_pool2d};
use kd_kernels::serves;

/// Of threads: one, and numbers that do and do not divide what is to do.
const THREADS: [usize; 4] = [1, 2, 3, 5];

/// Numbers between −1 and 1 that look random.
fn numbers<const D: usize>(shape: [usize; D], seed: u32) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count as u32)
        .map(|index| {
            let mut x = index.wrapping_add(seed.wrapping_mul(0x9E37_79B9));
            x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
            x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
            f64::from(x ^ (x >> 16)) as f32 / (1u64 << 31) as f32 - 1.0
        })
        .collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn tracked<const D: usize>(tensor: &Tensor<D>) -> Tensor<D> {
    Tensor::from_inner(tensor.clone()).require_grad()
}

/// Asserts that `compute` has the same results in pools of all sizes.
fn assert_independent(name: &str, compute: impl Fn() -> Vec<TensorData> + Sync) {
    let bits = |threads: usize| -> Vec<Vec<u32>> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        let results = pool.install(&compute);
        let bits = |data: TensorData| {
            let numbers: Vec<f32> = data.try_to_vec().expect("f32");
            numbers.into_iter().map(f32::to_bits).collect()
        };
        results.into_iter().map(bits).collect()
    };
    let expected = bits(THREADS[0]);
    for threads in &THREADS[1..] {
        let found = bits(*threads);
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!(
                found == expected,
                "{name}: result {index} with {threads} threads is not that with one"
            );
        }
    }
}

struct Conv {
    name: &'static str,
    x: [usize; 4],
    outputs: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
}

impl Conv {
    /// Output and all gradients, in and out of a graph.
    fn check(&self) {
        let Self {
            name,
            x: shape,
            outputs,
            kernel,
            stride,
            groups,
        } = *self;
        let x = numbers(shape, 1);
        let weight = numbers([outputs, shape[1] / groups, kernel, kernel], 2);
        let bias = numbers([outputs], 3);
        assert!(serves(&x) && serves(&weight));
        let padding = kernel / 2;
        let options = || ConvOptions::new([stride; 2], [padding; 2], [1; 2], groups);
        assert_independent(name, || {
            let conv = |x, weight, bias, residual| {
                conv2d(x, weight, Some(bias), options(), residual, true)
            };
            let output = conv(x.clone(), weight.clone(), bias.clone(), None);
            let residual = numbers(output.dims(), 4);
            let factors = Tensor::from_inner(numbers(output.dims(), 5));
            let inputs = [tracked(&x), tracked(&weight), tracked(&residual)];
            let bias = tracked(&bias);
            let [a, b, c] = inputs.clone();
            let activated = conv(a, b, bias.clone(), Some(c));
            let mut results = vec![output.into_data(), activated.clone().into_data()];
            let gradients = (activated * factors).sum().backward();
            for input in inputs {
                results.push(input.grad(&gradients).expect("a gradient").into_data());
            }
            results.push(bias.grad(&gradients).expect("a gradient").into_data());

            // The gradient of the weight alone, and that of the input alone.
            let options = options();
            let of_weight = tracked(&weight);
            let output = conv2d(
                Tensor::from_inner(x.clone()),
                of_weight.clone(),
                None,
                options.clone(),
                None,
                false,
            );
            let gradients = output.square().sum().backward();
            results.push(of_weight.grad(&gradients).expect("a gradient").into_data());
            let of_input = tracked(&x);
            let output = conv2d(
                of_input.clone(),
                Tensor::from_inner(weight.clone()),
                None,
                options,
                None,
                false,
            );
            let gradients = output.square().sum().backward();
            results.push(of_input.grad(&gradients).expect("a gradient").into_data());
            results
        });
    }
}

macro_rules! convolutions {
    ($($name:ident: $x:expr, $outputs:expr, $kernel:expr, $stride:expr, $groups:expr;)*) => {
        $(
            #[test]
            fn $name() {
                Conv {
                    name: stringify!($name),
                    x: $x,
                    outputs: $outputs,
                    kernel: $kernel,
                    stride: $stride,
                    groups: $groups,
                }
                .check();
            }
        )*
    };
}

convolutions! {
    // Input, outputs, kernel, stride, groups.
    planes_of_many_parts: [37, 3, 32, 32], 16, 3, 1, 1;
    planes_of_two_parts: [17, 24, 12, 12], 20, 3, 1, 1;
    planes_of_one_part: [5, 24, 12, 12], 44, 3, 1, 1;
    planes_with_a_stride: [23, 16, 17, 17], 20, 3, 2, 1;
    planes_in_groups: [33, 12, 14, 14], 30, 3, 1, 3;
    planes_in_groups_of_one_part: [3, 12, 14, 14], 30, 3, 1, 3;
    planes_in_place: [9, 16, 16, 16], 24, 1, 1, 1;
    pointwise_planes: [19, 16, 7, 7], 24, 1, 1, 1;
    small_maps: [97, 32, 8, 8], 24, 3, 1, 1;
    small_maps_of_one_part: [33, 40, 4, 4], 48, 3, 1, 1;
    small_maps_with_a_stride: [70, 20, 10, 10], 28, 3, 2, 1;
    fewest_small_maps: [32, 16, 5, 5], 16, 3, 1, 1;
    almost_too_few_small_maps: [31, 16, 5, 5], 16, 3, 1, 1;
    winograd: [7, 64, 16, 16], 64, 3, 1, 1;
    wide_winograd: [4, 128, 8, 8], 96, 3, 1, 1;
    depthwise: [21, 40, 14, 14], 40, 3, 1, 40;
    depthwise_with_a_stride: [6, 24, 15, 15], 24, 3, 2, 24;
}

#[test]
fn gradients_of_few_images() {
    let x = numbers([30, 8, 12, 12], 1);
    let weight = numbers([12, 8, 3, 3], 2);
    // Every third image has a gradient.
    let chosen: Vec<f32> = (0..30)
        .map(|i| if i % 3 == 0 { 1.0 } else { 0.0 })
        .collect();
    let chosen = Tensor::<1>::from_data(TensorData::new(chosen, [30]), &Device::flex());
    assert_independent("few images", || {
        let x = tracked(&x);
        let options = ConvOptions::new([1; 2], [1; 2], [1; 2], 1);
        let weight = Tensor::from_inner(weight.clone());
        let output = conv2d(x.clone(), weight, None, options, None, false);
        let chosen = Tensor::<1>::from_inner(chosen.clone()).reshape([30, 1, 1, 1]);
        let gradients = (output * chosen).square().sum().backward();
        vec![x.grad(&gradients).expect("a gradient").into_data()]
    });
}

#[test]
fn batch_norm() {
    for shape in [[33, 20, 9, 9], [8, 64, 16, 16], [65, 3, 1, 1]] {
        let [x, residual] = [1, 2].map(|seed| numbers(shape, seed));
        let parameters = [3, 4].map(|seed| numbers([shape[1]], seed));
        assert_independent("batch norm", || {
            let plain = affine(x.clone(), parameters.clone(), Some(residual.clone()), true);
            let maps = [tracked(&x), tracked(&residual)];
            let [input, added] = maps.clone();
            let parameters = parameters.each_ref().map(tracked);
            let batch = normalize(input, parameters.clone(), Some(added), true, 1e-5);
            let mut results = vec![
                plain.into_data(),
                batch.output.clone().into_data(),
                batch.mean.into_data(),
                batch.variance.into_data(),
            ];
            let gradients = batch.output.square().sum().backward();
            for map in maps {
                results.push(map.grad(&gradients).expect("a gradient").into_data());
            }
            for parameter in parameters {
                results.push(parameter.grad(&gradients).expect("a gradient").into_data());
            }
            results
        });
    }
}

#[test]
fn pooling() {
    let x = numbers([9, 10, 15, 15], 1);
    assert_independent("pooling", || {
        let x = tracked(&x);
        // Windows overlap, so that gradients are added up.
        let window = Window {
            size: [3; 2],
            stride: [2; 2],
            padding: [1; 2],
        };
        let output = max_pool2d(x.clone(), window);
        let gradients = output.clone().square().sum().backward();
        let gradient = x.grad(&gradients).expect("a gradient");
        vec![output.into_data(), gradient.into_data()]
    });
}

#[test]
fn mixing() {
    let [own, other] = [1, 2].map(|seed| numbers([21, 9, 11, 11], seed));
    let share = numbers([21], 3);
    assert_independent("mixing", || {
        let [own, other] = [tracked(&own), tracked(&other)];
        let share = tracked(&share);
        let output = mix(own.clone(), other.clone(), share.clone());
        let gradients = output.clone().square().sum().backward();
        let mut results = vec![output.into_data()];
        for input in [own, other] {
            results.push(input.grad(&gradients).expect("a gradient").into_data());
        }
        results.push(share.grad(&gradients).expect("a gradient").into_data());
        results
    });
}

/// What training takes of Burn besides.
#[test]
fn linear_layers_of_burn() {
    for (batch, inputs, outputs) in [(64, 64, 100), (128, 512, 100), (256, 640, 1000), (7, 33, 5)] {
        let x = numbers([batch, inputs], 1);
        let weight = numbers([inputs, outputs], 2);
        let bias = numbers([1, outputs], 3);
        assert_independent("linear", || {
            let [x, weight, bias] = [tracked(&x), tracked(&weight), tracked(&bias)];
            let output = x.clone().matmul(weight.clone()) + bias.clone();
            let loss = -(log_softmax(output.clone(), 1) * softmax(output.clone() * 0.5, 1)).mean();
            let mut results = vec![output.into_data(), loss.clone().into_data()];
            let gradients = loss.backward();
            for input in [x, weight, bias] {
                results.push(input.grad(&gradients).expect("a gradient").into_data());
            }
            results
        });
    }
}

/// The same, for maps.
#[test]
fn sums_of_burn() {
    for shape in [[64, 64, 8, 8], [32, 32, 32, 32], [130, 3, 7, 5]] {
        let [x, y] = [1, 2].map(|seed| numbers(shape, seed));
        assert_independent("sums", || {
            let x = tracked(&x);
            let y = Tensor::from_inner(y.clone());
            let pooled = x.clone().mean_dim(3).mean_dim(2);
            let channels = (x.clone() * y.clone()).sum_dim(0).sum_dim(2).sum_dim(3);
            let distance = (x.clone() - y).square().mean();
            let loss = distance + pooled.clone().square().sum() + channels.clone().abs().mean();
            let mut results = vec![
                pooled.into_data(),
                channels.into_data(),
                loss.clone().into_data(),
            ];
            let gradients = loss.backward();
            results.push(x.grad(&gradients).expect("a gradient").into_data());
            results
        });
    }
}
