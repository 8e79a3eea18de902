//! Decoupled distillation.

use kd_losses::logits::{DkdConvention, DkdLossConfig};

use crate::check::on_all;

pub const CASES: &[&str] = &[
    "dkd_kdrefine_ep1",
    "dkd_kdrefine_ep20",
    "dkd_kdrefine_ep240",
    "dkd_mdistiller_b2",
    "dkd_mdistiller_b8",
];

#[test]
fn decoupled_distillation() {
    on_all(CASES, |check| {
        let student = check.student::<2>("logits_student");
        // mdistiller's cases are those of the loss without its warm-up.
        let epoch = check.case.hyper("epoch");
        let convention = match epoch {
            Some(_) => DkdConvention::KdRefine,
            None => DkdConvention::Mdistiller,
        };
        let dkd = DkdLossConfig::new()
            .with_alpha(check.hyper("alpha"))
            .with_beta(check.hyper("beta"))
            .with_temperature(check.hyper("temperature"))
            .with_convention(convention)
            .init()
            .expect("a loss");
        let loss = dkd.forward(
            student.clone(),
            check.teacher("logits_teacher"),
            check.case.labels("target", &check.device),
        );
        let loss = loss * epoch.map_or(1.0, |epoch| dkd.warm_up(epoch as usize));
        let grads = loss.backward();
        check.loss("loss", loss);
        check.gradient("logits_student", &student, &grads);
    });
}
