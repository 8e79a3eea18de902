//! The flags of routing.

use clap::{ArgAction, Args};
use kd_spot::CutPlacement;
use kd_train::{Overlay, TrainError};

use super::error::CliError;

/// How the samples to distill are chosen.
#[derive(Debug, Args)]
pub struct RoutingFlags {
    /// Which samples are distilled where: always (all), adaptive (as a policy learns), anti (the
    /// opposite), random, joint (adaptive, with the teacher trained too) or fixed [default: always]
    #[arg(long, value_name = "MODE")]
    routing: Option<String>,
    /// Whose rules random and joint follow: kd or sakd, those of the authors' code [default: kd]
    #[arg(long, value_name = "NAME")]
    routing_convention: Option<String>,
    /// Where to choose: auto (where the losses act), stages, last, pooled, or after given stages of
    /// student and teacher as in 1:1,2:3 [default: auto]
    #[arg(long, value_name = "PLACES")]
    routing_cuts: Option<String>,
    /// Probability of being distilled, for --routing random [default: 0.5]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    routing_probability: Option<f64>,
    /// Whether to distill at each spot, for --routing fixed: for example true,false
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Set)]
    routing_gates: Option<Vec<bool>>,
    /// Temperature of the policy's choices [default: 5]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    routing_temperature: Option<f64>,
    /// Factor of the routing objective where the grafted network is worse than the student, or of
    /// the cross-entropies with --routing-convention sakd [default: 1]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    routing_gamma: Option<f64>,
    /// Added to the policy's initial logits in favor of the teacher: at 10, distillation starts at
    /// all spots [default: 0]
    #[arg(long, value_name = "LOGIT", allow_negative_numbers = true)]
    routing_bias: Option<f64>,
    /// Learning rate of policy and adapters [default: half of --lr]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    routing_lr: Option<f64>,
    /// Weight decay of policy and adapters [default: 0.001]
    #[arg(long, value_name = "DECAY", allow_negative_numbers = true)]
    routing_weight_decay: Option<f64>,
    /// Learning rate of the teacher, for --routing joint [default: a hundredth of --lr]
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
