//! Methods by pairs.

use std::collections::BTreeSet;

use kd_train::compare::Spread;

use super::entry::Entry;
use super::figures::Figure;
use super::layout::{Block, Content, Group, Row, is_alone, label, pair, value};
use super::options::Shown;
use super::order::{METHODS, rank, variant};
use super::study::StudyTable;
use crate::Report;

/// Methods by pairs.
pub(super) struct Grid<'a> {
    entries: &'a [Entry],
    shown: Shown,
    pairs: Vec<String>,
    /// Ranks and labels of the rows.
    rows: Vec<(usize, String)>,
    /// Variants that have columns.
    variants: Vec<String>,
    /// Whether the figures of several studies are shown.
    mixed: bool,
    /// The number of runs that all means are of, if it is one number.
    runs: Option<usize>,
}

impl<'a> Grid<'a> {
    pub(super) fn new(table: &'a StudyTable, shown: Shown) -> Self {
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
            rows: rows.into_iter().collect(),
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

    pub(super) fn block(&self) -> Block {
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
            label: row.1.clone(),
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

    fn cells(&self, (rank, row): &(usize, String), of_pair: &str) -> Vec<Content> {
        let here: Vec<&Entry> = self
            .entries
            .iter()
            .filter(|entry| label(entry) == *row && pair(entry) == of_pair)
            .collect();
        let mut cells = Vec::new();
        let alone = here.iter().find(|entry| is_alone(entry));
        for (index, variant) in self.variants.iter().enumerate() {
            let found = here.iter().find(|entry| entry.variant == *variant);
            cells.push(match (found, alone, index) {
                (Some(entry), _, _) => self.content(entry),
                (None, Some(alone), 0) => self.content(alone),
                // A network alone has one figure.
                (None, _, 1..) if *rank < METHODS => Content::default(),
                (None, _, _) => Content::of("–"),
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
    pub(super) fn legend(&self) -> String {
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

impl Entry {
    /// The figures that are shown: one, or two for [`Shown::Both`].
    fn shown(&self, shown: Shown) -> Vec<Option<Spread>> {
        match (shown, self.report) {
            (Shown::Both, _) => vec![self.last, self.best],
            (Shown::Last, _) | (Shown::Reported, Report::Last) => vec![self.last],
            (Shown::Best, _) | (Shown::Reported, Report::Best) => vec![self.best],
        }
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
pub fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
