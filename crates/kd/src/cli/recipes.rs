//! `kd recipes`.

use kd_recipes::{NamedRecipe, recipe, select, studies};

use super::error::CliError;
use super::{output, table};

/// Flags of `kd recipes`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// `show NAME` prints a complete recipe; else beginnings or words of names, all of which a name
    /// must have, as in `sakd-cifar100 resnet20 adaptive`
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
    /// Print names only, one a line
    #[arg(long, conflicts_with = "json")]
    names: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), CliError> {
    if let [command, name] = args.patterns.as_slice()
        && command == "show"
    {
        return show(name);
    }
    if args.patterns.is_empty() && !(args.names || args.json) {
        let count = |study: &str| Ok(select(&[study.to_owned()])?.len());
        let counts = studies()?.iter().map(|study| count(&study.name));
        let counts: Vec<usize> = counts.collect::<Result<_, CliError>>()?;
        output::text(&table::studies(studies()?.iter().zip(counts)));
        return Ok(());
    }
    let selected = select(&args.patterns)?;
    if args.json {
        output::text(&serde_json::to_string_pretty(&selected)?);
    } else if args.names {
        let names: Vec<&str> = selected.iter().map(|recipe| recipe.name.as_str()).collect();
        output::text(&names.join("\n"));
    } else {
        let figures = selected
            .iter()
            .map(figures)
            .collect::<Result<Vec<_>, _>>()?;
        output::text(&table::recipes(selected.iter().zip(figures)));
    }
    Ok(())
}

/// The published figures of a recipe, with their protocol.
fn figures(recipe: &NamedRecipe) -> Result<String, CliError> {
    let mut figures: Vec<String> = recipe
        .published()?
        .iter()
        .map(|figure| format!("{:.2} ({})", figure.top1, figure.protocol))
        .collect();
    figures.dedup();
    Ok(figures.join(", "))
}

/// Prints a recipe with all its values.
fn show(name: &str) -> Result<(), CliError> {
    let named = recipe(name)?;
    let mut overlay = named.overlay();
    let mut text = String::new();
    if let Some(needs) = &named.needs {
        let weights = format!("runs/{}", needs.weights.student_of(&needs.recipe));
        text = format!("# The teacher is trained by the recipe {}.\n", needs.recipe);
        overlay.set("teacher.weights", weights);
    }
    let recipe = overlay.finish()?;
    text += &super::recipe::yaml(&recipe)?;
    output::text(&text);
    Ok(())
}
