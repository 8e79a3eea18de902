//! The figures of a run.

use kd_train::{EpochMetrics, RoutingRecord};

use super::{Curve, Heatmap, Panel};

/// Accuracy and loss over the epochs.
pub fn training_panels(epochs: &[EpochMetrics]) -> Vec<Panel> {
    let curve =
        |name: &str, value: &dyn Fn(&EpochMetrics) -> Option<f64>| Curve::over(epochs, name, value);
    let given = |curves: Vec<Curve>| -> Vec<Curve> {
        let curves = curves.into_iter();
        curves.filter(|curve| !curve.points.is_empty()).collect()
    };
    let mut losses = vec![curve("total", &|epoch| Some(epoch.train.loss))];
    let terms = epochs.first().map(|epoch| epoch.train.terms.0.as_slice());
    for (name, _) in terms.unwrap_or_default() {
        losses.push(curve(name, &|epoch| epoch.train.terms.get(name)));
    }
    losses.push(curve("test ce", &|epoch| Some(epoch.test.loss)));
    let mut panels = vec![
        Panel {
            title: "Accuracy".to_owned(),
            y_label: "top-1 in %".to_owned(),
            curves: given(vec![
                curve("test", &|epoch| Some(epoch.test.top1)),
                curve("training", &|epoch| Some(epoch.train.top1)),
            ]),
        },
        Panel {
            title: "Loss".to_owned(),
            y_label: "mean over the epoch".to_owned(),
            curves: losses,
        },
    ];
    // It has a scale of its own: it counts samples.
    let objective = given(vec![curve("objective", &|epoch| epoch.train.routing)]);
    if !objective.is_empty() {
        panels.push(Panel {
            title: "Routing".to_owned(),
            y_label: "mean over the epoch".to_owned(),
            curves: objective,
        });
    }
    panels
}

/// Names of the spots; those where no loss acts say so.
pub fn spot_names(spots: &[String], distills: &[bool]) -> Vec<String> {
    let spots = spots.iter().zip(distills);
    spots
        .map(|(spot, distills)| match distills {
            true => spot.clone(),
            false => format!("({spot})"),
        })
        .collect()
}

/// What was distilled, by epoch and by class, with the names of the figures.
pub fn routing_maps(record: &RoutingRecord) -> Vec<(&'static str, Heatmap)> {
    let scale_label = "share of samples chosen".to_owned();
    let spots = record.spots.len();
    let of_spot = |spot: usize| {
        let epochs = record.epochs.iter();
        epochs
            .map(|shares| shares.get(spot).copied().unwrap_or(f64::NAN))
            .collect()
    };
    let routing = record.routing.name();
    let spots_named = spot_names(&record.spots, &record.distills);
    let epochs = Heatmap {
        title: format!("Chosen for distillation by epoch, routing {routing}"),
        x_label: "epoch".to_owned(),
        y_label: "spot".to_owned(),
        columns: (1..=record.epochs.len())
            .map(|epoch| epoch.to_string())
            .collect(),
        rows: spots_named.clone(),
        values: (0..spots).map(of_spot).collect(),
        scale_label: scale_label.clone(),
    };
    let of_class = |shares: &Option<Vec<f64>>| match shares {
        Some(shares) => shares.clone(),
        None => vec![f64::NAN; spots],
    };
    let classes = Heatmap {
        title: format!("Chosen for distillation by class, routing {routing}"),
        x_label: "spot".to_owned(),
        y_label: "class".to_owned(),
        columns: spots_named,
        rows: record.classes.clone(),
        values: record.by_class.iter().map(of_class).collect(),
        scale_label,
    };
    vec![("routing-epochs", epochs), ("routing-classes", classes)]
}
