//! Methods that compare relations: between samples, channels, regions or stages.

mod correlation;

pub use correlation::{
    CorrelationConfig, CorrelationConvention, CorrelationEmbeds, CorrelationLoss,
};

mod crd;

pub use crd::{CrdConfig, CrdLoss, CrdSampling};

mod kdsvd;
mod singular;

pub use kdsvd::{KdSvdConfig, KdSvdConvention, KdSvdLoss, SingularVectors};

mod pkt;
mod rkd;
mod similarity_preserving;

pub use pkt::{PktConfig, PktConvention, PktLoss};
pub use rkd::{RkdConfig, RkdLoss};
pub use similarity_preserving::{SimilarityConfig, SimilarityLoss};
