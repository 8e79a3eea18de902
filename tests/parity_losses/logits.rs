//! Regression of logits and deep mutual learning.

use burn::tensor::Tensor;
use kd_losses::logits::{DmlLossConfig, LogitsLossConfig};

use crate::check::on_all;

pub const CASES: &[&str] = &["zoo_dml", "zoo_logits"];

fn check_loss(case: &str, loss: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<1>) {
    on_all(&[case], |check| {
        let student = check.student::<2>("out_s");
        let value = loss(student.clone(), check.teacher("out_t"));
        let grads = value.backward();
        check.loss("loss", value);
        check.gradient("out_s", &student, &grads);
    });
}

#[test]
fn regression_of_logits() {
    let loss = LogitsLossConfig::new().init().expect("a loss");
    check_loss("zoo_logits", |own, others| loss.forward(own, others));
}

#[test]
fn deep_mutual_learning() {
    let loss = DmlLossConfig::new().init().expect("a loss");
    check_loss("zoo_dml", |own, peer| loss.forward(own, peer));
}
