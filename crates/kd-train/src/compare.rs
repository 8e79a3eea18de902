//! The comparison that the quick start shows: a teacher, a student alone, and the same student
//! by several methods.

use std::path::Path;

use kd_losses::Method;
use kd_models::Architecture;
use kd_spot::{RoutingConfig, RoutingMode};
use serde::Serialize;

use crate::{
    Observer, OneOrMany, Overlay, Recipe, RunOptions, RunResult, Shorthand, TrainError, run,
};

/// A line of the comparison.
#[derive(Clone, Debug, Serialize)]
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

/// Trains a teacher (unless the recipe names its weights), a student alone and the student by each
/// of [`METHODS`], with all samples distilled and with routing (`adaptive`, unless the recipe names
/// another), each in a folder of its own under `out`.
///
/// A run that is complete with the same recipe is not repeated, and one that was stopped is
/// continued. `announce` is called with the label of each run before it starts.
///
/// # Errors
///
/// As [`run`], and if the recipe says what the comparison varies.
pub fn compare(
    overlay: &Overlay,
    out: &Path,
    observer: &mut dyn Observer,
    mut announce: impl FnMut(&str),
) -> Result<Vec<Row>, TrainError> {
    if overlay.has("losses") {
        return Err(TrainError::conflict(
            "losses",
            "a comparison, where each method has its own",
        ));
    }
    // All recipes first: a mistake is not to be found after hours.
    let plan = plan(overlay.recipe()?, out)?;
    let mut run = |label: &str, folder: &str, recipe: &Recipe| {
        let options = RunOptions::resuming(out.join(folder));
        announce(label);
        let reused = options.out.join("result.json").exists();
        Ok::<_, TrainError>((run(recipe, &options, observer)?, reused))
    };
    let mut rows = Vec::new();
    for line in plan {
        let (result, mut reused) = run(&line.label, &line.folder, &line.standard)?;
        let mut routed = None;
        if let Some(recipe) = &line.routed {
            let mode = recipe.routing.mode.name();
            let label = format!("{}, routing {mode}", line.label);
            let (result, also) = run(&label, &format!("{}-{mode}", line.folder), recipe)?;
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

/// The runs of a comparison.
fn plan(common: Recipe, out: &Path) -> Result<Vec<Line>, TrainError> {
    let mut routing = common.routing.clone();
    if routing == RoutingConfig::default() {
        routing.mode = RoutingMode::Adaptive;
    }
    if !common.peers.is_empty() {
        let what = "a comparison, which has a teacher";
        return Err(TrainError::conflict("peers", what));
    }
    if routing.mode == RoutingMode::Fixed {
        let what = "a comparison: the methods have different spots";
        return Err(TrainError::conflict("routing.mode: fixed", what));
    }
    let student = common
        .student
        .network
        .map_or_else(|| Architecture::by_name("resnet8"), Ok)?;
    let alone = Recipe {
        teacher: Default::default(),
        routing: RoutingConfig::default(),
        losses: Vec::new(),
        ..common.clone()
    };
    let of = |network: Architecture| {
        let mut recipe = alone.clone();
        recipe.student.network = Some(network);
        recipe
    };
    let mut plan = Vec::new();
    let mut teacher = common.teacher.clone();
    if teacher.weights.is_none() {
        let named = teacher.network.as_ref().and_then(OneOrMany::first).copied();
        let network = named.map_or_else(|| Architecture::by_name("resnet14"), Ok)?;
        let mut recipe = of(network);
        recipe.student.weights = None;
        teacher.network = Some(network.into());
        teacher.weights = Some(out.join("teacher").join("student.safetensors").into());
        plan.push(Line::new("teacher".to_owned(), "teacher", recipe, None)?);
    }
    plan.push(Line::new(
        "student alone".to_owned(),
        "alone",
        of(student),
        None,
    )?);
    for name in METHODS {
        let shorthand = Shorthand {
            method: Some(Method::by_name(name)?),
            ..Shorthand::default()
        };
        let standard = Recipe {
            teacher: teacher.clone(),
            losses: shorthand.terms(),
            ..of(student)
        };
        let routed = Recipe {
            routing: routing.clone(),
            ..standard.clone()
        };
        let label = format!("student by {name}");
        plan.push(match routing.mode {
            // Options of routing are mistakes here, which resolving finds.
            RoutingMode::Always => Line::new(label, name, routed, None)?,
            _ => Line::new(label, name, standard, Some(routed))?,
        });
    }
    Ok(plan)
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
        standard: Recipe,
        routed: Option<Recipe>,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            label,
            folder: folder.to_owned(),
            standard: standard.resolved()?,
            routed: routed.map(Recipe::resolved).transpose()?,
        })
    }
}
