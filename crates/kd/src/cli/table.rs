//! Tables for people.

use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use kd_losses::{MethodInfo, Preliminary};
use kd_models::ModelInfo;
use kd_train::RunResult;
use kd_train::compare::Row;

/// A table whose columns from `numbers` on are aligned to the right.
fn table(header: &[&str], numbers: usize, rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(header.iter().copied());
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// One run's outcome, in a few lines.
pub fn result(result: &RunResult, out: &Path) -> String {
    format!(
        "top-1 {:.2} % after the last epoch, {:.2} % after the best ({}); top-5 {:.2} %\n\
         {} parameters, {:.1} s an epoch, {:.0} MB at most; everything is in {}",
        result.last_top1,
        result.best_top1,
        result.best_epoch,
        result.last_top5,
        result.params,
        result.seconds_per_epoch,
        result.peak_rss_mb,
        out.display()
    )
}

/// The comparison of the quick start.
pub fn comparison(rows: &[Row], out: &Path) -> String {
    let alone = rows
        .iter()
        .find(|row| row.result.teacher.is_none() && row.label != "teacher")
        .map(|row| row.result.last_top1);
    let lines = rows
        .iter()
        .map(|row| {
            let result = &row.result;
            let gain = match alone {
                Some(alone) if result.teacher.is_some() => {
                    format!("{:+.2}", result.last_top1 - alone)
                }
                _ => String::new(),
            };
            vec![
                if row.reused {
                    format!("{} (reused)", row.label)
                } else {
                    row.label.clone()
                },
                result.student.clone(),
                result.params.to_string(),
                format!("{:.2}", result.last_top1),
                gain,
                format!("{:.2}", result.best_top1),
                format!("{:.2}", result.last_top5),
                format!("{:.1}", result.seconds_per_epoch),
            ]
        })
        .collect();
    let header = [
        "", "network", "params", "top-1 %", "gain", "best %", "top-5 %", "s/epoch",
    ];
    let setting = rows.first().map_or(String::new(), |row| {
        format!(
            "{}: {} training and {} test images, {} epochs, seed {}; one run each, top-1 after the last epoch\n",
            row.result.data,
            row.result.train_images,
            row.result.test_images,
            row.result.epochs,
            row.result.seed
        )
    });
    format!(
        "\n{}\n{setting}Everything is in {}",
        table(&header, 2, lines),
        out.display()
    )
}

/// The networks.
pub fn models(models: &[ModelInfo]) -> String {
    let rows = models
        .iter()
        .map(|model| {
            let maps: Vec<String> = model
                .maps
                .iter()
                .map(|[channels, height, width]| format!("{channels}×{height}×{width}"))
                .collect();
            vec![
                model.name.to_owned(),
                model.family.to_owned(),
                model.aliases.join(", "),
                maps.join("  "),
                model.pooled.to_string(),
                model.params.to_string(),
            ]
        })
        .collect();
    let header = [
        "name",
        "family",
        "also",
        "maps of stem and stages",
        "pooled",
        "params",
    ];
    table(&header, 4, rows).to_string()
}

/// The methods, a few lines each: links and parameters fit no table.
pub fn methods(methods: &[MethodInfo]) -> String {
    let blocks: Vec<String> = methods
        .iter()
        .map(|method| {
            let parameters: Vec<String> = method
                .parameters
                .iter()
                .map(|parameter| format!("{} = {}", parameter.name, parameter.default))
                .collect();
            let mut lines = head(method);
            if !parameters.is_empty() {
                lines.push(format!("    parameters  {}", parameters.join(", ")));
            }
            lines.join("\n")
        })
        .collect();
    format!(
        "{}\n\nThe weights are those of cross-entropy (-r), distillation of logits (-a) and the \
         method's own term (-b).\n`kd methods NAME` explains the parameters of one method.",
        blocks.join("\n\n")
    )
}

/// One method with its parameters explained.
pub fn method(method: &MethodInfo) -> String {
    let mut lines = head(method);
    if !method.parameters.is_empty() {
        lines.push("    parameters".to_owned());
    }
    for parameter in method.parameters {
        lines.push(format!(
            "      {} = {}: {}",
            parameter.name, parameter.default, parameter.description
        ));
    }
    lines.join("\n")
}

/// What a method is, without its parameters.
fn head(method: &MethodInfo) -> Vec<String> {
    let names: Vec<&str> = std::iter::once(&method.name)
        .chain(method.aliases)
        .copied()
        .collect();
    let weights = method.weights;
    let mut lines = vec![
        format!("{}: {}", names.join(", "), method.title),
        format!("    paper       {}", method.paper),
        format!("    acts on     {}", method.acts_on),
        format!(
            "    weights     -r {} -a {} -b {}",
            weights.ce, weights.kd, weights.method
        ),
    ];
    let phase = match method.preliminary {
        Preliminary::None => None,
        Preliminary::Adapters => Some("trains adapters, before the student is trained"),
        Preliminary::Student => Some("trains the student by the method alone"),
    };
    lines.extend(phase.map(|phase| format!("    first       a preliminary phase {phase}")));
    lines
}
