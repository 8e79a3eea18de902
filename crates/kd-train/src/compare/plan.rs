//! The runs of a comparison.

use std::path::Path;

use kd_losses::Method;
use kd_models::Architecture;
use kd_spot::{RoutingConfig, RoutingMode};

use super::defaults;
use crate::{OneOrMany, Overlay, Recipe, TrainError};

/// Methods that the comparison runs.
pub const METHODS: &[&str] = &["kd", "at"];

/// Label and folder of the teacher.
pub(super) const TEACHER: &str = "teacher";

/// What is run for a line of the comparison: folders under that of the comparison, and recipes.
pub(super) struct Line {
    pub label: String,
    pub standard: Vec<(String, Recipe)>,
    pub routed: Vec<(String, Recipe)>,
}

/// The lines of a comparison.
pub(super) fn plan(overlay: &Overlay, seeds: usize, out: &Path) -> Result<Vec<Line>, TrainError> {
    let common = defaults::student(overlay)?;
    check(overlay, &common, seeds)?;
    let mut lines = Vec::new();
    let mut teacher = common.teacher.clone();
    if teacher.weights.is_none() {
        let named = teacher.network.as_ref().and_then(OneOrMany::first).copied();
        let network = named.map_or_else(|| Architecture::by_name("resnet14"), Ok)?;
        let mut recipe = alone(&defaults::teacher(overlay)?, network);
        recipe.student.weights = None;
        teacher.network = Some(network.into());
        teacher.weights = Some(out.join(TEACHER).join("student.safetensors").into());
        lines.push(line(TEACHER, TEACHER, recipe, None, 1)?);
    }
    let student = common
        .student
        .network
        .map_or_else(|| Architecture::by_name("resnet8"), Ok)?;
    let recipe = alone(&common, student);
    lines.push(line("student alone", "alone", recipe.clone(), None, seeds)?);
    let routing = defaults::routing(&common);
    for name in METHODS {
        let standard = Recipe {
            teacher: teacher.clone(),
            losses: defaults::terms(Method::by_name(name)?, &common).terms(),
            ..recipe.clone()
        };
        let routed = Recipe {
            routing: routing.clone(),
            ..standard.clone()
        };
        let label = format!("student by {name}");
        lines.push(match routing.mode {
            // Options of routing are mistakes here, which resolving finds.
            RoutingMode::Always => line(&label, name, routed, None, seeds)?,
            _ => line(&label, name, standard, Some(routed), seeds)?,
        });
    }
    Ok(lines)
}

/// Refuses what the comparison varies.
fn check(overlay: &Overlay, common: &Recipe, seeds: usize) -> Result<(), TrainError> {
    TrainError::at_least_one("seeds", Some(seeds))?;
    let refused = |field, what| Err(TrainError::conflict(field, what));
    if overlay.has("losses") {
        return refused("losses", "a comparison, where each method has its own");
    }
    if !common.peers.is_empty() {
        return refused("peers", "a comparison, which has a teacher");
    }
    if common.routing.mode == RoutingMode::Fixed {
        let what = "a comparison: the methods have different spots";
        return refused("routing.mode: fixed", what);
    }
    Ok(())
}

/// A network without a teacher.
fn alone(common: &Recipe, network: Architecture) -> Recipe {
    let mut recipe = Recipe {
        teacher: Default::default(),
        routing: RoutingConfig::default(),
        losses: Vec::new(),
        ..common.clone()
    };
    recipe.student.network = Some(network);
    recipe
}

fn line(
    label: &str,
    folder: &str,
    standard: Recipe,
    routed: Option<Recipe>,
    seeds: usize,
) -> Result<Line, TrainError> {
    let routed = routed.map(|recipe| {
        let folder = format!("{folder}-{}", recipe.routing.mode.name());
        over_seeds(&folder, &recipe, seeds)
    });
    Ok(Line {
        label: label.to_owned(),
        standard: over_seeds(folder, &standard, seeds)?,
        routed: routed.transpose()?.unwrap_or_default(),
    })
}

