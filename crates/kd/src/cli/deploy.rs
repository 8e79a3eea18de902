//! `kd deploy`.

use std::path::PathBuf;

use clap::ValueHint;
use kd_models::deploy::{DeployOptions, deploy};
use kd_train::{default_device, device_by_name};

use super::candidates;
use super::error::CliError;
use super::flags::{ReadFlags, architecture};
use super::{output, table};

/// Flags of `kd deploy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Trained weights: safetensors or a PyTorch checkpoint
    #[arg(long = "in", value_name = "FILE", value_hint = ValueHint::FilePath)]
    input: PathBuf,
    /// Safetensors file to write
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: PathBuf,
    /// Network [default: inferred from the file]
    #[arg(long, value_name = "NAME", add = candidates::networks())]
    model: Option<String>,
    /// Fold all batch norms, not only those of re-parameterizable blocks (other networks are always
    /// folded completely)
    #[arg(long)]
    fold_all: bool,
    /// Height and width of the images, in pixels [default: as stated in the file, or the network's
    /// usual size]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..=2048))]
    size: Option<u16>,
    /// Device: flex, ndarray, cuda[:N] or wgpu[:N]; `kd devices` lists those available
    #[arg(long, value_name = "NAME", add = candidates::devices())]
    device: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    read: ReadFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let device = device_by_name(args.device.as_deref().unwrap_or(default_device()))?;
    let options = DeployOptions {
        architecture: architecture(args.model)?,
        fold_all: args.fold_all,
        input: args.size.map(|size| [3, size.into(), size.into()]),
        read: args.read.options(),
    };
    let report = deploy(&args.input, &args.out, &options, &device)?;
    output::result(&report, args.json, |report| {
        table::deployed(report, &args.out)
    })
}
