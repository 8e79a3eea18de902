//! Routing as a recipe says it.

use serde::{Deserialize, Serialize};

use crate::{Convention, CutPlacement, RouterConfig, RoutingMode, SpotError};

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
/// | `convention` | `random`, `joint` | `kd` |
///
/// With [`Convention::Sakd`], `random` has a `gamma` (1) and no `probability`, and `joint` has
/// neither `bias` nor `teacher_lr`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RoutingConfig {
    /// How the samples to distill are chosen.
    pub mode: RoutingMode,
    /// Rules for `random` and `joint`, which the paper does not describe.
    pub convention: Convention,
    /// Where the networks are cut: `auto` (where the losses act), `stages`, `last`, `pooled`, or pairs of
    /// stages of student and teacher as in `[[1, 1], [2, 3]]`. Default: `auto`.
    pub cuts: Option<CutPlacement>,
    /// Probability of distilling a sample, for `random`. Default: 0.5.
    pub probability: Option<f64>,
    /// Whether to distill at each spot, for `fixed`, which requires it.
    pub gates: Option<Vec<bool>>,
    /// Temperature of the policy's Gumbel-softmax. Default: 5.
    pub temperature: Option<f64>,
    /// Factor of the routing objective; with `convention: sakd`, of cross-entropies too. Default: 1.
    pub gamma: Option<f64>,
    /// Initial bias of the policy's logits toward the teacher. Default: 0.
    pub bias: Option<f64>,
    /// Learning rate of policy and adapters, which follows the schedule. Default: half of the
    /// student's.
    pub lr: Option<f64>,
    /// Weight decay of policy and adapters. Default: 0.001.
    pub weight_decay: Option<f64>,
    /// Learning rate of the teacher for `joint`, which follows the schedule. Default: a hundredth of the
    /// student's.
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
    /// [`SpotError::Unused`] for a value that the mode does not use, or
    /// [`SpotError::UnusedByConvention`] for one that its convention does not;
    /// [`SpotError::Parameter`] for one out of range, [`SpotError::NoGates`] for `fixed` without gates.
    pub fn resolved(self, lr: f64) -> Result<Self, SpotError> {
        self.check_used()?;
        let mode = self.mode;
        let policy = mode.has_policy();
        let [sakd_random, sakd_joint] = [self.is_sakd_random(), self.is_sakd_joint()];
        let default = |value: Option<f64>, used: bool, default: f64| {
            value.or_else(|| used.then_some(default))
        };
        let drawn = mode == RoutingMode::Random && !sakd_random;
        let trained = mode == RoutingMode::Joint && !sakd_joint;
        let router = RouterConfig::new();
        let resolved = Self {
            mode,
            convention: self.convention,
            cuts: match mode {
                RoutingMode::Always => None,
                _ => Some(self.cuts.unwrap_or_default()),
            },
            probability: default(self.probability, drawn, 0.5),
            gates: self.gates,
            temperature: default(self.temperature, policy, router.temperature),
            gamma: default(self.gamma, policy || sakd_random, router.gamma),
            bias: default(self.bias, policy && !sakd_joint, router.bias),
            lr: default(self.lr, policy, lr / 2.0),
            weight_decay: default(self.weight_decay, policy, 1e-3),
            teacher_lr: default(self.teacher_lr, trained, lr / 100.0),
        };
        resolved.check()?;
        Ok(resolved)
    }

    /// Whether the mode is `random` by [`Convention::Sakd`].
    pub fn is_sakd_random(&self) -> bool {
        self.mode == RoutingMode::Random && self.convention == Convention::Sakd
    }

    /// Whether the mode is `joint` by [`Convention::Sakd`]: the teacher is trained as the student is.
    pub fn is_sakd_joint(&self) -> bool {
        self.mode == RoutingMode::Joint && self.convention == Convention::Sakd
    }

    /// Whether nothing is given that has no effect.
    fn check_used(&self) -> Result<(), SpotError> {
        let mode = self.mode;
        let policy = mode.has_policy();
        let [random, joint] = [RoutingMode::Random, RoutingMode::Joint].map(|other| mode == other);
        let sakd = self.convention == Convention::Sakd;
        // Whether it is given, whether the mode uses it, and whether it does by this convention.
        let given = [
            ("convention", sakd, random || joint, true),
            (
                "cuts",
                self.cuts.is_some(),
                mode != RoutingMode::Always,
                true,
            ),
            ("probability", self.probability.is_some(), random, !sakd),
            (
                "gates",
                self.gates.is_some(),
                mode == RoutingMode::Fixed,
                true,
            ),
            ("temperature", self.temperature.is_some(), policy, true),
            (
                "gamma",
                self.gamma.is_some(),
                policy || random,
                policy || sakd,
            ),
            ("bias", self.bias.is_some(), policy, !(joint && sakd)),
            ("lr", self.lr.is_some(), policy, true),
            ("weight_decay", self.weight_decay.is_some(), policy, true),
            ("teacher_lr", self.teacher_lr.is_some(), joint, !sakd),
        ];
        for (parameter, given, by_mode, by_convention) in given {
            if given && !by_mode {
                return Err(SpotError::Unused { parameter, mode });
            }
            if given && !by_convention {
                let convention = self.convention;
                return Err(SpotError::UnusedByConvention {
                    parameter,
                    mode,
                    convention,
                });
            }
        }
        Ok(())
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
    fn a_convention_has_defaults_of_its_own() {
        let sakd = |mode| RoutingConfig {
            convention: Convention::Sakd,
            ..RoutingConfig::new(mode)
        };
        let random = sakd(RoutingMode::Random).resolved(0.05).expect("routing");
        assert_eq!((random.gamma, random.probability), (Some(1.0), None));
        let joint = sakd(RoutingMode::Joint).resolved(0.05).expect("routing");
        assert_eq!((joint.gamma, joint.lr), (Some(1.0), Some(0.025)));
        assert_eq!((joint.bias, joint.teacher_lr), (None, None));
        for resolved in [random, joint] {
            assert_eq!(resolved.clone().resolved(1.0).ok(), Some(resolved));
        }

        let message = |config: RoutingConfig| config.resolved(0.05).expect_err("a mistake");
        for mode in [
            RoutingMode::Always,
            RoutingMode::Adaptive,
            RoutingMode::Fixed,
        ] {
            let error = message(sakd(mode));
            let unused = SpotError::Unused {
                parameter: "convention",
                mode,
            };
            assert_eq!(error, unused);
        }
        let biased = RoutingConfig {
            bias: Some(10.0),
            ..sakd(RoutingMode::Joint)
        };
        assert_eq!(
            message(biased).to_string(),
            "routing.bias cannot be used with routing.mode: joint by routing.convention: sakd"
        );
        let weighted = RoutingConfig {
            gamma: Some(2.0),
            ..RoutingConfig::new(RoutingMode::Random)
        };
        assert_eq!(
            message(weighted).to_string(),
            "routing.gamma cannot be used with routing.mode: random by routing.convention: kd"
        );
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
