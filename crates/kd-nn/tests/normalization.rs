//! Batch norm by the kernels against a composition of Burn's operations.
#![cfg(feature = "flex")]

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use kd_nn::{Activation, BatchNorm, BatchNormConfig};
use proptest::prelude::*;

fn uniform<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-2.0, 3.0), device)
}

/// A layer whose parameters are not 1 and 0.
fn layer(channels: usize, device: &Device) -> BatchNorm {
    let mut norm = BatchNormConfig::new(channels).init(device);
    norm.weight = norm.weight.map(|weight| {
        weight
            .random_like(Distribution::Uniform(0.5, 2.0))
            .require_grad()
    });
    norm.bias = norm.bias.map(|bias| {
        bias.random_like(Distribution::Uniform(-1.0, 1.0))
            .require_grad()
    });
    norm
}

/// By the definition, in tensor operations.
fn composed(
    norm: &BatchNorm,
    x: Tensor<4>,
    residual: Option<Tensor<4>>,
    activation: Activation,
) -> Tensor<4> {
    let channels = x.dims()[1];
    let mean_of = |x: Tensor<4>| x.mean_dim(0).mean_dim(2).mean_dim(3);
    let centered = x.clone() - mean_of(x);
    let variance = mean_of(centered.clone().square());
    let shape = [1, channels, 1, 1];
    let normal = centered / (variance + norm.epsilon).sqrt();
    let output = normal * norm.weight.val().reshape(shape) + norm.bias.val().reshape(shape);
    let output = match residual {
        Some(residual) => output + residual,
        None => output,
    };
    match activation {
        Activation::Relu => relu(output),
        Activation::None => output,
    }
}

fn assert_same(what: &str, actual: TensorData, expected: TensorData) {
    let actual = actual.try_to_vec::<f32>().expect("f32");
    let expected = expected.try_to_vec::<f32>().expect("f32");
    assert_eq!(actual.len(), expected.len());
    let largest = expected
        .iter()
        .fold(1f32, |max, value| max.max(value.abs()));
    for (index, (a, b)) in actual.iter().zip(&expected).enumerate() {
        assert!(
            (a - b).abs() <= 3e-5 * largest,
            "{what}[{index}]: {a}, expected {b}"
        );
    }
}

fn check(shape: [usize; 4], with_residual: bool, activation: Activation) {
    let plain = Device::flex();
    plain.seed(2);
    let device = plain.clone().autodiff();
    let norm = layer(shape[1], &device);
    let (x, residual, gradient) = (
        uniform(shape, &plain),
        with_residual.then(|| uniform(shape, &plain)),
        uniform(shape, &plain),
    );
    type Forward<'a> = &'a dyn Fn(Tensor<4>, Option<Tensor<4>>) -> Tensor<4>;
    let run = |forward: Forward<'_>| {
        let x = Tensor::from_inner(x.clone()).require_grad();
        let residual = residual
            .clone()
            .map(|r| Tensor::from_inner(r).require_grad());
        let output = forward(x.clone(), residual.clone());
        let gradients = (output.clone() * Tensor::from_inner(gradient.clone()))
            .sum()
            .backward();
        let mut all = vec![
            ("output", output.into_data()),
            ("x", x.grad(&gradients).expect("a gradient").into_data()),
            (
                "weight",
                norm.weight
                    .val()
                    .grad(&gradients)
                    .expect("a gradient")
                    .into_data(),
            ),
            (
                "bias",
                norm.bias
                    .val()
                    .grad(&gradients)
                    .expect("a gradient")
                    .into_data(),
            ),
        ];
        if let Some(residual) = residual {
            all.push((
                "residual",
                residual.grad(&gradients).expect("a gradient").into_data(),
            ));
        }
        all
    };
    let actual = run(&|x, residual| norm.forward_with(x, residual, activation));
    let expected = run(&|x, residual| composed(&norm, x, residual, activation));
    for ((what, actual), (_, expected)) in actual.into_iter().zip(expected) {
        assert_same(what, actual, expected);
    }

    // Evaluation, by the running statistics that the step above left.
    let norm = norm.valid();
    let shape = [1, shape[1], 1, 1];
    let [scale, shift] = norm.affine();
    let expected = x.clone() * scale.reshape(shape) + shift.reshape(shape);
    let expected = match &residual {
        Some(residual) => expected + residual.clone(),
        None => expected,
    };
    let expected = match activation {
        Activation::Relu => relu(expected),
        Activation::None => expected,
    };
    let output = norm.forward_with(x.clone(), residual.clone(), activation);
    assert_same("evaluation", output.into_data(), expected.into_data());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_shape_is_as_composed(
        batch in 2usize..7,
        channels in 1usize..9,
        height in 1usize..13,
        width in 1usize..13,
        residual in any::<bool>(),
        activated in any::<bool>(),
    ) {
        let activation = if activated { Activation::Relu } else { Activation::None };
        check([batch, channels, height, width], residual, activation);
    }
}

