//! Instance relationship graph.

use burn::tensor::Tensor;
use kd_losses::Gate;
use kd_losses::relations::{IrgFeatures, IrgLossConfig};

use crate::check::on_all;

pub const CASES: &[&str] = &["zoo_irg"];

#[test]
fn vertices_edges_and_transformations() {
    on_all(CASES, |check| {
        let features = |side: &str| {
            let map = |name: &str| -> Tensor<4> {
                let name = format!("{name}_{side}");
                if side == "s" {
                    check.student(&name)
                } else {
                    check.teacher(&name)
                }
            };
            let rows = |name: &str| -> Tensor<2> {
                let name = format!("{name}_{side}");
                if side == "s" {
                    check.student(&name)
                } else {
                    check.teacher(&name)
                }
            };
            IrgFeatures {
                first: map("fm1"),
                second: map("fm2"),
                pooled: rows("feat"),
                logits: rows("out"),
            }
        };
        let (student, teacher) = (features("s"), features("t"));
        let loss = IrgLossConfig::new()
            .with_vertex(check.hyper("w_irg_vert"))
            .with_edge(check.hyper("w_irg_edge"))
            .with_transform(check.hyper("w_irg_tran"))
            .init()
            .expect("a loss");
        let parts = loss.parts(student.clone(), teacher.clone(), &Gate::all());
        check.loss("loss_vert", parts.vertex);
        check.loss("loss_edge", parts.edge);
        check.loss("loss_tran", parts.transform);
        let value = loss.forward(student.clone(), teacher);
        let grads = value.backward();
        check.loss("loss", value);
        check.gradient("fm1_s", &student.first, &grads);
        check.gradient("fm2_s", &student.second, &grads);
        check.gradient("feat_s", &student.pooled, &grads);
        check.gradient("out_s", &student.logits, &grads);
    });
}
