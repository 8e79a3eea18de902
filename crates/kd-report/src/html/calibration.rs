//! Reliability diagrams.

use super::parts::{Section, absent, figure, numbered};
use super::predictions::BINS;
use crate::Report;
use crate::analysis::{Predictions, calibration};
use crate::figures::inline_reliability;

pub(super) fn section(report: &Report) -> Section {
    let teachers = report.networks.other_teachers().map(|(teacher, _)| {
        let name = format!("teacher {}", teacher.name);
        diagram(&name, &teacher.answers.predictions)
    });
    let students = numbered(report).filter_map(|(place, run)| {
        let (answers, _) = report.networks.student(place)?;
        Some(diagram(&run.name, &answers.predictions))
    });
    let diagrams: Vec<String> = teachers.chain(students).collect();
    let body = match diagrams.is_empty() {
        true => absent("No network was asked about the test images."),
        false => figure(
            &diagrams,
            &format!(
                "Test images in {BINS} bins by confidence, the probability of the class that is chosen. A \
                 bar is the share of the bin on which the network is right, the mark on it the bin's \
                 mean confidence, the dashed line where both are equal: bars below their marks are \
                 confidence without right. Below, how the images are spread. Each title has the \
                 expected calibration error."
            ),
        ),
    };
    Section::new("calibration", "Calibration", body)
}

fn diagram(name: &str, predictions: &Predictions) -> String {
    let calibration = calibration(predictions, BINS);
    let error = 100.0 * calibration.error;
    let title = format!("{name}: {error:.1} %");
    let label = format!("Reliability diagram of {name}, expected calibration error {error:.2} %");
    inline_reliability(&title, &calibration, &label)
}