#[test]
fn statistics_survive_a_large_mean() {
    let device = Device::flex().autodiff();
    let norm = BatchNormConfig::new(1).init(&device);
    // Deviation 1 around 4000: squares of f32 alone would lose it.
    let x: Vec<f32> = (0..1024)
        .map(|i| 4000.0 + if i % 2 == 0 { 1.0 } else { -1.0 })
        .collect();
    let x = Tensor::<4>::from_data(TensorData::new(x, [4, 1, 16, 16]), &device);
    let output = norm
        .forward(x)
        .into_data()
        .try_to_vec::<f32>()
        .expect("f32");
    assert!(output.iter().all(|value| (value.abs() - 1.0).abs() < 1e-3));
}

#[test]
fn what_is_normalized_can_also_be_added() {
    let device = Device::flex().autodiff();
    let norm = layer(3, &device);
    let x = uniform([4, 3, 5, 5], &device).require_grad();
    let gradient = |output: Tensor<4>| {
        let gradients = output.square().sum().backward();
        x.grad(&gradients).expect("a gradient").into_data()
    };
    let relu = Activation::Relu;
    assert_same(
        "x",
        gradient(norm.forward_with(x.clone(), Some(x.clone()), relu)),
        gradient(composed(&norm, x.clone(), Some(x.clone()), relu)),
    );
}

#[test]
fn parameters_learn_from_plain_images_and_plain_residuals() {
    let plain = Device::flex();
    let norm = layer(3, &plain.clone().autodiff());
    let x = uniform([4, 3, 5, 5], &plain);
    // Plain images, tracked parameters; tracked images, a plain residual; and the other way round.
    let tracked = Tensor::from_inner(x.clone()).require_grad();
    for (x, residual) in [
        (x.clone(), None),
        (tracked.clone(), Some(x.clone())),
        (x.clone(), Some(tracked.clone())),
    ] {
        let output = norm.forward_with(x, residual, Activation::Relu);
        let gradients = output.sum().backward();
        assert!(norm.weight.val().grad(&gradients).is_some());
    }
}

#[test]
#[should_panic(expected = "a batch norm of 8 channels")]
fn wrong_channels_are_said() {
    let device = Device::flex();
    let norm = BatchNormConfig::new(8).init(&device).valid();
    norm.forward(Tensor::<4>::ones([2, 4, 3, 3], &device));
}

#[test]
#[should_panic(expected = "has the input's shape")]
fn a_residual_of_another_shape_is_said() {
    let device = Device::flex();
    let norm = BatchNormConfig::new(4).init(&device).valid();
    let x = Tensor::<4>::ones([2, 4, 4, 4], &device);
    let residual = Tensor::<4>::ones([2, 4, 2, 8], &device);
    norm.forward_with(x, Some(residual), Activation::None);
}

#[test]
fn nan_stays_nan() {
    let device = Device::flex();
    let norm = BatchNormConfig::new(1).init(&device).valid();
    let x = Tensor::<4>::full([1, 1, 3, 3], f32::NAN, &device);
    let output = norm.forward_with(x, None, Activation::Relu);
    let values = output.into_data().try_to_vec::<f32>().expect("f32");
    assert!(values.iter().all(|value| value.is_nan()));
}
