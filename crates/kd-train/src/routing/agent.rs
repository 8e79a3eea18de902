//! What routing learns.

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Gradients;
use kd_models::AnyNetwork;
use kd_spot::Router;

use crate::Recipe;
use crate::learner::sgd_with;

/// What is trained beside the student by the routing objective.
#[derive(Module, Debug)]
pub struct Agent {
    /// The policy and the adapters of the grafted network.
    pub router: Router,
    /// The teacher, with its batch norms folded, if it is trained too.
    pub teacher: Option<AnyNetwork>,
}

/// An agent and its optimisers.
pub(crate) struct AgentTraining {
    pub(crate) agent: Agent,
    /// Of the router.
    pub(crate) optimizer: ModuleOptimizer,
    /// Of the teacher.
    pub(crate) teacher_optimizer: ModuleOptimizer,
}

impl AgentTraining {
    /// Starts with the recipe's optimisers.
    pub(crate) fn new(agent: Agent, recipe: &Recipe) -> Self {
        Self {
            agent,
            optimizer: sgd_with(recipe, recipe.routing_weight_decay.unwrap_or(0.0)),
            teacher_optimizer: sgd_with(recipe, recipe.weight_decay),
        }
    }

    /// One step of the optimisers, at the rates of router and teacher; takes the agent's gradients
    /// away.
    pub(crate) fn step(mut self, rates: [f64; 2], gradients: &mut Gradients) -> Self {
        let Agent { router, teacher } = self.agent;
        let of_router = GradientsParams::from_module(gradients, &router);
        let router = self.optimizer.step(rates[0], router, of_router);
        let teacher = teacher.map(|teacher| {
            let of_teacher = GradientsParams::from_module(gradients, &teacher);
            self.teacher_optimizer.step(rates[1], teacher, of_teacher)
        });
        Self {
            agent: Agent { router, teacher },
            ..self
        }
    }
}
