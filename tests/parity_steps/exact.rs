//! Whole training steps of ASKD and KDrefine in f64.

mod step;

use burn::tensor::Device;
use kd_tests::in_f64;
use step::{Within, check};

const WITHIN: Within = Within {
    losses: 1e-6,
    parameters: 1e-6,
};

#[test]
fn steps_in_f64() {
    in_f64();
    for case in [
        "askd_step_res_last",
        "askd_step_res_group",
        "kdrefine_step",
        "kdrefine_step_vgg",
    ] {
        check(case, &Device::default(), &[WITHIN; 2]);
    }
}
