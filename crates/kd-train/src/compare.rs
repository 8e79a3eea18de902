//! The comparison that the quick start shows: a teacher, a student alone, and the same student
//! by several methods.

use std::path::Path;

use kd_losses::Method;
use kd_models::Architecture;
use kd_spot::Routing;

use crate::{Draft, Observer, Recipe, RunOptions, RunResult, TrainError, run};

/// A line of the comparison.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was done.
    pub label: String,
    /// What came out.
    pub result: RunResult,
    /// What came out with routing, for a method.
    pub routed: Option<RunResult>,
    /// Whether earlier runs with the same recipes were taken over.
    pub reused: bool,
}

/// Methods that the comparison runs.
pub const METHODS: &[&str] = &["kd", "at"];

/// Trains a teacher (unless the draft names its weights), a student alone and the student by each
/// of [`METHODS`], with all samples distilled and with routing (`adaptive`, unless the draft names
/// another), each in a folder of its own under `out`.
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
    let alone = common.clone().without_routing();
    let routing = draft.routing.unwrap_or(Routing::Adaptive);
    if routing == Routing::Fixed {
        let expected = "possible in a comparison: the methods have different spots";
        return Err(TrainError::value("routing", "fixed", expected));
    }

    // All recipes first: a mistake is not to be found after hours.
    let mut plan = Vec::new();
    let teacher_weights = match (&draft.teacher_weights, teacher) {
        (Some(path), _) => path.clone(),
        (None, teacher) => {
            let draft = Draft {
                student: teacher,
                ..alone.clone()
            };
            plan.push(Line::new("teacher".to_owned(), "teacher", draft, None)?);
            out.join("teacher").join("student.safetensors")
        }
    };
    plan.push(Line::new("student alone".to_owned(), "alone", alone, None)?);
    for name in METHODS {
        let routed = Draft {
            teacher,
            teacher_weights: Some(teacher_weights.clone()),
            fold_teacher: draft.fold_teacher,
            teacher_cache: draft.teacher_cache.clone(),
            method: Some(Method::by_name(name)?),
            routing: Some(routing),
            ..common.clone()
        };
        let label = format!("student by {name}");
        plan.push(match routing {
            // Options of routing are mistakes here, which `finish` finds.
            Routing::Always => Line::new(label, name, routed, None)?,
            _ => {
                let standard = routed.clone().without_routing();
                Line::new(label, name, standard, Some(routed))?
            }
        });
    }

    let mut run = |label: &str, folder: &str, recipe: &Recipe| {
        let options = RunOptions {
            out: out.join(folder),
            resume: true,
        };
        announce(label);
        let reused = options.out.join("result.json").exists();
        Ok::<_, TrainError>((run(recipe, &options, observer)?, reused))
    };
    let mut rows = Vec::new();
    for line in plan {
        let (result, mut reused) = run(&line.label, &line.folder, &line.standard)?;
        let mut routed = None;
        if let Some(recipe) = &line.routed {
            let kind = recipe.routing.name();
            let label = format!("{}, routing {kind}", line.label);
            let (result, also) = run(&label, &format!("{}-{kind}", line.folder), recipe)?;
            reused &= also;
            routed = Some(result);
        }
        rows.push(Row {
            label: line.label,
            result,
            routed,
            reused,
        });
    }
    Ok(rows)
}

/// What is run for a line of the comparison.
struct Line {
    label: String,
    folder: String,
    standard: Recipe,
    routed: Option<Recipe>,
}

impl Line {
    fn new(
        label: String,
        folder: &str,
        standard: Draft,
        routed: Option<Draft>,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            label,
            folder: folder.to_owned(),
            standard: standard.finish()?,
            routed: routed.map(Draft::finish).transpose()?,
        })
    }
}
