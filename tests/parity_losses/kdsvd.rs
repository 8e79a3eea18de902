//! Singular vectors of adjacent maps.

use burn::tensor::{Tensor, TensorData};
use kd_losses::relations::{KdSvdConvention, KdSvdLossConfig, SingularVectors};

use crate::check::{Check, LOOSE_GRADIENT, on_all_within};

pub const CASES: &[&str] = &["kdsvd", "kdsvd_mdistiller"];

/// The teacher's vectors with the signs that the reference's decomposition happened to give them:
/// the value depends on them.
fn reference(check: &Check<'_>, stage: usize, ours: &SingularVectors) -> SingularVectors {
    let name = format!("svd/v_t{stage}");
    let expected = check.case.expected(&name).to_vec();
    let data = TensorData::new(expected, ours.vectors.dims());
    let vectors: Tensor<3> = Tensor::from_data(data, &check.device);
    let cosine = (vectors.clone() * ours.vectors.clone()).sum_dim(1);
    // The same vectors, up to the sign; f32 separates close singular values only so far.
    check.tensor_within(1e-4, &name, ours.vectors.clone() * cosine.sign());
    SingularVectors {
        vectors,
        values: ours.values.clone(),
    }
}

#[test]
fn singular_vectors() {
    on_all_within(LOOSE_GRADIENT, CASES, |check| {
        let mdistiller = check.case.name == "kdsvd_mdistiller";
        let loss = KdSvdLossConfig::new()
            .with_convention(if mdistiller {
                KdSvdConvention::Mdistiller
            } else {
                KdSvdConvention::RepDistiller
            })
            .with_k(check.hyper("k") as usize)
            .init()
            .expect("a loss");
        let student = [0, 1, 2].map(|stage| check.student::<4>(&format!("g_s{stage}")));
        let teacher = [0, 1, 2].map(|stage| {
            let map = check.teacher::<4>(&format!("g_t{stage}"));
            reference(check, stage, &loss.decompose(map))
        });
        if !mdistiller {
            for pair in 0..2 {
                let part = loss.forward_decomposed(
                    &student[pair..pair + 2],
                    &teacher[pair..pair + 2],
                    &[],
                );
                check.loss(&format!("loss{pair}"), part);
            }
        }
        let value = loss.forward_decomposed(&student, &teacher, &[]);
        let grads = value.backward();
        check.loss("loss", value);
        for (stage, map) in student.iter().enumerate() {
            check.gradient(&format!("g_s{stage}"), map, &grads);
        }
    });
}
