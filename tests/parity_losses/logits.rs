//! Softened logits and cross-entropy.

use kd_losses::{KdLossConfig, cross_entropy};

use crate::check::on_all;

const KD: &[&str] = &[
    "distill_kl",
    "distill_kl_extreme",
    "distill_kl_sakd",
    "distill_kl_same",
    "zoo_st",
];

pub const CASES: &[&str] = &[
    "cross_entropy",
    "distill_kl",
    "distill_kl_extreme",
    "distill_kl_sakd",
    "distill_kl_same",
    "zoo_st",
];

#[test]
fn distillation_of_logits() {
    on_all(KD, |check| {
        let zoo = check.case.has_input("out_s");
        let (own, others) = if zoo {
            ("out_s", "out_t")
        } else {
            ("y_s", "y_t")
        };
        let student = check.student::<2>(own);
        let loss = KdLossConfig::new()
            .with_temperature(check.hyper("T"))
            .init()
            .forward(student.clone(), check.teacher(others));
        let grads = loss.backward();
        check.loss("loss", loss);
        check.gradient(own, &student, &grads);
    });
}

#[test]
fn cross_entropy_with_labels() {
    on_all(&["cross_entropy"], |check| {
        let logits = check.student::<2>("logit");
        let loss = cross_entropy(logits.clone(), check.case.labels("target", &check.device));
        let grads = loss.backward();
        check.loss("loss", loss);
        check.gradient("logit", &logits, &grads);
    });
}
