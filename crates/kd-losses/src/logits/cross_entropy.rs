//! Cross-entropy with labels.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// Cross-entropy of logits with labels, averaged over the batch.
///
/// `L = −1/N · Σ_n log softmax(logits_n)[target_n]`
///
/// # Shapes
///
/// - logits: `[batch, classes]`
/// - targets: `[batch]`, each below `classes`
/// - output: `[1]`
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_losses::cross_entropy;
///
/// let device = Device::default();
/// let logits = Tensor::<2>::zeros([2, 10], &device);
/// let targets = Tensor::<1, Int>::from_ints([3, 7], &device);
/// let loss: f32 = cross_entropy(logits, targets).into_scalar();
/// assert!((loss - 10f32.ln()).abs() < 1e-6);
/// ```
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    log_softmax(logits, 1)
        .gather(1, targets.unsqueeze_dim(1))
        .mean()
        .neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn value(logits: [[f32; 2]; 2], targets: [i32; 2]) -> f32 {
        let device = Device::default();
        cross_entropy(
            Tensor::from_floats(logits, &device),
            Tensor::from_ints(targets, &device),
        )
        .into_scalar()
    }

    #[test]
    fn it_is_the_mean_of_negative_log_probabilities() {
        // Probabilities 3/4 and 1/4 in both rows.
        let logits = [[3f32.ln(), 0.0], [0.0, 3f32.ln()]];
        let expected = -((0.75f32).ln() + (0.25f32).ln()) / 2.0;
        assert!((value(logits, [0, 0]) - expected).abs() < 1e-6);
    }

    #[test]
    fn large_logits_stay_finite() {
        assert_eq!(value([[1e4, -1e4], [1e4, -1e4]], [0, 0]), 0.0);
        assert_eq!(value([[1e4, -1e4], [1e4, -1e4]], [1, 1]), 2e4);
    }
}
