//! Parameters, time and memory.

use kd_train::compare::Spread;

use super::layout::{Block, Content, Group, Row, is_alone, label, pair, value};
use super::study::StudyTable;

/// Parameters, time and memory, a row an entry.
pub(super) fn details(table: &StudyTable) -> Block {
    let columns = [
        "runs", "epochs", "images", "params", "s/epoch", "MiB", "last", "best",
    ];
    let rows = table.entries.iter().map(|entry| {
        let number = |value: Option<usize>| value.map_or_else(String::new, |n| n.to_string());
        let rounded = |value: Option<f64>, digits: usize| {
            value.map_or_else(String::new, |value| format!("{value:.digits$}"))
        };
        let figure = |figure: &Option<Spread>| figure.as_ref().map_or_else(String::new, value);
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
