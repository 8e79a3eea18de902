//! `kd recipe`.

use kd_train::TrainError;

use super::distill_flags::DistillFlags;
use super::error::CliError;
use super::output;

/// Flags of `kd recipe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    flags: DistillFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let (overlay, _) = args.flags.overlay()?;
    let recipe = overlay.finish()?;
    let text = serde_saphyr::to_string(&recipe).map_err(|error| TrainError::Key {
        path: "recipe".to_owned(),
        reason: error.to_string(),
    })?;
    output::text(&text);
    Ok(())
}
