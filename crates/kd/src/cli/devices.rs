//! `kd devices`.

use kd_train::devices;

use super::error::CliError;
use super::{output, table};

/// Flags of `kd devices`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), CliError> {
    let devices = devices();
    output::text(&match args.json {
        true => serde_json::to_string_pretty(&devices)?,
        false => table::devices(&devices),
    });
    Ok(())
}
