//! The ways to choose.

use serde::{Deserialize, Serialize};

/// How the samples to distil are chosen, at each spot and in each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Routing {
    /// All samples at all spots: standard distillation.
    #[default]
    Always,
    /// As a policy chooses, which is trained on the grafted network: a sample is distilled where the
    /// policy takes the teacher.
    Adaptive,
    /// The opposite: a sample is distilled where the policy takes the student.
    Anti,
    /// At random, with one probability for all.
    Random,
    /// As `adaptive`, with a teacher that is trained too: its segments of the grafted network follow
    /// the routing objective.
    Joint,
    /// As a list says, the same for all samples and steps.
    Fixed,
}

impl Routing {
    /// All ways by their names.
    pub const NAMES: &[(&str, Routing)] = &[
        ("always", Routing::Always),
        ("adaptive", Routing::Adaptive),
        ("anti", Routing::Anti),
        ("random", Routing::Random),
        ("joint", Routing::Joint),
        ("fixed", Routing::Fixed),
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        let mut names = Self::NAMES.iter();
        names
            .find(|(_, routing)| *routing == self)
            .map_or("always", |(name, _)| name)
    }

    /// Whether a policy chooses.
    pub fn has_policy(self) -> bool {
        matches!(self, Self::Adaptive | Self::Anti | Self::Joint)
    }
}
