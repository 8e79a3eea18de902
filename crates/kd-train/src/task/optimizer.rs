//! The optimizer as a recipe says it.

mod held;

use burn::grad_clipping::{GradientClipping, GradientClippingConfig};
use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, Optimizer, SgdConfig};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use self::held::Held;
use super::Groups;
use crate::TrainError;

/// The optimizers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OptimizerName {
    /// Stochastic gradient descent, with momentum.
    #[default]
    Sgd,
    /// Adam, its weight decay being added to the gradient.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
}

/// An optimizer and its learning rate, with PyTorch's semantics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// Which one.
    pub name: OptimizerName,
    /// Learning rate. Default 0.05, and 0.001 for Adam.
    pub lr: Option<f64>,
    /// Momentum of SGD, at least 0 and below 1. Default 0.9.
    pub momentum: Option<f64>,
    /// Whether the momentum of SGD is Nesterov's. Default no.
    pub nesterov: bool,
    /// Decay rates of both moments of Adam. Default 0.9 and 0.999.
    pub betas: Option<[f64; 2]>,
    /// What Adam adds to denominators. Default 1e-8.
    pub epsilon: Option<f64>,
    /// Weight decay. Default 5e-4, and 0.01 for AdamW.
    pub weight_decay: Option<f64>,
    /// Whether norms and biases (parameters with one dimension) decay too. Default yes, as in the
    /// published tables.
    pub decay_norms_and_biases: bool,
    /// Greatest norm of all gradients together. Default: none.
    pub clip_norm: Option<f64>,
    /// Greatest magnitude of an element of a gradient. Default: none.
    pub clip_value: Option<f64>,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            name: OptimizerName::default(),
            lr: None,
            momentum: None,
            nesterov: false,
            betas: None,
            epsilon: None,
            weight_decay: None,
            decay_norms_and_biases: true,
            clip_norm: None,
            clip_value: None,
        }
    }
}

