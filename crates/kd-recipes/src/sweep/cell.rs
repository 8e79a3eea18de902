//! One run of a sweep.

use std::path::Path;

use kd_train::{Recipe, RunResult};
use serde::{Deserialize, Serialize};

use super::error::SweepError;
use super::folder::SweepFolder;
use crate::{NamedRecipe, Report};

/// One run of a sweep: a recipe with one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Its name, which is that of its folder: the recipe's name and the seed.
    pub name: String,
    /// The complete recipe.
    pub recipe: Recipe,
    /// The name of the cell that trains its teacher.
    pub needs: Option<String>,
    /// Whether it was asked for, and not only needed by another.
    pub wanted: bool,
    /// Where it stands in a table.
    pub labels: Labels,
}

/// The cells that were planned in the folder of a sweep, by name; `None` if it is none.
///
/// # Errors
///
/// [`SweepError`] naming the file that cannot be read.
pub fn planned(out: &Path) -> Result<Option<Vec<Cell>>, SweepError> {
    let folder = SweepFolder::new(out);
    folder.exists().then(|| folder.cells()).transpose()
}

/// Where a run stands in a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// The published study that it repeats.
    pub study: Option<String>,
    /// The data set.
    pub data: String,
    /// The teacher; none for a network that learns from labels alone.
    pub teacher: Option<String>,
    /// The student.
    pub student: String,
    /// The method, or `-`.
    pub method: String,
    /// How the samples to distill are chosen: `standard`, `adaptive`, …; `alone` without a teacher.
    pub variant: String,
    /// The epoch whose figure the study reports.
    pub report: Option<Report>,
}

impl Labels {
    /// The labels of a recipe of the catalog.
    pub(crate) fn of_named(recipe: &NamedRecipe) -> Self {
        Self {
            study: Some(recipe.study.clone()),
            data: recipe.data.clone(),
            teacher: recipe.teacher.clone(),
            student: recipe.student.clone(),
            method: recipe.method.clone(),
            variant: recipe.variant.clone(),
            report: Some(recipe.report),
        }
    }

    /// What a recipe says of itself, and its result, if there is one.
    pub(crate) fn of_recipe(recipe: &Recipe, result: Option<&RunResult>) -> Self {
        let network = recipe.student.network.map(|network| network.name());
        let student = result.map(|result| result.student.as_str()).or(network);
        let teacher = result.and_then(|result| result.teacher.clone());
        let teacher = teacher.or_else(|| others(recipe));
        let standard = match teacher {
            Some(_) => "standard",
            None => "alone",
        };
        Self {
            study: None,
            data: recipe.data.name.name().to_owned(),
            teacher,
            student: student.unwrap_or("?").to_owned(),
            method: method(recipe),
            variant: match recipe.routing.mode.name() {
                "always" => standard.to_owned(),
                mode => mode.to_owned(),
            },
            report: None,
        }
    }
}

/// The networks that a recipe names to learn from; `?` for weights that no name says.
fn others(recipe: &Recipe) -> Option<String> {
    let teachers = recipe.teacher.network.iter();
    let teachers = teachers.flat_map(|networks| networks.as_slice());
    let peers = recipe.peers.iter().filter_map(|peer| peer.network.as_ref());
    let names: Vec<&str> = teachers
        .chain(peers)
        .map(|network| network.name())
        .collect();
    match names.is_empty() {
        true => recipe.distills().then(|| UNNAMED.to_owned()),
        false => Some(names.join("+")),
    }
}

/// What stands for a teacher that is named by its weights alone.
pub(crate) const UNNAMED: &str = "?";

/// The terms that distill, as the literature writes them.
fn method(recipe: &Recipe) -> String {
    let terms = recipe.losses.iter();
    let names: Vec<String> = terms
        .filter(|term| !matches!(term.loss, kd_losses::Method::Ce(_)))
        .map(|term| published_name(term.label()))
        .collect();
    match names.is_empty() {
        true => "-".to_owned(),
        false => names.join("+"),
    }
}

/// The name of a method as the tables of the literature have it.
pub(crate) fn published_name(name: &str) -> String {
    match name {
        "hint" => "FitNet",
        "kdrefine" => "KDrefine",
        "logits" => "Logits",
        "lwm" => "LwM",
        "reviewkd" => "ReviewKD",
        "semckd" => "SemCKD",
        "sobolev" => "Sobolev",
        other => return other.to_uppercase(),
    }
    .to_owned()
}
