//! Activation boundaries.

use burn::tensor::Tensor;
use kd_losses::Pair;
use kd_losses::maps::{AbConvention, AbLossConfig};

use crate::check::on_all;

pub const CASES: &[&str] = &["ab", "ab_connector", "zoo_ab"];

/// The reference's list of connectors skips equal channels too, and has no option inside.
fn key(path: &str) -> String {
    path.replace("connectors", "connector.connectors")
}

#[test]
fn stages_with_and_without_connectors() {
    let connected = Pair {
        student: 8,
        teacher: 12,
    };
    let stages = [
        ("ab", vec![Pair::both(8), Pair::both(12), Pair::both(12)]),
        ("ab_connector", vec![connected, Pair::both(12)]),
    ];
    for (name, channels) in stages {
        on_all(&[name], |check| {
            let loss = AbLossConfig::new()
                .with_margin(check.hyper("margin"))
                .init(&channels, &check.training())
                .expect("a loss");
            let loss = check.fill(loss, &["connector"], key);
            let stages = 0..channels.len();
            let student: Vec<Tensor<4>> = stages
                .clone()
                .map(|stage| check.student(&format!("g_s{stage}")))
                .collect();
            let teacher: Vec<Tensor<4>> = stages
                .map(|stage| check.teacher(&format!("g_t{stage}")))
                .collect();
            let parts = loss.forward_stages(&student, &teacher, &[]);
            for (stage, part) in parts.into_iter().enumerate() {
                check.loss(&format!("loss{stage}"), part);
            }
            let value = loss.forward(&student, &teacher);
            let grads = value.backward();
            check.loss("loss", value);
            for (stage, map) in student.iter().enumerate() {
                check.gradient(&format!("g_s{stage}"), map, &grads);
            }
            let connected = channels.iter().filter(|pair| pair.student != pair.teacher);
            let compared = check.gradients(&loss, &grads, key);
            assert_eq!(compared, 4 * connected.count());
            if let Some(connector) = &loss.connectors[0] {
                check.tensor("conn0", connector.forward(student[0].clone()));
            }
        });
    }
}

#[test]
fn the_zoos_mean() {
    on_all(&["zoo_ab"], |check| {
        let student = check.student::<4>("f_s");
        let value = AbLossConfig::new()
            .with_convention(AbConvention::Zoo)
            .with_margin(check.hyper("margin"))
            .init(&[Pair::both(8)], &check.training())
            .expect("a loss")
            .forward(std::slice::from_ref(&student), &[check.teacher("f_t")]);
        let grads = value.backward();
        check.loss("loss", value);
        check.gradient("f_s", &student, &grads);
    });
}
