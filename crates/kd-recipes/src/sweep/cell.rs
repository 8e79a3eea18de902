//! One run of a sweep.

use kd_train::{Recipe, RunResult};
use serde::{Deserialize, Serialize};

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
        let teacher = recipe.teacher.network.map(|network| network.name());
        let student = result.map(|result| result.student.as_str()).or(network);
        let named = result.and_then(|result| result.teacher.as_deref());
        let teacher = named.or(teacher).or(recipe.distills().then_some("?"));
        let standard = match teacher {
            Some(_) => "standard",
            None => "alone",
        };
        Self {
            study: None,
            data: recipe.data.name.name().to_owned(),
            teacher: teacher.map(str::to_owned),
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
