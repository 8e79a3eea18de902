//! What the policy is trained for.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::constant::constant;

/// The routing objective: the grafted network's cross-entropy, weighted by how it compares with the
/// student's own, and a term that keeps the teacher in use,
/// `c · graft + max(0, batch / 2 − Σ last)`.
///
/// The weight starts at 1. If the grafted network's loss is greater than the student's, it is
/// multiplied by `gamma`; then, if the loss so weighted is less than the student's, it is divided by
/// `gamma`. No gradient flows through the comparisons, which read nothing back, and none through the
/// last term where exactly half of the samples end at the teacher.
///
/// # Shapes
///
/// - graft: `[1]`, cross-entropy of the grafted network
/// - own: `[1]`, cross-entropy of the student
/// - last: `[batch]`, the teacher's shares at the last spot
/// - output: `[1]`
pub fn routing_objective(
    graft: Tensor<1>,
    own: Tensor<1>,
    last: Tensor<1>,
    gamma: f64,
) -> Tensor<1> {
    let (value, own) = (graft.clone().inner(), own.inner());
    let one = value.ones_like();
    let greater = value.clone().greater(own.clone());
    let weight = one.clone().mask_fill(greater, gamma);
    let less = (value * weight.clone()).lower(own);
    let weight = weight * one.mask_fill(less, 1.0 / gamma);
    let weight = constant(weight, graft.is_autodiff());
    let half = last.dims()[0] as f64 / 2.0;
    let lacking = relu(last.sum().neg() + half);
    graft * weight + lacking
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn objective(graft: f32, own: f32, last: &[f32]) -> f32 {
        let device = Device::default();
        let tensor = |values: &[f32]| Tensor::<1>::from_floats(values, &device);
        routing_objective(tensor(&[graft]), tensor(&[own]), tensor(last), 2.0).into_scalar()
    }

    #[test]
    fn the_weight_follows_both_comparisons() {
        let half = [1.0, 0.0];
        assert_eq!(objective(3.0, 2.0, &half), 6.0);
        assert_eq!(objective(1.0, 2.0, &half), 0.5);
        assert_eq!(objective(2.0, 2.0, &half), 2.0);
    }

    #[test]
    fn too_little_of_the_teacher_costs() {
        assert_eq!(objective(2.0, 2.0, &[0.0, 0.0, 1.0, 0.0]), 3.0);
        assert_eq!(objective(2.0, 2.0, &[1.0, 1.0, 1.0, 0.0]), 2.0);
    }
}
