//! Choosing the samples to distil, during a run.

mod agent;
mod cuts;
mod record;
mod report;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use kd_losses::{Features, Gate, Place, Reads};
use kd_models::{AnyNetwork, FeatureShapes};
use kd_spot::{Choices, Cuts, GraftConfig, RouterConfig, Routing};

use crate::learner::draw;
use crate::{FrozenTeacher, Recipe, TrainError};

pub use agent::Agent;
pub(crate) use agent::AgentTraining;
pub use cuts::RoutingCuts;
pub use record::RoutingRecord;
pub use report::{RouteReport, RoutedImage, route};

/// How a run chooses.
pub(crate) struct Routes {
    routing: Routing,
    probability: f64,
    gates: Vec<bool>,
    cuts: Cuts,
    /// The spots that choose for those of the method, if it has a term.
    of_method: Vec<usize>,
    /// Whether the logits are distilled.
    logits: bool,
    /// The student's pooling stage.
    pool: usize,
    /// The teacher in the grafted network, with its batch norms folded: absent if there is none, or
    /// if the teacher is trained.
    grafted: Option<AnyNetwork>,
}

impl Routes {
    /// The routing of a recipe, and what it learns; `None` if all samples are distilled.
    pub(crate) fn new(
        recipe: &Recipe,
        student: &FeatureShapes,
        teacher: &FrozenTeacher,
        teachers: &FeatureShapes,
        training: &Device,
    ) -> Result<Option<(Self, Option<Agent>)>, TrainError> {
        let routing = recipe.routing;
        if routing == Routing::Always {
            return Ok(None);
        }
        let cuts = recipe.routing_cuts.clone().unwrap_or_default();
        let cuts = cuts.of(recipe.method.as_ref(), student, teachers)?;
        // Whether there are such stages, also where nothing is grafted.
        GraftConfig::at(&cuts, student, teachers)?;
        let gates = recipe.routing_gates.clone().unwrap_or_default();
        if routing == Routing::Fixed && gates.len() != cuts.spots() {
            let names = cuts.names(student.maps.len()).join(", ");
            let expected = format!("one for each of {} spots: {names}", cuts.spots());
            return Err(TrainError::value(
                "routing_gates",
                format!("{gates:?}"),
                expected,
            ));
        }
        let mut routes = Self {
            routing,
            probability: recipe.routing_probability.unwrap_or(0.0),
            gates,
            of_method: spots_of(recipe, &cuts, student, teachers)?,
            logits: recipe.weight_kd != 0.0,
            pool: student.maps.len(),
            cuts: cuts.clone(),
            grafted: None,
        };
        if !routing.has_policy() {
            return Ok(Some((routes, None)));
        }
        let mut config = RouterConfig::new().with_anti(routing == Routing::Anti);
        config.temperature = recipe.routing_temperature.unwrap_or(config.temperature);
        config.gamma = recipe.routing_gamma.unwrap_or(config.gamma);
        config.bias = recipe.routing_bias.unwrap_or(config.bias);
        let router = config.init(cuts, student, teachers, training)?;
        draw(&router);
        let folded = teacher.clone().folded().into_network();
        let teacher = match routing {
            // Batch norms that cannot be folded keep their running statistics.
            Routing::Joint => Some(folded.train().freeze().set_require_grad(true)),
            _ => {
                routes.grafted = Some(folded);
                None
            }
        };
        Ok(Some((routes, Some(Agent { router, teacher }))))
    }

    /// Names of the spots.
    pub(crate) fn spots(&self) -> Vec<String> {
        self.cuts.names(self.pool)
    }

    /// For each spot, whether a loss acts there: elsewhere a choice only leads through the grafted
    /// network.
    pub(crate) fn distils(&self) -> Vec<bool> {
        let last = self.cuts.count();
        let spots = 0..self.cuts.spots();
        spots
            .map(|spot| self.of_method.contains(&spot) || (spot == last && self.logits))
            .collect()
    }

    /// The gates of a method with so many spots.
    pub(crate) fn gates(&self, choices: &Choices, spots: usize) -> Vec<Gate> {
        if self.of_method.len() != spots {
            return choices.gates(spots);
        }
        let spots = self.of_method.iter();
        spots.map(|spot| choices.gate(*spot)).collect()
    }

    /// What is read of the teacher.
    pub(crate) fn reads(&self) -> Reads {
        if !self.routing.has_policy() {
            Reads::Logits
        } else if self.cuts.stages(0).0 < self.pool {
            Reads::Maps
        } else {
            Reads::Pooled
        }
    }

    /// Chooses for a batch.
    pub(crate) fn choose(
        &self,
        agent: Option<&Agent>,
        own: &Features,
        soft: &Features,
        device: &Device,
    ) -> Choices {
        let [batch, _] = own.logits.dims();
        let shape = [batch, self.cuts.spots()];
        match (agent, self.routing) {
            (Some(agent), _) => agent.router.choose(own.pooled.clone(), soft.pooled.clone()),
            (None, Routing::Random) => Choices::random(self.probability, shape, device),
            (None, _) => Choices::fixed(&self.gates, batch, device),
        }
    }

    /// The routing objective of a batch, `[1]`, of which only the agent has gradients.
    pub(crate) fn objective(
        &self,
        agent: &Agent,
        student: &AnyNetwork,
        choices: &Choices,
        (images, labels): (Tensor<4>, Tensor<1, Int>),
        ce: Tensor<1>,
        soft: &Features,
    ) -> Option<Tensor<1>> {
        let router = &agent.router;
        let grafted = match (&agent.teacher, &self.grafted) {
            (Some(teacher), _) => router.grafted(choices, (student, teacher), images, None),
            (None, Some(teacher)) => {
                router.grafted(choices, (student, teacher), images, Some(soft))
            }
            (None, None) => return None,
        };
        Some(router.objective(choices, grafted, labels, ce))
    }
}

/// The spots that choose for those of the method.
fn spots_of(
    recipe: &Recipe,
    cuts: &Cuts,
    student: &FeatureShapes,
    teacher: &FeatureShapes,
) -> Result<Vec<usize>, TrainError> {
    let Some(method) = recipe
        .method
        .as_ref()
        .filter(|_| recipe.weight_method != 0.0)
    else {
        return Ok(Vec::new());
    };
    let last = student.maps.len().saturating_sub(1);
    let stages = match method.place() {
        Place::Logits => return Ok(vec![cuts.count()]),
        Place::Pooled => vec![student.maps.len()],
        Place::Map(stage) => vec![stage.unwrap_or(last)],
        Place::Stages => {
            let aligned = Cuts::align(&student.maps, &teacher.maps)?;
            (0..aligned.count())
                .map(|cut| aligned.stages(cut).0)
                .collect()
        }
    };
    Ok(stages
        .into_iter()
        .map(|stage| cuts.spot_of(stage))
        .collect())
}
