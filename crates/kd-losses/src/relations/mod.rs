//! Losses of relations: between samples, channels, regions or stages.
//!
//! They compare how samples, channels or stages relate, so that lengths may differ, and most have no
//! parameters. They need batches of some size.
//!
//! | method | the student matches | cost | parameters | when |
//! |---|---|---|---|---|
//! | `sp` ([`SpLoss`]) | which samples are similar | a Gram matrix of the batch | none | different architectures |
//! | `rkd` ([`RkdLoss`]) | distances and angles between samples | `N³` scalars, in slices | none | metric learning |
//! | `pkt` ([`PktLoss`]) | the distribution of similarities | a Gram matrix of the batch | none | retrieval; different lengths |
//! | `cc` ([`CcLoss`]) | correlations between samples | two matrices | embeddings | a cheap addition |
//! | `irg` ([`IrgLoss`]) | samples, their distances, and how layers change both | distance matrices | none | deep students |
//! | `crd` ([`CrdLoss`]) | which of many samples it is | a product with a bank of all samples | embeddings, banks | the strongest single method of its comparison; training sets that fit a bank |
//! | `fsp` ([`FspLoss`]) | how one stage leads to the next | products of adjacent maps | none | equal channels; pretraining |
//! | `kdsvd` ([`KdSvdLoss`]) | singular vectors of the maps | an eigenvector iteration | none | equal channels |
//! | `askd` ([`AskdLoss`]) | similarities of classes and of regions | pooled maps | connectors | strong and weak students alike |

mod askd;
mod cc;
mod class_similarity;
mod crd;
mod distances;
mod fsp;
mod irg;
mod kdsvd;
mod pkt;
mod regional_similarity;
mod rkd;
mod singular;
mod sp;

pub use askd::{AskdLoss, AskdLossConfig, AskdPosition};
pub use cc::{CcConvention, CcEmbeds, CcLoss, CcLossConfig};
pub use class_similarity::{ClassSimilarityLoss, ClassSimilarityLossConfig};
pub use crd::{CrdLoss, CrdLossConfig, CrdSampling};
pub use fsp::{FspLoss, FspLossConfig};
pub use irg::{IrgFeatures, IrgLoss, IrgLossConfig, IrgParts};
pub use kdsvd::{KdSvdConvention, KdSvdLoss, KdSvdLossConfig, SingularVectors};
pub use pkt::{PktConvention, PktLoss, PktLossConfig};
pub use regional_similarity::{RegionShrink, RegionalSimilarityLoss, RegionalSimilarityLossConfig};
pub use rkd::{RkdLoss, RkdLossConfig};
pub use sp::{SpLoss, SpLossConfig};
