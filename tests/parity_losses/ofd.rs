//! Overhaul of feature distillation.

use kd_losses::maps::{OfdConvention, OfdLossConfig};
use kd_losses::{Gate, NormAffine, Pair};

use crate::check::on_all;

pub const CASES: &[&str] = &["ofd_mdistiller", "zoo_ofd"];

#[test]
fn margins_of_the_batch() {
    on_all(&["zoo_ofd"], |check| {
        let student = check.student::<4>("f_s");
        let teacher = check.teacher::<4>("f_t");
        let channels = Pair {
            student: student.dims()[1],
            teacher: teacher.dims()[1],
        };
        let loss = OfdLossConfig::new()
            .init(&[channels], None, &check.training())
            .expect("a loss");
        let key = |path: &str| {
            path.replace("connectors.0.conv", "ofd.connector.0")
                .replace("connectors.0.bn", "ofd.connector.1")
        };
        let loss = check.fill(loss, &["ofd"], key);
        check.tensor("margin", loss.margin(0, &teacher, &Gate::all()));
        let value = loss.forward(std::slice::from_ref(&student), &[teacher]);
        let grads = value.backward();
        check.loss("loss", value);
        check.gradient("f_s", &student, &grads);
        assert_eq!(check.gradients(&loss, &grads, key), 3);
    });
}

#[test]
fn margins_of_the_teachers_norms() {
    on_all(&["ofd_mdistiller"], |check| {
        let student = [0, 1].map(|stage| check.student::<4>(&format!("f_s{stage}")));
        let teacher = [0, 1].map(|stage| check.teacher::<4>(&format!("f_t{stage}")));
        let channels = [0, 1].map(|pair| Pair {
            student: student[pair].dims()[1],
            teacher: teacher[pair].dims()[1],
        });
        let norms = [0, 1].map(|stage| {
            let of = |name: &str| {
                let key = format!("teacher_bn.{stage}.{name}");
                check.case.param(&key, &check.device)
            };
            NormAffine {
                weight: of("weight"),
                bias: of("bias"),
            }
        });
        let loss = OfdLossConfig::new()
            .with_convention(OfdConvention::Mdistiller)
            .init(&channels, Some(&norms), &check.training())
            .expect("a loss");
        let key = |path: &str| {
            let path = path.replacen("connectors", "connectors.connectors", 1);
            path.replace(".conv.", ".0.").replace(".bn.", ".1.")
        };
        let loss = check.fill(loss, &["connectors"], key);
        for (stage, map) in teacher.iter().enumerate() {
            let margin = loss.margin(stage, map, &Gate::all());
            check.tensor(&format!("margin{stage}"), margin);
        }
        let value = loss.forward(&student, &teacher);
        let grads = value.backward();
        check.loss("loss", value);
        for (stage, map) in student.iter().enumerate() {
            check.gradient(&format!("f_s{stage}"), map, &grads);
        }
        assert_eq!(check.gradients(&loss, &grads, key), 6);
    });
}
