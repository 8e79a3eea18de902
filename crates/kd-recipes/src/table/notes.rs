//! What is to be known of a table.

use std::collections::{BTreeMap, BTreeSet};

use kd_train::Recipe;

use super::collect::Record;
use super::entry::Entry;
use super::group::plain;
use super::layout::label;
use crate::{RecipesError, recipe};

/// Budgets, protocols of the published figures, doubts about them, and runs that are missing.
pub(super) fn of(
    entries: &[Entry],
    study: Option<&str>,
    runs: &[&Record],
) -> Result<Vec<String>, RecipesError> {
    let mut notes = vec![budgets(entries, study, runs)?];
    notes.extend(kept_back(runs));
    notes.extend(protocols(entries));
    notes.extend(doubts(entries));
    let missing = entries.iter().flat_map(|entry| &entry.missing);
    let missing = missing.filter(|missing| missing.why != missing.short);
    let lines: BTreeSet<String> = missing
        .map(|missing| format!("{}: {}.", missing.run, missing.why))
        .collect();
    notes.extend(lines);
    Ok(notes)
}

/// What was trained for how long, here and as published.
fn budgets(
    entries: &[Entry],
    study: Option<&str>,
    runs: &[&Record],
) -> Result<String, RecipesError> {
    let ours: BTreeSet<String> = runs.iter().map(|run| budget(&run.recipe)).collect();
    let mut theirs = BTreeSet::new();
    for name in runs.iter().filter_map(|run| run.recipe.name.as_deref()) {
        if let (Some(_), Ok(named)) = (study, recipe(name)) {
            theirs.insert(budget(&named.overlay().recipe()?));
        }
    }
    let list = |budgets: &BTreeSet<String>| {
        let budgets: Vec<&str> = budgets.iter().map(String::as_str).collect();
        budgets.join("; ")
    };
    let published = entries.iter().any(|entry| !entry.published.is_empty());
    Ok(match (theirs.is_empty(), published) {
        (false, _) if ours != theirs => format!(
            "Not the published budget: {} here, {} there.",
            list(&ours),
            list(&theirs)
        ),
        (true, true) => format!(
            "Budget: {}; the published figures are of their studies' budgets and recipes.",
            list(&ours)
        ),
        _ => format!("Budget: {}.", list(&ours)),
    })
}

fn budget(recipe: &Recipe) -> String {
    let epochs = match recipe.train.epochs {
        Some(1) => "1 epoch".to_owned(),
        epochs => format!("{} epochs", epochs.unwrap_or_default()),
    };
    match recipe.data.limit_train {
        Some(images) => format!("{epochs} of the first {images} training images"),
        None => format!("{epochs} of all training images"),
    }
}

/// Accuracies that are not of the test images.
fn kept_back(runs: &[&Record]) -> Option<String> {
    let dev = runs.iter().any(|run| run.recipe.data.dev_split.is_some());
    dev.then(|| {
        "Not of the test images, but of some kept back from the training images: runs with \
         data.dev_split."
            .to_owned()
    })
}

/// Which epoch of how many runs the published figures are of.
fn protocols(entries: &[Entry]) -> Option<String> {
    let mut rows: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for entry in entries {
        for figure in &entry.published {
            let key = (figure.source.as_str(), figure.protocol.as_str());
            let row = label(entry);
            let row = plain(&row).to_owned();
            rows.entry(key).or_default().insert(row);
        }
    }
    let parts = rows.into_iter().map(|((source, protocol), rows)| {
        let rows: Vec<String> = rows.into_iter().collect();
        format!("{source}, {}: {}", in_words(protocol), rows.join(", "))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| format!("In brackets: as published ({}).", parts.join("; ")))
}

/// A protocol of the table of published figures in words.
fn in_words(protocol: &str) -> &str {
    match protocol {
        "last" => "last epoch",
        "best" => "best epoch",
        "mean5" => "mean of 5 runs",
        "mean5-best" => "mean of the best epochs of 5 runs",
        "mean3-best" => "mean of the best epochs of 3 runs",
        _ => "protocol unknown",
    }
}

/// Published figures that are wrong or cannot be compared.
fn doubts(entries: &[Entry]) -> Vec<String> {
    let mut doubts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in entries {
        for figure in &entry.published {
            if let Some(doubt) = &figure.doubt {
                let teacher = entry.teacher.as_deref().unwrap_or("-");
                let name = label(entry);
                let place = format!("{name} of {teacher} → {}", entry.student);
                let places = doubts.entry(doubt.clone()).or_default();
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
    }
    let doubts = doubts.into_iter();
    let doubts = doubts.map(|(doubt, places)| format!("† {}: {doubt}.", places.join(", ")));
    doubts.collect()
}
