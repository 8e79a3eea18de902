//! The page, a section a file.

mod agreement;
mod calibration;
mod change;
mod confusion;
mod correlation;
mod cost;
mod curves;
mod embedding;
mod examples;
mod matrix;
mod parts;
mod predictions;
mod recipes;
mod routing;
mod table;
mod tables;

use kd_recipes::table::escaped_html as escaped;

use crate::Report;
use parts::Section;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

impl Report {
    /// The report as one HTML page, which needs no other file and no network.
    pub fn to_html(&self) -> String {
        page(self)
    }
}

fn page(report: &Report) -> String {
    let sections: [Section; 14] = [
        tables::results(report),
        tables::settings(report),
        curves::section(report),
        routing::section(report),
        predictions::section(report),
        agreement::section(report),
        change::section(report),
        confusion::section(report),
        calibration::section(report),
        correlation::section(report),
        embedding::section(report),
        examples::section(report),
        cost::section(report),
        recipes::section(report),
    ];
    let links: String = sections.iter().map(Section::link).collect();
    let bodies: String = sections.iter().map(Section::html).collect();
    let title = title(report);
    let summary = summary(report);
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"kd {version}\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n{summary}</header>\n\
         <nav aria-label=\"Sections\"><ul>\n{links}</ul></nav>\n<main>\n{bodies}</main>\n\
         <footer><p>Written by kd report, version {version}. Everything on this page is in this one \
         file.</p></footer>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

fn title(report: &Report) -> String {
    match &report.runs.runs[..] {
        [run] => format!("Run {}", escaped(&run.name)),
        runs => format!("{} runs of distillation", runs.len()),
    }
}

/// What the runs have in common, and what could not be read.
fn summary(report: &Report) -> String {
    let mut data: Vec<&str> = report
        .runs
        .runs
        .iter()
        .map(|run| run.record.labels.data.as_str())
        .collect();
    data.sort_unstable();
    data.dedup();
    let complete = report.runs.runs.iter().filter(|run| run.result().is_some());
    let (complete, all) = (complete.count(), report.runs.runs.len());
    let mut text = format!(
        "<p>Data set: {}. {complete} of {all} runs are complete.</p>\n",
        escaped(&data.join(", "))
    );
    let records = report
        .runs
        .runs
        .iter()
        .filter_map(|run| run.trouble.as_ref());
    for trouble in report.runs.unreadable.iter().chain(records) {
        text.push_str(&parts::absent(&format!("Could not be read: {trouble}")));
    }
    text
}
