//! `kd eval`.

use std::path::PathBuf;

use clap::ValueHint;
use kd_data::{Loader, LoaderConfig};
use kd_models::weights::WeightsFile;
use kd_train::{TestMetrics, TrainError, evaluate, warn_of_other_data};
use serde::Serialize;

use super::candidates;
use super::error::CliError;
use super::flags::{DataFlags, ReadFlags, architecture};
use super::output;

/// Flags of `kd eval`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Weights: safetensors or a PyTorch checkpoint
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    weights: PathBuf,
    /// Network [default: inferred from the file]
    #[arg(long, value_name = "NAME", add = candidates::networks())]
    model: Option<String>,
    /// Batch size; does not affect results
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
    let evaluation = Evaluation {
        images: loader.set().len(),
        metrics,
    };
    output::result(&evaluation, args.json, Evaluation::line)
}

/// What is measured.
#[derive(Serialize)]
struct Evaluation {
    /// Number of images.
    images: usize,
    #[serde(flatten)]
    metrics: TestMetrics,
}

impl Evaluation {
    fn line(&self) -> String {
        let TestMetrics { loss, top1, top5 } = &self.metrics;
        let images = self.images;
        format!("{images} images: top-1 {top1:.2} %, top-5 {top5:.2} %, loss {loss:.4}")
    }
}
