//! The flags of routing.

use clap::Args;
use kd_spot::Routing;
use kd_train::Draft;

use super::error::CliError;

/// How the samples to distil are chosen.
#[derive(Debug, Args)]
pub struct RoutingFlags {
    /// Which samples are distilled where: always (all), adaptive (as a policy learns), anti (the
    /// opposite), random, joint (adaptive, the teacher being trained too) or fixed [default: always]
    #[arg(long, value_name = "KIND")]
    routing: Option<String>,
    /// Where to choose: auto (where the method acts), stages, last, pooled, or after given stages of
    /// student and teacher as in 1:1,2:3 [default: auto]
    #[arg(long, value_name = "PLACES")]
    routing_cuts: Option<String>,
    /// Probability of being distilled, for --routing random [default: 0.5]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    routing_probability: Option<f64>,
    /// Whether to distil at each spot, for --routing fixed: for example true,false
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    routing_gates: Option<Vec<bool>>,
    /// Temperature of the policy's choices [default: 5]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    routing_temperature: Option<f64>,
    /// Factor of the routing objective where the grafted network is worse than the student
    /// [default: 1]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    routing_gamma: Option<f64>,
    /// Added to the policy's initial logits in favour of the teacher: at 10, distillation starts at
    /// all spots [default: 0]
    #[arg(long, value_name = "LOGIT", allow_negative_numbers = true)]
    routing_bias: Option<f64>,
    /// Learning rate of policy and adapters [default: half of --lr]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    routing_lr: Option<f64>,
    /// Weight decay of policy and adapters [default: 0.001]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    routing_weight_decay: Option<f64>,
    /// Learning rate of the teacher, for --routing joint [default: a hundredth of --lr]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    routing_teacher_lr: Option<f64>,
}

impl RoutingFlags {
    /// The flags as a draft.
    pub fn draft(self) -> Result<Draft, CliError> {
        let cuts = self.routing_cuts.map(|cuts| cuts.parse());
        Ok(Draft {
            routing: self.routing.map(|name| parse(&name)).transpose()?,
            routing_cuts: cuts.transpose()?,
            routing_probability: self.routing_probability,
            routing_gates: self.routing_gates,
            routing_temperature: self.routing_temperature,
            routing_gamma: self.routing_gamma,
            routing_bias: self.routing_bias,
            routing_lr: self.routing_lr,
            routing_weight_decay: self.routing_weight_decay,
            routing_teacher_lr: self.routing_teacher_lr,
            ..Draft::default()
        })
    }
}

fn parse(name: &str) -> Result<Routing, CliError> {
    let found = Routing::NAMES.iter().find(|(known, _)| *known == name);
    found.map(|(_, routing)| *routing).ok_or_else(|| {
        let known: Vec<_> = Routing::NAMES.iter().map(|(name, _)| *name).collect();
        CliError::Routing(format!("`{name}` is none of {}", known.join(", ")))
    })
}
