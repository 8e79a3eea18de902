//! Random numbers.

use burn::tensor::{Device, Tensor};
use kd_nn::Draws;

use crate::support::device;

fn drawn<const D: usize>(numbers: Tensor<D>) -> Vec<f32> {
    numbers.into_data().try_into_vec().expect("f32")
}

/// Bit by bit.
#[test]
fn numbers_are_those_of_the_cpu() {
    let Some(device) = device() else { return };
    let draws = |device: &Device, step| Draws::new(0xFEDC_BA98_7654_3210, device).at(step);
    for step in [0, 1, 0xFFFF, 0x7FFF_FFFE] {
        for count in [1, 2, 3, 4, 257, 10_003] {
            let expected = drawn(draws(&Device::flex(), step).stream(9).uniform(3, [count]));
            let found = drawn(draws(&device, step).stream(9).uniform(3, [count]));
            assert_eq!(found, expected, "step {step}, {count} numbers");
        }
    }
    let first = drawn(draws(&device, 5).advanced().uniform(0, [2, 3]));
    assert_eq!(drawn(draws(&device, 6).uniform(0, [2, 3])), first);
}
