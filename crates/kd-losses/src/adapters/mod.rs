//! Learnable adapters between feature shapes.

mod regressor;

pub use regressor::{Regressor, RegressorConfig, RegressorConv};
