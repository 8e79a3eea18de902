//! Clipping gradients by their norm over all parameters.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Added to the norm, as PyTorch's `clip_grad_norm_` does.
const EPSILON: f64 = 1e-6;

/// Scales all gradients of a module so that their common norm is at most `max_norm`, as PyTorch's
/// `clip_grad_norm_`. (Burn's clipping by norm looks at each parameter alone.) Nothing is read back.
pub(crate) fn clip_global_norm<M: Module>(
    module: &M,
    gradients: GradientsParams,
    max_norm: f64,
) -> GradientsParams {
    let mut squares = Squares {
        gradients: &gradients,
        sum: None,
    };
    module.visit(&mut squares);
    let Some(sum) = squares.sum else {
        return gradients;
    };
    let factor = ((sum.sqrt() + EPSILON).recip() * max_norm).clamp_max(1.0);
    let mut scale = Scale { gradients, factor };
    module.visit(&mut scale);
    scale.gradients
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let square = gradient.square().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + square,
                None => square,
            });
        }
    }
}

struct Scale {
    gradients: GradientsParams,
    factor: Tensor<1>,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            let factor = self.factor.clone().reshape([1; D]);
            self.gradients.register::<D>(param.id, gradient * factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    /// Gradients of 3 for the weights and 4 for the bias of one unit with one input.
    fn clipped(max_norm: f64) -> [f32; 2] {
        let device = Device::default().autodiff();
        let layer: Linear = LinearConfig::new(1, 1).init(&device);
        let loss =
            layer.weight.val().sum() * 3.0 + layer.bias.as_ref().expect("a bias").val().sum() * 4.0;
        let gradients = GradientsParams::from_grads(loss.backward(), &layer);
        let gradients = clip_global_norm(&layer, gradients, max_norm);
        let weight: Tensor<2> = gradients.get(layer.weight.id).expect("a gradient");
        let bias: Tensor<1> = gradients
            .get(layer.bias.as_ref().expect("a bias").id)
            .expect("a gradient");
        [weight.into_scalar::<f32>(), bias.into_scalar::<f32>()]
    }

    #[test]
    fn the_norm_is_over_all_parameters() {
        let [weight, bias] = clipped(1.0);
        assert!((weight - 0.6).abs() < 1e-5 && (bias - 0.8).abs() < 1e-5);
        assert_eq!(clipped(10.0), [3.0, 4.0]);
    }
}
