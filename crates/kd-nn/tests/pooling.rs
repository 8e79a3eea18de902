//! Max pooling against Burn's own.
#![cfg(feature = "flex")]

use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Distribution, Tensor};
use kd_nn::max_pool2d;
use proptest::prelude::*;

fn burn_pool(x: Tensor<4>, size: usize, stride: usize, padding: usize) -> Tensor<4> {
    let options = MaxPoolOptions::new([size, size])
        .with_stride([stride, stride])
        .with_padding([padding, padding]);
    burn::tensor::module::max_pool2d(x, options)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pooling_is_burns(
        shape in [1usize..5, 1usize..6, 3usize..14, 3usize..14],
        size in 1usize..4,
        stride in 1usize..4,
        padded in any::<bool>(),
    ) {
        let padding = if padded { size / 2 } else { 0 };
        let device = Device::flex();
        device.seed(3);
        let x = Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
        let run = |pool: fn(Tensor<4>, usize, usize, usize) -> Tensor<4>| {
            let x = Tensor::from_inner(x.clone()).require_grad();
            let output = pool(x.clone(), size, stride, padding);
            let gradients = output.clone().square().sum().backward();
            (output.into_data(), x.grad(&gradients).expect("a gradient").into_data())
        };
        let (output, gradient) = run(max_pool2d);
        let (expected, expected_gradient) = run(burn_pool);
        prop_assert_eq!(output, expected);
        gradient.assert_approx_eq(&expected_gradient, burn::tensor::Tolerance::<f32>::absolute(1e-6));
    }
}

#[test]
fn the_first_of_equal_numbers_gets_the_gradient() {
    let x = Tensor::<4>::ones([1, 1, 2, 2], &Device::flex().autodiff()).require_grad();
    let gradients = max_pool2d(x.clone(), 2, 2, 0).sum().backward();
    let gradient = x.grad(&gradients).expect("a gradient").into_data();
    assert_eq!(
        gradient.try_to_vec::<f32>().expect("f32"),
        [1.0, 0.0, 0.0, 0.0]
    );
}

#[test]
fn nan_is_the_largest_number() {
    let x = [[[[1.0, f32::NAN, 2.0, 3.0]]]];
    let x = Tensor::<4>::from_floats(x, &Device::flex()).reshape([1, 1, 2, 2]);
    let output = max_pool2d(x, 2, 2, 0).into_data().try_to_vec::<f32>();
    assert!(output.expect("f32")[0].is_nan());
}
