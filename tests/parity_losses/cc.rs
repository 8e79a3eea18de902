//! Correlation congruence, and the embeddings.

use kd_losses::Pair;
use kd_losses::adapters::{EmbedConfig, normalize};
use kd_losses::relations::{CcConvention, CcLossConfig};

use crate::check::{on_all, values};

const EMBEDDED: &[&str] = &["cc", "cc_b1", "cc_b2"];
const ZOO: &[&str] = &["zoo_cc_p2", "zoo_cc_p4"];

pub const CASES: &[&str] = &[
    "cc",
    "cc_b1",
    "cc_b2",
    "cc_noembed_same",
    "cc_noembed_zero_s",
    "embed_zero_row",
    "normalize_zero",
    "zoo_cc_p2",
    "zoo_cc_p4",
];

fn key(path: &str) -> String {
    path.replace("embeds.student", "embed_s")
        .replace("embeds.teacher", "embed_t")
}

#[test]
fn neighbors_in_the_batch() {
    on_all(EMBEDDED, |check| {
        let student = check.student::<2>("f_s");
        let teacher = check.teacher::<2>("f_t");
        let lengths = Pair {
            student: student.dims()[1],
            teacher: teacher.dims()[1],
        };
        let loss = CcLossConfig::new()
            .with_dim(check.hyper("feat_dim") as usize)
            .init(lengths, &check.training())
            .expect("a loss");
        let loss = check.fill(loss, &["embed"], key);
        let embeds = loss.embeds.as_ref().expect("embeddings");
        check.tensor("embed_s_out", embeds.student.forward(student.clone()));
        check.tensor("embed_t_out", embeds.teacher.forward(teacher.clone()));

        let value = loss.forward(student.clone(), teacher);
        let grads = value.backward();
        if check.case.name == "cc_b1" {
            // The reference takes the mean of no products, NaN; its gradients are 0.
            assert_eq!(values(value), [0.0]);
        } else {
            check.loss("loss", value);
        }
        check.gradient("f_s", &student, &grads);
        assert_eq!(check.gradients(&loss, &grads, key), 4);
    });
}

/// The loss after embeddings that change nothing: the identity as weight, no bias.
#[test]
fn neighbors_without_embedding() {
    on_all(&["cc_noembed_same", "cc_noembed_zero_s"], |check| {
        let student = check.student::<2>("f_s");
        let length = student.dims()[1];
        let mut loss = CcLossConfig::new()
            .with_dim(length)
            .init(Pair::both(length), &check.training())
            .expect("a loss");
        let embeds = loss.embeds.as_mut().expect("embeddings");
        for linear in [&mut embeds.student.linear, &mut embeds.teacher.linear] {
            linear.weight = linear
                .weight
                .clone()
                .map(|weight| burn::tensor::Tensor::eye(length, &weight.device()).require_grad());
            linear.bias = None;
        }
        let value = loss.forward(student.clone(), check.teacher("f_t"));
        let grads = value.backward();
        check.loss("loss", value);
        check.gradient("f_s", &student, &grads);
    });
}

#[test]
fn gaussian_kernel() {
    on_all(ZOO, |check| {
        let student = check.student::<2>("f_s");
        let value = CcLossConfig::new()
            .with_convention(CcConvention::Zoo)
            .with_gamma(check.hyper("gamma"))
            .with_order(check.hyper("P_order") as u32)
            .init(Pair::both(16), &check.training())
            .expect("a loss")
            .forward(student.clone(), check.teacher("f_t"));
        let grads = value.backward();
        check.loss("loss", value);
        check.gradient("f_s", &student, &grads);
    });
}

#[test]
fn a_normalized_embedding() {
    on_all(&["embed_zero_row"], |check| {
        let embed = EmbedConfig::new(16, 6).init(&check.training());
        let key = |path: &str| format!("embed.{path}");
        let embed = check.fill(embed, &["embed"], key);
        let input = check.student::<2>("f_s");
        let output = embed.forward(input.clone());
        let loss = (output.clone().square() * output.clone()).sum();
        let grads = loss.backward();
        check.tensor("out", output);
        check.loss("loss_sum_cubes", loss);
        check.gradient("f_s", &input, &grads);
        assert_eq!(check.gradients(&embed, &grads, key), 2);
    });
}

/// The reference divides 0 by 0: its output and gradient are NaN. Here a row of zeros stays one,
/// and has no gradient.
#[test]
fn rows_of_zeros() {
    on_all(&["normalize_zero"], |check| {
        assert!(
            check
                .case
                .expected("out")
                .iter()
                .all(|value| value.is_nan())
        );
        let input = check.student::<2>("x");
        let output = normalize(input.clone());
        let grads = output.clone().sum().backward();
        assert_eq!(values(output), [0.0; 8]);
        assert_eq!(values(input.grad(&grads).expect("a gradient")), [0.0; 8]);
    });
}
