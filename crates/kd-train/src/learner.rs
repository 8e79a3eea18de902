//! All that is trained together.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::Tensor;
use kd_losses::MethodLoss;
use kd_models::AnyNetwork;

use crate::Recipe;

/// The student and the adapters of the method: one module, one optimiser, one checkpoint.
#[derive(Module, Debug)]
pub struct Learner {
    /// The network that is trained.
    pub student: AnyNetwork,
    /// The method, with its learnable adapters.
    pub method: Option<MethodLoss>,
}

/// Draws the initial weights of a module now, in its order. Burn would draw each when it is first
/// used, so that they would depend on what is used first.
pub(crate) fn draw<M: Module>(module: &M) {
    struct Draw;

    impl ModuleVisitor for Draw {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            param.val();
        }
    }

    module.visit(&mut Draw);
}

/// SGD as PyTorch computes it: weight decay is added to the gradient, the first velocity is the
/// gradient, there is no dampening.
pub fn sgd(recipe: &Recipe) -> ModuleOptimizer {
    sgd_with(recipe, recipe.weight_decay)
}

/// The same with another weight decay.
pub(crate) fn sgd_with(recipe: &Recipe, weight_decay: f64) -> ModuleOptimizer {
    let momentum = (recipe.momentum > 0.0).then_some(MomentumConfig {
        momentum: recipe.momentum,
        dampening: 0.0,
        nesterov: recipe.nesterov,
    });
    let decay = (weight_decay > 0.0).then_some(WeightDecayConfig {
        penalty: weight_decay as f32,
    });
    SgdConfig::new()
        .with_momentum(momentum)
        .with_weight_decay(decay)
        .init()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Draft;
    use burn::nn::{Linear, LinearConfig};
    use burn::optim::GradientsParams;
    use burn::tensor::Device;

    /// Three steps on one weight whose gradient is `2 (w − 1)`, as PyTorch documents SGD.
    fn by_hand(mut w: f64, lr: f64, momentum: f64, decay: f64, nesterov: bool) -> f64 {
        let mut velocity = None;
        for _ in 0..3 {
            let gradient = 2.0 * (w - 1.0) + decay * w;
            let v = velocity.map_or(gradient, |v: f64| momentum * v + gradient);
            velocity = Some(v);
            w -= lr * if nesterov { gradient + momentum * v } else { v };
        }
        w
    }

    fn by_burn(w: f32, recipe: &Recipe) -> f32 {
        let device = Device::default().autodiff();
        let mut layer: Linear = LinearConfig::new(1, 1).with_bias(false).init(&device);
        layer.weight = Param::from_tensor(Tensor::from_floats([[w]], &device));
        let mut optimizer = sgd(recipe);
        for _ in 0..3 {
            let error = layer.forward(Tensor::<2>::ones([1, 1], &device)) - 1.0;
            let gradients = (error.clone() * error).sum().backward();
            let gradients = GradientsParams::from_grads(gradients, &layer);
            layer = optimizer.step(recipe.lr, layer, gradients);
        }
        layer.weight.val().into_scalar()
    }

    #[test]
    fn sgd_has_the_semantics_of_pytorch() {
        for (momentum, decay, nesterov) in [
            (0.0, 0.0, false),
            (0.9, 0.0, false),
            (0.9, 0.05, false),
            (0.9, 0.05, true),
        ] {
            let recipe = Draft {
                student: "resnet8".parse().ok(),
                lr: Some(0.1),
                momentum: Some(momentum),
                weight_decay: Some(decay),
                nesterov: Some(nesterov),
                ..Draft::default()
            }
            .finish()
            .expect("a recipe");
            let expected = by_hand(3.0, 0.1, momentum, decay, nesterov);
            let actual = f64::from(by_burn(3.0, &recipe));
            assert!(
                (actual - expected).abs() < 1e-5,
                "momentum {momentum}, decay {decay}, nesterov {nesterov}: {actual}, expected {expected}"
            );
        }
    }
}
