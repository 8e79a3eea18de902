//! Tables as rows and columns of text, before they are written in a format.

use std::collections::BTreeSet;

use super::entry::Entry;
use super::group::plain;
use super::options::{Shown, TableOptions};
use super::order::{rank, variant};
use super::statistics::Statistics;
use super::study::StudyTable;
use super::{Tables, figures::Figure};
use crate::{Report, studies};

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
    fn of(ours: impl Into<String>) -> Self {
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

fn pair(entry: &Entry) -> String {
    match &entry.teacher {
        Some(teacher) => format!("{teacher} → {}", entry.student),
        None => entry.student.clone(),
    }
}

/// Methods by pairs.
struct Grid<'a> {
    entries: &'a [Entry],
    shown: Shown,
    pairs: Vec<String>,
    rows: Vec<String>,
    /// Variants that have columns.
    variants: Vec<String>,
    /// Whether the figures of several studies are shown.
    mixed: bool,
    /// The number of runs that all means are of, if it is one number.
    runs: Option<usize>,
}

impl<'a> Grid<'a> {
    fn new(table: &'a StudyTable, shown: Shown) -> Self {
        let entries = table.entries.as_slice();
        let mut pairs = Vec::new();
        let mut variants = BTreeSet::new();
        let mut rows = BTreeSet::new();
        let mut runs = BTreeSet::new();
        for entry in entries {
            if !pairs.contains(&pair(entry)) {
                pairs.push(pair(entry));
            }
            rows.insert((rank(entry), label(entry)));
            if !is_alone(entry) {
                variants.insert((variant(&entry.variant), entry.variant.clone()));
            }
            runs.extend(entry.last.map(|last| last.n).filter(|n| *n > 1));
        }
        if variants.is_empty() {
            variants.insert((0, "top-1".to_owned()));
        }
        Self {
            entries,
            shown,
            pairs,
            rows: rows.into_iter().map(|(_, label)| label).collect(),
            variants: variants.into_iter().map(|(_, name)| name).collect(),
            mixed: table.study.is_none(),
            runs: runs.first().copied().filter(|_| runs.len() == 1),
        }
    }

    /// Whether the difference of adaptive and standard distillation has a column.
    fn has_difference(&self) -> bool {
        let has = |name: &str| self.variants.iter().any(|variant| variant == name);
        has("standard") && has("adaptive")
    }

    fn block(&self) -> Block {
        let mut columns = Vec::new();
        for variant in &self.variants {
            columns.push(capitalized(variant));
            if variant == "adaptive" && self.has_difference() {
                columns.push("Δ".to_owned());
            }
        }
        let groups = self.pairs.iter().map(|pair| Group {
            title: pair.clone(),
            columns: columns.clone(),
        });
        let rows = self.rows.iter().map(|row| Row {
            label: row.clone(),
            cells: self
                .pairs
                .iter()
                .map(|pair| self.cells(row, pair))
                .collect(),
        });
        Block {
            groups: groups.collect(),
            rows: rows.collect(),
        }
    }

    fn cells(&self, row: &str, of_pair: &str) -> Vec<Content> {
        let here: Vec<&Entry> = self
            .entries
            .iter()
            .filter(|entry| label(entry) == row && pair(entry) == of_pair)
            .collect();
        let mut cells = Vec::new();
        let alone = here.iter().find(|entry| is_alone(entry));
        for (index, variant) in self.variants.iter().enumerate() {
            let found = here.iter().find(|entry| entry.variant == *variant);
            cells.push(match (found, alone, index) {
                (Some(entry), _, _) => self.content(entry),
                (None, Some(alone), 0) => self.content(alone),
                (None, Some(_), _) => Content::default(),
                (None, None, _) => Content::of("–"),
            });
            if variant == "adaptive" && self.has_difference() {
                cells.push(self.difference(&here));
            }
        }
        cells
    }

    fn content(&self, entry: &Entry) -> Content {
        let published = entry.published.iter();
        Content {
            ours: self.ours(entry),
            published: published.map(|figure| self.figure(figure)).collect(),
        }
    }

    fn figure(&self, figure: &Figure) -> String {
        let doubt = figure.doubt.as_ref().map_or("", |_| "†");
        match self.mixed {
            true => format!("{} {:.2}{doubt}", figure.source, figure.top1),
            false => format!("{:.2}{doubt}", figure.top1),
        }
    }

    fn ours(&self, entry: &Entry) -> String {
        let done = entry.seeds.len();
        if done == 0 {
            let words: BTreeSet<&str> = entry
                .missing
                .iter()
                .map(|missing| missing.short.as_str())
                .collect();
            return words.into_iter().collect::<Vec<_>>().join(", ");
        }
        let shown = entry.shown(self.shown).into_iter().flatten();
        let shown: Vec<String> = shown.map(|figure| value(&figure)).collect();
        let shown = shown.join(" / ");
        match (entry.missing.len(), self.runs) {
            (0, Some(_)) => shown,
            (0, None) if done == 1 => shown,
            (0, None) => format!("{shown} ({done})"),
            (missing, _) => format!("{shown} ({done} of {})", done + missing),
        }
    }

