//! `kd models`.

use kd_models::{Architecture, ModelInfo};
use kd_train::{default_device, device_by_name};

use super::error::CliError;
use super::{candidates, output, table};

/// Flags of `kd models`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Describe only this network
    #[arg(add = candidates::networks())]
    name: Option<String>,
    /// Number of classes
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    classes: u32,
    /// Height and width of the images, in pixels [default: each network's usual size]; networks that
    /// cannot take such small images are left out of the list
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..=2048))]
    size: Option<u16>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), CliError> {
    let device = device_by_name(default_device())?;
    let input = |model: Architecture| match args.size {
        Some(size) => [3, size.into(), size.into()],
        None => model.usual_input(),
    };
    let info = |model: Architecture| model.info(args.classes as usize, input(model), &device);
    if let Some(name) = &args.name {
        let model = Architecture::by_name(name)?;
        model.check_input(input(model))?;
        let model = info(model);
        return output::result(&model, args.json, table::model);
    }
    let models: Vec<ModelInfo> = Architecture::all()
        .filter(|model| model.check_input(input(*model)).is_ok())
        .map(info)
        .collect();
    output::result(&models[..], args.json, table::models)
}
