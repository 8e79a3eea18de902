//! Errors of this crate.

/// What can be wrong with a method for two networks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// No method has this name.
    #[error("unknown method `{name}`: expected one of {known}")]
    UnknownMethod {
        /// The name that was asked for.
        name: String,
        /// All names, comma separated.
        known: String,
    },
    /// The networks have not the same number of stages.
    #[error("{method}: the student has {student} stages, the teacher {teacher}: they must be equal")]
    StageCount {
        /// The method.
        method: &'static str,
        /// Stages of the student.
        student: usize,
        /// Stages of the teacher.
        teacher: usize,
    },
    /// A network has no such stage.
    #[error("{method}: stage {stage} does not exist: the {network} has stages 0 to {last}")]
    Stage {
        /// The method.
        method: &'static str,
        /// `student` or `teacher`.
        network: &'static str,
        /// The stage that was asked for.
        stage: usize,
        /// The last stage.
        last: usize,
    },
    /// The networks have not the same classes.
    #[error("{method}: the student has {student} classes, the teacher {teacher}")]
    Classes {
        /// The method.
        method: &'static str,
        /// Classes of the student.
        student: usize,
        /// Classes of the teacher.
        teacher: usize,
    },
    /// A parameter of a method cannot be used.
    #[error("{method}: {parameter} is {value}, expected {expected}")]
    Parameter {
        /// The method.
        method: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// Its value.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A feature map has no extent.
    #[error("{method}: student map {student:?} cannot be brought to the teacher's {teacher:?}: every extent must be at least 1")]
    EmptyMap {
        /// The method.
        method: &'static str,
        /// `[channels, height, width]` of the student.
        student: [usize; 3],
        /// `[channels, height, width]` of the teacher.
        teacher: [usize; 3],
    },
}
