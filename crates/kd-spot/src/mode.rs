//! The ways to choose.

use serde::{Deserialize, Serialize};

/// How the samples to distill are chosen, at each spot and in each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RoutingMode {
    /// All samples at all spots: standard distillation.
    #[default]
    Always,
    /// As a policy chooses, which is trained on the grafted network: a sample is distilled where
    /// the policy takes the teacher.
    Adaptive,
    /// The opposite: a sample is distilled where the policy takes the student.
    Anti,
    /// At random, with one probability for all.
    Random,
    /// As `adaptive`, with a teacher that is trained too: its segments of the grafted network
    /// follow the routing objective.
    Joint,
    /// As a list says, the same for all samples and steps.
    Fixed,
}

impl RoutingMode {
    /// All modes.
    pub const ALL: [Self; 6] = [
        Self::Always,
        Self::Adaptive,
        Self::Anti,
        Self::Random,
        Self::Joint,
        Self::Fixed,
    ];

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Adaptive => "adaptive",
            Self::Anti => "anti",
            Self::Random => "random",
            Self::Joint => "joint",
            Self::Fixed => "fixed",
        }
    }

    /// Whether a policy chooses.
    pub fn has_policy(self) -> bool {
        matches!(self, Self::Adaptive | Self::Anti | Self::Joint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_recipes() {
        for mode in RoutingMode::ALL {
            let written = serde_json::to_value(mode).expect("JSON");
            assert_eq!(written, mode.name());
        }
    }
}
