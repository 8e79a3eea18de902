//! Losses of logits.

use burn::tensor::{Device, Int, Tensor};
use kd_nn::{cross_entropy, divergence};

use crate::support::{assert_close, device, tensor};

/// Losses and the logits' gradient.
fn step(
    device: &Device,
    dims: [usize; 2],
    loss: impl Fn(Tensor<2>) -> Tensor<1>,
) -> [Tensor<2>; 2] {
    let logits = Tensor::from_inner(tensor(81, dims, device) * 20.0).require_grad();
    let losses = loss(logits.clone());
    let factors = Tensor::from_inner(tensor(82, [dims[0]], device));
    let grads = (losses.clone() * factors).sum().backward();
    let gradient = logits.grad(&grads).expect("a gradient");
    [losses.inner().unsqueeze(), gradient]
}

/// Fewer classes than a block has threads, and more.
const SHAPES: [[usize; 2]; 2] = [[5, 10], [3, 300]];

#[test]
fn cross_entropy_is_that_of_the_cpu() {
    let Some(device) = device() else { return };
    for dims in SHAPES {
        let [found, expected] = [&device, &Device::flex()].map(|device| {
            let targets = Tensor::<1, Int>::arange(0..dims[0] as i64, device) * 2;
            step(device, dims, |logits| {
                cross_entropy(logits, targets.clone())
            })
        });
        assert_close(&found[0], &expected[0], "losses");
        assert_close(&found[1], &expected[1], "gradient");
    }
}

#[test]
fn divergences_are_those_of_the_cpu() {
    let Some(device) = device() else { return };
    for (dims, temperature) in SHAPES.into_iter().zip([4.0, 1.0]) {
        let [found, expected] = [&device, &Device::flex()].map(|device| {
            let teacher = tensor(83, dims, device) * 20.0;
            step(device, dims, |logits| {
                divergence(logits, teacher.clone(), temperature)
            })
        });
        assert_close(&found[0], &expected[0], "divergences");
        assert_close(&found[1], &expected[1], "gradient");
    }
}

#[test]
fn the_same_logits_diverge_by_exactly_nothing() {
    let Some(device) = device() else { return };
    let logits = tensor(84, [4, 10], &device) * 50.0;
    let found = divergence(logits.clone(), logits, 2.0).into_data();
    found.assert_eq(&[0.0f32; 4].into(), true);
}
