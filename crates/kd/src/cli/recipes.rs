//! `kd recipes`.

use kd_recipes::{NamedRecipe, recipe, select, studies};

use serde::Serialize;

use super::error::CliError;
use super::{candidates, output, table};

/// Flags of `kd recipes`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Prefixes or words that a name must contain, for example `sakd-cifar100 resnet20 adaptive`; or
    /// `show NAME` to print a complete recipe
    #[arg(value_name = "PATTERN", add = candidates::studies())]
    patterns: Vec<String>,
    /// Print only names, one per line
    #[arg(long, conflicts_with = "json")]
    names: bool,
    /// Print JSON: the recipes that match, or all
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), CliError> {
    if let [command, name] = args.patterns.as_slice()
        && command == "show"
    {
        return show(name, args.json);
    }
    if args.patterns.is_empty() && !(args.names || args.json) {
        let count = |study: &str| Ok(select(&[study.to_owned()])?.len());
        let counts = studies()?.iter().map(|study| count(&study.name));
        let counts: Vec<usize> = counts.collect::<Result<_, CliError>>()?;
        output::text(&table::studies(studies()?.iter().zip(counts)));
        return Ok(());
    }
    let selected = select(&args.patterns)?.into_iter();
    if args.names {
        let names: Vec<String> = selected.map(|recipe| recipe.name.clone()).collect();
        output::text(&names.join("\n"));
        return Ok(());
    }
    let listed: Vec<Listed> = selected.map(Listed::of).collect::<Result<_, _>>()?;
    output::result(&listed[..], args.json, table::recipes)
}

/// A recipe and what was published of it.
#[derive(Serialize)]
pub struct Listed {
    #[serde(flatten)]
    pub recipe: NamedRecipe,
    pub published: Vec<PublishedTop1>,
}

/// A published figure.
#[derive(Serialize)]
pub struct PublishedTop1 {
    /// Top-1 accuracy in percent.
    pub top1: f64,
    /// Which epoch of how many runs.
    pub protocol: String,
}

impl Listed {
    fn of(recipe: NamedRecipe) -> Result<Self, CliError> {
        let published = recipe.published()?.into_iter();
        let published = published.map(|figure| PublishedTop1 {
            top1: figure.top1,
            protocol: figure.protocol,
        });
        Ok(Self {
            published: published.collect(),
            recipe,
        })
    }
}

/// Prints a recipe with all its values.
fn show(name: &str, json: bool) -> Result<(), CliError> {
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
    output::result(&recipe, json, |_| text)
}
