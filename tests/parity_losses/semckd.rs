//! Semantic calibration of stages.

use kd_losses::maps::SemCkdLossConfig;
use kd_losses::{Gate, Pair};

use crate::check::on_all;

pub const CASES: &[&str] = &["semckd"];

/// The reference's names: `self_a.query_0.linear1`, `self_a.regressor01.regressor.3`.
fn key(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    match parts.as_slice() {
        ["queries", stage, rest @ ..] => format!("self_a.query_{stage}.{}", rest.join(".")),
        ["keys", stage, rest @ ..] => format!("self_a.key_{stage}.{}", rest.join(".")),
        ["regressors", student, teacher, layer, rest @ ..] => {
            let layer = match *layer {
                "conv1" => 0,
                "bn1" => 1,
                "conv2" => 3,
                "bn2" => 4,
                _ => 6,
            };
            let rest = rest.join(".");
            format!("self_a.regressor{student}{teacher}.regressor.{layer}.{rest}")
        }
        _ => path.to_owned(),
    }
}

#[test]
fn calibrated_stages() {
    on_all(CASES, |check| {
        let student = [0, 1].map(|stage| check.student::<4>(&format!("f_s{stage}")));
        let teacher = [0, 1].map(|stage| check.teacher::<4>(&format!("f_t{stage}")));
        let channels = |maps: &[burn::tensor::Tensor<4>; 2]| maps.clone().map(|map| map.dims()[1]);
        let loss = SemCkdLossConfig::new()
            .with_factor(check.hyper("factor") as usize)
            .init(
                Pair {
                    student: &channels(&student),
                    teacher: &channels(&teacher),
                },
                check.hyper("feat_dim") as usize,
                &check.training(),
            )
            .expect("a loss");
        // The reference's embeddings hold a second branch, `query_0.regressor`, that is not used.
        let used = |stage: &str| {
            [
                format!("self_a.query_{stage}.linear"),
                format!("self_a.key_{stage}.linear"),
            ]
        };
        let mut prefixes: Vec<String> = [used("0"), used("1")].concat();
        prefixes.push("self_a.regressor".to_owned());
        let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
        let loss = check.fill(loss, &prefixes, key);

        check.tensor("weight", loss.attention(&student, &teacher, &Gate::all()));
        let value = loss.forward(&student, &teacher);
        let grads = value.backward();
        check.loss("loss", value);
        for (stage, map) in student.iter().enumerate() {
            check.gradient(&format!("f_s{stage}"), map, &grads);
        }
        // Four embeddings of four parameters, four regressors of seven.
        assert_eq!(check.gradients(&loss, &grads, key), 16 + 28);
    });
}
