//! Neuron selectivity transfer.

use kd_losses::maps::NstLossConfig;

use crate::check::{GRADIENT, LOOSE_GRADIENT, on_all_within};

pub const CASES: &[&str] = &[
    "nst",
    "nst_b1",
    "nst_odd",
    "nst_same",
    "nst_spool",
    "nst_tpool",
    "nst_zero_s",
    "zoo_nst",
];

#[test]
fn selectivity_of_neurons() {
    for name in CASES {
        let within = if *name == "nst_same" {
            LOOSE_GRADIENT
        } else {
            GRADIENT
        };
        on_all_within(within, &[name], |check| {
            let student = check.student::<4>("f_s");
            let loss = NstLossConfig::new()
                .init()
                .expect("a loss")
                .forward(student.clone(), check.teacher("f_t"));
            let grads = loss.backward();
            check.loss("loss", loss);
            check.gradient("f_s", &student, &grads);
        });
    }
}
