//! `kd mutual`.

use std::path::PathBuf;

use clap::ArgAction;
use kd_losses::Method;
use kd_train::{Overlay, Recipe, Shorthand, StudentConfig, TrainError, run as run_recipe};

use super::candidates;
use super::error::CliError;
use super::finished::Finished;
use super::flags::{RunFlags, architecture};
use super::progress::Progress;
use super::text_path::TextPath;

/// Flags of `kd mutual`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Two or more networks, for example resnet20,resnet20; `kd models` lists them [default: inferred
    /// from their weights]
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Set, add = candidates::networks())]
    networks: Vec<String>,
    /// Start from these weights, one file for each network: safetensors or PyTorch checkpoints
    #[arg(long, value_name = "FILES", value_delimiter = ',', action = ArgAction::Set, value_parser = TextPath)]
    weights: Vec<PathBuf>,
    /// Weight of the cross-entropy with the labels [default: 1]
    #[arg(
        short = 'r',
        long,
        value_name = "WEIGHT",
        allow_negative_numbers = true
    )]
    weight_ce: Option<f64>,
    /// Weight of the KL divergence from the other networks' probabilities [default: 1]
    #[arg(
        short = 'b',
        long,
        value_name = "WEIGHT",
        allow_negative_numbers = true
    )]
    weight_method: Option<f64>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub run: RunFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let networks = networks(args.networks, args.weights)?;
    let weights = (args.weight_ce, args.weight_method);
    let (overlay, place) = args.run.overlay(|mut overlay| {
        if let Some((student, peers)) = networks.split_first() {
            overlay.set_some("student.network", student.network);
            overlay.set_some("student.weights", student.weights.clone());
            overlay.set("peers", peers);
        }
        terms(&mut overlay, weights)?;
        Ok(overlay)
    })?;
    if overlay.recipe()?.peers.is_empty() {
        let hint =
            "specify two or more networks, for example --networks resnet20,resnet20".to_owned();
        let field = "peers";
        return Err(TrainError::Missing { field, hint }.into());
    }
    let recipe = overlay.finish()?;
    let options = place.options(&recipe, name);
    let result = run_recipe(&recipe, &options, &mut Progress::new())?;
    Finished::new(result, options.out).print(args.json)
}

/// The networks of the flags: none, or two or more.
fn networks(names: Vec<String>, weights: Vec<PathBuf>) -> Result<Vec<StudentConfig>, CliError> {
    let count = names.len().max(weights.len());
    if count == 1 {
        let (found, expected) = ("one network".to_owned(), "two or more".to_owned());
        let field = "--networks";
        return Err(TrainError::Value {
            field,
            found,
            expected,
        }
        .into());
    }
    if !(weights.is_empty() || names.is_empty() || weights.len() == names.len()) {
        let found = format!("a list of {}", weights.len());
        let expected = format!("one file for each of the {} networks", names.len());
        let field = "--weights";
        return Err(TrainError::Value {
            field,
            found,
            expected,
        }
        .into());
    }
    let network = |index: usize| {
        Ok(StudentConfig {
            network: architecture(names.get(index).cloned())?,
            weights: weights.get(index).cloned(),
            ..StudentConfig::default()
        })
    };
    (0..count).map(network).collect()
}

/// The terms, with other weights or the method's own, unless a file has them and no flag speaks of
/// weights.
fn terms(overlay: &mut Overlay, (ce, own): (Option<f64>, Option<f64>)) -> Result<(), CliError> {
    let weights = Shorthand {
        ce,
        own,
        ..Shorthand::default()
    };
    let named = Shorthand {
        method: Some(Method::by_name("dml")?),
        ..weights.clone()
    };
    match overlay.has("losses") {
        true => overlay.shorthand(&weights)?,
        false => overlay.shorthand(&named)?,
    }
    Ok(())
}

/// What a run is called, as in `resnet20-resnet20-mutual-cifar100`.
fn name(recipe: &Recipe) -> String {
    let networks = std::iter::once(&recipe.student).chain(&recipe.peers);
    let names = networks.map(|network| network.network.map_or("network", |name| name.name()));
    let names: Vec<&str> = names.collect();
    format!("{}-mutual-{}", names.join("-"), recipe.data.name.name())
}
