//! Methods that compare logits.

mod cross_entropy;
mod kd;

pub use cross_entropy::cross_entropy;
pub use kd::{KdLoss, KdLossConfig, KdMethod, NoTerm};
