//! Methods that compare relations: between samples, channels, regions or stages.

mod askd;
mod class_similarity;
mod regional_similarity;
mod similarity;

pub use askd::{AskdConfig, AskdLoss, AskdPosition};
pub use class_similarity::{ClassSimilarityConfig, ClassSimilarityLoss};
pub use regional_similarity::{RegionShrink, RegionalSimilarityConfig, RegionalSimilarityLoss};
