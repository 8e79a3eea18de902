//! Contrastive representation distillation: two steps on the same batch.

use burn::module::RunningState;
use kd_losses::Pair;
use kd_losses::relations::{CrdLossConfig, CrdSampling};

use crate::check::on_all;

pub const CASES: &[&str] = &["crd", "zoo_crd"];

#[test]
fn two_steps() {
    on_all(CASES, |check| {
        let zoo = check.case.name == "zoo_crd";
        let banks = if zoo {
            ["memory_s", "memory_t"]
        } else {
            ["memory_v1", "memory_v2"]
        };
        let samples = check.hyper("n_data") as usize;
        let lengths = Pair {
            student: 8,
            teacher: 12,
        };
        let loss = CrdLossConfig::new()
            .with_dim(check.hyper("feat_dim") as usize)
            .with_negatives(check.hyper("nce_k") as usize)
            .with_temperature(check.hyper("nce_t"))
            .with_momentum(check.hyper("nce_m"))
            .with_sampling(CrdSampling::Uniform)
            .init(lengths, samples, None, &check.training())
            .expect("a loss");
        let scales = (
            loss.log_scale_student.clone(),
            loss.log_scale_teacher.clone(),
        );
        let mut loss = loss;
        // The case has no tensors for them: they are set by the first batch.
        let key = |path: &str| {
            path.replace("embed_student", "embed_s")
                .replace("embed_teacher", "embed_t")
        };
        loss.embed_student = check.fill(loss.embed_student, &["embed_s"], |path| {
            format!("embed_s.{path}")
        });
        loss.embed_teacher = check.fill(loss.embed_teacher, &["embed_t"], |path| {
            format!("embed_t.{path}")
        });
        let bank = |name: &str| {
            let key = format!("contrast.{name}");
            RunningState::new(check.case.param(&key, &check.training()))
        };
        (loss.memory_student, loss.memory_teacher) = (bank(banks[0]), bank(banks[1]));

        for step in 1..=2 {
            let student = check.student::<2>("f_s");
            let value = loss.forward(
                student.clone(),
                check.teacher("f_t"),
                check.case.integers("idx", &check.device),
                check.case.integers("contrast_idx", &check.device),
            );
            let grads = value.backward();
            check.loss(&format!("loss_step{step}"), value);
            let prefix = format!("grad_step{step}/");
            let gradient = student.grad(&grads).expect("a gradient");
            check.gradient_values(&format!("{prefix}f_s"), &crate::check::values(gradient));
            assert_eq!(check.gradients_of(&prefix, &loss, &grads, key), 4);
            for (name, bank) in banks
                .iter()
                .zip([&loss.memory_student, &loss.memory_teacher])
            {
                check.tensor(&format!("after_step{step}/{name}"), bank.value());
            }
        }
        let expected = if zoo {
            ["Z_s", "Z_t"].map(|name| check.case.scalar(name))
        } else {
            let listed = &check.case.manifest["scalars"]["params_step2"];
            [2, 3].map(|at| listed[at].as_f64().expect("a scale"))
        };
        for (scale, expected) in [scales.0, scales.1].iter().zip(expected) {
            let found = f64::from(scale.value().into_scalar::<f32>()).exp();
            assert!((found / expected - 1.0).abs() < 1e-4, "{found} {expected}");
        }
    });
}
