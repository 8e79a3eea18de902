//! The curves of a run, each panel with an axis of its own.

use kd_train::EpochMetrics;

use super::run::Run;
use kd_report::figures::{Curve, Panel};

/// Accuracy, the whole loss, each term, and what was distilled, as far as the run has them.
pub fn panels(run: &Run) -> Vec<Panel> {
    let epochs = run.history.as_slice();
    let curve =
        |name: &str, value: &dyn Fn(&EpochMetrics) -> Option<f64>| Curve::over(epochs, name, value);
    let panel = |title: &str, unit: &str, curves: Vec<Curve>| Panel {
        title: title.to_owned(),
        y_label: unit.to_owned(),
        curves: curves
            .into_iter()
            .filter(|curve| !curve.points.is_empty())
            .collect(),
    };
    let mut accuracy = vec![
        curve("test", &|epoch| Some(epoch.test.top1)),
        curve("training", &|epoch| Some(epoch.train.top1)),
        curve("teacher", &|epoch| epoch.teacher_top1),
    ];
    let peers = epochs.first().map_or(0, |epoch| epoch.peers.len());
    accuracy.extend((0..peers).map(|peer| {
        let top1 = move |epoch: &EpochMetrics| Some(epoch.peers.get(peer)?.test.top1);
        curve(&format!("network {}", peer + 2), &top1)
    }));
    let mut panels = vec![
        panel("accuracy", "%", accuracy),
        panel(
            "loss",
            "",
            vec![
                curve("total", &|epoch| Some(epoch.train.loss)),
                curve("test ce", &|epoch| Some(epoch.test.loss)),
            ],
        ),
    ];
    let terms = epochs.first().map(|epoch| epoch.train.terms.0.as_slice());
    for (name, _) in terms.unwrap_or_default() {
        let term = curve(name, &|epoch| epoch.train.terms.get(name));
        panels.push(panel(name, "", vec![term]));
    }
    panels.push(panel(
        "routing",
        "",
        vec![curve("objective", &|epoch| epoch.train.routing)],
    ));
    if let Some(record) = &run.routing {
        let spots = record.spots.iter().enumerate();
        let spots = spots.map(|(spot, name)| {
            let share =
                move |epoch: &EpochMetrics| epoch.train.distilled.as_ref()?.get(spot).copied();
            curve(name, &share)
        });
        panels.push(panel("distilled", "", spots.collect()));
    }
    // The first two stand from the start.
    let mut index = 0;
    panels.retain(|panel| {
        index += 1;
        index <= 2 || !panel.curves.is_empty()
    });
    panels
}
