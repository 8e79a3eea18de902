//! The runs of one study on one data set.

use std::collections::BTreeSet;

use serde::Serialize;

use super::collect::Record;
use super::entry::Entry;
use super::group::{Groups, Key, grouped};
use super::{notes, order};
use crate::sweep::SweepError;
use crate::{RecipesError, recipe, recipes};

/// The runs of one study on one data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StudyTable {
    /// The study; none for runs of your own.
    pub study: Option<String>,
    /// The data set.
    pub data: String,
    /// What its columns and rows are made of.
    pub entries: Vec<Entry>,
    /// What is to be known of it.
    pub notes: Vec<String>,
}

/// A study, or none, and a data set.
pub(super) type Study<'a> = (Option<&'a str>, &'a str);

/// The tables that runs make. Networks alone go to the tables whose pairs they are part of.
pub(super) fn studies(records: &[Record]) -> Vec<Study<'_>> {
    let mut studies = Vec::new();
    for record in records {
        if record.labels.teacher.is_some() || !is_part(record, records) {
            let study = of(record);
            if !studies.contains(&study) {
                studies.push(study);
            }
        }
    }
    studies
}

fn of(record: &Record) -> Study<'_> {
    (record.labels.study.as_deref(), &record.labels.data)
}

/// Whether a network alone is part of a pair of any run.
fn is_part(alone: &Record, records: &[Record]) -> bool {
    let network = alone.labels.student.as_str();
    let mut labels = records.iter().map(|record| &record.labels);
    labels.any(|labels| {
        let teacher = labels.teacher.as_deref();
        labels.data == alone.labels.data
            && teacher.is_some_and(|teacher| teacher == network || labels.student == network)
    })
}

impl StudyTable {
    pub(super) fn of(study: Study<'_>, records: &[Record]) -> Result<Self, SweepError> {
        let is_here = |record: &&Record| of(record) == study;
        let (alone, distilled): (Vec<_>, Vec<_>) = records
            .iter()
            .partition(|record| record.labels.teacher.is_none());
        let (groups, mut notes) = grouped(distilled.into_iter().filter(is_here))?;
        let (alone, more) = grouped(of_networks(alone, study)?.into_iter())?;

        let mut entries = Vec::new();
        for (key, group) in &groups {
            entries.push(Entry::of(key, group, study)?);
        }
        let of_pairs = of_pairs(&groups, &alone, study)?;
        if !of_pairs.is_empty() {
            notes.extend(more);
        }
        entries.extend(of_pairs);
        for (key, group) in &alone {
            if group.iter().any(is_here) && !is_part(group[0], records) {
                entries.push(Entry::of(key, group, study)?);
            }
        }
        order::sort(&mut entries, study)?;
        let runs: Vec<&Record> = records.iter().filter(is_here).collect();
        notes.extend(notes::of(&entries, study.0, &runs)?);
        Ok(Self {
            study: study.0.map(str::to_owned),
            data: study.1.to_owned(),
            entries,
            notes,
        })
    }
}

/// The runs of networks alone that belong to a study: its own, and for networks that it has none of,
/// those of the study that trains its teachers, and yours.
fn of_networks<'a>(
    alone: Vec<&'a Record>,
    study: Study<'_>,
) -> Result<Vec<&'a Record>, RecipesError> {
    let trains_teachers = match study.0 {
        Some(study) => teachers_of(study)?,
        None => None,
    };
    let is_taken = |other: &&Record| match (&other.labels.study, study.0) {
        (Some(other), Some(_)) => trains_teachers.as_ref() == Some(other),
        _ => true,
    };
    let alone = alone.into_iter();
    let alone = alone.filter(|record| record.labels.data == study.1);
    let (mut own, others): (Vec<_>, Vec<_>) = alone.partition(|record| of(record) == study);
    let known: BTreeSet<&str> = own.iter().map(|own| own.labels.student.as_str()).collect();
    let others = others.into_iter();
    let others = others.filter(|other| !known.contains(other.labels.student.as_str()));
    own.extend(others.filter(is_taken));
    Ok(own)
}

/// The study that trains the teachers of a study.
fn teachers_of(study: &str) -> Result<Option<String>, RecipesError> {
    let mut of_study = recipes()?.iter().filter(|recipe| recipe.study == study);
    let needs = of_study.find_map(|recipe| recipe.needs.as_ref());
    needs
        .map(|needs| Ok(recipe(&needs.recipe)?.study))
        .transpose()
}

/// Teachers and students alone, under each of their pairs.
fn of_pairs(
    groups: &Groups<'_>,
    alone: &Groups<'_>,
    study: Study<'_>,
) -> Result<Vec<Entry>, RecipesError> {
    let pairs: BTreeSet<(&str, &str)> = groups
        .keys()
        .filter_map(|key| Some((key.teacher.as_deref()?, key.student.as_str())))
        .collect();
    let mut entries = Vec::new();
    for (teacher, student) in pairs {
        for (network, variant) in [(teacher, "teacher"), (student, "student")] {
            for (key, group) in alone.iter().filter(|(key, _)| key.student == network) {
                let key = Key {
                    teacher: Some(teacher.to_owned()),
                    student: student.to_owned(),
                    variant: variant.to_owned(),
                    ..key.clone()
                };
                entries.push(Entry::of(&key, group, study)?);
            }
        }
    }
    Ok(entries)
}
