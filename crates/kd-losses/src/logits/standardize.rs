//! Standardized logits.

use burn::tensor::Tensor;

use crate::LossError;
use crate::range::positive;

/// What is added to the standard deviation.
const EPSILON: f64 = 1e-7;

/// Where the variance is clamped before its root. It is far below [`EPSILON`] squared, so it does
/// not show in the value; without it the gradient of the root at 0 would be infinite.
const SMALLEST_VARIANCE: f64 = 1e-30;

/// The logits of each sample brought to mean 0 and standard deviation `multiplier` (Sun et al.
/// 2024, *Logit Standardization in Knowledge Distillation*, <https://arxiv.org/abs/2403.01427>).
///
/// ```text
/// z = multiplier · ( x − mean(x) ) / ( std(x) + 1e-7 )
/// ```
///
/// with the mean and the unbiased standard deviation over the classes of a sample. A loss on
/// standardized logits compares the order and the relative distances of the classes, not the
/// magnitude, which a small student need not reach. It replaces the temperature per sample: with a
/// temperature `T` and a multiplier `m`, the distribution is as soft as at `T / m`.
///
/// The mean and the standard deviation belong to the graph. Where all logits of a sample are
/// equal, the standard deviation takes no part in the gradient but the factor `1 / 1e-7` stays,
/// as in the reference (KDrefine): the gradients are large and finite.
///
/// Every loss of logits here takes the multiplier as its field `standardize`: `None` (the default
/// but in [`KdRefineLossConfig`](crate::logits::KdRefineLossConfig)) leaves the logits as they are.
///
/// # Shapes
///
/// - logits: `[batch, classes]`
/// - output: `[batch, classes]`
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_losses::logits::standardize;
///
/// let logits = Tensor::<2>::from_floats([[1.0, 2.0, 3.0]], &Device::default());
/// let z: Vec<f32> = standardize(logits, 2.0).into_data().try_to_vec()?;
/// assert!((z[0] + 2.0).abs() < 1e-5 && z[1] == 0.0 && (z[2] - 2.0).abs() < 1e-5);
/// # Ok::<(), burn::tensor::DataError>(())
/// ```
pub fn standardize(logits: Tensor<2>, multiplier: f64) -> Tensor<2> {
    let classes = logits.dims()[1];
    let centered = logits.clone() - logits.mean_dim(1);
    let freedom = classes.saturating_sub(1).max(1) as f64;
    let variance = centered.clone().square().sum_dim(1) / freedom;
    let deviation = variance.clamp_min(SMALLEST_VARIANCE).sqrt();
    centered / (deviation + EPSILON) * multiplier
}

/// [`standardize`] if there is a multiplier.
pub(crate) fn standardized(logits: Tensor<2>, multiplier: Option<f64>) -> Tensor<2> {
    match multiplier {
        Some(multiplier) => standardize(logits, multiplier),
        None => logits,
    }
}

/// The multiplier, if there is one, is a positive finite number.
pub(crate) fn check_standardize(
    method: &'static str,
    multiplier: Option<f64>,
) -> Result<(), LossError> {
    multiplier.map_or(Ok(()), |multiplier| {
        positive(method, "standardize", multiplier)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use proptest::prelude::*;

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    fn row(logits: &[f32]) -> Tensor<2> {
        Tensor::<1>::from_floats(logits, &Device::default()).unsqueeze()
    }

    #[test]
    fn equal_logits_give_zero_and_a_finite_gradient() {
        let device = Device::default().autodiff();
        let logits = Tensor::<2>::from_floats([[0.25, 0.25]], &device).require_grad();
        let output = standardize(logits.clone(), 2.0);
        assert_eq!(values(output.clone()), [0.0, 0.0]);
        // d z_0 / d x_j is the projection off the mean, times multiplier / epsilon.
        let first = output.narrow(1, 0, 1).sum();
        let grads = first.backward();
        let gradient = values(logits.grad(&grads).expect("a gradient"));
        assert!((gradient[0] / 1e7 - 1.0).abs() < 1e-4, "{gradient:?}");
        assert!((gradient[1] / 1e7 + 1.0).abs() < 1e-4, "{gradient:?}");
    }

    #[test]
    fn one_class_is_zero() {
        assert_eq!(values(standardize(row(&[3.0]), 2.0)), [0.0]);
    }

    proptest! {
        #[test]
        fn a_shift_and_a_scale_of_the_logits_change_nothing(
            logits in prop::collection::vec(-4f32..4.0, 5),
            shift in -4f32..4.0,
            scale in 0.5f32..4.0,
        ) {
            let spread = logits.iter().fold(0f32, |spread, x| spread.max((x - logits[0]).abs()));
            prop_assume!(spread > 0.1);
            let changed: Vec<f32> = logits.iter().map(|x| x * scale + shift).collect();
            let (one, other) = (standardize(row(&logits), 2.0), standardize(row(&changed), 2.0));
            for (a, b) in values(one).iter().zip(values(other)) {
                prop_assert!((a - b).abs() < 1e-3, "{} {}", a, b);
            }
        }
    }
}