/// A recipe with each seed, and the folder of its run: one of several has its seed in its name.
fn over_seeds(
    folder: &str,
    recipe: &Recipe,
    seeds: usize,
) -> Result<Vec<(String, Recipe)>, TrainError> {
    let first = recipe.train.seed;
    (0..seeds as u64)
        .map(|index| {
            let mut recipe = recipe.clone();
            recipe.train.seed = first.checked_add(index).ok_or_else(|| {
                TrainError::value(
                    "train.seed",
                    first,
                    "a number that leaves room for all seeds",
                )
            })?;
            let folder = match seeds {
                1 => folder.to_owned(),
                _ => format!("{folder}-seed-{}", recipe.train.seed),
            };
            Ok((folder, recipe.resolved()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(overlay: &Overlay, seeds: usize) -> Vec<Line> {
        plan(overlay, seeds, Path::new("out")).expect("a plan")
    }

    fn folders(line: &Line) -> Vec<&str> {
        let runs = line.standard.iter().chain(&line.routed);
        runs.map(|(folder, _)| folder.as_str()).collect()
    }

    #[test]
    fn students_have_seeds_and_share_the_teacher() {
        let lines = planned(&Overlay::default(), 2);
        assert_eq!(folders(&lines[0]), ["teacher"]);
        assert_eq!(folders(&lines[1]), ["alone-seed-0", "alone-seed-1"]);
        let at = [
            "at-seed-0",
            "at-seed-1",
            "at-adaptive-seed-0",
            "at-adaptive-seed-1",
        ];
        assert_eq!(folders(&lines[3]), at);
        let (teacher, student) = (&lines[0].standard[0].1, &lines[3].standard[1].1);
        assert_eq!(
            (teacher.data.limit_train, student.data.limit_train),
            (None, Some(800))
        );
        assert_eq!((teacher.train.seed, student.train.seed), (0, 1));
        assert_eq!(student.losses[1].weight, 300.0);
        assert_eq!(lines[3].routed[0].1.routing.bias, Some(1.0));
        assert_eq!(folders(&planned(&Overlay::default(), 1)[1]), ["alone"]);
    }

    #[test]
    fn what_the_recipe_says_holds_for_all() {
        let mut overlay = Overlay::default();
        overlay.set("train.epochs", 3);
        overlay.set("data.procedural.train", 100);
        overlay.set(
            "routing",
            serde_json::json!({ "mode": "adaptive", "gamma": 2.0 }),
        );
        for line in planned(&overlay, 1) {
            for (_, recipe) in line.standard.iter().chain(&line.routed) {
                assert_eq!(recipe.train.epochs, Some(3));
                assert_eq!(recipe.data.limit_train, None);
                assert_ne!(recipe.routing.bias, Some(1.0));
            }
        }
    }

    #[test]
    fn other_images_keep_the_defaults_of_the_field() {
        let mut overlay = Overlay::default();
        overlay.set(
            "data",
            serde_json::json!({ "name": "cifar100", "root": "data" }),
        );
        let lines = planned(&overlay, defaults::default_seeds(&overlay).expect("seeds"));
        let (folder, at) = &lines[3].standard[0];
        assert_eq!(folder, "at");
        assert_eq!((at.train.epochs, at.losses[1].weight), (Some(240), 1000.0));
    }

    #[test]
    fn what_it_varies_is_refused() {
        let mut overlay = Overlay::default();
        overlay.set(
            "losses",
            serde_json::json!([{ "name": "ce", "weight": 1.0 }]),
        );
        assert!(plan(&overlay, 1, Path::new("out")).is_err());
        assert!(plan(&Overlay::default(), 0, Path::new("out")).is_err());
        let mut last = Overlay::default();
        last.set("train.seed", u64::MAX);
        assert!(plan(&last, 2, Path::new("out")).is_err());
    }
}
