//! `kd eval`.

use std::path::PathBuf;

use kd_data::{Loader, LoaderConfig};
use kd_models::weights::WeightsFile;
use kd_train::{TrainError, evaluate, warn_of_other_data};

use super::error::CliError;
use super::flags::{DataFlags, ReadFlags, architecture};
use super::output;

/// Flags of `kd eval`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The weights: safetensors or a PyTorch checkpoint
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// The network; by default what the file says, or what its keys and shapes tell
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Images in a batch; it does not change the numbers
    #[arg(long, value_name = "N", default_value_t = 100)]
    batch_size: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    read: ReadFlags,
    #[command(flatten)]
    data: DataFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let file = WeightsFile::open_with(&args.weights, &args.read.options())?;
    let model = architecture(args.model)?;
    let named = match model {
        Some(model) => model,
        None => file.identify()?.architecture,
    };
    let recipe = args.data.overlay().finish()?;
    let device = recipe.compute.open()?;
    let test = recipe.load_data()?.test;
    named.check_input([test.channels(), test.height(), test.width()])?;
    let network = file.into_network(model, Some(test.classes()), &device)?;
    warn_of_other_data(&args.weights, &test, recipe.data.name)?;
    let loader =
        Loader::new(test, LoaderConfig::evaluate(args.batch_size)).map_err(TrainError::from)?;
    let metrics = evaluate(&network, &loader, &device).map_err(|error| match error {
        TrainError::NonFinite(mut found) => {
            found.network = args.weights.display().to_string();
            TrainError::NonFinite(found)
        }
        other => other,
    })?;
    if args.json {
        output::text(&serde_json::to_string_pretty(&metrics)?);
    } else {
        output::text(&format!(
            "{} images: top-1 {:.2} %, top-5 {:.2} %, loss {:.4}",
            loader.set().len(),
            metrics.top1,
            metrics.top5,
            metrics.loss
        ));
    }
    Ok(())
}
