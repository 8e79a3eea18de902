//! Recipes by name, generated from a table.

mod build;
mod entry;
mod table;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use kd_losses::nearest_name;
use serde::Serialize;

pub use self::entry::{NamedRecipe, Needs, Report};
use self::table::Study;
use crate::RecipesError;

/// A study: a paper or repository with a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StudyInfo {
    /// The name, with which the names of its recipes begin.
    pub name: String,
    /// What it is.
    pub title: String,
}

struct Catalog {
    studies: Vec<StudyInfo>,
    recipes: Vec<NamedRecipe>,
}

/// The studies that have recipes, in the order of their names.
///
/// # Errors
///
/// As [`recipes`].
pub fn studies() -> Result<&'static [StudyInfo], RecipesError> {
    Ok(&catalog()?.studies)
}

/// All recipes, study by study in the order of their names.
///
/// # Errors
///
/// [`RecipesError::Table`] if the table of this crate cannot be read, which a test rules out.
pub fn recipes() -> Result<&'static [NamedRecipe], RecipesError> {
    Ok(&catalog()?.recipes)
}

fn catalog() -> Result<&'static Catalog, RecipesError> {
    static CATALOG: OnceLock<Result<Catalog, String>> = OnceLock::new();
    let read = || {
        let text = include_str!("../../data/studies.yaml");
        let studies: BTreeMap<String, Study> =
            serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let recipes = studies
            .iter()
            .flat_map(|(name, study)| build::recipes(name, study));
        Ok(Catalog {
            recipes: recipes.collect(),
            studies: studies
                .iter()
                .map(|(name, study)| StudyInfo {
                    name: name.clone(),
                    title: study.title.clone(),
                })
                .collect(),
        })
    };
    match CATALOG.get_or_init(read) {
        Ok(catalog) => Ok(catalog),
        Err(reason) => Err(RecipesError::Table {
            table: "studies.yaml",
            reason: reason.clone(),
        }),
    }
}

/// The recipe of this name. Upper and lower case, hyphens and underscores are the same.
///
/// # Errors
///
/// [`RecipesError::Unknown`] with the nearest name.
pub fn recipe(name: &str) -> Result<NamedRecipe, RecipesError> {
    let wanted = plain(name);
    let all = recipes()?;
    let found = all.iter().find(|recipe| plain(&recipe.name) == wanted);
    found.cloned().ok_or_else(|| unknown(name, all))
}

/// The recipes that a list of patterns selects: a name, the beginning of names up to a hyphen
/// (`sakd-cifar100`), or words (`adaptive`, `resnet20`, `at`), all of which a name must have between
/// its hyphens. Without patterns, all.
///
/// # Errors
///
/// [`RecipesError::Unknown`] for a pattern that no recipe has.
pub fn select(patterns: &[String]) -> Result<Vec<NamedRecipe>, RecipesError> {
    let all = recipes()?;
    for pattern in patterns {
        if !all.iter().any(|recipe| matches(recipe, pattern)) {
            return Err(unknown(pattern, all));
        }
    }
    let selected = all
        .iter()
        .filter(|recipe| patterns.iter().all(|pattern| matches(recipe, pattern)));
    Ok(selected.cloned().collect())
}

/// Whether a name has a pattern at its beginning or between two of its hyphens.
fn matches(recipe: &NamedRecipe, pattern: &str) -> bool {
    let (name, pattern) = (plain(&recipe.name), plain(pattern));
    let standard = pattern == "standard" && recipe.variant == "standard";
    standard || format!("-{name}-").contains(&format!("-{pattern}-"))
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}

fn unknown(name: &str, all: &[NamedRecipe]) -> RecipesError {
    let known = all.iter().map(|recipe| recipe.name.as_str());
    RecipesError::Unknown {
        name: name.to_owned(),
        suggestion: nearest_name(name, known).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_found_in_any_case() {
        let all = recipes().expect("a table");
        let names: BTreeSet<_> = all.iter().map(|recipe| plain(&recipe.name)).collect();
        assert_eq!(names.len(), all.len());
        let found = recipe("SAKD-cifar100-wrn-40-2-wrn-16-2-AT-adaptive").expect("a recipe");
        assert_eq!(found.name, "sakd-cifar100-wrn_40_2-wrn_16_2-at-adaptive");
    }

    #[test]
    fn patterns_are_beginnings_and_words() {
        let count = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
            select(&patterns).expect("recipes").len()
        };
        assert_eq!(count(&["sakd-cifar100", "adaptive"]), 100);
        assert_eq!(count(&["sakd-cifar100", "resnet56", "at", "adaptive"]), 1);
        let error = select(&["adaptiv".to_owned()]).expect_err("no such word");
        assert!(error.to_string().contains("`adaptiv`"), "{error}");
    }

    #[test]
    fn a_name_that_is_not_there_has_a_suggestion() {
        let error = recipe("sakd-cifar100-resnet56-resnet20-att").expect_err("no such name");
        let expected = "did you mean `sakd-cifar100-resnet56-resnet20-at`?";
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn every_teacher_that_is_needed_is_there_and_learns_alone() {
        for cell in recipes().expect("a table") {
            if let Some(needs) = &cell.needs {
                let teacher = recipe(&needs.recipe).expect("a teacher");
                assert_eq!(teacher.variant, "alone", "{}", cell.name);
            }
        }
    }
}
