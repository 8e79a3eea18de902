//! Mixing against Burn's own operations.
#![cfg(feature = "flex")]

use burn::tensor::{Device, Distribution, Tensor, TensorData, Tolerance};
use kd_nn::mix;
use proptest::prelude::*;

fn by_burn(own: Tensor<4>, other: Tensor<4>, share: Tensor<1>) -> Tensor<4> {
    let [batch] = share.dims();
    let share = share.reshape([batch, 1, 1, 1]);
    own * (share.clone().neg() + 1.0) + other * share
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

/// Output and gradients of both tensors and the shares, as far as they are tracked.
fn run(
    inputs: &(Tensor<4>, Tensor<4>, Tensor<1>),
    tracked: [bool; 2],
    mix: fn(Tensor<4>, Tensor<4>, Tensor<1>) -> Tensor<4>,
) -> Vec<TensorData> {
    let lift = |tensor: &Tensor<4>, tracked| {
        let tensor = Tensor::<4>::from_inner(tensor.clone());
        if tracked {
            tensor.require_grad()
        } else {
            tensor
        }
    };
    let own = lift(&inputs.0, tracked[0]);
    let other = lift(&inputs.1, tracked[1]);
    let share = Tensor::<1>::from_inner(inputs.2.clone()).require_grad();
    let output = mix(own.clone(), other.clone(), share.clone());
    let gradients = output.clone().square().sum().backward();
    let mut found = vec![output.into_data()];
    found.extend(
        [own, other]
            .iter()
            .filter_map(|x| x.grad(&gradients))
            .map(Tensor::into_data),
    );
    found.extend(share.grad(&gradients).map(Tensor::into_data));
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mixture_is_burns(
        shape in [1usize..6, 1usize..6, 1usize..9, 1usize..9],
        tracked in [any::<bool>(), any::<bool>()],
        turned in any::<bool>(),
    ) {
        let device = Device::flex();
        device.seed(5);
        let [batch, channels, height, width] = shape;
        // A tensor that is not in one piece.
        let own = match turned {
            true => random([batch, channels, width, height], &device).swap_dims(2, 3),
            false => random(shape, &device),
        };
        let inputs = (own, random(shape, &device), random([batch], &device));
        let (found, expected) = (run(&inputs, tracked, mix), run(&inputs, tracked, by_burn));
        prop_assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            found.assert_approx_eq(expected, Tolerance::<f32>::rel_abs(1e-5, 1e-5));
        }
        let plain = mix(inputs.0.clone(), inputs.1.clone(), inputs.2.clone());
        let expected = by_burn(inputs.0, inputs.1, inputs.2);
        plain.into_data().assert_approx_eq(&expected.into_data(), Tolerance::<f32>::absolute(1e-6));
    }
}

#[test]
fn hard_shares_take_one_of_both_to_the_last_digit() {
    let device = Device::flex();
    let [own, other] = [1e-3, 3e7].map(|scale| random([2, 3, 4, 4], &device) * scale);
    let share = Tensor::from_floats([1.0, 0.0], &device);
    let mixed = mix(own.clone(), other.clone(), share);
    let expected = Tensor::cat(vec![other.narrow(0, 0, 1), own.narrow(0, 1, 1)], 0);
    assert_eq!(mixed.into_data(), expected.into_data());
}

#[test]
#[should_panic(expected = "[2, 3, 1, 1] and [2, 3, 1, 1] are not mixed by 3 shares")]
fn other_numbers_of_shares_are_refused() {
    let device = Device::flex();
    let map = random([2, 3, 1, 1], &device);
    mix(map.clone(), map, Tensor::zeros([3], &device));
}
