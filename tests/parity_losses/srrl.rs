//! Softmax regression representation learning.

use kd_losses::Classifier;
use kd_losses::maps::SrrlLossConfig;

use crate::check::on_all;

pub const CASES: &[&str] = &["srrl"];

fn key(path: &str) -> String {
    path.replace("transfer.conv", "srrl.transfer.0")
        .replace("transfer.bn", "srrl.transfer.1")
}

#[test]
fn vectors_and_logits() {
    on_all(CASES, |check| {
        let student = check.student::<2>("feat_s");
        let classifier = Classifier {
            weight: check.case.param("cls_t.weight", &check.device),
            bias: check.case.param("cls_t.bias", &check.device),
        };
        let loss = SrrlLossConfig::new()
            .init(student.dims()[1], &classifier, &check.training())
            .expect("a loss");
        let loss = check.fill(loss, &["srrl"], key);
        let (teacher, logits) = (check.teacher("feat_t"), check.teacher("logit_t"));
        let value = loss.forward(student.clone(), teacher, logits);
        let grads = value.backward();
        check.loss("loss", value);
        check.gradient("feat_s", &student, &grads);
        assert_eq!(check.gradients(&loss, &grads, key), 3);
        assert_eq!(check.statistics(&loss, key), 2);
        let transferred = loss.transfer(student);
        check.tensor("trans", transferred.clone());
        check.tensor("pred", loss.predict(transferred));
    });
}
