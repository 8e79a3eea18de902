//! The comparison that the quick start shows: a teacher, a student alone, and the same student
//! by several methods.

use std::path::{Path, PathBuf};

use kd_losses::Method;
use kd_models::Architecture;

use crate::{Draft, Observer, RunOptions, RunResult, TrainError, run};

/// A line of the comparison.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was done.
    pub label: String,
    /// What came out.
    pub result: RunResult,
    /// Whether an earlier run with the same recipe was taken over.
    pub reused: bool,
}

/// Methods that the comparison runs.
pub const METHODS: &[&str] = &["kd", "at"];

/// Trains a teacher (unless the draft names its weights), a student alone and the student by each
/// of [`METHODS`], each in a folder of its own under `out`.
///
/// A run that is complete with the same recipe is not repeated, and one that was stopped is
/// continued. `announce` is told before each run what it is.
///
/// # Errors
///
/// As [`run`]; [`TrainError::Missing`] if the draft has weights of loss parts, which belong to one
/// method.
pub fn compare(
    draft: &Draft,
    out: &Path,
    observer: &mut dyn Observer,
    announce: &mut dyn FnMut(&str),
) -> Result<Vec<Row>, TrainError> {
    if draft
        .weight_ce
        .or(draft.weight_kd)
        .or(draft.weight_method)
        .is_some()
    {
        return Err(TrainError::Missing {
            field: "method",
            hint: "weights belong to one method; the comparison takes each method's own".to_owned(),
        });
    }
    let student = Some(draft.student.map_or_else(|| "resnet8".parse(), Ok)?);
    let teacher: Option<Architecture> = match (&draft.teacher, &draft.teacher_weights) {
        (None, None) => Some("resnet14".parse()?),
        (teacher, _) => *teacher,
    };
    // A member has its own networks and method; everything else is the draft's.
    let common = Draft {
        teacher: None,
        teacher_weights: None,
        fold_teacher: None,
        teacher_cache: None,
        method: None,
        student,
        ..draft.clone()
    };

    let mut rows = Vec::new();
    let mut member = |label: String, folder: &str, draft: Draft| -> Result<PathBuf, TrainError> {
        let recipe = draft.finish()?;
        let options = RunOptions {
            out: out.join(folder),
            resume: true,
        };
        announce(&label);
        let reused = options.out.join("result.json").exists();
        let result = run(&recipe, &options, observer)?;
        rows.push(Row {
            label,
            result,
            reused,
        });
        Ok(options.out)
    };

    let teacher_weights = match (&draft.teacher_weights, teacher) {
        (Some(path), _) => path.clone(),
        (None, teacher) => {
            let draft = Draft {
                student: teacher,
                ..common.clone()
            };
            member("teacher".to_owned(), "teacher", draft)?.join("student.safetensors")
        }
    };
    member("student alone".to_owned(), "alone", common.clone())?;
    for name in METHODS {
        let draft = Draft {
            teacher,
            teacher_weights: Some(teacher_weights.clone()),
            fold_teacher: draft.fold_teacher,
            teacher_cache: draft.teacher_cache.clone(),
            method: Some(Method::by_name(name)?),
            ..common.clone()
        };
        member(format!("student by {name}"), name, draft)?;
    }
    Ok(rows)
}
