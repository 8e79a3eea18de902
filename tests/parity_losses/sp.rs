//! Similarity-preserving distillation.

use kd_losses::relations::SpLossConfig;

use crate::check::{GRADIENT, LOOSE_GRADIENT, on_all_within};

pub const CASES: &[&str] = &[
    "sp",
    "sp_b1",
    "sp_odd",
    "sp_same",
    "sp_spool",
    "sp_tpool",
    "sp_zero_s",
    "zoo_sp",
];

#[test]
fn similarities() {
    for name in CASES {
        let within = if *name == "sp_same" {
            LOOSE_GRADIENT
        } else {
            GRADIENT
        };
        on_all_within(within, &[name], |check| {
            let student = check.student::<4>("f_s");
            let loss = SpLossConfig::new()
                .init()
                .expect("a loss")
                .forward(student.clone(), check.teacher("f_t"));
            let grads = loss.backward();
            check.loss("loss", loss);
            check.gradient("f_s", &student, &grads);
        });
    }
}
