//! Routing as a recipe says it.

use serde::{Deserialize, Serialize};

use crate::{CutPlacement, RouterConfig, RoutingMode, SpotError};

/// Which samples are distilled where, and how what chooses is trained.
///
/// Values that a mode does not use must be absent; those that it uses have defaults, which
/// [`resolved`](Self::resolved) fills in.
///
/// | field | used by | default |
/// |---|---|---|
/// | `cuts` | all but `always` | `auto` |
/// | `probability` | `random` | 0.5 |
/// | `gates` | `fixed` | – |
/// | `temperature`, `gamma`, `bias` | `adaptive`, `anti`, `joint` | 5, 1, 0 |
/// | `lr`, `weight_decay` | `adaptive`, `anti`, `joint` | half of the student's, 0.001 |
/// | `teacher_lr` | `joint` | a hundredth of the student's |
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoutingConfig {
    /// How the samples are chosen.
    pub mode: RoutingMode,
    /// Where the networks are cut.
    pub cuts: Option<CutPlacement>,
    /// Probability of being distilled.
    pub probability: Option<f64>,
    /// Whether to distill at each spot.
    pub gates: Option<Vec<bool>>,
    /// Temperature of the policy's choices.
    pub temperature: Option<f64>,
    /// Factor of the routing objective.
    pub gamma: Option<f64>,
    /// Added to the policy's initial logits in favor of the teacher.
    pub bias: Option<f64>,
    /// Learning rate of policy and adapters; it follows the schedule too.
    pub lr: Option<f64>,
    /// Weight decay of policy and adapters.
    pub weight_decay: Option<f64>,
    /// Learning rate of the teacher; it follows the schedule too.
    pub teacher_lr: Option<f64>,
}

impl RoutingConfig {
    /// Routing by a mode, with its defaults.
    pub fn new(mode: RoutingMode) -> Self {
        Self {
            mode,
            ..Self::default()
        }
    }

    /// The same with the defaults of the mode filled in, `lr` being the student's learning rate.
    ///
    /// # Errors
    ///
    /// [`SpotError::Unused`] for a value that the mode does not use, [`SpotError::Parameter`] for
    /// one out of range, [`SpotError::NoGates`] for `fixed` without gates.
    pub fn resolved(self, lr: f64) -> Result<Self, SpotError> {
        let mode = self.mode;
        let policy = mode.has_policy();
        let given = [
            ("cuts", self.cuts.is_some(), mode != RoutingMode::Always),
            (
                "probability",
                self.probability.is_some(),
                mode == RoutingMode::Random,
            ),
            ("gates", self.gates.is_some(), mode == RoutingMode::Fixed),
            ("temperature", self.temperature.is_some(), policy),
            ("gamma", self.gamma.is_some(), policy),
            ("bias", self.bias.is_some(), policy),
            ("lr", self.lr.is_some(), policy),
            ("weight_decay", self.weight_decay.is_some(), policy),
            (
                "teacher_lr",
                self.teacher_lr.is_some(),
                mode == RoutingMode::Joint,
            ),
        ];
        if let Some((parameter, ..)) = given.into_iter().find(|(_, given, used)| *given && !used) {
            return Err(SpotError::Unused { parameter, mode });
        }
        let default = |value: Option<f64>, used: bool, default: f64| {
            value.or_else(|| used.then_some(default))
        };
        let router = RouterConfig::new();
        let resolved = Self {
            mode,
            cuts: match mode {
                RoutingMode::Always => None,
                _ => Some(self.cuts.unwrap_or_default()),
            },
            probability: default(self.probability, mode == RoutingMode::Random, 0.5),
            gates: self.gates,
            temperature: default(self.temperature, policy, router.temperature),
            gamma: default(self.gamma, policy, router.gamma),
            bias: default(self.bias, policy, router.bias),
            lr: default(self.lr, policy, lr / 2.0),
            weight_decay: default(self.weight_decay, policy, 1e-3),
            teacher_lr: default(self.teacher_lr, mode == RoutingMode::Joint, lr / 100.0),
        };
        resolved.check()?;
        Ok(resolved)
    }

    fn check(&self) -> Result<(), SpotError> {
        if self.mode == RoutingMode::Fixed && self.gates.is_none() {
            return Err(SpotError::NoGates);
        }
        for (parameter, value) in [
            ("temperature", self.temperature),
            ("gamma", self.gamma),
            ("lr", self.lr),
            ("teacher_lr", self.teacher_lr),
        ] {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                let expected = "a positive finite number";
                return Err(SpotError::parameter(parameter, value, expected));
            }
        }
        if let Some(value) = self.weight_decay.filter(|v| !(v.is_finite() && *v >= 0.0)) {
            let expected = "a finite number, at least 0";
            return Err(SpotError::parameter("weight_decay", value, expected));
        }
        if let Some(value) = self.bias.filter(|value| !value.is_finite()) {
            return Err(SpotError::parameter("bias", value, "a finite number"));
        }
        if let Some(value) = self.probability.filter(|v| !(0.0..=1.0).contains(v)) {
            let expected = "a number from 0 to 1";
            return Err(SpotError::parameter("probability", value, expected));
        }
        Ok(())
    }

    /// The configuration of the router, with defaults where values are absent.
    pub fn router(&self) -> RouterConfig {
        let default = RouterConfig::new();
        RouterConfig {
            temperature: self.temperature.unwrap_or(default.temperature),
            gamma: self.gamma.unwrap_or(default.gamma),
            bias: self.bias.unwrap_or(default.bias),
            anti: self.mode == RoutingMode::Anti,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_has_the_defaults_of_what_it_uses() {
        let resolved = |mode| RoutingConfig::new(mode).resolved(0.05).expect("routing");
        let adaptive = resolved(RoutingMode::Adaptive);
        assert_eq!((adaptive.lr, adaptive.gamma), (Some(0.025), Some(1.0)));
        assert_eq!((adaptive.teacher_lr, adaptive.probability), (None, None));
        assert_eq!(resolved(RoutingMode::Joint).teacher_lr, Some(0.0005));
        assert_eq!(resolved(RoutingMode::Random).probability, Some(0.5));
        assert_eq!(resolved(RoutingMode::Always), RoutingConfig::default());
        // Resolving again changes nothing.
        assert_eq!(adaptive.clone().resolved(1.0).ok(), Some(adaptive));
    }

    #[test]
    fn values_out_of_range_or_without_use_are_named() {
        let message =
            |config: RoutingConfig| config.resolved(0.05).expect_err("a mistake").to_string();
        let mut config = RoutingConfig::new(RoutingMode::Always);
        config.cuts = Some(CutPlacement::Pooled);
        assert_eq!(
            message(config),
            "routing.cuts cannot be used with routing.mode: always"
        );
        let mut config = RoutingConfig::new(RoutingMode::Random);
        config.probability = Some(1.5);
        assert_eq!(
            message(config),
            "routing.probability is 1.5, expected a number from 0 to 1"
        );
        let fixed = message(RoutingConfig::new(RoutingMode::Fixed));
        assert!(fixed.starts_with("routing.gates is missing"), "{fixed}");
    }
}
