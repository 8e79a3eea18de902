//! The table of `kd compare`.

use kd_recipes::table::capitalized;
use kd_train::RunResult;
use kd_train::compare::Spread;

use super::compare::{Compared, Comparison};
use super::table::table;

/// The comparison, for people.
pub fn comparison(comparison: &Comparison) -> String {
    let rows = || comparison.rows.iter();
    let routing = rows().find_map(|compared| compared.row.routed.as_ref()?.first()?.routing);
    let name = routing.map(|routing| capitalized(routing.name()));
    let mut header = vec!["", "network", "params", "Standard", "gain"];
    header.extend(name.as_deref());
    header.extend(name.as_ref().map(|_| "Δ"));
    header.push("s/epoch");
    let seconds = name.as_ref().map(|name| format!("{name} s/epoch"));
    header.extend(seconds.as_deref());
    let lines = rows().map(|compared| line(compared, routing.is_some()));
    format!(
        "{}\n{}Everything is in {}",
        table(&header, 2, lines.collect()),
        settings(comparison),
        comparison.out.display()
    )
}

/// A line, with columns for routing if any run has it.
fn line(compared: &Compared, routing: bool) -> Vec<String> {
    let row = &compared.row;
    let Some(first) = row.results.first() else {
        return vec![row.label.clone()];
    };
    let seconds = |results: &[RunResult]| {
        let seconds = Spread::of(results.iter().map(|result| result.seconds_per_epoch));
        seconds.map_or_else(String::new, |seconds| format!("{:.1}", seconds.mean))
    };
    let mut line = vec![
        format!("{}{}", row.label, if row.reused { " (reused)" } else { "" }),
        first.student.clone(),
        first.params.to_string(),
        level(compared.top1),
        difference(compared.gain_top1),
    ];
    if routing {
        line.push(level(compared.routed_top1));
        line.push(difference(compared.routing_gain_top1));
    }
    line.push(seconds(&row.results));
    if routing {
        line.push(row.routed.as_deref().map_or_else(String::new, seconds));
    }
    line
}

/// Mean and standard deviation.
fn level(spread: Option<Spread>) -> String {
    match spread {
        Some(Spread {
            mean,
            std: Some(std),
            ..
        }) => format!("{mean:.2} ± {std:.2}"),
        Some(Spread { mean, .. }) => format!("{mean:.2}"),
        None => String::new(),
    }
}

/// Mean and standard error.
fn difference(spread: Option<Spread>) -> String {
    let Some(spread) = spread else {
        return String::new();
    };
    match spread.standard_error() {
        Some(error) => format!("{:+.2} ± {error:.2}", spread.mean),
        None => format!("{:+.2}", spread.mean),
    }
}

/// What was trained on what, and what the numbers are.
fn settings(comparison: &Comparison) -> String {
    let rows = comparison.rows.iter();
    let students = rows.clone().find(|compared| !compared.row.is_teacher());
    let Some(results) = students.map(|compared| compared.row.results.as_slice()) else {
        return String::new();
    };
    let [first, .., last] = results else {
        return results.first().map_or_else(String::new, |only| {
            format!(
                "{}, seed {}; single runs\n{LAST}\n",
                budgets(comparison, only),
                only.seed
            )
        });
    };
    format!(
        "{}\n{LAST}: mean ± standard deviation of {} seeds ({} to {}); \
         differences: mean ± standard error, seed by seed\n",
        budgets(comparison, first),
        results.len(),
        first.seed,
        last.seed
    )
}

const LAST: &str = "Top-1 in % after the last epoch";

/// Images and epochs of the students, and of the teacher where these are others.
fn budgets(comparison: &Comparison, student: &RunResult) -> String {
    let budget = |run: &RunResult| (run.train_images, run.epochs);
    let text = |(images, epochs)| format!("{images} training images, {epochs} epochs");
    let mut rows = comparison.rows.iter();
    let teacher = rows
        .find(|compared| compared.row.is_teacher())
        .and_then(|compared| compared.row.results.first())
        .filter(|teacher| budget(teacher) != budget(student));
    let of_teacher = teacher.map_or_else(String::new, |teacher| {
        format!(" (teacher: {})", text(budget(teacher)))
    });
    format!(
        "{}: {}{of_teacher}, {} {} images",
        student.data,
        text(budget(student)),
        student.test_images,
        student.evaluated_on.name()
    )
}
