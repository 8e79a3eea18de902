//! Layers between a student's features and a teacher's, trained together with the student and
//! thrown away afterwards.

mod regressor;

pub use regressor::{Regressor, RegressorConfig, RegressorConv};
