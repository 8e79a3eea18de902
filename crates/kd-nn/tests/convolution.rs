//! The convolution against Burn's own, over random shapes.
#![cfg(feature = "flex")]

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use kd_kernels::serves;
use kd_nn::{Activation, conv2d, conv2d_with};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Case {
    batch: usize,
    groups: usize,
    /// Channels in a group.
    channels: [usize; 2],
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    bias: bool,
}

impl Case {
    fn options(&self) -> ConvOptions<2> {
        ConvOptions::new(self.stride, self.padding, self.dilation, self.groups)
    }

    fn fits(&self) -> bool {
        (0..2).all(|axis| {
            let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            self.size[axis] + 2 * self.padding[axis] >= reach
        })
    }

    fn tensors(&self, device: &Device) -> (Tensor<4>, Tensor<4>, Option<Tensor<1>>) {
        let [inputs, outputs] = self.channels;
        let uniform = Distribution::Uniform(-1.0, 1.0);
        let [height, width] = self.size;
        let x = Tensor::random(
            [self.batch, inputs * self.groups, height, width],
            uniform,
            device,
        );
        let [height, width] = self.kernel;
        let weight = Tensor::random(
            [outputs * self.groups, inputs, height, width],
            uniform,
            device,
        );
        let bias = self
            .bias
            .then(|| Tensor::random([outputs * self.groups], uniform, device));
        (x, weight, bias)
    }
}

fn pair(range: std::ops::Range<usize>) -> impl Strategy<Value = [usize; 2]> {
    [range.clone(), range]
}

/// Size, kernel, stride, padding and dilation.
type Sizes = ([usize; 2], [usize; 2], [usize; 2], [usize; 2], [usize; 2]);

/// Cases of this batch, groups, channels in a group, and sizes, with and without a bias.
fn drawn(
    batch: impl Strategy<Value = usize>,
    groups: impl Strategy<Value = usize>,
    channels: impl Strategy<Value = [usize; 2]>,
    sizes: impl Strategy<Value = Sizes>,
) -> impl Strategy<Value = Case> {
    (batch, groups, channels, sizes, any::<bool>())
        .prop_map(|(batch, groups, channels, sizes, bias)| {
            let (size, kernel, stride, padding, dilation) = sizes;
            Case {
                batch,
                groups,
                channels,
                size,
                kernel,
                stride,
                padding,
                dilation,
                bias,
            }
        })
        .prop_filter("the kernel fits", Case::fits)
}

fn cases() -> impl Strategy<Value = Case> {
    let groups = prop_oneof![3 => Just(1usize), 1 => 2usize..5];
    let sizes = (pair(1..20), pair(1..6), pair(1..4), pair(0..4), pair(1..3));
    drawn(1usize..9, groups, pair(1..20), sizes)
}

/// Batches and channels that fill vectors, on small maps.
fn wide_cases() -> impl Strategy<Value = Case> {
    let sizes = (pair(1..9), pair(1..4), pair(1..3), pair(0..3), pair(1..3));
    drawn(30usize..80, Just(1), pair(16..35), sizes)
}

/// One filter a channel.
fn depthwise_cases() -> impl Strategy<Value = Case> {
    let sizes = (pair(1..18), pair(1..6), pair(1..4), pair(0..4), pair(1..3));
    drawn(1usize..9, 2usize..40, Just([1, 1]), sizes)
}

/// 3×3 filters of stride 1 on many channels.
fn square_cases() -> impl Strategy<Value = Case> {
    let one = || Just([1, 1]);
    let sizes = (pair(1..40), Just([3, 3]), one(), pair(0..3), one());
    drawn(1usize..11, Just(1), pair(28..70), sizes)
}

fn largest_difference(actual: TensorData, expected: TensorData) -> (f32, f32) {
    assert_eq!(actual.shape(), expected.shape());
    let actual = actual.try_to_vec::<f32>().expect("f32");
    let expected = expected.try_to_vec::<f32>().expect("f32");
    let difference = actual.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    let largest = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, f32::max);
    (
        largest(&mut difference.into_iter()),
        largest(&mut expected.iter().map(|value| value.abs())),
    )
}

fn assert_same(what: &str, actual: TensorData, expected: TensorData) {
    let (difference, largest) = largest_difference(actual, expected);
    assert!(
        difference <= 1e-5 * largest.max(1.0),
        "{what}: {difference} of {largest}"
    );
}

