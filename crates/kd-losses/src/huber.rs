//! The smooth absolute value.

use burn::tensor::Tensor;

/// `x²/2` for `|x| < 1`, else `|x| − 1/2`: PyTorch's smooth L1 loss, before any mean.
pub(crate) fn huber<const D: usize>(difference: Tensor<D>) -> Tensor<D> {
    let large = difference.abs();
    let small = large.clone().clamp_max(1.0);
    small.clone() * (large - small * 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn it_is_a_parabola_and_then_a_line() {
        let device = Device::default();
        let x = Tensor::<1>::from_floats([0.0, 0.5, -1.0, -3.0], &device);
        let values: Vec<f32> = huber(x).into_data().try_to_vec().expect("f32");
        assert_eq!(values, [0.0, 0.125, 0.5, 2.5]);
    }
}
