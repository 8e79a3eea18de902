//! Errors of this crate.

/// Why a method cannot be used. Each message is one line and says what to change.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// No method has this name.
    #[error("unknown method `{name}`: {}known methods are {known}", hint(suggestion.as_deref()))]
    UnknownMethod {
        /// The name that was asked for.
        name: String,
        /// The known name nearest to it, if one is near.
        suggestion: Option<String>,
        /// All names, comma separated.
        known: String,
    },
    /// Two maps that the method compares differ in shape.
    #[error(
        "student stage {stage} is {}, teacher's is {}: {advice}",
        map(student),
        map(teacher)
    )]
    Shapes {
        /// The stage of both maps; the stem is 0.
        stage: usize,
        /// `[channels, height, width]` of the student's map.
        student: [usize; 3],
        /// `[channels, height, width]` of the teacher's map.
        teacher: [usize; 3],
        /// What to do.
        advice: &'static str,
    },
    /// No convolution leads from the student's map to the teacher's.
    #[error(
        "no regressor maps the student's {} to the teacher's {}: {reason}",
        map(student),
        map(teacher)
    )]
    NoRegressor {
        /// `[channels, height, width]` of the student's map.
        student: [usize; 3],
        /// `[channels, height, width]` of the teacher's map.
        teacher: [usize; 3],
        /// What stands in the way.
        reason: &'static str,
    },
    /// A network has no map of this stage.
    #[error("{method} acts at stage {stage}, but the {network} has maps of {} only", range(*maps))]
    StageOutOfRange {
        /// The method.
        method: &'static str,
        /// `student` or `teacher`.
        network: &'static str,
        /// The stage that was asked for; the stem is 0.
        stage: usize,
        /// Number of maps, the stem's included.
        maps: usize,
    },
    /// The networks have different numbers of stages and the method compares them in pairs.
    #[error(
        "{method} compares stages in pairs, but the student has {student} after the stem and the \
         teacher {teacher}"
    )]
    StageCounts {
        /// The method.
        method: &'static str,
        /// The student's stages after the stem.
        student: usize,
        /// The teacher's stages after the stem.
        teacher: usize,
    },
    /// The networks have different numbers of classes.
    #[error("{method}: the student has {student} classes, the teacher {teacher}")]
    Classes {
        /// The method.
        method: &'static str,
        /// The student's classes.
        student: usize,
        /// The teacher's classes.
        teacher: usize,
    },
    /// The method needs more classes.
    #[error("{method} needs at least {least} classes, but the networks have {classes}")]
    TooFewClasses {
        /// The method.
        method: &'static str,
        /// Classes of both networks.
        classes: usize,
        /// Least number of classes.
        least: usize,
    },
    /// The setup lacks something that the method needs.
    #[error("{method} needs {what}")]
    Incomplete {
        /// The method.
        method: &'static str,
        /// What is missing, and how to give it.
        what: &'static str,
    },
    /// Two features that the method compares differ in a dimension.
    #[error("{method}: the student's {what} is {student:?}, the teacher's {teacher:?}: {advice}")]
    Mismatch {
        /// The method.
        method: &'static str,
        /// What is compared.
        what: &'static str,
        /// The student's shape without the batch.
        student: Vec<usize>,
        /// The teacher's shape without the batch.
        teacher: Vec<usize>,
        /// What to do.
        advice: &'static str,
    },
    /// The weight of a term is out of range.
    #[error("{label}: `weight` is {weight}, expected a finite number, at least 0")]
    Weight {
        /// The term's name in metrics.
        label: String,
        /// Its weight.
        weight: f64,
    },
    /// The stages of two networks do not correspond.
    #[error(transparent)]
    Alignment(#[from] kd_core::AlignmentError),
    /// A parameter of a method is out of range.
    #[error("{method}: `{parameter}` is {value}, expected {expected}")]
    Parameter {
        /// The method.
        method: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("did you mean `{name}`? "))
}

fn map([channels, height, width]: &[usize; 3]) -> String {
    format!("[N, {channels}, {height}, {width}]")
}

fn range(maps: usize) -> String {
    match maps {
        0 => "no stage".to_owned(),
        1 => "stage 0".to_owned(),
        _ => format!("stages 0 to {}", maps - 1),
    }
}
