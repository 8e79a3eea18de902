//! What the runs cost.

use super::parts::{Section, numbered, run_name};
use super::table::{Cell, Table};
use crate::Report;

pub(super) fn section(report: &Report) -> Section {
    let columns = [
        "run",
        "seconds an epoch",
        "all epochs (s)",
        "peak memory (MiB)",
        "parameters",
        "MACs an image (M)",
        "teacher's MACs (M)",
        "device",
    ];
    let caption = "Wall time of an epoch, evaluation included, as a mean, and of all epochs of the main \
                   phase; largest resident memory of the process; trainable parameters of the student; \
                   multiply-accumulates of convolutions and linear layers for one image, which are known \
                   of networks that were asked. Times of runs that shared a machine are not comparable.";
    let mut table = Table::new(caption, &columns);
    for (place, run) in numbered(report) {
        let epochs = &run.history.epochs;
        let total: f64 = epochs.iter().map(|epoch| epoch.seconds).sum();
        let timed = !epochs.is_empty();
        let result = run.result();
        let millions = |macs: u64| macs as f64 / 1e6;
        let student = report.networks.student(place);
        let macs = student.and_then(|(answers, _)| answers.macs).map(millions);
        let teacher = report.networks.teacher(place);
        let teacher = teacher
            .and_then(|teacher| teacher.answers.macs)
            .map(millions);
        let device = result.map(|result| result.device.clone());
        table.row(vec![
            Cell::Html(run_name(report, place), run.name.clone()),
            Cell::number(timed.then(|| total / epochs.len() as f64), 2),
            Cell::number(timed.then_some(total), 1),
            Cell::number(result.map(|result| result.peak_rss_mb), 0),
            Cell::number(result.map(|result| result.params as f64), 0),
            Cell::number(macs, 1),
            Cell::number(teacher, 1),
            device.map_or(Cell::None, Cell::Text),
        ]);
    }
    Section::new("cost", "Cost", table.html())
}
