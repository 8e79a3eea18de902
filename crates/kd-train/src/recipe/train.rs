//! How long, and from which seed.

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// More epochs than anybody trains: learning rates are a table with a line an epoch.
const MOST_EPOCHS: usize = 1_000_000;

/// Length, seed and averaging of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Number of epochs. Default: 240, or 7 for the procedural set.
    pub epochs: Option<usize>,
    /// Number of epochs of each pretraining phase, for losses that have one. Default: an eighth of
    /// `epochs` (30 of 240, as in RepDistiller), rounded up.
    pub pretrain_epochs: Option<usize>,
    /// Learning rate of the pretraining phases. Default: the optimizer's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrain_lr: Option<f64>,
    /// Epochs of the pretraining phases after which their learning rate drops to a tenth. Default:
    /// none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pretrain_milestones: Vec<usize>,
    /// Factor of the losses of the pretraining phases. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrain_weight: Option<f64>,
    /// Whether the main phase keeps the momentum of the pretraining, as Knowledge-Distillation-Zoo does.
    /// Default: no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_momentum: bool,
    /// Seed of the initial weights, the order of images, augmentation and all else that is random.
    pub seed: u64,
    /// Decay of an exponential moving average of the student's weights, which is then evaluated and
    /// saved instead of them. Default: no average.
    pub ema_decay: Option<f64>,
}

impl TrainConfig {
    pub(super) fn resolved(self, small: bool, pretrains: bool) -> Result<Self, TrainError> {
        TrainError::within("train.epochs", self.epochs, 1..=MOST_EPOCHS)?;
        let phase = "train.pretrain_epochs";
        TrainError::within(phase, self.pretrain_epochs, 0..=MOST_EPOCHS)?;
        let epochs = self.epochs.unwrap_or(if small { 7 } else { 240 });
        TrainError::positive("train.pretrain_lr", self.pretrain_lr)?;
        TrainError::positive("train.pretrain_weight", self.pretrain_weight)?;
        for (field, given) in [
            (
                "train.pretrain_epochs",
                self.pretrain_epochs.is_some_and(|epochs| epochs > 0),
            ),
            ("train.pretrain_lr", self.pretrain_lr.is_some()),
            ("train.pretrain_weight", self.pretrain_weight.is_some()),
            ("train.keep_momentum", self.keep_momentum),
            (
                "train.pretrain_milestones",
                !self.pretrain_milestones.is_empty(),
            ),
        ] {
            if given && !pretrains {
                let what = "losses without a pretraining phase";
                return Err(TrainError::conflict(field, what));
            }
        }
        if !self.pretrain_milestones.is_sorted_by(|a, b| a < b) {
            return Err(TrainError::value(
                "train.pretrain_milestones",
                format!("{:?}", self.pretrain_milestones),
                "an increasing list of epochs",
            ));
        }
        let pretrain = if pretrains { epochs.div_ceil(8) } else { 0 };
        Ok(Self {
            epochs: Some(epochs),
            pretrain_epochs: Some(self.pretrain_epochs.unwrap_or(pretrain)),
            ..self
        })
    }
}
