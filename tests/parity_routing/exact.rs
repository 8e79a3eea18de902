//! Spot-adaptive distillation in f64 against the reference values.

mod reference;
mod step;

use burn::tensor::Device;
use kd_tests::{cases, in_f64};
use step::Within;

/// What is left is the precision of the values as they are stored: f32.
const WITHIN: Within = Within {
    values: 1e-6,
    gradients: 2e-6,
    parameters: 1e-6,
};

#[test]
fn two_steps_are_the_references_in_f64() {
    in_f64();
    let device = Device::default();
    for case in cases("steps", "sakd_") {
        step::check(&case, &device, &[WITHIN; 2]);
    }
}
