//! What a shell offers for a value when Tab is pressed: the program is asked, so that it is always
//! what this build knows.

use std::ffi::OsStr;

use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use kd_losses::Method;
use kd_models::Architecture;
use kd_recipes::{NamedRecipe, StudyInfo};

use super::schema::RecipeSchema;

/// Networks.
pub fn networks() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let networks = Architecture::all();
        networks
            .map(|network| described(network.name(), network.family()))
            .collect()
    })
}

/// Methods.
pub fn methods() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let methods = Method::all();
        methods
            .iter()
            .map(|method| described(Method::name(method), method.info().title))
            .collect()
    })
}

/// Recipes of published experiments.
pub fn recipes() -> ArgValueCandidates {
    ArgValueCandidates::new(all_recipes)
}

/// Studies, and their recipes.
pub fn studies() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let study = |study: &StudyInfo| described(&study.name, &study.title);
        let studies = kd_recipes::studies().unwrap_or_default();
        studies.iter().map(study).chain(all_recipes()).collect()
    })
}

fn all_recipes() -> Vec<CompletionCandidate> {
    let recipe = |recipe: &NamedRecipe| CompletionCandidate::new(&recipe.name);
    let recipes = kd_recipes::recipes().unwrap_or_default();
    recipes.iter().map(recipe).collect()
}

/// Devices of this build: GPUs are not opened to count them.
pub fn devices() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let devices = kd_train::compiled_devices().into_iter();
        devices.map(CompletionCandidate::new).collect()
    })
}

/// The values of a key of the recipe.
pub fn values_of(key: &'static str) -> ArgValueCandidates {
    ArgValueCandidates::new(move || offered(RecipeSchema::new().values(key)))
}

/// `KEY=VALUE`: first keys of the recipe, then values.
pub fn assignments() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let schema = RecipeSchema::new();
        let current = current.to_string_lossy();
        let candidates = match current.split_once('=') {
            Some((key, _)) => {
                let values = schema.values(key).into_iter();
                let assigned =
                    values.map(|(value, description)| (format!("{key}={value}"), description));
                assigned.collect()
            }
            None => {
                let keys = schema.keys().into_iter();
                keys.map(|(key, description)| (key + "=", description))
                    .collect()
            }
        };
        let mut candidates: Vec<(String, String)> = candidates;
        candidates.retain(|(value, _)| value.starts_with(&*current));
        offered(candidates)
    })
}

fn offered(values: Vec<(String, String)>) -> Vec<CompletionCandidate> {
    let values = values.iter();
    values
        .map(|(value, description)| described(value, description))
        .collect()
}

fn described(value: &str, description: &str) -> CompletionCandidate {
    // A shell shows a line.
    let sentence = description.split(". ").next().unwrap_or_default();
    CompletionCandidate::new(value).help(Some(sentence.to_owned().into()))
}
