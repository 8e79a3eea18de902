//! `kd models`.

use kd_models::{Architecture, ModelInfo};
use kd_train::{TrainError, default_device, device_by_name};

use super::error::CliError;
use super::{output, table};

/// Flags of `kd models`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Number of classes
    #[arg(long, value_name = "N", default_value_t = 100)]
    classes: usize,
    /// Height and width of the images, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 32)]
    size: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), CliError> {
    if args.classes == 0 {
        return Err(bad("classes", args.classes, "at least 1"));
    }
    if !args.size.is_multiple_of(32) || args.size == 0 {
        return Err(bad("size", args.size, "a multiple of 32"));
    }
    let device = device_by_name(default_device())?;
    let models: Vec<ModelInfo> = Architecture::all()
        .map(|model| model.info(args.classes, [3, args.size, args.size], &device))
        .collect();
    output::text(&if args.json {
        serde_json::to_string_pretty(&models)?
    } else {
        table::models(&models)
    });
    Ok(())
}

fn bad(field: &'static str, found: usize, expected: &str) -> CliError {
    CliError::Train(TrainError::Value {
        field,
        found: found.to_string(),
        expected: expected.to_owned(),
    })
}
