//! Curves over the epochs.

use kd_train::EpochMetrics;

use super::parts::{Section, absent, details, figure, numbered, reasons};
use crate::Report;
use crate::figures::{Curve, Panel, inline_curves, training_panels};

/// Runs whose losses are shown unfolded.
const UNFOLDED: usize = 8;

pub(super) fn section(report: &Report) -> Section {
    if numbered(report).all(|(_, run)| run.history.epochs.is_empty()) {
        let body = absent("No run has completed an epoch.");
        return Section::new("curves", "Curves", body);
    }
    let mut body = figure(
        &compared(report),
        "All runs over the epochs; with scripts, the values under the pointer are shown. Training \
         images are seen as they are augmented and while the network changes, so training accuracy is \
         lower than that of the final network. Training losses are weighted sums of different terms: \
         they tell whether a run converges, not which is better.",
    );
    let runs = numbered(report).filter(|(_, run)| !run.history.epochs.is_empty());
    let terms: Vec<String> = runs
        .flat_map(|(_, run)| {
            let panels = training_panels(&run.history.epochs).into_iter().skip(1);
            panels.map(|panel| {
                let title = format!("{}: {}", run.name, panel.title.to_lowercase());
                drawn(Panel { title, ..panel })
            })
        })
        .collect();
    let caption = "The terms of each run's loss, without their weights, as means over the training \
                   images of an epoch; total is their weighted sum, and test ce the cross-entropy on the \
                   test images.";
    let terms = figure(&terms, caption);
    let open = report.runs.runs.len() <= UNFOLDED;
    body.push_str(&details("Terms of the losses, run by run", &terms, open));
    let missing = reasons(report, |place| {
        let run = &report.runs.runs[place];
        let none = run.history.epochs.is_empty();
        none.then(|| "has no epoch yet".to_owned())
    });
    body.extend(missing.iter().map(|reason| absent(&format!("{reason}."))));
    Section::new("curves", "Curves", body)
}

/// Pictures with a curve for each run.
fn compared(report: &Report) -> Vec<String> {
    type Value = fn(&EpochMetrics) -> f64;
    let panels: [(&str, &str, Value); 5] = [
        ("Test accuracy", "top-1 in %", |epoch| epoch.test.top1),
        ("Training accuracy", "top-1 in %", |epoch| epoch.train.top1),
        ("Test loss", "cross-entropy in nats", |epoch| {
            epoch.test.loss
        }),
        ("Training loss", "weighted sum of terms", |epoch| {
            epoch.train.loss
        }),
        ("Learning rate", "at the end of the epoch", |epoch| epoch.lr),
    ];
    let panel = |(title, y_label, value): (&str, &str, Value)| {
        let curves = report.runs.runs.iter().map(|run| {
            let value = |epoch: &EpochMetrics| Some(value(epoch));
            Curve::over(&run.history.epochs, &run.name, value)
        });
        drawn(Panel {
            title: title.to_owned(),
            y_label: y_label.to_owned(),
            curves: curves.collect(),
        })
    };
    panels.into_iter().map(panel).collect()
}

fn drawn(panel: Panel) -> String {
    let last = panel.curves.iter().filter_map(|curve| {
        let (_, value) = curve.points.last()?;
        Some(format!("{} {value:.4}", curve.name))
    });
    let last = last.collect::<Vec<_>>().join(", ");
    let label = format!(
        "{}, {} over epochs; last: {last}",
        panel.title, panel.y_label
    );
    inline_curves(&panel, &label)
}
