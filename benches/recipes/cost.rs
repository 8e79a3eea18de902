//! What whole tables cost.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use crate::step::sizes;
use crate::table::{Figures, read};
use kd_recipes::NamedRecipe;

/// Hours of all runs of a study on a data set, by what they are.
pub fn markdown(file: &Path) -> Result<String, Box<dyn Error>> {
    let mut costs: BTreeMap<(String, String, &str), (usize, f64, f64)> = BTreeMap::new();
    // A step of another batch says nothing about the recipe's.
    let whole = read(file)?
        .into_iter()
        .filter(|(_, figures)| figures.batch.is_none());
    for (named, figures) in whole {
        let kind = match named.variant.as_str() {
            "alone" => "networks alone",
            "standard" => "standard",
            "adaptive" => "adaptive",
            _ => "anti, random, joint",
        };
        let key = (named.study.clone(), named.data.clone(), kind);
        let cost = costs.entry(key).or_default();
        cost.0 += 1;
        cost.1 += hours(&named, &figures)?;
        cost.2 = cost.2.max(figures.memory);
    }
    let mut lines = vec![
        "| study | data | runs | number | hours | MiB at most |".to_owned(),
        "|---|---|---|--:|--:|--:|".to_owned(),
    ];
    for ((study, data, kind), (runs, hours, memory)) in costs {
        lines.push(format!(
            "| {study} | {data} | {kind} | {runs} | {hours:.0} | {memory:.0} |"
        ));
    }
    Ok(lines.join("\n"))
}

/// Hours of a run: its steps, and those of the phase before. Evaluation is left out.
fn hours(named: &NamedRecipe, figures: &Figures) -> Result<f64, Box<dyn Error>> {
    let mut overlay = named.overlay();
    if named.teacher.is_some() && named.method != "DML" {
        overlay.set("teacher.weights", "drawn");
    }
    let recipe = overlay.finish()?;
    let [_, _, samples] = sizes(&named.data);
    let steps = samples.div_ceil(recipe.data.batch_size.unwrap_or(64)) as f64;
    let epochs = recipe.train.epochs.unwrap_or_default() as f64;
    let pretrain = recipe.train.pretrain_epochs.unwrap_or_default() as f64;
    Ok((steps * epochs * figures.step + steps * pretrain * figures.before) / 3600.0)
}
