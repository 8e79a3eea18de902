//! Standardized logits and KDrefine's objective.

use kd_losses::cross_entropy;
use kd_losses::logits::{KdLossConfig, KdRefineLossConfig, standardize};

use crate::check::on_all;

pub const CASES: &[&str] = &[
    "kdrefine_standardise",
    "kdrefine_standardise_c100",
    "kdrefine_standardise_flat",
];

#[test]
fn cross_entropy_and_divergence_of_standardized_logits() {
    on_all(CASES, |check| {
        let student = check.student::<2>("logit_s");
        let teacher = check.teacher::<2>("logit_t");
        let labels = check.case.labels("target", &check.device);
        let multiplier = check.hyper("multiplier");
        // The flat case lists the multiplier only; the rest are the defaults.
        let config = KdRefineLossConfig::new().with_standardize(Some(multiplier));
        let loss = config.init().expect("a loss").forward(
            student.clone(),
            teacher.clone(),
            labels.clone(),
        );
        let grads = loss.backward();
        check.loss("loss", loss);
        check.gradient("logit_s", &student, &grads);

        if check.case.has_expected("std_s") {
            let own = standardize(student.clone(), multiplier);
            check.tensor("std_s", own.clone());
            check.tensor("std_t", standardize(teacher.clone(), multiplier));
            check.loss("loss_cls", cross_entropy(own, labels));
            let kd = KdLossConfig::new()
                .with_temperature(check.hyper("kd_T"))
                .with_standardize(Some(multiplier))
                .init()
                .expect("a loss");
            check.loss("loss_div", kd.forward(student, teacher));
        }
    });
}
