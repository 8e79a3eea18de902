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
mod askd;
mod class_similarity;
mod regional_similarity;
mod similarity;

pub use askd::{AskdConfig, AskdLoss, AskdPosition};
pub use class_similarity::{ClassSimilarityConfig, ClassSimilarityLoss};
pub use regional_similarity::{RegionShrink, RegionalSimilarityConfig, RegionalSimilarityLoss};

mod fsp;

pub use fsp::{FspConfig, FspLoss};

mod irg;

pub use irg::{IrgConfig, IrgFeatures, IrgLoss, IrgParts};
