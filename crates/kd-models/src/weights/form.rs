//! Which form of a network a file holds.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::parameters::zeroed;
use crate::{AnyNetwork, Architecture, Foldable};

/// The form of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As it is trained.
    #[default]
    Trained,
    /// After [`deploy`](Foldable::deploy).
    Deployed,
    /// After [`fold_batch_norm`](Foldable::fold_batch_norm).
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

    /// Brings a trained network into this form. All but the trained form are for evaluation.
    pub fn of(self, network: AnyNetwork) -> AnyNetwork {
        match self {
            Self::Trained => network,
            Self::Deployed => network.deploy(),
            Self::Folded => network.fold_batch_norm(),
        }
    }

    /// A network in this form, to be filled. Nothing is drawn.
    pub(super) fn blank(
        self,
        architecture: Architecture,
        classes: usize,
        device: &Device,
    ) -> AnyNetwork {
        let network = architecture.init(classes, device);
        match self {
            // Burn draws parameters when they are first read.
            Self::Trained => network,
            _ => self.of(zeroed(network)),
        }
    }
}