fn check(case: &Case) {
    let plain = Device::flex();
    plain.seed(1);
    let (x, weight, bias) = case.tensors(&plain);
    assert!(serves(&x));

    // Evaluation, with everything that may follow.
    let expected =
        burn::tensor::module::conv2d(x.clone(), weight.clone(), bias.clone(), case.options());
    let output = conv2d(x.clone(), weight.clone(), bias.clone(), case.options());
    assert_same("output", output.into_data(), expected.clone().into_data());
    // With sums that are away from 0, so that rounding turns no activation on or off.
    let sums = expected.random_like(Distribution::Uniform(-1.0, 1.0));
    let residual = sums.clone() + sums.sign() * 0.5 - expected.clone();
    let output = conv2d_with(
        x.clone(),
        weight.clone(),
        bias.clone(),
        case.options(),
        Some(residual.clone()),
        Activation::Relu,
    );
    let activated = (expected.clone() + residual.clone()).clamp_min(0.0);
    // The sums are smaller than what is added up.
    let (difference, _) = largest_difference(output.into_data(), activated.into_data());
    let (_, largest) = largest_difference(expected.to_data(), expected.to_data());
    assert!(
        difference <= 1e-5 * largest.max(1.0),
        "activated: {difference} of {largest}"
    );

    // Training: all gradients.
    let gradient = expected.random_like(Distribution::Uniform(-1.0, 1.0));
    type Convolution = fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>, ConvOptions<2>) -> Tensor<4>;
    let gradients = |convolution: Convolution| {
        let x = Tensor::from_inner(x.clone()).require_grad();
        let weight = Tensor::from_inner(weight.clone()).require_grad();
        let bias = bias
            .clone()
            .map(|bias| Tensor::from_inner(bias).require_grad());
        let output = convolution(x.clone(), weight.clone(), bias.clone(), case.options());
        let loss = (output.clone() * Tensor::from_inner(gradient.clone())).sum();
        let gradients = loss.backward();
        let all = [
            Some(output.into_data()),
            x.grad(&gradients).map(|tensor| tensor.into_data()),
            weight.grad(&gradients).map(|tensor| tensor.into_data()),
            bias.and_then(|bias| bias.grad(&gradients))
                .map(|tensor| tensor.into_data()),
        ];
        all.into_iter().flatten().collect::<Vec<_>>()
    };
    let actual = gradients(conv2d);
    let expected = gradients(burn::tensor::module::conv2d);
    assert_eq!(actual.len(), expected.len());
    for ((what, actual), expected) in ["output", "x", "weight", "bias"]
        .into_iter()
        .zip(actual)
        .zip(expected)
    {
        assert_same(what, actual, expected);
    }

    // Training with everything that may follow, and with a layer that is not trained, of whose images
    // some have no gradient.
    for frozen in [false, true] {
        let mut gradient = gradient.clone();
        if frozen {
            let images = Tensor::<1>::random([case.batch], Distribution::Bernoulli(0.5), &plain);
            gradient = gradient * images.reshape([case.batch, 1, 1, 1]);
        }
        let gradients = |fused: bool| {
            let lift = |tensor: &Tensor<4>| Tensor::from_inner(tensor.clone()).require_grad();
            let (x, residual) = (lift(&x), lift(&residual));
            let (weight, bias) = match frozen {
                true => (weight.clone(), bias.clone()),
                false => (
                    lift(&weight),
                    bias.clone()
                        .map(|bias| Tensor::from_inner(bias).require_grad()),
                ),
            };
            let (w, b, options) = (weight.clone(), bias.clone(), case.options());
            let output = match fused {
                true => {
                    let added = Some(residual.clone());
                    conv2d_with(x.clone(), w, b, options, added, Activation::Relu)
                }
                false => {
                    let output = burn::tensor::module::conv2d(x.clone(), w, b, options);
                    burn::tensor::activation::relu(output + residual.clone())
                }
            };
            let loss = output * Tensor::from_inner(gradient.clone());
            let gradients = loss.sum().backward();
            let bias = bias.filter(|bias| bias.is_autodiff());
            let weight = Some(weight).filter(|weight| weight.is_autodiff());
            [
                x.grad(&gradients).map(Tensor::into_data),
                residual.grad(&gradients).map(Tensor::into_data),
                weight
                    .and_then(|weight| weight.grad(&gradients))
                    .map(Tensor::into_data),
                bias.and_then(|bias| bias.grad(&gradients))
                    .map(Tensor::into_data),
            ]
        };
        for (actual, expected) in gradients(true).into_iter().zip(gradients(false)) {
            assert_eq!(actual.is_some(), expected.is_some());
            if let (Some(actual), Some(expected)) = (actual, expected) {
                assert_same("gradient", actual, expected);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_convolution_is_burns(case in cases()) {
        check(&case);
    }

    #[test]
    fn any_depthwise_convolution_is_burns(case in depthwise_cases()) {
        check(&case);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_convolution_of_wide_batches_is_burns(case in wide_cases()) {
        check(&case);
    }

    #[test]
    fn any_wide_convolution_of_three_by_three_is_burns(case in square_cases()) {
        check(&case);
    }
}

#[test]
fn an_image_has_the_same_result_in_any_batch_of_four_or_more() {
    let device = Device::flex();
    let uniform = Distribution::Uniform(-1.0, 1.0);
    for (inputs, outputs, size, kernel) in [
        (64, 64, 32, 3),
        (48, 80, 8, 3),
        (128, 128, 4, 3),
        (16, 16, 32, 3),
        (16, 16, 8, 3),
        (64, 32, 16, 1),
        (40, 40, 7, 3),
    ] {
        let x = Tensor::<4>::random([67, inputs, size, size], uniform, &device);
        let weight = Tensor::<4>::random([outputs, inputs, kernel, kernel], uniform, &device);
        let run = |x: Tensor<4>| {
            let padding = [kernel / 2; 2];
            let options = ConvOptions::new([1, 1], padding, [1, 1], 1);
            conv2d(x, weight.clone(), None, options)
        };
        let all = run(x.clone());
        for (first, count) in [(0, 4), (63, 4), (5, 7), (30, 33), (1, 66)] {
            let part = run(x.clone().narrow(0, first, count));
            let expected = all.clone().narrow(0, first, count);
            assert_eq!(
                part.into_data(),
                expected.into_data(),
                "{inputs} {size} {count}"
            );
        }
    }
}

#[test]
fn the_same_numbers_come_out_each_time() {
    let device = Device::flex();
    let uniform = Distribution::Uniform(-1.0, 1.0);
    for (batch, groups, channels, size) in [(37, 1, 16, 16), (64, 1, 32, 4), (9, 24, 24, 12)] {
        let x = Tensor::<4>::random([batch, channels, size, size], uniform, &device);
        let weight = Tensor::<4>::random([channels, channels / groups, 3, 3], uniform, &device);
        let options = || ConvOptions::new([1, 1], [1, 1], [1, 1], groups);
        let run = || {
            let weight = Tensor::from_inner(weight.clone()).require_grad();
            let x = Tensor::from_inner(x.clone());
            let output = conv2d(x, weight.clone(), None, options());
            let gradients = output.square().sum().backward();
            weight.grad(&gradients).expect("a gradient").into_data()
        };
        let first = run();
        for _ in 0..5 {
            assert_eq!(run(), first);
        }
    }
}

#[test]
fn gradients_reach_parameters_of_plain_images_and_images_of_plain_parameters() {
    let plain = Device::flex();
    let uniform = Distribution::Uniform(-1.0, 1.0);
    let x = Tensor::<4>::random([2, 3, 5, 5], uniform, &plain);
    let weight = Tensor::<4>::random([4, 3, 3, 3], uniform, &plain);
    let options = || ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let after = |x: Tensor<4>, weight: Tensor<4>| {
        conv2d_with(x, weight, None, options(), None, Activation::Relu)
    };

    let tracked = Tensor::from_inner(weight.clone()).require_grad();
    let gradients = after(x.clone(), tracked.clone()).sum().backward();
    assert!(tracked.grad(&gradients).is_some());

    let tracked = Tensor::from_inner(x.clone()).require_grad();
    let gradients = after(tracked.clone(), weight).sum().backward();
    assert!(tracked.grad(&gradients).is_some());
}

#[test]
fn an_empty_map_with_padding_is_left_to_burn() {
    let device = Device::flex();
    let (x, weight) = (
        Tensor::<4>::zeros([1, 1, 0, 1], &device),
        Tensor::<4>::ones([1, 1, 1, 1], &device),
    );
    assert!(!serves(&x));
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let run = std::panic::catch_unwind(|| conv2d(x, weight, None, options).into_data());
    // Whatever it makes of it, nothing is left unwritten.
    if let Ok(output) = run {
        let values = output.try_to_vec::<f32>().expect("f32");
        assert!(values.iter().all(|value| *value == 0.0));
    }
}

#[test]
fn the_shapes_of_networks_are_burns() {
    let square = |batch, groups, channels, size: usize, kernel: usize, stride: usize| Case {
        batch,
        groups,
        channels,
        size: [size; 2],
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [kernel / 2; 2],
        dilation: [1; 2],
        bias: false,
    };
    for case in [
        square(3, 1, [3, 16], 32, 3, 1),
        square(2, 1, [16, 32], 32, 3, 2),
        square(5, 1, [64, 64], 8, 3, 1),
        square(5, 1, [16, 32], 32, 1, 2),
        square(4, 60, [1, 1], 16, 3, 1),
        square(4, 60, [1, 1], 16, 3, 2),
        square(4, 3, [80, 20], 16, 1, 1),
        square(1, 1, [3, 64], 64, 7, 2),
        square(33, 1, [96, 40], 2, 1, 1),
        square(1, 1, [512, 32], 4, 3, 1),
        square(64, 1, [32, 48], 4, 3, 1),
        square(64, 1, [32, 48], 8, 3, 2),
        square(45, 1, [17, 23], 5, 3, 1),
        square(4, 1, [256, 128], 8, 3, 1),
        square(9, 1, [64, 64], 32, 3, 1),
        square(4, 1, [32, 33], 56, 3, 1),
    ] {
        check(&case);
    }
}

#[test]
fn views_and_untracked_inputs_are_served() {
    let device = Device::flex().autodiff();
    let uniform = Distribution::Uniform(-1.0, 1.0);
    let weight = Tensor::<4>::random([4, 5, 3, 3], uniform, &device).require_grad();
    // Not contiguous, and not tracked.
    let x = Tensor::<4>::random([2, 7, 6, 5], uniform, &device).swap_dims(1, 3);
    let options = || ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let gradient = |output: Tensor<4>| {
        let gradients = output.square().sum().backward();
        assert!(x.grad(&gradients).is_none());
        weight.grad(&gradients).expect("a gradient").into_data()
    };
    assert_same(
        "weight",
        gradient(conv2d(x.clone(), weight.clone(), None, options())),
        gradient(burn::tensor::module::conv2d(
            x.clone(),
            weight.clone(),
            None,
            options(),
        )),
    );
}

#[test]
fn nan_stays_nan() {
    let device = Device::flex();
    let x = Tensor::<4>::full([1, 1, 3, 3], f32::NAN, &device);
    let weight = Tensor::<4>::ones([1, 1, 1, 1], &device);
    let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
    let output = conv2d_with(x, weight, None, options, None, Activation::Relu);
    let values = output.into_data().try_to_vec::<f32>().expect("f32");
    assert!(values.iter().all(|value| value.is_nan()));
}

#[test]
#[should_panic(expected = "does not fit an input of 3 channels")]
fn wrong_channels_are_said() {
    let device = Device::flex();
    let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
    let (x, weight) = (
        Tensor::ones([1, 3, 4, 4], &device),
        Tensor::ones([2, 2, 1, 1], &device),
    );
    conv2d(x, weight, None, options);
}

#[test]
fn without_any_gradient_all_gradients_are_zero() {
    let plain = Device::flex();
    let uniform = Distribution::Uniform(-1.0, 1.0);
    let lift = |shape: [usize; 4]| {
        let tensor = Tensor::<4>::random(shape, uniform, &plain);
        Tensor::<4>::from_inner(tensor).require_grad()
    };
    let (x, weight) = (lift([5, 3, 6, 6]), lift([4, 3, 3, 3]));
    let norm = kd_nn::BatchNormConfig::new(4).init(&plain.clone().autodiff());
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let output = norm.forward(conv2d(x.clone(), weight.clone(), None, options));
    let gradients = (output * 0.0).sum().backward();
    let zero = |gradient: Option<Tensor<4>>| {
        let gradient = gradient.expect("a gradient").into_data();
        let values = gradient.try_to_vec::<f32>().expect("f32");
        values.iter().all(|value| *value == 0.0)
    };
    assert!(zero(x.grad(&gradients)) && zero(weight.grad(&gradients)));
    let scale = norm.weight.val().grad(&gradients).expect("a gradient");
    assert_eq!(
        scale.into_data().try_to_vec::<f32>().expect("f32"),
        [0.0; 4]
    );
}
