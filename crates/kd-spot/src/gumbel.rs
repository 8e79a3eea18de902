//! Gates that can be learned.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use crate::constant::constant;

/// Keeps logarithms finite.
const TINY: f64 = 1e-20;

/// Chooses one of two for each sample and spot, at random, with the probabilities `softmax(logits)`,
/// and passes gradients on as if the choice were soft.
///
/// `y = softmax((logits + g) / temperature)` with Gumbel noise `g = −ln(−ln(u + 1e-20) + 1e-20)`; the
/// result is 1 for the larger of the two and 0 for the other, with the gradient of `y` (the
/// straight-through estimator of Jang et al. 2016, <https://arxiv.org/abs/1611.01144>).
///
/// # Shapes
///
/// - logits: `[batch, spots, 2]`
/// - uniform: `[batch, spots, 2]`, in `[0, 1]`
/// - output: `[batch, spots, 2]`
pub fn hard_gumbel_softmax(logits: Tensor<3>, uniform: Tensor<3>, temperature: f64) -> Tensor<3> {
    let noise = ((uniform + TINY).log().neg() + TINY).log().neg();
    let noise = constant(noise, logits.is_autodiff());
    let soft = softmax((logits + noise) / temperature, 2);
    let fixed = soft.clone().detach();
    let first = fixed.clone().narrow(2, 0, 1);
    let second = fixed.clone().narrow(2, 1, 1);
    let chosen = first.greater_equal(second).float();
    let other = chosen.clone().neg() + 1.0;
    let hard = Tensor::cat(vec![chosen, other], 2);
    // The difference of the soft values is exactly 0.
    hard + (soft - fixed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn values(tensor: Tensor<3>) -> Vec<f32> {
        tensor.into_data().try_into_vec().expect("f32")
    }

    #[test]
    fn gates_are_hard_and_gradients_soft() {
        let device = Device::default().autodiff();
        let logits = Tensor::<3>::from_floats([[[0.3, -0.2], [1.0, 1.5]]], &device).require_grad();
        let uniform = Tensor::<3>::from_floats([[[0.5, 0.5], [0.9, 0.1]]], &device);
        let chosen = hard_gumbel_softmax(logits.clone(), uniform, 5.0);
        assert_eq!(values(chosen.clone().inner()), [1.0, 0.0, 1.0, 0.0]);

        let gradients = chosen.narrow(2, 0, 1).sum().backward();
        let gradient = values(logits.grad(&gradients).expect("a gradient"));
        // d/da of softmax((a + g) / 5): p (1 − p) / 5, and its opposite.
        let p = 1.0 / (1.0 + f32::exp(-(0.3 + 0.2) / 5.0));
        assert!((gradient[0] - p * (1.0 - p) / 5.0).abs() < 1e-6);
        assert!((gradient[0] + gradient[1]).abs() < 1e-7);
    }

    #[test]
    fn extreme_noise_is_finite() {
        let device = Device::default();
        let logits = Tensor::<3>::zeros([1, 2, 2], &device);
        let uniform = Tensor::from_floats([[[0.0, 1.0], [1.0, 0.0]]], &device);
        let chosen = values(hard_gumbel_softmax(logits, uniform, 5.0));
        assert_eq!(chosen, [0.0, 1.0, 1.0, 0.0]);
    }
}
