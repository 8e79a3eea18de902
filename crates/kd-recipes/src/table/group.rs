//! Which runs stand in one place of a table.

use std::collections::BTreeMap;

use kd_train::{Difference, Recipe, TrainError};

use super::collect::Record;

/// A place in a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) teacher: Option<String>,
    pub(super) student: String,
    pub(super) method: String,
    pub(super) variant: String,
}

/// Runs by their place, in the order of their seeds.
pub(super) type Groups<'a> = BTreeMap<Key, Vec<&'a Record>>;

/// Runs by their place, those of one place apart if their recipes differ in more than the seed: the
/// second recipe's method is `AT #2`. Also returns in what these recipes differ.
pub(super) fn grouped<'a>(
    records: impl Iterator<Item = &'a Record>,
) -> Result<(Groups<'a>, Vec<String>), TrainError> {
    let mut groups = Groups::new();
    let mut notes = Vec::new();
    for record in records {
        let key = place(record, &groups)?;
        if !groups.contains_key(&key) && plain(&key.method) != key.method {
            notes.extend(note(&key, record, &groups)?);
        }
        groups.entry(key).or_default().push(record);
    }
    for group in groups.values_mut() {
        group.sort_by_key(|record| record.recipe.train.seed);
    }
    Ok((groups, notes))
}

/// The place of a run: the first that is free or has runs of the same recipe.
fn place(record: &Record, groups: &Groups<'_>) -> Result<Key, TrainError> {
    let labels = &record.labels;
    let mut key = Key {
        teacher: labels.teacher.clone(),
        student: labels.student.clone(),
        method: labels.method.clone(),
        variant: labels.variant.clone(),
    };
    let mut number = 1;
    while let Some(group) = groups.get(&key) {
        if difference(&group[0].recipe, &record.recipe)?.is_none() {
            break;
        }
        number += 1;
        key.method = format!("{}{NUMBER}{number}", labels.method);
    }
    Ok(key)
}

/// Between a method and the number of its recipe.
const NUMBER: &str = " #";

/// A method without the number of its recipe.
pub(super) fn plain(method: &str) -> &str {
    method
        .split_once(NUMBER)
        .map_or(method, |(method, _)| method)
}

/// In what the recipe of a numbered place differs from the first one's.
fn note(key: &Key, record: &Record, groups: &Groups<'_>) -> Result<Option<String>, TrainError> {
    let mut first = key.clone();
    first.method = plain(&key.method).to_owned();
    let earlier = groups.get(&first).map(|group| &group[0].recipe);
    let difference = match earlier {
        Some(earlier) => difference(earlier, &record.recipe)?,
        None => None,
    };
    let name = match first.method.as_str() {
        "-" => &key.student,
        method => method,
    };
    let number = &key.method[first.method.len()..];
    Ok(difference.map(|Difference { path, earlier, now }| {
        format!("{name}{number}: {path} is {now}, not {earlier} as in {name}.")
    }))
}

/// In what two recipes differ beside the seed and places of files.
pub(super) fn difference(earlier: &Recipe, now: &Recipe) -> Result<Option<Difference>, TrainError> {
    let alike = |recipe: &Recipe| {
        let mut recipe = recipe.clone();
        recipe.train.seed = 0;
        recipe.teacher.weights = None;
        recipe.data.root = None;
        recipe
    };
    alike(now).difference(&alike(earlier))
}
