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
    for name in ["ab", "ab_connector"] {
        on_all(&[name], |check| {
            let stages = if name == "ab" { 0..3 } else { 0..2 };
            let student: Vec<Tensor<4>> = stages
                .clone()
                .map(|stage| check.student(&format!("g_s{stage}")))
                .collect();
            let teacher: Vec<Tensor<4>> = stages
                .map(|stage| check.teacher(&format!("g_t{stage}")))
                .collect();
            let shape = |map: &Tensor<4>| {
                let [_, shape @ ..] = map.dims();
                shape
            };
            let maps = student.iter().zip(&teacher);
            let maps: Vec<Pair<[usize; 3]>> = maps
                .map(|(student, teacher)| Pair {
                    student: shape(student),
                    teacher: shape(teacher),
                })
                .collect();
            let loss = AbLossConfig::new()
                .with_margin(check.hyper("margin"))
                .init(&maps, &check.training())
                .expect("a loss");
            let loss = check.fill(loss, &["connector"], key);
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
            let connected = maps.iter().filter(|pair| pair.student != pair.teacher);
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
        let [_, shape @ ..] = student.dims();
        let value = AbLossConfig::new()
            .with_convention(AbConvention::Zoo)
            .with_margin(check.hyper("margin"))
            .init(&[Pair::both(shape)], &check.training())
            .expect("a loss")
            .forward(std::slice::from_ref(&student), &[check.teacher("f_t")]);
        let grads = value.backward();
        check.loss("loss", value);
        check.gradient("f_s", &student, &grads);
    });
}