    /// Adaptive minus standard distillation.
    fn difference(&self, here: &[&Entry]) -> Content {
        let of = |name: &str| here.iter().find(|entry| entry.variant == name);
        let (Some(standard), Some(adaptive)) = (of("standard"), of("adaptive")) else {
            return Content::default();
        };
        let figures = standard.shown(self.shown).into_iter();
        let figures = figures.zip(adaptive.shown(self.shown));
        let ours: Vec<String> = figures
            .filter_map(|(standard, adaptive)| Some(signed(adaptive?.mean - standard?.mean)))
            .collect();
        let published = standard.published.iter().filter_map(|standard| {
            let mut figures = adaptive.published.iter();
            let adaptive = figures.find(|figure| figure.source == standard.source)?;
            Some(signed(adaptive.top1 - standard.top1))
        });
        Content {
            ours: ours.join(" / "),
            published: published.collect(),
        }
    }

    /// What the figures are.
    fn legend(&self) -> String {
        let reports: BTreeSet<bool> = self
            .entries
            .iter()
            .map(|entry| entry.report == Report::Best)
            .collect();
        let epoch = match self.shown {
            Shown::Last => "after the last epoch",
            Shown::Best => "after the best epoch",
            Shown::Both => "after the last / the best epoch",
            Shown::Reported => match (reports.contains(&false), reports.contains(&true)) {
                (true, true) => "after the epoch that each study reports",
                (false, true) => "after the best epoch, as the study reports",
                _ => "after the last epoch",
            },
        };
        let spread = match self.runs {
            Some(runs) => format!("; mean ± sample standard deviation of {runs} runs"),
            None => {
                let several = |entry: &Entry| entry.last.is_some_and(|last| last.n > 1);
                match self.entries.iter().any(several) {
                    true => "; mean ± sample standard deviation (runs)".to_owned(),
                    false => String::new(),
                }
            }
        };
        let absent = self.block().rows.iter().any(|row| {
            let mut cells = row.cells.iter().flatten();
            cells.any(|cell| cell.ours == "–")
        });
        let absent = match absent {
            true => " –: in none of the runs and sweeps.",
            false => "",
        };
        format!("Top-1 in % on the test images {epoch}{spread}.{absent}")
    }
}

fn is_alone(entry: &Entry) -> bool {
    matches!(entry.variant.as_str(), "teacher" | "student" | "alone")
}

/// Parameters, time and memory, a row an entry.
fn details(table: &StudyTable) -> Block {
    let columns = [
        "runs", "epochs", "images", "params", "s/epoch", "MiB", "last", "best",
    ];
    let rows = table.entries.iter().map(|entry| {
        let number = |value: Option<usize>| value.map_or_else(String::new, |n| n.to_string());
        let rounded = |value: Option<f64>, digits: usize| {
            value.map_or_else(String::new, |value| format!("{value:.digits$}"))
        };
        let figure = |figure: &Option<Statistics>| figure.as_ref().map_or_else(String::new, value);
        let cells = [
            entry.seeds.len().to_string(),
            entry.epochs.to_string(),
            number(entry.train_images),
            number(entry.params),
            rounded(entry.seconds_per_epoch, 2),
            rounded(entry.peak_rss_mib, 0),
            figure(&entry.last),
            figure(&entry.best),
        ];
        let variant = match is_alone(entry) {
            true => String::new(),
            false => format!(" {}", entry.variant),
        };
        Row {
            label: format!("{}, {}{variant}", pair(entry), label(entry)),
            cells: vec![cells.into_iter().map(Content::of).collect()],
        }
    });
    Block {
        groups: vec![Group {
            title: String::new(),
            columns: columns.map(str::to_owned).into(),
        }],
        rows: rows.collect(),
    }
}

impl Entry {
    /// The figures that are shown: one, or two for [`Shown::Both`].
    fn shown(&self, shown: Shown) -> Vec<Option<Statistics>> {
        match (shown, self.report) {
            (Shown::Both, _) => vec![self.last, self.best],
            (Shown::Last, _) | (Shown::Reported, Report::Last) => vec![self.last],
            (Shown::Best, _) | (Shown::Reported, Report::Best) => vec![self.best],
        }
    }
}

fn value(figure: &Statistics) -> String {
    match figure.std {
        Some(std) => format!("{:.2} ± {std:.2}", figure.mean),
        None => format!("{:.2}", figure.mean),
    }
}

/// A difference with its sign; what rounds to nothing has none.
fn signed(difference: f64) -> String {
    match format!("{difference:+.2}").as_str() {
        "-0.00" | "+0.00" => "0.00".to_owned(),
        signed => signed.replace('-', "−"),
    }
}

/// A word with its first letter in upper case.
fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
