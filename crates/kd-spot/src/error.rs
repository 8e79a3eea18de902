//! Errors of this crate.

use kd_core::AlignmentError;
use kd_losses::LossError;

use crate::{Convention, CutShape, RoutingMode};

/// Why two networks cannot be grafted. Each message is one line and says what to change.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpotError {
    /// Cuts that are not pairs of stages, in order.
    #[error("cuts after {0}")]
    Cuts(#[from] AlignmentError),
    /// A cut is before the pooling in one network and after it in the other.
    #[error(
        "cannot connect {from:?} to {to:?}: cut both networks before their pooling, or after it"
    )]
    Shapes {
        /// The feature to start from.
        from: CutShape,
        /// The feature to reach.
        to: CutShape,
    },
    /// A value that cannot be used.
    #[error("routing.{parameter} is {value}, expected {expected}")]
    Parameter {
        /// What it is.
        parameter: &'static str,
        /// The value.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A value that the mode does not use.
    #[error("routing.{parameter} cannot be used with routing.mode: {}", mode.name())]
    Unused {
        /// What it is.
        parameter: &'static str,
        /// The mode.
        mode: RoutingMode,
    },
    /// A value that the mode uses by another convention only.
    #[error(
        "routing.{parameter} cannot be used with routing.mode: {} by routing.convention: {}",
        mode.name(),
        convention.name()
    )]
    UnusedByConvention {
        /// What it is.
        parameter: &'static str,
        /// The mode.
        mode: RoutingMode,
        /// The convention.
        convention: Convention,
    },
    /// Fixed gates are missing.
    #[error(
        "routing.gates is missing: specify for each spot whether to distill, for example [true, false]"
    )]
    NoGates,
    /// There are not as many fixed gates as spots.
    #[error("routing.gates is {gates:?}, expected one for each spot: {spots}")]
    GateCount {
        /// The gates.
        gates: Vec<bool>,
        /// The names of the spots.
        spots: String,
    },
    /// The device does not give what was computed.
    #[error("cannot read the routing from the device: {0}")]
    Device(String),
    /// No adapter leads from one map to the other.
    #[error(transparent)]
    Adapter(#[from] LossError),
}

impl SpotError {
    pub(crate) fn parameter(
        parameter: &'static str,
        value: impl ToString,
        expected: &'static str,
    ) -> Self {
        Self::Parameter {
            parameter,
            value: value.to_string(),
            expected,
        }
    }
}
