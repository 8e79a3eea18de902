//! Which form of a network a file holds.

use serde::{Deserialize, Serialize};

use crate::{AnyNetwork, Folding, Network};

/// The form of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As it is trained.
    #[default]
    Trained,
    /// After [`deploy`](Network::deploy).
    Deployed,
    /// After [`fold_batch_norm`](Network::fold_batch_norm).
    Folded,
}

impl Form {
    /// The name: `trained`, `deployed` or `folded`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trained => "trained",
            Self::Deployed => "deployed",
            Self::Folded => "folded",
        }
    }

    pub(super) fn is_trained(&self) -> bool {
        *self == Self::Trained
    }

    /// Brings a trained network into this form.
    pub fn of(self, network: AnyNetwork) -> AnyNetwork {
        match self {
            Self::Trained => network,
            Self::Deployed => network.folded(Folding::Units),
            Self::Folded => network.folded(Folding::All),
        }
    }
}
