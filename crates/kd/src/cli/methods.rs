//! `kd methods`.

use kd_losses::{Method, MethodInfo};

use super::error::CliError;
use super::{output, table};

/// Flags of `kd methods`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Explain this method only
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), CliError> {
    let methods: Vec<MethodInfo> = match &args.name {
        Some(name) => vec![Method::by_name(name)?.info()],
        None => Method::all().iter().map(Method::info).collect(),
    };
    output::text(&match (args.json, &args.name) {
        (true, _) => serde_json::to_string_pretty(&methods)?,
        (false, None) => table::methods(&methods),
        (false, Some(_)) => {
            let explained: Vec<String> = methods.iter().map(table::method).collect();
            explained.join("\n")
        }
    });
    Ok(())
}
