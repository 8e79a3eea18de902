//! Gradients that are known without a graph.

use burn::tensor::Tensor;

/// A tensor `[1]` whose value is 0 and whose gradient with respect to `x` is `gradient`.
///
/// Added to a constant, it stands for a loss whose graph would be too large, or that autodiff
/// cannot differentiate: the value comes from the constant, the gradient from here.
pub(crate) fn with_gradient<const D: usize>(x: Tensor<D>, gradient: Tensor<D>) -> Tensor<1> {
    let constant = x.clone().inner();
    ((x - constant) * gradient.inner()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_value_is_zero_and_the_gradient_as_given() {
        let device = Device::default().autodiff();
        let x = Tensor::<1>::from_floats([3.0, -2.0], &device).require_grad();
        let given = Tensor::<1>::from_floats([0.5, 7.0], &device);
        let loss = with_gradient(x.clone() * 2.0, given);
        let grads = loss.backward();
        assert_eq!(loss.into_scalar::<f32>(), 0.0);
        let found = x.grad(&grads).expect("a gradient").into_data();
        assert_eq!(found.try_to_vec::<f32>().expect("f32"), [1.0, 14.0]);
    }
}
