//! Sweep files.

use std::path::Path;

use kd_losses::{Method, nearest_name};
use kd_train::{Overlay, Shorthand, from_yaml};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::cell::published_name;
use super::draft::{Draft, DraftLabels};
use super::error::SweepError;
use super::plan::selected;
use crate::{Report, recipe};

/// The content of a sweep file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SweepFile {
    /// Keys of every recipe.
    base: Map<String, Value>,
    /// The seeds of every cell that has none of its own.
    pub(super) seeds: Option<Vec<u64>>,
    cells: Vec<CellEntry>,
    matrix: Vec<MatrixEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CellEntry {
    /// A recipe of the catalog, or words or the beginning of names that select several.
    recipe: Option<String>,
    name: Option<String>,
    /// The cell or recipe that trains the teacher, or a network.
    teacher: Option<String>,
    /// Which of the teacher's weights are taken.
    weights: Option<Report>,
    set: Map<String, Value>,
    seeds: Option<Vec<u64>>,
    method: Option<String>,
    variant: Option<String>,
    pair: Option<[String; 2]>,
    report: Option<Report>,
}

/// Methods by routing modes over one pair.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MatrixEntry {
    teacher: String,
    student: String,
    /// Methods by name, or with parameters.
    methods: Vec<Value>,
    #[serde(default = "always")]
    routing: Vec<String>,
    #[serde(default)]
    weights: Option<Report>,
    #[serde(default)]
    set: Map<String, Value>,
    #[serde(default)]
    seeds: Option<Vec<u64>>,
}

fn always() -> Vec<String> {
    vec!["always".to_owned()]
}

impl SweepFile {
    pub(super) fn read(path: &Path) -> Result<Self, SweepError> {
        let text = std::fs::read_to_string(path).map_err(|error| SweepError::io(path, error))?;
        let file: Option<Self> = from_yaml(&text).map_err(|reason| unreadable(path, &reason))?;
        let file = file.unwrap_or_default();
        if file.cells.is_empty() && file.matrix.is_empty() {
            return Err(unreadable(
                path,
                "no `cells` and no `matrix`: nothing to run",
            ));
        }
        Ok(file)
    }

    /// The recipes of the file.
    pub(super) fn drafts(&self, path: &Path) -> Result<Vec<Draft>, SweepError> {
        let mut drafts = Vec::new();
        for (index, entry) in self.cells.iter().enumerate() {
            let place = format!("cells.{index}");
            drafts.extend(entry.drafts(path, &place)?);
        }
        for (index, entry) in self.matrix.iter().enumerate() {
            drafts.extend(entry.drafts(path, &format!("matrix.{index}"))?);
        }
        Ok(drafts)
    }

    /// Keys of every recipe.
    pub(super) fn base(&self, path: &Path) -> Result<Overlay, SweepError> {
        keys(path, "base", &self.base)
    }
}

impl CellEntry {
    fn drafts(&self, path: &Path, place: &str) -> Result<Vec<Draft>, SweepError> {
        let set = keys(path, &format!("{place}.set"), &self.set)?;
        let mut drafts = match (&self.recipe, &self.name) {
            (Some(words), name) => {
                let selected = match recipe(words) {
                    Ok(recipe) => vec![recipe],
                    Err(_) => {
                        let words = words.split_whitespace().map(str::to_owned);
                        selected(&words.collect::<Vec<_>>())?
                    }
                };
                if let (Some(name), true) = (name, selected.len() > 1) {
                    let count = selected.len();
                    let reason = format!("{place}: `{name}` is one name for {count} recipes");
                    return Err(unreadable(path, &reason));
                }
                let mut drafts: Vec<_> = selected.iter().map(Draft::named).collect();
                for (draft, name) in drafts.iter_mut().zip(name) {
                    draft.name.clone_from(name);
                }
                drafts
            }
            (None, Some(name)) => vec![Draft::new(name)],
            (None, None) => {
                let reason = format!("{place}: needs a `recipe` of the catalog or a `name`");
                return Err(unreadable(path, &reason));
            }
        };
        for draft in &mut drafts {
            draft.set = set.clone();
            draft.seeds.clone_from(&self.seeds);
            if let Some(teacher) = &self.teacher {
                draft.teacher = Some(teacher.clone());
            }
            draft.weights = self.weights.unwrap_or(draft.weights);
            draft.relabel(DraftLabels {
                method: self.method.clone(),
                variant: self.variant.clone(),
                pair: self.pair.clone(),
                report: self.report,
            });
        }
        Ok(drafts)
    }
}

impl MatrixEntry {
    fn drafts(&self, path: &Path, place: &str) -> Result<Vec<Draft>, SweepError> {
        let set = keys(path, &format!("{place}.set"), &self.set)?;
        let mut drafts = Vec::new();
        for (index, entry) in self.methods.iter().enumerate() {
            let method = method(entry).map_err(|reason| {
                unreadable(path, &format!("{place}.methods.{index}: {reason}"))
            })?;
            let name = method.name();
            let terms = Shorthand {
                method: Some(method.clone()),
                ..Shorthand::default()
            }
            .terms();
            for mode in &self.routing {
                let mut draft =
                    Draft::new(&format!("{}-{}-{name}-{mode}", self.teacher, self.student));
                draft.set.set("student.network", &self.student);
                draft.set.set("losses", &terms);
                draft.set.set("routing.mode", mode);
                draft.set = set.clone().over(draft.set);
                draft.teacher = Some(self.teacher.clone());
                draft.weights = self.weights.unwrap_or(draft.weights);
                draft.seeds.clone_from(&self.seeds);
                draft.relabel(DraftLabels {
                    method: Some(published_name(name)),
                    ..DraftLabels::default()
                });
                drafts.push(draft);
            }
        }
        Ok(drafts)
    }
}

/// A method by its name, or with parameters.
fn method(entry: &Value) -> Result<Method, String> {
    match entry {
        Value::String(name) => Method::by_name(name).map_err(|error| error.to_string()),
        full => serde_json::from_value(full.clone()).map_err(|error| error.to_string()),
    }
}

/// Keys of a recipe in a sweep file.
fn keys(path: &Path, place: &str, map: &Map<String, Value>) -> Result<Overlay, SweepError> {
    let overlay = Overlay::from(map.clone());
    match overlay.recipe() {
        Ok(_) => Ok(overlay),
        Err(error) => Err(unreadable(path, &format!("{place}.{error}"))),
    }
}

fn unreadable(path: &Path, reason: &str) -> SweepError {
    SweepError::File {
        path: path.to_owned(),
        reason: with_nearest(reason),
    }
}

/// A message on one line, which names the nearest key instead of all of them.
fn with_nearest(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((before, rest)) = message.split_once("unknown field `") else {
        return message;
    };
    let Some((unknown, expected)) = rest.split_once('`') else {
        return message;
    };
    let known = expected.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    match nearest_name(unknown, known.filter(|name| !name.is_empty())) {
        Some(nearest) => format!("{before}unknown key `{unknown}`; did you mean `{nearest}`?"),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_answered_by_the_nearest() {
        let message = "line 2: unknown field `sed`, expected one of `base`, `seeds`, `cells`";
        assert_eq!(
            with_nearest(message),
            "line 2: unknown key `sed`; did you mean `seeds`?"
        );
        let message = "unknown field `seds`, expected one of base, seeds, cells at line 2";
        let expected = "unknown key `seds`; did you mean `seeds`?";
        assert_eq!(with_nearest(message), expected);
        let message = "unknown field `xyz`, expected `name`";
        assert_eq!(with_nearest(message), message);
    }
}
