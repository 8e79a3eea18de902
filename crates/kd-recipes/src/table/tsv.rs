//! A line a method and pair, separated by tabs.

use super::entry::Entry;
use super::{StudyTable, Tables};
use crate::Report;

const COLUMNS: [&str; 22] = [
    "study",
    "data",
    "teacher",
    "student",
    "method",
    "variant",
    "runs",
    "report",
    "last",
    "last_std",
    "best",
    "best_std",
    "published",
    "source",
    "protocol",
    "doubt",
    "epochs",
    "train_images",
    "params",
    "seconds_per_epoch",
    "peak_rss_mib",
    "missing",
];

pub(super) fn render(tables: &Tables) -> String {
    let mut text = COLUMNS.join("\t") + "\n";
    for table in &tables.tables {
        for entry in &table.entries {
            let fields = fields(table, entry).map(|field| field.replace(['\t', '\n', '\r'], " "));
            text.push_str(&(fields.join("\t") + "\n"));
        }
    }
    text
}

fn fields(table: &StudyTable, entry: &Entry) -> [String; 22] {
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let count = |value: Option<usize>| value.map_or_else(String::new, |value| value.to_string());
    let published = |field: &dyn Fn(&super::Figure) -> String| {
        let fields: Vec<String> = entry.published.iter().map(field).collect();
        fields.join("; ")
    };
    let missing = entry.missing.iter();
    let missing = missing.map(|missing| format!("{}: {}", missing.run, missing.why));
    let report = match entry.report {
        Report::Last => "last",
        Report::Best => "best",
    };
    [
        name(&table.study),
        table.data.clone(),
        name(&entry.teacher),
        entry.student.clone(),
        entry.method.clone(),
        entry.variant.clone(),
        entry.seeds.len().to_string(),
        report.to_owned(),
        number(entry.last.map(|figure| figure.mean)),
        number(entry.last.and_then(|figure| figure.std)),
        number(entry.best.map(|figure| figure.mean)),
        number(entry.best.and_then(|figure| figure.std)),
        published(&|figure| format!("{:.2}", figure.top1)),
        published(&|figure| figure.source.clone()),
        published(&|figure| figure.protocol.clone()),
        published(&|figure| figure.doubt.clone().unwrap_or_default()),
        entry.epochs.to_string(),
        count(entry.train_images),
        count(entry.params),
        number(entry.seconds_per_epoch),
        number(entry.peak_rss_mib),
        missing.collect::<Vec<_>>().join("; "),
    ]
}
