//! Spot-adaptive distillation: where, and for which samples, a student imitates its teacher.
//!
//! After Song et al. 2022, Spot-Adaptive Knowledge Distillation,
//! <https://arxiv.org/abs/2205.02399>. Two networks are cut into segments ([`Cuts`]). A [`Policy`]
//! looks at the pooled features of both and chooses, for each sample and each spot (after each
//! segment), teacher or student ([`hard_gumbel_softmax`]). A [`Graft`] runs the segments of either
//! network as chosen, joined by adapters, and is trained on the labels ([`routing_objective`]). What is
//! chosen are the gates of the losses of [`kd_losses`]. [`Routing`] has all of it in one, as a
//! [`RoutingConfig`] says.

mod adapter;
mod config;
mod constant;
mod convention;
mod counts;
mod cut_shape;
mod cuts;
mod error;
mod gates;
mod graft;
mod gumbel;
mod mode;
mod objective;
mod placement;
mod policy;
mod router;
mod routing;

pub use adapter::Adapter;
pub use config::RoutingConfig;
pub use convention::Convention;
pub use counts::{GateCounts, GateShares};
pub use cut_shape::CutShape;
pub use cuts::Cuts;
pub use error::SpotError;
pub use gates::Gates;
pub use graft::{Graft, GraftConfig};
pub use gumbel::hard_gumbel_softmax;
pub use mode::RoutingMode;
pub use objective::routing_objective;
pub use placement::CutPlacement;
pub use policy::{Policy, PolicyConfig};
pub use router::{Router, RouterConfig};
pub use routing::Routing;
