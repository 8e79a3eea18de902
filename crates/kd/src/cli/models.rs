//! `kd models`.

use kd_models::{Architecture, ModelInfo};
use kd_train::{TrainError, default_device, device_by_name};

use super::error::CliError;
use super::{output, table};

/// Flags of `kd models`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Explain this network only
    name: Option<String>,
    /// Number of classes
    #[arg(long, value_name = "N", default_value_t = 100)]
    classes: usize,
    /// Height and width of the images, in pixels [default: what each network is usually trained
    /// on]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), CliError> {
    if args.classes == 0 {
        return Err(bad("classes", args.classes, "at least 1"));
    }
    if let Some(size) = args.size.filter(|size| *size == 0 || size % 32 != 0) {
        return Err(bad("size", size, "a multiple of 32"));
    }
    let device = device_by_name(default_device())?;
    let info = |model: Architecture| {
        let input = match args.size {
            Some(size) => [3, size, size],
            None => model.usual_input(),
        };
        model.info(args.classes, input, &device)
    };
    if let Some(name) = &args.name {
        let model = info(Architecture::by_name(name)?);
        output::text(&if args.json {
            serde_json::to_string_pretty(&model)?
        } else {
            table::model(&model)
        });
        return Ok(());
    }
    let models: Vec<ModelInfo> = Architecture::all().map(info).collect();
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