impl OptimizerConfig {
    /// The optimizer of this name with its defaults.
    pub fn new(name: OptimizerName) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }

    /// The same with its defaults filled in.
    ///
    /// # Errors
    ///
    /// [`TrainError::Value`] for a number out of range, [`TrainError::Conflict`] for one that the
    /// optimizer does not use.
    pub fn resolved(self) -> Result<Self, TrainError> {
        let sgd = self.name == OptimizerName::Sgd;
        for (field, given, used) in [
            ("optimizer.momentum", self.momentum.is_some(), sgd),
            ("optimizer.nesterov", self.nesterov, sgd),
            ("optimizer.betas", self.betas.is_some(), !sgd),
            ("optimizer.epsilon", self.epsilon.is_some(), !sgd),
        ] {
            if given && !used {
                let name = self.name;
                return Err(TrainError::conflict(
                    field,
                    format!("optimizer.name: {}", name.name()),
                ));
            }
        }
        let (lr, weight_decay) = match self.name {
            OptimizerName::Sgd => (0.05, 5e-4),
            OptimizerName::Adam => (1e-3, 5e-4),
            OptimizerName::AdamW => (1e-3, 1e-2),
        };
        let resolved = Self {
            lr: Some(self.lr.unwrap_or(lr)),
            momentum: self.momentum.or(sgd.then_some(0.9)),
            betas: self.betas.or((!sgd).then_some([0.9, 0.999])),
            epsilon: self.epsilon.or((!sgd).then_some(1e-8)),
            weight_decay: Some(self.weight_decay.unwrap_or(weight_decay)),
            ..self
        };
        resolved.check()?;
        Ok(resolved)
    }

    fn check(&self) -> Result<(), TrainError> {
        for (field, value) in [
            ("optimizer.lr", self.lr),
            ("optimizer.epsilon", self.epsilon),
            ("optimizer.clip_norm", self.clip_norm),
            ("optimizer.clip_value", self.clip_value),
        ] {
            TrainError::positive(field, value)?;
        }
        TrainError::not_negative("optimizer.weight_decay", self.weight_decay)?;
        let share = |field, value: f64| match (0.0..1.0).contains(&value) {
            true => Ok(()),
            false => Err(TrainError::value(
                field,
                value,
                "a number from 0 to below 1",
            )),
        };
        share("optimizer.momentum", self.momentum.unwrap_or(0.0))?;
        for beta in self.betas.unwrap_or_default() {
            share("optimizer.betas", beta)?;
        }
        if self.nesterov && self.momentum == Some(0.0) {
            return Err(TrainError::conflict(
                "optimizer.nesterov",
                "optimizer.momentum: 0",
            ));
        }
        Ok(())
    }

    /// The learning rate.
    pub fn rate(&self) -> f64 {
        self.lr.unwrap_or(match self.name {
            OptimizerName::Sgd => 0.05,
            _ => 1e-3,
        })
    }

    /// The optimizer of a model: the router of its routing has a weight decay of its own.
    pub(crate) fn init<M: Module>(
        &self,
        model: &M,
        router_decay: f64,
        groups: &Groups,
    ) -> ModuleOptimizer {
        let decay = self.weight_decay.unwrap_or(0.0);
        let optimizer = self.with_decay(None, decay, ParamGroup::all());
        let optimizer = self.with_decay(Some(optimizer), router_decay, groups.router.clone());
        // The last group that a parameter is in counts.
        match self.decay_norms_and_biases {
            true => optimizer,
            false => self.with_decay(Some(optimizer), 0.0, one_dimensional(model)),
        }
    }

    /// An optimizer with this weight decay, or one with a further group that has it.
    fn with_decay(
        &self,
        base: Option<ModuleOptimizer>,
        decay: f64,
        group: ParamGroup,
    ) -> ModuleOptimizer {
        let clipping = self
            .clip_value
            .map(|value| GradientClippingConfig::Value(value as f32));
        let penalty = (decay > 0.0).then_some(WeightDecayConfig {
            penalty: decay as f32,
        });
        let [beta_1, beta_2] = self.betas.unwrap_or([0.9, 0.999]).map(|beta| beta as f32);
        let epsilon = self.epsilon.unwrap_or(1e-8) as f32;
        let clip = clipping.as_ref().map(GradientClippingConfig::init);
        let group = (group, clip);
        match self.name {
            OptimizerName::Sgd => {
                // PyTorch's: no dampening, the first velocity is the gradient.
                let momentum = self.momentum.unwrap_or(0.0);
                let momentum = (momentum > 0.0).then_some(MomentumConfig {
                    momentum,
                    dampening: 0.0,
                    nesterov: self.nesterov,
                });
                let config = SgdConfig::new()
                    .with_momentum(momentum)
                    .with_weight_decay(penalty);
                with_group(base, config.build(), group)
            }
            OptimizerName::Adam => {
                let config = AdamConfig::new()
                    .with_beta_1(beta_1)
                    .with_beta_2(beta_2)
                    .with_epsilon(epsilon)
                    .with_weight_decay(penalty);
                with_group(base, config.build(), group)
            }
            OptimizerName::AdamW => {
                let config = AdamWConfig::new()
                    .with_beta_1(beta_1)
                    .with_beta_2(beta_2)
                    .with_epsilon(epsilon)
                    .with_weight_decay(decay as f32);
                with_group(base, config.build(), group)
            }
        }
    }
}

impl OptimizerName {
    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sgd => "sgd",
            Self::Adam => "adam",
            Self::AdamW => "adamw",
        }
    }
}

/// An optimizer for all parameters, or for a further group of those that `base` has.
fn with_group(
    base: Option<ModuleOptimizer>,
    optimizer: impl Optimizer,
    (group, clip): (ParamGroup, Option<GradientClipping>),
) -> ModuleOptimizer {
    let optimizer = Held(optimizer);
    match (base, clip) {
        (Some(base), clip) => base.with_group(group, optimizer, clip),
        (None, Some(clip)) => ModuleOptimizer::from(optimizer).with_grad_clipping(clip),
        (None, None) => ModuleOptimizer::from(optimizer),
    }
}

/// Parameters with one dimension: scales and shifts of norms, and biases.
fn one_dimensional<M: Module>(module: &M) -> ParamGroup {
    #[derive(Default)]
    struct Paths {
        path: Vec<String>,
        found: Vec<String>,
    }

    impl ModuleVisitor for Paths {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
            if D == 1 {
                self.found.push(self.path.join("."));
            }
        }
    }

    let mut paths = Paths::default();
    module.visit(&mut paths);
    ParamGroup::from_paths(paths.found)
}

#[cfg(test)]
mod tests;
