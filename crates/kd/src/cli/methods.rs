//! `kd methods`.

use kd_losses::{LossConfig, Method, MethodInfo, Pretrain, Requirements};
use serde::Serialize;
use serde_json::{Value, json};

use super::error::CliError;
use super::{candidates, output, table};

/// Flags of `kd methods`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Describe only this method
    #[arg(add = candidates::methods())]
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), CliError> {
    if let Some(name) = &args.name {
        let method = Description::of(Method::by_name(name)?);
        return output::result(&method, args.json, |method| table::method(&method.method));
    }
    let methods: Vec<Description> = Method::all().into_iter().map(Description::of).collect();
    output::result(&methods[..], args.json, |methods| {
        table::methods(methods.iter().map(|method| &method.method))
    })
}

/// A method as JSON: its description, its defaults, what it requires.
#[derive(Serialize)]
struct Description {
    #[serde(skip)]
    method: Method,
    #[serde(flatten)]
    info: MethodInfo,
    requirements: Requirements,
    pretrain: Pretrain,
    defaults: Value,
}

impl Description {
    fn of(method: Method) -> Self {
        let mut defaults = json!(method);
        if let Some(defaults) = defaults.as_object_mut() {
            defaults.remove("name");
        }
        Self {
            info: method.info(),
            requirements: method.requirements(),
            pretrain: method.pretrain(),
            defaults,
            method,
        }
    }
}
