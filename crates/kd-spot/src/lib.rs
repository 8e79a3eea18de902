//! Spot-adaptive distillation: where, and for which samples, a student imitates its teacher.
//!
//! After Song et al. 2022, Spot-Adaptive Knowledge Distillation,
//! <https://arxiv.org/abs/2205.02399>. Two networks are cut into segments ([`Cuts`]). A [`Policy`]
//! looks at the pooled features of both and chooses, for each sample and each spot (after each
//! segment), teacher or student ([`hard_gumbel_softmax`]). A [`Graft`] runs the segments of either
//! network as chosen, joined by adapters, and is trained on the labels ([`routing_objective`]). The
//! choices are gates of the losses of [`kd_losses`].

mod bridge;
mod choices;
mod constant;
mod counts;
mod cuts;
mod error;
mod features;
mod graft;
mod gumbel;
mod objective;
mod policy;
mod router;
mod routing;

pub use bridge::{Bridge, CutShape};
pub use choices::Choices;
pub use counts::{RoutingCounts, RoutingShares};
pub use cuts::Cuts;
pub use error::SpotError;
pub use features::{features_for_losses, shapes_for_losses};
pub use graft::{Graft, GraftConfig};
pub use gumbel::{hard_gumbel_softmax, uniform_like};
pub use objective::routing_objective;
pub use policy::{Policy, PolicyConfig};
pub use router::{Router, RouterConfig};
pub use routing::Routing;
