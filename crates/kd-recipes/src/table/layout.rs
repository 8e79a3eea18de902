//! Tables as rows and columns of text, before they are written in a format.

use kd_train::compare::Spread;

use super::Tables;
use super::details::details;
use super::entry::Entry;
use super::grid::Grid;
use super::group::plain;
use super::options::TableOptions;
use super::study::StudyTable;
use crate::studies;

/// Tables with their titles and notes.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) blocks: Vec<Block>,
    pub(super) notes: Vec<String>,
}

/// A table: columns in groups, rows with a label.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) groups: Vec<Group>,
    pub(super) rows: Vec<Row>,
}

/// Columns under one title.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) columns: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) label: String,
    /// By group and column.
    pub(super) cells: Vec<Vec<Content>>,
}

/// What a cell says: our figure, and the published ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) ours: String,
    pub(super) published: Vec<String>,
}

impl Content {
    pub(super) fn of(ours: impl Into<String>) -> Self {
        Self {
            ours: ours.into(),
            published: Vec::new(),
        }
    }
}

/// All tables, laid out.
pub(super) fn document(tables: &Tables, options: &TableOptions) -> Vec<Section> {
    let tables = tables.tables.iter();
    tables.map(|table| section(table, options)).collect()
}

fn section(table: &StudyTable, options: &TableOptions) -> Section {
    let studies = studies().unwrap_or_default();
    let study = table.study.as_deref().map(|name| {
        let known = studies.iter().find(|study| study.name == name);
        known.map_or_else(
            || name.to_owned(),
            |study| format!("{name}: {}", study.title),
        )
    });
    let title = match study {
        Some(study) => format!("{study}, {}", table.data),
        None => table.data.clone(),
    };
    let grid = Grid::new(table, options.shown);
    let mut notes = vec![grid.legend()];
    notes.extend(table.notes.iter().cloned());
    let mut blocks = vec![grid.block()];
    if options.details {
        blocks.push(details(table));
    }
    Section {
        title,
        blocks,
        notes,
    }
}

/// The row of an entry.
pub(super) fn label(entry: &Entry) -> String {
    let number = &entry.method[plain(&entry.method).len()..];
    let name = match entry.variant.as_str() {
        "teacher" => "Teacher",
        "student" => "Student",
        "alone" => "Alone",
        _ => plain(&entry.method),
    };
    format!("{name}{number}")
}

/// The title of an entry's columns.
pub(super) fn pair(entry: &Entry) -> String {
    match &entry.teacher {
        Some(teacher) => format!("{teacher} → {}", entry.student),
        None => entry.student.clone(),
    }
}

pub(super) fn is_alone(entry: &Entry) -> bool {
    matches!(entry.variant.as_str(), "teacher" | "student" | "alone")
}

/// A figure with its spread.
pub(super) fn value(figure: &Spread) -> String {
    match figure.std {
        Some(std) => format!("{:.2} ± {std:.2}", figure.mean),
        None => format!("{:.2}", figure.mean),
    }
}
