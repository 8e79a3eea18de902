//! Errors of this crate.

use kd_losses::LossError;

use crate::CutShape;

/// Why two networks cannot be grafted. Each message is one line and says what to change.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpotError {
    /// Cuts that are not pairs of stages, in order.
    #[error(
        "cuts after stages {student:?} of the student and {teacher:?} of the teacher: {reason}"
    )]
    Cuts {
        /// The student's.
        student: Vec<usize>,
        /// The teacher's.
        teacher: Vec<usize>,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// A cut is before the pooling in one network and after it in the other.
    #[error(
        "nothing leads from {from:?} to {to:?}: cut both networks before their pooling, or after it"
    )]
    Shapes {
        /// The feature to start from.
        from: CutShape,
        /// The feature to reach.
        to: CutShape,
    },
    /// A number that cannot be used.
    #[error("routing {parameter}: {value} is not {expected}")]
    Parameter {
        /// What it is.
        parameter: &'static str,
        /// The value.
        value: f64,
        /// What was expected.
        expected: &'static str,
    },
    /// The device does not give what was computed.
    #[error("cannot read the routing from the device: {0}")]
    Device(String),
    /// No adapter leads from one map to the other.
    #[error(transparent)]
    Adapter(#[from] LossError),
}

impl SpotError {
    pub(crate) fn parameter(parameter: &'static str, value: f64, expected: &'static str) -> Self {
        Self::Parameter {
            parameter,
            value,
            expected,
        }
    }
}
