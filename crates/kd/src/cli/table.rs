//! Tables for people.

use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use kd_losses::{LossConfig, Method, Pretrain};
use kd_models::ModelInfo;
use kd_models::deploy::DeployReport;
use kd_recipes::StudyInfo;
use kd_report::figures::spot_names;
use kd_train::{DeviceInfo, PeerResult, RouteReport, RunResult};

use super::recipes::{Listed, PublishedTop1};
use super::sweep::ListedCell;

/// A table whose columns from `numbers` on are aligned to the right.
pub(super) fn table(header: &[&str], numbers: usize, rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(header.iter().copied());
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Devices, and why others are none.
pub fn devices(devices: &[DeviceInfo]) -> String {
    let rows = devices.iter().map(|device| {
        let memory = device
            .memory
            .map(|bytes| format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0));
        let what = device.trouble.as_ref().unwrap_or(&device.what);
        vec![
            device.name.clone(),
            what.clone(),
            memory.unwrap_or_default(),
        ]
    });
    table(&["device", "what", "memory"], 2, rows.collect()).to_string()
}

/// One run's outcome, in a few lines.
pub fn result(result: &RunResult, out: &Path) -> String {
    if !result.peers.is_empty() {
        return mutual(result, out);
    }
    format!(
        "top-1 {:.2} % after the last epoch, {:.2} % after the best ({}); top-5 {:.2} %\n\
         {} parameters, {:.1} s per epoch, {:.0} MB peak memory; everything is in {}",
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

/// The outcome of mutual learning, a line for each network.
fn mutual(result: &RunResult, out: &Path) -> String {
    let first = PeerResult {
        network: result.student.clone(),
        last_top1: result.last_top1,
        last_top5: result.last_top5,
        best_top1: result.best_top1,
        best_epoch: result.best_epoch,
        params: result.params,
    };
    let networks = std::iter::once(&first).chain(&result.peers).enumerate();
    let rows = networks.map(|(index, network)| {
        vec![
            (index + 1).to_string(),
            network.network.clone(),
            network.params.to_string(),
            format!("{:.2}", network.last_top1),
            format!("{:.2}", network.last_top5),
            format!("{:.2}", network.best_top1),
            network.best_epoch.to_string(),
        ]
    });
    let header = [
        "",
        "network",
        "params",
        "top-1",
        "top-5",
        "best top-1",
        "in epoch",
    ];
    format!(
        "{}\n{:.1} s per epoch, {:.0} MB peak memory; everything is in {}",
        table(&header, 2, rows.collect()),
        result.seconds_per_epoch,
        result.peak_rss_mb,
        out.display()
    )
}

/// Names and states of a sweep's cells.
pub fn states(cells: &[ListedCell]) -> String {
    let rows = cells.iter();
    let rows = rows.map(|cell| vec![cell.name.clone(), cell.text.clone()]);
    table(&["cell", "state"], 2, rows.collect()).to_string()
}

/// Where a policy distills images: given ones, and the classes that it treats most differently.
pub fn route(report: &RouteReport, shown: &[usize]) -> String {
    const EXTREMES: usize = 3;
    let percent = |shares: &[f64]| -> Vec<String> {
        let shares = shares.iter();
        shares
            .map(|share| format!("{:.0}", 100.0 * share))
            .collect()
    };
    let line =
        |name: String, class: String, shares: &[f64]| [vec![name, class], percent(shares)].concat();
    let mut lines: Vec<Vec<String>> = shown
        .iter()
        .map(|index| {
            let image = &report.images[*index];
            let class = report.classes[image.label].clone();
            line(format!("image {index}"), class, &image.probabilities)
        })
        .collect();
    let total = |shares: &[f64]| -> f64 {
        let used = shares.iter().zip(&report.distills);
        used.filter(|(_, distills)| **distills)
            .map(|(share, _)| share)
            .sum()
    };
    let mut classes: Vec<(usize, Vec<f64>)> = (0..report.classes.len())
        .filter_map(|class| Some((class, report.mean(Some(class))?)))
        .collect();
    classes.sort_by(|(_, a), (_, b)| total(b).total_cmp(&total(a)));
    let last = classes.len().saturating_sub(EXTREMES).max(EXTREMES);
    let most = classes.iter().take(EXTREMES).map(|class| ("most", class));
    let least = classes.iter().skip(last).map(|class| ("least", class));
    for (what, (class, shares)) in most.chain(least) {
        lines.push(line(
            what.to_owned(),
            report.classes[*class].clone(),
            shares,
        ));
    }
    if let Some(mean) = report.mean(None) {
        lines.push(line("all".to_owned(), String::new(), &mean));
    }
    let mut header = vec!["", "class"];
    let spots = spot_names(&report.spots, &report.distills);
    header.extend(spots.iter().map(String::as_str));
    format!(
        "{}\nProbability in % of being distilled at each spot, by the policy of routing `{}`, with the \
         student in evaluation; classes that are distilled most and least, and all {} images: means. No \
         loss acts at spots in brackets.",
        table(&header, 2, lines),
        report.routing.name(),
        report.images.len()
    )
}

/// The networks.
pub fn models(models: &[ModelInfo]) -> String {
    let rows = models
        .iter()
        .map(|model| {
            vec![
                model.name.to_owned(),
                model.aliases.join(", "),
                maps(model).join("  "),
                model.pooled.to_string(),
                model.params.to_string(),
                millions(model.macs),
            ]
        })
        .collect();
    let header = [
        "name",
        "also",
        "maps of stem and stages",
        "pooled",
        "params",
        "MACs (M)",
    ];
    let table = table(&header, 3, rows);
    format!(
        "{table}\nMACs: multiply-accumulates of convolutions and linear layers for one image; \
         twice as many are FLOPs."
    )
}

/// One network.
pub fn model(model: &ModelInfo) -> String {
    let [channels, height, width] = model.input;
    let names: Vec<&str> = std::iter::once(&model.name)
        .chain(model.aliases)
        .copied()
        .collect();
    let mut lines = vec![
        format!("{}: family {}", names.join(", "), model.family),
        format!("    images      {channels}×{height}×{width}"),
        format!("    parameters  {}", model.params),
        format!("    MACs        {} M per image", millions(model.macs)),
    ];
    for (stage, map) in maps(model).iter().enumerate() {
        lines.push(match stage {
            0 => format!("    stem        {map}"),
            _ => format!("    stage {stage}     {map}"),
        });
    }
    lines.push(format!("    pooled      {}", model.pooled));
    lines.join("\n")
}

fn maps(model: &ModelInfo) -> Vec<String> {
    let maps = model.maps.iter();
    maps.map(|[channels, height, width]| format!("{channels}×{height}×{width}"))
        .collect()
}

fn millions(count: u64) -> String {
    format!("{:.1}", count as f64 / 1e6)
}

/// What folding a network did.
pub fn deployed(report: &DeployReport, out: &Path) -> String {
    let [channels, height, width] = report.input;
    let row = |name: &str, before: String, after: String| vec![name.to_owned(), before, after];
    let rows = vec![
        row(
            "parameters",
            report.params_before.to_string(),
            report.params_after.to_string(),
        ),
        row(
            "FLOPs (M)",
            millions(report.flops_before),
            millions(report.flops_after),
        ),
    ];
    format!(
        "{} at {channels}×{height}×{width}, {}:\n{}\n\
         largest output difference {:.1e}, {:.1e} of the largest logit, on {} random images\n\
         written to {}",
        report.architecture,
        report.form.name(),
        table(&["", "before", "after"], 1, rows),
        report.difference,
        report.relative_difference,
        report.images,
        out.display()
    )
}

/// The methods, a few lines each: links and parameters fit no table.
pub fn methods<'a>(methods: impl Iterator<Item = &'a Method>) -> String {
    let blocks: Vec<String> = methods
        .map(|method| {
            let parameters: Vec<String> = parameters(method)
                .into_iter()
                .map(|(name, default, _)| format!("{name} = {default}"))
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

/// The studies that have recipes, with the number of recipes.
pub fn studies<'a>(studies: impl Iterator<Item = (&'a StudyInfo, usize)>) -> String {
    let row = |(study, count): (&StudyInfo, usize)| {
        vec![study.name.clone(), study.title.clone(), count.to_string()]
    };
    let table = table(&["study", "what", "recipes"], 2, studies.map(row).collect());
    format!(
        "{table}\n`kd recipes STUDY [WORD...]` lists recipes, `kd recipes show NAME` prints one, `kd \
         distill --recipe NAME` and `kd train --recipe NAME` run it."
    )
}

/// Recipes by name, with their published figures.
pub fn recipes(recipes: &[Listed]) -> String {
    let row = |Listed { recipe, published }: &Listed| {
        vec![
            recipe.name.clone(),
            recipe.method.clone(),
            figures(published),
            recipe
                .needs
                .as_ref()
                .map_or_else(String::new, |needs| needs.recipe.clone()),
        ]
    };
    let header = ["name", "method", "published top-1", "teacher"];
    let table = table(&header, header.len(), recipes.iter().map(row).collect());
    format!(
        "{table}\nIn parentheses, what is reported: the last epoch, the best one on the test images \
         (which flatters), or the mean of five runs."
    )
}

/// Published figures, with their protocol.
fn figures(published: &[PublishedTop1]) -> String {
    let figures = published.iter();
    let mut figures: Vec<String> = figures
        .map(|figure| format!("{:.2} ({})", figure.top1, figure.protocol))
        .collect();
    figures.dedup();
    figures.join(", ")
}

/// One method with its parameters explained.
pub fn method(method: &Method) -> String {
    let mut lines = head(method);
    let parameters = parameters(method);
    if !parameters.is_empty() {
        lines.push("    parameters".to_owned());
    }
    for (name, default, description) in parameters {
        lines.push(format!("      {name} = {default}: {description}"));
    }
    lines.join("\n")
}

/// Names, defaults and descriptions of a method's parameters.
fn parameters(method: &Method) -> Vec<(&'static str, String, &'static str)> {
    let defaults = serde_json::to_value(method).unwrap_or_default();
    let parameters = method.info().parameters.iter();
    parameters
        .map(|parameter| {
            let default = defaults[parameter.name].to_string();
            (parameter.name, default, parameter.description)
        })
        .collect()
}

/// What a method is, without its parameters.
fn head(method: &Method) -> Vec<String> {
    let info = method.info();
    let names: Vec<&str> = std::iter::once(&info.name)
        .chain(info.aliases)
        .copied()
        .collect();
    let weights = info.weights;
    let mut lines = vec![
        format!("{}: {}", names.join(", "), info.title),
        format!("    paper       {}", info.paper),
        format!("    acts on     {}", method.requirements()),
        format!(
            "    weights     -r {} -a {} -b {}",
            weights.ce, weights.kd, weights.method
        ),
    ];
    let phase = match method.pretrain() {
        Pretrain::None => None,
        Pretrain::Adapters => Some("trains adapters, before the student is trained"),
        Pretrain::Student => Some("trains the student by the method alone"),
    };
    lines.extend(phase.map(|phase| format!("    first       a phase {phase}")));
    lines
}
