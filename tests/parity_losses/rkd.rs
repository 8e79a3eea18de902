//! Relational knowledge distillation.

use burn::tensor::Tensor;
use kd_losses::relations::{RkdLoss, RkdLossConfig};

use crate::check::{Check, LOOSE_GRADIENT, on_all_within, values};

pub const CASES: &[&str] = &[
    "rkd",
    "rkd_4d",
    "rkd_b1",
    "rkd_b2",
    "rkd_b3",
    "rkd_dup",
    "rkd_same",
    "rkd_zero_s",
    "zoo_rkd",
];

fn init(distance: f64, angle: f64) -> RkdLoss {
    let config = RkdLossConfig::new()
        .with_distance(distance)
        .with_angle(angle);
    config.init().expect("a loss")
}

/// The inputs; maps are flattened.
fn inputs(check: &Check<'_>) -> (Tensor<4>, Tensor<2>, Tensor<2>) {
    if check.case.name == "rkd_4d" {
        let student = check.student::<4>("f_s");
        let teacher = check.teacher::<4>("f_t");
        (
            student.clone(),
            student.flatten(1, 3),
            teacher.flatten(1, 3),
        )
    } else {
        let student = check.student::<2>("f_s");
        let [batch, length] = student.dims();
        let leaf = Tensor::from_inner(student.inner())
            .reshape([batch, length, 1, 1])
            .require_grad();
        (leaf.clone(), leaf.flatten(1, 3), check.teacher("f_t"))
    }
}

#[test]
fn distances_and_angles() {
    on_all_within(LOOSE_GRADIENT, CASES, |check| {
        let (leaf, student, teacher) = inputs(check);
        let name = check.case.name.as_str();
        let value = init(25.0, 50.0).forward(student.clone(), teacher.clone());
        let grads = value.backward();
        let gradient = values(leaf.grad(&grads).expect("a gradient"));
        match name {
            // The reference takes the mean of no distances: its value is NaN. A sample alone has
            // no relations: 0.
            "rkd_b1" => {
                assert_eq!(values(value), [0.0]);
                assert!(gradient.iter().all(|value| *value == 0.0));
                return;
            }
            // Rows 0 and 1 are at the same place. The reference divides their difference of 0 by a
            // clamped norm of 1e-12, so that these two rows get gradients of 1e11 in directions
            // without meaning. Here no gradient passes through a direction that is not there; what
            // is left is of the size of the other rows', which agree.
            "rkd_dup" => {
                check.loss("loss", value);
                let expected = check.case.expected("grad/f_s");
                let row = expected.len() / 8;
                assert!(expected[..2 * row].iter().any(|value| value.abs() > 1e9));
                assert!(gradient[..2 * row].iter().all(|value| value.abs() < 1.0));
                let pairs = gradient[2 * row..].iter().zip(&expected[2 * row..]);
                for (found, expected) in pairs {
                    assert!((found - expected).abs() < 1e-4, "{found} {expected}");
                }
                return;
            }
            _ => {}
        }
        check.loss("loss", value);
        check.gradient_values("grad/f_s", &gradient);
        if check.case.manifest["scalars"]["loss_d"].is_number() {
            let part =
                |distance, angle| init(distance, angle).forward(student.clone(), teacher.clone());
            check.loss("loss_d", part(1.0, 0.0));
            check.loss("loss_a", part(0.0, 1.0));
        }
    });
}
