//! `kd methods`.

use kd_losses::{Method, MethodInfo};

use super::error::CliError;
use super::{output, table};

/// Flags of `kd methods`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), CliError> {
    let methods: Vec<MethodInfo> = Method::all().iter().map(Method::info).collect();
    output::text(&if args.json {
        serde_json::to_string_pretty(&methods)?
    } else {
        table::methods(&methods)
    });
    Ok(())
}
