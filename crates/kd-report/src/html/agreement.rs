//! How much students are like their teachers.

use super::parts::{Section, absent, all_absent, numbered, reasons, run_name, sentence};
use super::table::{Cell, Table};
use crate::Report;
use crate::analysis::agreement;

pub(super) fn section(report: &Report) -> Section {
    let title = "Teacher and student";
    let caption = "How alike both are on the test images, whether right or wrong: the share of images \
                   for which they choose the same class, and the mean divergence KL(teacher ‖ student) \
                   of their probabilities at temperature 1. The student alone, which has never seen the \
                   teacher, shows how much of it would be there anyway.";
    let columns = [
        "run",
        "teacher",
        "same class (%)",
        "KL (nats)",
        "student alone: same class (%)",
        "student alone: KL (nats)",
    ];
    let mut table = Table::new(caption, &columns);
    let mut rows = 0;
    for (place, run) in numbered(report) {
        let Some((student, _)) = report.networks.student(place) else {
            continue;
        };
        let Some(teacher) = report.networks.teacher(place) else {
            continue;
        };
        let Ok(own) = agreement(&teacher.answers.predictions, &student.predictions) else {
            continue;
        };
        let alone = run.baseline.and_then(|alone| {
            let (alone, _) = report.networks.student(alone)?;
            agreement(&teacher.answers.predictions, &alone.predictions).ok()
        });
        rows += 1;
        table.row(vec![
            Cell::Html(run_name(report, place), run.name.clone()),
            Cell::text(&teacher.name),
            Cell::Number(100.0 * own.top1, 2),
            Cell::Number(own.divergence, 4),
            Cell::number(alone.map(|alone| 100.0 * alone.top1), 2),
            Cell::number(alone.map(|alone| alone.divergence), 4),
        ]);
    }
    let mut body = match rows {
        0 => absent("No run has both a student and a teacher that could be asked."),
        _ => table.html(),
    };
    body.push_str(&all_absent(&missing_teachers(report)));
    Section::new("agreement", title, body)
}

/// Why teachers are not there.
pub(super) fn missing_teachers(report: &Report) -> Vec<String> {
    reasons(report, |place| {
        let teacher = report.networks.runs[place].teacher.as_ref()?;
        let reason = teacher.as_ref().err()?;
        Some(sentence(&format!("no teacher: {reason}")))
    })
}
