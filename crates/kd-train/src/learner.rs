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

impl Learner {
    /// Draws the initial weights now, in the order of the module. Burn would draw each when it is
    /// first used, so that they would depend on what is used first.
    pub(crate) fn draw(&self) {
        struct Draw;

        impl ModuleVisitor for Draw {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                param.val();
            }
        }

        self.visit(&mut Draw);
    }
}

/// SGD as PyTorch computes it: weight decay is added to the gradient, the first velocity is the
/// gradient, there is no dampening.
pub fn sgd(recipe: &Recipe) -> ModuleOptimizer {
    let momentum = (recipe.momentum > 0.0).then(|| MomentumConfig {
        momentum: recipe.momentum,
        dampening: 0.0,
        nesterov: recipe.nesterov,
    });
    let decay = (recipe.weight_decay > 0.0).then(|| WeightDecayConfig {
        penalty: recipe.weight_decay as f32,
    });
    SgdConfig::new()
        .with_momentum(momentum)
        .with_weight_decay(decay)
        .init()
}
