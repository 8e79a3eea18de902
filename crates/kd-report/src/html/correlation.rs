//! Differences of the logits' correlations.

use super::matrix::Matrix;
use super::parts::{Section, absent, details, figure, numbered};
use crate::Report;
use crate::analysis::difference;

/// Pictures that are shown unfolded.
const UNFOLDED: usize = 8;

pub(super) fn section(report: &Report) -> Section {
    let title = "Correlation of logits";
    let pairs = numbered(report).flat_map(|(place, run)| {
        let alone = run.baseline.map(|alone| {
            let name = format!(
                "{} beside the teacher of {}",
                report.runs.runs[alone].name, run.name
            );
            (alone, name)
        });
        let own = (place, run.name.clone());
        std::iter::once(own)
            .chain(alone)
            .map(move |(student, name)| (place, student, name))
    });
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for (place, student, name) in pairs {
        let Some(Ok(teacher)) = report.networks.runs[place].teacher.as_ref() else {
            continue;
        };
        // One picture of a student beside a teacher.
        let key = (*teacher, student);
        if !seen.contains(&key) {
            found.extend(matrix(report, place, student, &name));
            seen.push(key);
        }
    }
    if found.is_empty() {
        let body = absent("No run has both a student and a teacher that could be asked.");
        return Section::new("correlation", title, body);
    }
    // One scale for all, so that they can be compared.
    let values = found
        .iter()
        .flat_map(|matrix| matrix.values.iter().flatten());
    let most = values
        .copied()
        .filter(|value| value.is_finite())
        .fold(0.0, f64::max);
    let open = found.len() <= UNFOLDED;
    let pictures: Vec<String> = found
        .into_iter()
        .map(|matrix| Matrix { most, ..matrix }.html())
        .collect();
    let pictures = figure(
        &pictures,
        "Absolute difference between the correlation matrices of the teacher's and of the student's \
         logits over the test images, class by class: the darker, the more the student has learned how \
         the teacher's classes go together. Each title has the mean beside the diagonal. All share one \
         scale, which ends at the greatest difference.",
    );
    let body = details("Matrices, run by run", &pictures, open);
    Section::new("correlation", title, body)
}

fn matrix(report: &Report, place: usize, student: usize, name: &str) -> Option<Matrix<'static>> {
    let teacher = report.networks.teacher(place)?;
    let (answers, images) = report.networks.student(student)?;
    let values = difference(&teacher.answers.predictions, &answers.predictions).ok()?;
    let beside = values.iter().enumerate().flat_map(|(row, values)| {
        let cells = values.iter().enumerate();
        cells.filter(move |(column, value)| *column != row && value.is_finite())
    });
    let (sum, count) = beside.fold((0.0, 0usize), |(sum, count), (_, value)| {
        (sum + value, count + 1)
    });
    Some(Matrix {
        title: format!("{name}: mean {:.3}", sum / count.max(1) as f64),
        across: "class",
        down: "class",
        scale: "difference of correlations",
        most: 0.0,
        classes: images.classes(),
        values,
    })
}
