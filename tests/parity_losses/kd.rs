//! Softened logits.

use kd_losses::logits::KdLossConfig;

use crate::check::on_all;

pub const CASES: &[&str] = &[
    "distill_kl",
    "distill_kl_extreme",
    "distill_kl_sakd",
    "distill_kl_same",
    "zoo_st",
];

#[test]
fn distillation_of_logits() {
    on_all(CASES, |check| {
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
            .expect("a loss")
            .forward(student.clone(), check.teacher(others));
        let grads = loss.backward();
        check.loss("loss", loss);
        check.gradient(own, &student, &grads);
    });
}
