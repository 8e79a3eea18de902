//! `kd recipe`.

use kd_train::{Recipe, TrainError};

use super::distill_flags::DistillFlags;
use super::error::CliError;
use super::{output, teacher};

/// Flags of `kd recipe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub flags: DistillFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let (mut overlay, place) = args.flags.overlay()?;
    teacher::named(&mut overlay, &place)?;
    output::text(&yaml(&overlay.finish()?)?);
    Ok(())
}

/// A recipe as a file has it.
pub fn yaml(recipe: &Recipe) -> Result<String, CliError> {
    let text = serde_saphyr::to_string(recipe).map_err(|error| TrainError::Key {
        path: "recipe".to_owned(),
        reason: error.to_string(),
    })?;
    Ok(text)
}
