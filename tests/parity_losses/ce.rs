//! Cross-entropy with labels.

use kd_losses::cross_entropy;

use crate::check::on_all;

pub const CASES: &[&str] = &["cross_entropy"];

#[test]
fn cross_entropy_with_labels() {
    on_all(CASES, |check| {
        let logits = check.student::<2>("logit");
        let loss = cross_entropy(logits.clone(), check.case.labels("target", &check.device));
        let grads = loss.backward();
        check.loss("loss", loss);
        check.gradient("logit", &logits, &grads);
    });
}
