//! The flags of routing.

use clap::{ArgAction, Args};
use kd_spot::CutPlacement;
use kd_train::{Overlay, TrainError};

use super::candidates::values_of;
use super::error::CliError;

/// How the samples to distill are chosen.
#[derive(Debug, Args)]
pub struct RoutingFlags {
    /// Which samples to distill at which spots: always (all), adaptive (a learned policy), anti (its
    /// opposite), random, joint (adaptive, and the teacher is trained too) or fixed [default: always]
    #[arg(long, value_name = "MODE", add = values_of("routing.mode"))]
    routing: Option<String>,
    /// Rules for random and joint: kd, or sakd (the authors' code) [default: kd]
    #[arg(long, value_name = "NAME", add = values_of("routing.convention"))]
    routing_convention: Option<String>,
    /// Where to route: auto (where the losses act), stages, last, pooled, or after the given stages
    /// of student and teacher, for example 1:1,2:3 [default: auto]
    #[arg(long, value_name = "CUTS", add = values_of("routing.cuts"))]
    routing_cuts: Option<String>,
    /// Probability of distilling a sample, for --routing random [default: 0.5]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    routing_probability: Option<f64>,
    /// Whether to distill at each spot, for --routing fixed, for example true,false
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Set)]
    routing_gates: Option<Vec<bool>>,
    /// Temperature of the policy's Gumbel-softmax [default: 5]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    routing_temperature: Option<f64>,
    /// Factor of the routing objective where the grafted network is worse than the student; with
    /// --routing-convention sakd, factor of the cross-entropies [default: 1]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    routing_gamma: Option<f64>,
    /// Initial bias of the policy's logits toward the teacher: at 10, all spots distill at the start
    /// [default: 0]
    #[arg(long, value_name = "LOGIT", allow_negative_numbers = true)]
    routing_bias: Option<f64>,
    /// Learning rate of the policy and adapters [default: 1/2 of --lr]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    routing_lr: Option<f64>,
    /// Weight decay of the policy and adapters [default: 0.001]
    #[arg(long, value_name = "DECAY", allow_negative_numbers = true)]
    routing_weight_decay: Option<f64>,
    /// Learning rate of the teacher, for --routing joint [default: 1/100 of --lr]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    routing_teacher_lr: Option<f64>,
}

impl RoutingFlags {
    /// Sets the keys of the flags.
    pub fn apply(self, overlay: &mut Overlay) -> Result<(), CliError> {
        let cuts = self.routing_cuts.map(|cuts| cuts.parse::<CutPlacement>());
        let cuts = cuts.transpose().map_err(TrainError::from)?;
        overlay.set_some("routing.mode", self.routing);
        overlay.set_some("routing.convention", self.routing_convention);
        overlay.set_some("routing.cuts", cuts);
        overlay.set_some("routing.probability", self.routing_probability);
        overlay.set_some("routing.gates", self.routing_gates);
        overlay.set_some("routing.temperature", self.routing_temperature);
        overlay.set_some("routing.gamma", self.routing_gamma);
        overlay.set_some("routing.bias", self.routing_bias);
        overlay.set_some("routing.lr", self.routing_lr);
        overlay.set_some("routing.weight_decay", self.routing_weight_decay);
        overlay.set_some("routing.teacher_lr", self.routing_teacher_lr);
        Ok(())
    }
}
