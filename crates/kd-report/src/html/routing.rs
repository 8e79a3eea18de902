//! What was distilled where.

use kd_train::RoutingRecord;

use super::parts::{Section, absent, details, figure, numbered, run_name};
use super::table::{Cell, Table};
use crate::Report;
use crate::figures::{Heatmap, inline_heatmap, routing_maps, spot_names};
use crate::runs::Run;

/// Classes up to which maps by class are unfolded.
const UNFOLDED: usize = 20;

pub(super) fn section(report: &Report) -> Section {
    let routed: Vec<(usize, &Run, &RoutingRecord)> = numbered(report)
        .filter_map(|(place, run)| Some((place, run, run.history.routing.as_ref()?)))
        .collect();
    if routed.is_empty() {
        let body = absent(
            "No run chooses: where there is a teacher, all samples are distilled at every spot.",
        );
        return Section::new("routing", "Routing", body);
    }
    let mut body = shares(report, &routed);
    body.push_str(&figure(
        &maps(&routed, "epoch"),
        "Share of the training samples that were chosen for distillation, from 0 (none) to 1 (all), by \
         epoch and spot. At spots in parentheses no loss acts; a choice there only leads through the \
         grafted network.",
    ));
    let classes = figure(
        &maps(&routed, "class"),
        "The same in the last epoch, by class and spot: which classes are distilled where.",
    );
    let short = |(_, _, record): &(usize, &Run, &RoutingRecord)| record.classes.len() <= UNFOLDED;
    let open = routed.iter().all(short);
    body.push_str(&details("By class", &classes, open));
    Section::new("routing", "Routing", body)
}

/// The heat-maps of runs by `epoch` or by `class`.
fn maps(routed: &[(usize, &Run, &RoutingRecord)], by: &str) -> Vec<String> {
    let drawn = routed.iter().flat_map(|(_, run, record)| {
        let wanted = |(name, map)| match (by, name) {
            ("epoch", "routing-epochs") | ("class", "routing-classes") => Some(map),
            _ => None,
        };
        let maps = routing_maps(record).into_iter().filter_map(wanted);
        maps.map(|map: Heatmap| {
            let title = format!("{} by {by}", run.name);
            let label = format!(
                "Share of samples distilled at each spot by {by}, run {}, routing {}",
                run.name,
                record.routing.name()
            );
            inline_heatmap(&Heatmap { title, ..map }, &label)
        })
    });
    drawn.collect()
}

/// The shares in the last epoch, spot by spot.
fn shares(report: &Report, routed: &[(usize, &Run, &RoutingRecord)]) -> String {
    let mut spots: Vec<String> = Vec::new();
    for (_, _, record) in routed {
        for spot in spot_names(&record.spots, &record.distills) {
            if !spots.contains(&spot) {
                spots.push(spot);
            }
        }
    }
    let mut columns = vec!["run", "routing"];
    columns.extend(spots.iter().map(String::as_str));
    let caption = "Share of the training samples that were distilled at each spot in the last epoch, in \
                   percent.";
    let mut table = Table::new(caption, &columns);
    for (place, run, record) in routed {
        let own = spot_names(&record.spots, &record.distills);
        let last = record.epochs.last();
        let share = |spot: &String| {
            let index = own.iter().position(|own| own == spot)?;
            last?.get(index).map(|share| 100.0 * share)
        };
        let mut row = vec![
            Cell::Html(run_name(report, *place), run.name.clone()),
            Cell::text(record.routing.name()),
        ];
        row.extend(spots.iter().map(|spot| Cell::number(share(spot), 1)));
        table.row(row);
    }
    table.html()
}
