//! `kd methods`.

use kd_losses::{LossConfig, Method};
use serde_json::{Value, json};

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
    let methods = match &args.name {
        Some(name) => vec![Method::by_name(name)?],
        None => Method::all(),
    };
    output::text(&match (args.json, &args.name) {
        (true, _) => {
            let all: Vec<Value> = methods.iter().map(described).collect();
            serde_json::to_string_pretty(&all)?
        }
        (false, None) => table::methods(&methods),
        (false, Some(_)) => {
            let explained: Vec<String> = methods.iter().map(table::method).collect();
            explained.join("\n")
        }
    });
    Ok(())
}

/// A method as JSON: its description, its defaults, what it requires.
fn described(method: &Method) -> Value {
    let mut value = json!(method.info());
    value["requirements"] = json!(method.requirements());
    value["pretrain"] = json!(method.pretrain());
    let mut defaults = json!(method);
    if let Some(defaults) = defaults.as_object_mut() {
        defaults.remove("name");
    }
    value["defaults"] = defaults;
    value
}
