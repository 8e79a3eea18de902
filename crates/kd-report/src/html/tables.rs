//! The runs, what came out and how they were set.

use kd_recipes::sweep::CellState;
use kd_train::{Recipe, RunResult};

use super::parts::{Section, absent, numbered, paragraph, run_name};
use super::table::{Cell, Table};
use crate::Report;
use crate::runs::Run;

/// What came out.
pub(super) fn results(report: &Report) -> Section {
    let caption = "Top-1 and top-5 accuracy in percent, on the images that each run was evaluated on. \
                   The gain is in percentage points over the student alone, last epoch to last epoch. \
                   The best epoch is chosen by the same images, which flatters. A click on a heading \
                   sorts.";
    let columns = [
        "run",
        "top-1, last epoch (%)",
        "gain (points)",
        "over",
        "what",
        "mean over seeds (%)",
        "± std",
        "seeds",
        "top-1, best epoch (%)",
        "best epoch",
        "top-5, last epoch (%)",
        "evaluated on",
        "state",
    ];
    let mut table = Table::new(caption, &columns);
    for (place, run) in numbered(report) {
        table.row(result(report, place, run));
    }
    let mut body = table.html();
    let wanting = numbered(report)
        .filter(|(_, run)| !run.is_alone() && run.baseline.is_none())
        .map(|(_, run)| run.name.as_str());
    let wanting: Vec<&str> = wanting.collect();
    if !wanting.is_empty() {
        body.push_str(&absent(&format!(
            "No gain of {}: no run of the report has the same student alone on the same images \
             (--baseline names one).",
            wanting.join(", ")
        )));
    }
    Section::new("results", "Results", body)
}

fn result(report: &Report, place: usize, run: &Run) -> Vec<Cell> {
    let epochs = &run.history.epochs;
    let last = epochs.last();
    let best = epochs
        .iter()
        .fold(None, |best: Option<(f64, usize)>, epoch| {
            match best.is_none_or(|(top1, _)| epoch.test.top1 > top1) {
                true => Some((epoch.test.top1, epoch.epoch)),
                false => best,
            }
        });
    let result = run.result();
    let value = |of: fn(&RunResult) -> f64| result.map(of);
    let best_top1 = value(|result| result.best_top1).or(best.map(|(top1, _)| top1));
    let best_epoch = value(|result| result.best_epoch as f64);
    let seeds = report.runs.over_seeds(run).filter(|seeds| seeds.n > 1);
    let over = report.runs.baseline(run).map(|alone| alone.name.clone());
    let evaluated = result.map(|result| {
        let split = result.evaluated_on.name();
        format!("{} {split} images", result.test_images)
    });
    let text = |text: Option<String>| text.map_or(Cell::None, Cell::Text);
    vec![
        Cell::Html(run_name(report, place), run.name.clone()),
        Cell::number(run.last_top1(), 2),
        Cell::change(report.runs.gain(run), 2),
        text(over),
        Cell::text(run.what()),
        Cell::number(seeds.map(|seeds| seeds.mean), 2),
        Cell::number(seeds.and_then(|seeds| seeds.std), 2),
        Cell::number(seeds.map(|seeds| seeds.n as f64), 0),
        Cell::number(best_top1, 2),
        Cell::number(best_epoch.or(best.map(|(_, epoch)| epoch as f64)), 0),
        Cell::number(
            value(|result| result.last_top5).or(last.map(|epoch| epoch.test.top5)),
            2,
        ),
        text(evaluated),
        Cell::text(run.record.state.to_string()),
    ]
}

/// How the runs were set.
pub(super) fn settings(report: &Report) -> Section {
    let caption = "What the recipes of the runs say; the complete ones are below.";
    let columns = [
        "run",
        "student",
        "teacher",
        "loss",
        "routing",
        "epochs",
        "seed",
        "batch",
        "optimizer",
        "learning rate",
        "training images",
        "device",
        "version",
    ];
    let mut table = Table::new(caption, &columns);
    for (place, run) in numbered(report) {
        let (recipe, result) = (&run.record.recipe, run.result());
        let count = |count: Option<usize>| Cell::number(count.map(|count| count as f64), 0);
        let text = |text: Option<String>| text.map_or(Cell::None, Cell::Text);
        let device = result.map(|result| result.device.clone());
        table.row(vec![
            Cell::Html(run_name(report, place), run.name.clone()),
            Cell::text(run.student()),
            text(run.record.labels.teacher.clone()),
            Cell::text(loss(recipe)),
            Cell::text(recipe.routing.mode.name()),
            count(recipe.train.epochs),
            Cell::Number(recipe.train.seed as f64, 0),
            count(recipe.data.batch_size),
            Cell::text(optimizer(recipe)),
            Cell::exact(recipe.optimizer.rate()),
            count(result.map(|result| result.train_images)),
            text(device.or(recipe.compute.device.clone())),
            text(result.map(|result| result.version.clone())),
        ]);
    }
    let mut body = table.html();
    let incomplete = numbered(report)
        .filter(|(_, run)| !matches!(run.record.state, CellState::Complete(_)))
        .count();
    if incomplete > 0 {
        body.push_str(&paragraph(
            "Of runs that are not complete, the number of training images and the version are not \
             written down yet.",
        ));
    }
    Section::new("settings", "Settings", body)
}

/// The terms of the loss with their weights.
fn loss(recipe: &Recipe) -> String {
    let terms = recipe.losses.iter();
    let terms: Vec<String> = terms
        .map(|term| format!("{} {}", term.weight, term.label()))
        .collect();
    terms.join(" + ")
}

fn optimizer(recipe: &Recipe) -> String {
    let name = serde_json::to_value(recipe.optimizer.name).unwrap_or_default();
    let schedule = serde_json::to_value(recipe.scheduler.name).unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("?").to_owned();
    format!("{}, {}", text(&name), text(&schedule))
}
