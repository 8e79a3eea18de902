//! Knowledge review.

use burn::tensor::Tensor;
use kd_losses::Pair;
use kd_losses::maps::{ReviewKdLoss, ReviewKdLossConfig};

use crate::check::{Check, on_all};

pub const CASES: &[&str] = &["reviewkd_abf", "reviewkd_hcl"];

fn key(path: &str) -> String {
    path.replacen("fusions", "abfs", 1)
        .replace("conv1", "conv1.0")
        .replace("bn1", "conv1.1")
        .replace("conv2", "conv2.0")
        .replace("bn2", "conv2.1")
        .replace("attention", "att_conv.0")
}

fn list(check: &Check<'_>, name: &str) -> Vec<usize> {
    let list = check.case.manifest["hyper"][name].clone();
    serde_json::from_value(list).expect("numbers")
}

#[test]
fn hierarchical_context() {
    on_all(&["reviewkd_hcl"], |check| {
        let names = ["f_s0", "f_s1", "f_s2"];
        let student = names.map(|name| check.student::<4>(name));
        let losses = student.iter().zip(["f_t0", "f_t1", "f_t2"]);
        let losses = losses.map(|(student, teacher)| {
            ReviewKdLoss::hierarchical_context(student.clone(), check.teacher(teacher))
        });
        let loss = Tensor::cat(losses.collect(), 0).sum();
        let grads = loss.backward();
        check.loss("loss", loss);
        for (name, student) in names.iter().zip(&student) {
            check.gradient(name, student, &grads);
        }
    });
}

#[test]
fn a_chain_of_fusions() {
    on_all(&["reviewkd_abf"], |check| {
        let loss = ReviewKdLossConfig::new()
            .init(
                Pair {
                    student: &list(check, "in_channels"),
                    teacher: &list(check, "out_channels"),
                },
                &check.training(),
            )
            .expect("a loss");
        // The channels in between follow from the student's: the case has the same.
        let mid = loss.fusions[0].conv1.weight.dims()[0];
        assert_eq!(mid as f64, check.hyper("mid"));
        let loss = check.fill(loss, &["abfs"], key);

        let names = ["x0", "x1", "x2"];
        let student = names.map(|name| check.student::<4>(name));
        let teacher = ["t0", "t1", "t2"].map(|name| check.teacher::<4>(name));
        let value = loss.forward(&student, &teacher);
        let grads = value.backward();
        check.loss("loss", value);
        for (name, student) in names.iter().zip(&student) {
            check.gradient(name, student, &grads);
        }
        // Six parameters a link, and weight and bias of the attention in all but the deepest.
        assert_eq!(check.gradients(&loss, &grads, key), 3 * 6 + 2 * 2);

        // The manifest lists the deepest size first.
        let sizes = list(check, "out_shapes");
        let sizes: Vec<[usize; 2]> = sizes.into_iter().rev().map(|size| [size; 2]).collect();
        let reviewed = loss.review(&student, &sizes);
        for (name, map) in ["res0", "res1", "res2"].iter().zip(reviewed) {
            check.tensor(name, map);
        }
    });
}
