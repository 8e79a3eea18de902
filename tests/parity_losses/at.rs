//! Attention transfer.

use kd_losses::maps::{AtConvention, AtLoss, AtLossConfig};

use crate::check::{Check, on_all};

pub const CASES: &[&str] = &[
    "at",
    "at_b1",
    "at_multi",
    "at_odd",
    "at_oddt",
    "at_p4",
    "at_same",
    "at_spool",
    "at_tpool",
    "at_zero_s",
    "zoo_at",
];

fn attention(check: &Check<'_>) -> AtLoss {
    let convention = match check.case.hyper("eps") {
        Some(_) => AtConvention::Zoo,
        None => AtConvention::RepDistiller,
    };
    let config = AtLossConfig::new().with_convention(convention);
    let p = check.case.hyper("p");
    p.map_or(config.clone(), |p| config.with_p(p as u32))
        .init()
        .expect("a loss")
}

#[test]
fn attention_of_one_stage() {
    let single: Vec<_> = CASES
        .iter()
        .copied()
        .filter(|name| *name != "at_multi")
        .collect();
    on_all(&single, |check| {
        let student = check.student::<4>("f_s");
        let loss = attention(check).forward(student.clone(), check.teacher("f_t"));
        let grads = loss.backward();
        check.loss("loss", loss);
        check.gradient("f_s", &student, &grads);
    });
}

#[test]
fn attention_of_several_stages() {
    on_all(&["at_multi"], |check| {
        let student = [0, 1, 2].map(|stage| check.student::<4>(&format!("f_s{stage}")));
        let teacher = [0, 1, 2].map(|stage| check.teacher::<4>(&format!("f_t{stage}")));
        let attention = attention(check);
        for stage in 0..3 {
            let loss = attention.forward(student[stage].clone(), teacher[stage].clone());
            check.loss(&format!("loss{stage}"), loss);
        }
        let loss = attention.forward_stages(&student, &teacher);
        let grads = loss.backward();
        check.loss("loss", loss);
        for (stage, map) in student.iter().enumerate() {
            check.gradient(&format!("f_s{stage}"), map, &grads);
        }
    });
}
