//! Which classes are taken for which.

use super::matrix::Matrix;
use super::parts::{Section, absent, details, figure, numbered, run_name};
use super::table::{Cell, Table};
use crate::Report;
use crate::analysis::{Confusion, confusion};
use crate::networks::TestImages;

/// Mistakes of a network that are listed.
const LISTED: usize = 5;
/// Networks whose matrices are shown unfolded.
const UNFOLDED: usize = 8;

pub(super) fn section(report: &Report) -> Section {
    let title = "Confusion";
    let mut found: Vec<(String, Option<usize>, Confusion, &TestImages)> = Vec::new();
    for (teacher, images) in report.networks.other_teachers() {
        let name = format!("teacher {}", teacher.name);
        found.push((name, None, confusion(&teacher.answers.predictions), images));
    }
    for (place, run) in numbered(report) {
        if let Some((answers, images)) = report.networks.student(place) {
            let matrix = confusion(&answers.predictions);
            found.push((run.name.clone(), Some(place), matrix, images));
        }
    }
    if found.is_empty() {
        let body = absent("No network was asked about the test images.");
        return Section::new("confusion", title, body);
    }
    let pictures: Vec<String> = found
        .iter()
        .map(|(name, _, confusion, images)| {
            let matrix = Matrix {
                title: name.clone(),
                across: "class that was chosen",
                down: "class",
                scale: "share of the class's images",
                most: 1.0,
                classes: images.classes(),
                values: confusion.shares(),
            };
            matrix.html()
        })
        .collect();
    let pictures = figure(
        &pictures,
        "Of the test images of each class (row), the share that was taken for each class (column, by the \
         number of the class). The diagonal is what is right; a bright cell beside it is a frequent mistake.",
    );
    let open = found.len() <= UNFOLDED;
    let mut body = details("Matrices, network by network", &pictures, open);
    let mut table = Table::new(
        format!("The {LISTED} most frequent mistakes of each network, in test images."),
        &[
            "network",
            "class",
            "taken for",
            "images",
            "of the class (%)",
        ],
    );
    for (name, place, confusion, images) in &found {
        for mistake in confusion.most_confused(LISTED) {
            let all: usize = confusion.counts[mistake.class].iter().sum();
            let shown = match place {
                Some(place) => Cell::Html(run_name(report, *place), name.clone()),
                None => Cell::text(name),
            };
            table.row(vec![
                shown,
                Cell::text(images.class(mistake.class)),
                Cell::text(images.class(mistake.chosen)),
                Cell::Number(mistake.images as f64, 0),
                Cell::Number(100.0 * mistake.images as f64 / all as f64, 1),
            ]);
        }
    }
    body.push_str(&details("Most frequent mistakes", &table.html(), false));
    Section::new("confusion", title, body)
}
