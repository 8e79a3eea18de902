//! The vocabulary that networks, losses and routing share in knowledge distillation.
//!
//! | noun | what |
//! |---|---|
//! | [`Network`] | a classifier as a list of stages; two methods are required |
//! | [`Feature`], [`Features`], [`FeatureShapes`] | what flows between stages, and what a network hands out |
//! | [`Requirements`], [`Site`] | where a loss acts, and what it reads |
//! | [`Alignment`] | which stages of two networks correspond |
//! | [`Classifier`], [`NormAffine`], [`DifferentiableHead`] | what a few losses take from a network |
//!
//! Nothing here knows a particular network, loss or data set: implement [`Network`] for a network
//! of your own, and every loss of `kd-losses` and every routing of `kd-spot` works with it.

mod alignment;
mod differentiable;
mod feature;
mod features;
mod frozen;
mod host;
mod initialize;
mod network;
mod parts;
mod requirements;

pub use alignment::{Alignment, AlignmentError};
pub use differentiable::DifferentiableHead;
pub use feature::Feature;
pub use features::{FeatureShapes, Features};
pub use frozen::Frozen;
pub use host::{host, seed};
pub use initialize::initialize;
pub use network::Network;
pub use parts::{Classifier, NormAffine};
pub use requirements::{Reads, Requirements, Site};
