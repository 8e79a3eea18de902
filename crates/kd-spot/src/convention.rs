//! Whose rules a mode of routing follows.

use serde::{Deserialize, Serialize};

/// Whose rules `random` and `joint` follow: the paper describes neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Convention {
    /// Of this library.
    #[default]
    Kd,
    /// Of the authors' code.
    ///
    /// - `random`: each sample is chosen with probability 1/2, the student's cross-entropy is
    ///   multiplied by `gamma`, and for losses that act at each stage the logits have the gate of
    ///   the last stage.
    /// - `joint`: the teacher is trained as the student is, in training mode and with the same
    ///   rate, on its own cross-entropy and on all terms that compare both; the routing objective
    ///   is `gamma` times the grafted network's cross-entropy.
    Sakd,
}

impl Convention {
    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kd => "kd",
            Self::Sakd => "sakd",
        }
    }
}
