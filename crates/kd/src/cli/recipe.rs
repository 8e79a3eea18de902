//! `kd recipe`.

use kd_train::{Recipe, TrainError};
use serde_json::Value;

use super::distill_flags::DistillFlags;
use super::error::CliError;
use super::{output, teacher};

/// Flags of `kd recipe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the JSON Schema of recipe files instead, for editors and checks
    #[arg(long, exclusive = true)]
    schema: bool,
    /// Print JSON, which --config reads too
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub flags: DistillFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    if args.schema {
        return output::result(&Recipe::schema(), true, Value::to_string);
    }
    let (mut overlay, place) = args.flags.overlay()?;
    teacher::named(&mut overlay, &place)?;
    let recipe = overlay.finish()?;
    let yaml = yaml(&recipe)?;
    output::result(&recipe, args.json, |_| yaml)
}

/// A recipe as a file has it.
pub fn yaml(recipe: &Recipe) -> Result<String, CliError> {
    let text = serde_saphyr::to_string(recipe).map_err(|error| TrainError::Key {
        path: "recipe".to_owned(),
        reason: error.to_string(),
    })?;
    Ok(text)
}
