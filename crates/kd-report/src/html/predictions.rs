//! What the networks say of the test images, in numbers.

use super::parts::{Section, absent, all_absent, numbered, paragraph, reasons, run_name, sentence};
use super::table::{Cell, Table};
use crate::Report;
use crate::analysis::calibration;
use crate::networks::Answers;

/// Bins of the calibration error.
pub(super) const BINS: usize = 15;
/// Difference of accuracies, in points, that rounding may make.
const ROUNDING: f64 = 0.06;

pub(super) fn section(report: &Report) -> Section {
    let title = "Predictions";
    let missing = reasons(report, |place| {
        let student = report.networks.runs[place].student.as_ref();
        student.err().map(|reason| sentence(reason))
    });
    let asked = numbered(report).any(|(place, _)| report.networks.student(place).is_some());
    if !asked {
        let body = absent("No network was asked about the test images.") + &all_absent(&missing);
        return Section::new("predictions", title, body);
    }
    let sets: Vec<String> = report
        .networks
        .images
        .iter()
        .map(|set| set.describe())
        .collect();
    let columns = [
        "network",
        "images",
        "top-1 (%)",
        "cross-entropy (nats)",
        "calibration error (%)",
        "mean confidence (%)",
    ];
    let caption = format!(
        "The final weights of each run, and of teachers that are no runs here, asked again about {}. The calibration error \
         (ECE, {BINS} bins) is how far confidence and accuracy are apart; a network whose mean \
         confidence is above its accuracy is too sure.",
        sets.join("; ")
    );
    let mut table = Table::new(caption, &columns);
    for (teacher, images) in report.networks.other_teachers() {
        let name = Cell::text(format!("teacher {}", teacher.name));
        table.row(row(name, images.split, &teacher.answers));
    }
    for (place, run) in numbered(report) {
        if let Some((answers, images)) = report.networks.student(place) {
            let name = Cell::Html(run_name(report, place), run.name.clone());
            table.row(row(name, images.split, answers));
        }
    }
    let mut body = table.html();
    if numbered(report).any(|(_, run)| !run.record.recipe.peers.is_empty()) {
        body.push_str(&paragraph(
            "Of networks that learn from each other, the first one is meant.",
        ));
    }
    for text in other_numbers(report) {
        body.push_str(&paragraph(&text));
    }
    body.push_str(&all_absent(&missing));
    Section::new("predictions", title, body)
}

fn row(name: Cell, split: &str, answers: &Answers) -> Vec<Cell> {
    let predictions = &answers.predictions;
    let calibration = calibration(predictions, BINS);
    vec![
        name,
        Cell::text(format!("{} {split}", predictions.len())),
        Cell::Number(100.0 * predictions.accuracy(), 2),
        Cell::Number(predictions.cross_entropy(), 4),
        Cell::Number(100.0 * calibration.error, 2),
        Cell::Number(100.0 * calibration.confidence, 2),
    ]
}

/// Runs whose records say another accuracy than what is measured here.
fn other_numbers(report: &Report) -> Vec<String> {
    let differs = numbered(report).filter_map(|(place, run)| {
        let (answers, images) = report.networks.student(place)?;
        let recorded = run.result()?.last_top1;
        let measured = 100.0 * answers.predictions.accuracy();
        let apart = images.are_all && (measured - recorded).abs() > ROUNDING;
        apart.then(|| {
            format!(
                "{}: its records say {recorded:.2} % top-1, and {measured:.2} % is measured here. The \
                 images, the weights or the device are others than when it ran.",
                run.name
            )
        })
    });
    differs.collect()
}
