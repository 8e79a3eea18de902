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
    output::result(&devices[..], args.json, table::devices)
}
