//! Vectors divided by their norms, where there may be none.

use burn::tensor::Tensor;

/// Where the square of a norm counts as 0: 1e-12 for the norm itself, as in PyTorch's `normalize`.
const SMALLEST_SQUARE: f64 = 1e-24;

/// The part of the largest square beside which another is rounding in f32: 3e-7 for the norms.
const ROUNDING_SQUARE: f64 = 1e-13;

/// Vectors along the last axis, divided by their Euclidean norm plus `epsilon`.
///
/// A vector of norm 0 stays one, and has the gradient 0: there is no direction to learn. A quotient
/// by a clamped norm would have the gradient 1e12 there.
pub(crate) fn unit<const D: usize>(vectors: Tensor<D>, epsilon: f64) -> Tensor<D> {
    let squares = vectors.clone().square().sum_dim(D - 1);
    let none = squares.clone().lower_elem(SMALLEST_SQUARE);
    let norms = squares.mask_fill(none.clone(), 1.0).sqrt();
    vectors * (norms + epsilon).recip().mask_fill(none, 0.0)
}

/// The same for the channels `[batch, channels, positions]` of maps, of which one counts as 0 too if it
/// is rounding beside the largest channel of its sample.
pub(crate) fn unit_channels(channels: Tensor<3>, epsilon: f64) -> Tensor<3> {
    let squares = channels.clone().square().sum_dim(2);
    let floor = squares.clone().max_dim(1) * ROUNDING_SQUARE + SMALLEST_SQUARE;
    let none = squares.clone().lower(floor.expand(squares.dims()));
    let norms = squares.mask_fill(none.clone(), 1.0).sqrt();
    channels * (norms + epsilon).recip().mask_fill(none, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    #[test]
    fn what_has_no_norm_stays_0_without_a_gradient() {
        let device = Device::default().autodiff();
        let rows = Tensor::<2>::from_floats([[3.0, -4.0], [0.0, 0.0], [0.0, 1e-14]], &device);
        let rows = rows.require_grad();
        let found = unit(rows.clone(), 0.0);
        let gradient = rows
            .grad(&found.clone().sum().backward())
            .expect("a gradient");
        assert_eq!(values(found), [0.6, -0.8, 0.0, 0.0, 0.0, 0.0]);
        let gradient = values(gradient);
        assert!((gradient[0] - 1.12 / 5.0).abs() < 1e-6, "{gradient:?}");
        assert_eq!(gradient[2..], [0.0; 4]);
    }

    #[test]
    fn a_channel_of_rounding_counts_as_0() {
        let device = Device::default().autodiff();
        let maps = [
            [[30.0, 40.0], [1e-6, -2e-6], [0.003, 0.004]],
            [[1e-6, 0.0]; 3],
        ];
        let maps = Tensor::<3>::from_floats(maps, &device).require_grad();
        let found = unit_channels(maps.clone(), 0.0);
        let gradient = maps
            .grad(&found.clone().sum().backward())
            .expect("a gradient");
        let (found, gradient) = (values(found), values(gradient));
        for (found, expected) in found[..6].iter().zip([0.6, 0.8, 0.0, 0.0, 0.6, 0.8]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        assert_eq!(gradient[2..4], [0.0; 2]);
        // Where all channels are small, none of them is rounding.
        assert!((found[6] - 1.0).abs() < 1e-6, "{found:?}");
    }
}
